//! Where directories stand when moves closed a loop.
//!
//! In each loop the directory moved last (greatest stamp) falls back: first to the place its move took it from, and if
//! that is gone or leads into a loop again, to the root. Loops have no directory in common, so the order in which they
//! are broken does not matter and every device ends at the same tree.
//!
//! Only a directory that moved now, or fell back before, can be part of a loop, so only from these is it looked for.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::LedgerError;
use crate::node::{Ino, ROOT};
use crate::tree::State;

type Fallbacks = BTreeMap<Ino, u8>;

impl State {
    /// Settles where the directories of `moved`, and those that fell back before, stand; adds those that now stand
    /// elsewhere to `moved`.
    pub(super) fn settle_fallbacks(&mut self, moved: &mut BTreeSet<Ino>) -> Result<(), LedgerError> {
        let mut work = Vec::new();
        let mut any_dir = false;
        for ino in &*moved {
            let row = self.known_row(*ino)?;
            any_dir |= row.is_dir();
            // Nothing is placed in an empty directory, so no loop goes through it.
            if row.is_dir() && row.is_alive() && row.supports > 0 && *ino != ROOT {
                work.push(*ino);
            }
        }
        if work.is_empty() && (self.fallen.is_empty() || !any_dir) {
            return Ok(());
        }
        let before = self.fallen.clone();
        work.extend(&before);
        let mut fallbacks: Fallbacks = work.iter().map(|ino| (*ino, 0)).collect();
        while let Some(ino) = work.pop() {
            let Some(looped) = self.find_loop(ino, &fallbacks)? else { continue };
            let last = self.moved_last(&looped)?;
            let next = self.next_fallback(last, fallbacks.get(&last).copied().unwrap_or(0))?;
            fallbacks.insert(last, next);
            work.extend([ino, last]);
        }
        for (ino, fallback) in fallbacks {
            if self.set_fallback(ino, fallback)? {
                moved.insert(ino);
            }
        }
        Ok(())
    }

    fn set_fallback(&mut self, ino: Ino, fallback: u8) -> Result<bool, LedgerError> {
        self.set_fallen(ino, fallback > 0);
        let row = self.known_row(ino)?;
        let changes = row.links.iter().any(|link| link.fallback != fallback);
        if changes {
            self.row_mut(ino)?.links.iter_mut().for_each(|link| link.fallback = fallback);
        }
        Ok(changes)
    }

    // Walks up from `start`; the members of the loop it ends in, if any.
    fn find_loop(&self, start: Ino, fallbacks: &Fallbacks) -> Result<Option<Vec<Ino>>, LedgerError> {
        let mut path = Vec::new();
        let mut seen = BTreeSet::new();
        let mut at = start;
        loop {
            if at == ROOT {
                return Ok(None);
            }
            if !seen.insert(at) {
                let begin = path.iter().position(|ino| *ino == at).unwrap_or(0);
                return Ok(Some(path.split_off(begin)));
            }
            path.push(at);
            match self.standing_parent(at, fallbacks.get(&at).copied())? {
                Some(parent) => at = parent,
                None => return Ok(None),
            }
        }
    }

    fn standing_parent(&self, dir: Ino, fallback: Option<u8>) -> Result<Option<Ino>, LedgerError> {
        let row = self.known_row(dir)?;
        // Nothing shows in what is no directory, whatever a confused device placed there.
        let Some(link) = row.own_link().filter(|link| link.is_alive() && row.is_dir()) else {
            return Ok(None);
        };
        // A directory that is not looked at stands as it did.
        Ok(Some(match fallback.unwrap_or(link.fallback) {
            0 => link.place.parent,
            1 => link.place.origin.as_ref().map_or(ROOT, |(parent, _)| *parent),
            _ => ROOT,
        }))
    }

    fn moved_last(&self, looped: &[Ino]) -> Result<Ino, LedgerError> {
        let mut last = None;
        for ino in looped {
            let row = self.known_row(*ino)?;
            let stamp = row.own_link().map(|link| link.place.stamp);
            last = last.max(Some((stamp, row.id, *ino)));
        }
        Ok(last.map(|(_, _, ino)| ino).expect("a loop has members"))
    }

    fn next_fallback(&self, dir: Ino, current: u8) -> Result<u8, LedgerError> {
        let row = self.known_row(dir)?;
        let origin = row.own_link().and_then(|link| link.place.origin.as_ref()).map(|(parent, _)| *parent);
        match origin {
            Some(parent) if current == 0 && self.is_living_dir(parent)? => Ok(1),
            _ => Ok(2),
        }
    }

    fn is_living_dir(&self, ino: Ino) -> Result<bool, LedgerError> {
        Ok(self.row(ino)?.is_some_and(|row| row.is_dir() && row.is_alive()))
    }
}
