//! Names that hold what somebody types, and files that are not safe.
//!
//! The folders are walked, nearest to the start first, for a bounded time: there is no index of names yet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ledger::Entry;

use super::list::Listed;
use super::relocate::STEP_ENTRIES;
use crate::core::Core;
use crate::{Drive, Error, FileSafety, Ino, Kind};

/// Folders that wait to be looked into at most; beyond that the search is not complete.
const FOLDERS_WAITING_MAX: usize = 1 << 16;

/// Takes the folder and entry of a name; false: no more of them.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &Entry) -> Result<bool, Error> + 'a;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Every word must be in the name, in any case and order.
    Words(&'a str),
    /// Files that are not safe, and those in conflict.
    NotSafe,
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// What is looked for.
    pub wanted: Wanted<'a>,
    /// Where to begin.
    pub under: &'a [u8],
    /// Names found at most.
    pub limit: usize,
    /// How long it may take.
    pub patience: Duration,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchFound {
    /// Folder of each, from the root, and the entry.
    pub found: Vec<(Vec<u8>, Listed)>,
    /// Every name was looked at.
    pub complete: bool,
}

impl Drive {
    /// What is wanted, as far as the time suffices.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the start.
    pub fn search(&self, asked: &Search<'_>) -> Result<SearchFound, Error> {
        let core = &self.core;
        let start = (self.resolve(asked.under)?, clean(asked.under));
        let words = match asked.wanted {
            Wanted::Words(words) => Some(words.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>()),
            Wanted::NotSafe => None,
        };
        if words.as_ref().is_some_and(Vec::is_empty) {
            return Ok(SearchFound { found: Vec::new(), complete: true });
        }
        let (mut walk, view) = (Walk { words, found: Vec::new() }, core.safety_view());
        let complete = core.each_name(start, asked.patience, &mut |folder, entry| {
            walk.step(folder, entry, &mut |ino, name| core.listed(&view, ino, name))?;
            Ok(walk.found.len() < asked.limit)
        })?;
        walk.found.truncate(asked.limit);
        Ok(SearchFound { found: walk.found, complete })
    }
}

impl Core {
    /// Calls `visit` with the folder and entry of every name below `start`, as long as it says so, it is not too late, and there are not
    /// too many folders. Whether every name was visited.
    pub(super) fn each_name(
        &self,
        start: (Ino, Vec<u8>),
        patience: Duration,
        visit: &mut Visit<'_>,
    ) -> Result<bool, Error> {
        let (began, mut whole) = (Instant::now(), true);
        let mut folders = VecDeque::from([start]);
        let mut names: Vec<Entry> = Vec::with_capacity(STEP_ENTRIES);
        while let Some((dir, path)) = folders.pop_front() {
            let mut after = 0;
            loop {
                names.clear();
                let listed = self.ledger.read().list(dir, after, STEP_ENTRIES, &mut names);
                listed.map_err(|error| self.ledger_error(&error))?;
                let Some(last) = names.last() else { break };
                after = last.cookie;
                for entry in names.drain(..) {
                    if !visit(&path, &entry)? {
                        return Ok(false);
                    }
                    if entry.kind == Kind::Directory {
                        whole &= folders.len() < FOLDERS_WAITING_MAX;
                        if whole {
                            folders.push_back((entry.ino, [&path[..], b"/", &entry.name].concat()));
                        }
                    }
                }
                if began.elapsed() >= patience {
                    return Ok(false);
                }
            }
        }
        Ok(whole)
    }
}

struct Walk {
    /// None: files that are not safe.
    words: Option<Vec<String>>,
    found: Vec<(Vec<u8>, Listed)>,
}

impl Walk {
    fn step(
        &mut self,
        folder: &[u8],
        entry: &Entry,
        listed: &mut dyn FnMut(Ino, Vec<u8>) -> Result<Listed, Error>,
    ) -> Result<(), Error> {
        let is_looked_at = match &self.words {
            Some(words) => holds(&entry.name, words),
            None => entry.kind == Kind::File,
        };
        if is_looked_at {
            match listed(entry.ino, entry.name.clone()) {
                Err(Error::NotFound) => {}
                listed => self.found.extend(self.is_wanted(listed?).map(|listed| (folder.to_vec(), listed))),
            }
        }
        Ok(())
    }

    fn is_wanted(&self, listed: Listed) -> Option<Listed> {
        let safe = listed.safety == Some(FileSafety::Safe) && !listed.conflict;
        (self.words.is_some() || !safe).then_some(listed)
    }
}

/// A path as results show it: from the root, without doubled or last slashes.
fn clean(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    parts.flat_map(|part| [b"/".as_slice(), part].concat()).collect()
}

fn holds(name: &[u8], words: &[String]) -> bool {
    let name = String::from_utf8_lossy(name).to_lowercase();
    words.iter().all(|word| name.contains(word.as_str()))
}
