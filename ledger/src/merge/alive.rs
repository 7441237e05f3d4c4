//! Which links live.
//!
//! A link lives that is not deleted. Beyond that, an edit beats a deletion: a file all of whose links are deleted
//! keeps the last of them if it has a head none of the deletions saw, and a deleted directory lives while anything
//! living is placed in it.
//!
//! The second rule is a least fixed point. Each directory counts its supports (living links placed in it), which is
//! exact except where deleted directories, each placed in the other, would support themselves; those loops are looked
//! for and ended.

use std::collections::{BTreeSet, VecDeque};

use crate::error::LedgerError;
use crate::node::{Ino, ROOT};
use crate::tree::{InodeRow, State};

impl State {
    /// Settles the links of `dirty` and of the directories these support. Answers every inode looked at, among which
    /// is every one whose links may now stand elsewhere.
    pub(super) fn settle_alive(&mut self, dirty: Vec<Ino>) -> Result<BTreeSet<Ino>, LedgerError> {
        let mut moved = BTreeSet::new();
        let mut doubtful = BTreeSet::new();
        let mut queue = VecDeque::from(dirty);
        loop {
            while let Some(ino) = queue.pop_front() {
                self.settle_links(ino, &mut queue, &mut doubtful)?;
                moved.insert(ino);
            }
            let Some(dir) = doubtful.pop_first() else { return Ok(moved) };
            for member in self.self_supporting(dir)? {
                let row = self.known_row(member)?;
                let own = row.links.iter().position(|link| link.entry == row.id);
                self.set_counted(member, own.expect("a member has its own link"), None, &mut queue)?;
                queue.push_back(member);
            }
        }
    }

    fn settle_links(
        &mut self,
        ino: Ino,
        queue: &mut VecDeque<Ino>,
        doubtful: &mut BTreeSet<Ino>,
    ) -> Result<(), LedgerError> {
        let row = self.known_row(ino)?;
        let living = living_links(&row);
        for (index, link) in row.links.iter().enumerate() {
            let counted = living[index].then_some(link.place.parent);
            if counted != link.counted {
                self.set_counted(ino, index, counted, queue)?;
            }
        }
        if row.is_dir() && row.links.iter().any(|link| link.place.deleted) {
            doubtful.insert(ino);
        }
        Ok(())
    }

    fn set_counted(
        &mut self,
        ino: Ino,
        index: usize,
        counted: Option<Ino>,
        queue: &mut VecDeque<Ino>,
    ) -> Result<(), LedgerError> {
        let link = &mut self.row_mut(ino)?.links[index];
        let before = std::mem::replace(&mut link.counted, counted);
        for (parent, supported) in [(before, false), (counted, true)] {
            let Some(parent) = parent else { continue };
            let row = self.row_mut(parent)?;
            row.supports = if supported { row.supports + 1 } else { row.supports.saturating_sub(1) };
            if row.links.iter().any(|link| link.place.deleted) {
                queue.push_back(parent);
            }
        }
        Ok(())
    }

    // The loop of deleted directories that `dir` is on, if nothing but the loop itself supports it.
    fn self_supporting(&self, dir: Ino) -> Result<Vec<Ino>, LedgerError> {
        let mut members = Vec::new();
        let mut seen = BTreeSet::new();
        let mut at = dir;
        loop {
            let row = self.known_row(at)?;
            let Some(link) = row.own_link() else {
                return Ok(Vec::new());
            };
            if at == ROOT || !row.is_dir() || !link.is_alive() || !link.place.deleted || row.supports != 1 {
                return Ok(Vec::new());
            }
            if !seen.insert(at) {
                // A loop further up; it is looked at when one of its own members is.
                return Ok(Vec::new());
            }
            members.push(at);
            at = link.place.parent;
            if at == dir {
                return Ok(members);
            }
        }
    }
}

fn living_links(row: &InodeRow) -> Vec<bool> {
    if row.born.is_none() {
        return vec![false; row.links.len()];
    }
    if row.is_dir() {
        let lives = |deleted: bool| !deleted || row.supports > 0;
        return row.links.iter().map(|link| link.entry == row.id && lives(link.place.deleted)).collect();
    }
    let mut living: Vec<bool> = row.links.iter().map(|link| !link.place.deleted).collect();
    let unseen = |head| !row.links.iter().any(|link| link.place.seen.contains(&head));
    if !living.contains(&true) && row.heads().any(unseen) {
        let last = row.links.iter().enumerate().max_by_key(|(_, link)| (link.place.stamp, link.entry));
        if let Some((index, _)) = last {
            living[index] = true;
        }
    }
    living
}
