//! Names that hold what somebody types.
//!
//! The folders are walked, nearest to the start first, for a bounded time: there is no index of names yet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ledger::Entry;

use super::list::Listed;
use super::relocate::STEP_ENTRIES;
use crate::{Drive, Error, Ino, Kind};

/// Folders that wait to be looked into at most; beyond that the search is not complete.
const FOLDERS_WAITING_MAX: usize = 1 << 16;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// Every word must be in the name, in any case and order.
    pub words: &'a str,
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
    /// Names that hold all words.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`] for the start.
    pub fn search(&self, asked: &Search<'_>) -> Result<SearchFound, Error> {
        let core = &self.core;
        let words: Vec<String> = asked.words.split_whitespace().map(str::to_lowercase).collect();
        let start = self.resolve(asked.under)?;
        let mut walk =
            Walk { found: Vec::new(), folders: VecDeque::from([(start, clean(asked.under))]), whole: true };
        let (began, view) = (Instant::now(), core.safety_view());
        if words.is_empty() {
            return Ok(SearchFound { found: Vec::new(), complete: true });
        }
        let mut names: Vec<Entry> = Vec::with_capacity(STEP_ENTRIES);
        while let Some((dir, path)) = walk.folders.pop_front() {
            let mut after = 0;
            loop {
                names.clear();
                let listed = core.ledger.read().list(dir, after, STEP_ENTRIES, &mut names);
                listed.map_err(|error| core.ledger_error(&error))?;
                let Some(last) = names.last() else { break };
                after = last.cookie;
                for entry in names.drain(..) {
                    walk.step(&words, &path, &entry, &mut |ino, name| core.listed(&view, ino, name))?;
                }
                if walk.found.len() >= asked.limit || began.elapsed() >= asked.patience {
                    walk.found.truncate(asked.limit);
                    return Ok(SearchFound { found: walk.found, complete: false });
                }
            }
        }
        Ok(SearchFound { found: walk.found, complete: walk.whole })
    }
}

struct Walk {
    found: Vec<(Vec<u8>, Listed)>,
    folders: VecDeque<(Ino, Vec<u8>)>,
    whole: bool,
}

impl Walk {
    fn step(
        &mut self,
        words: &[String],
        folder: &[u8],
        entry: &Entry,
        listed: &mut dyn FnMut(Ino, Vec<u8>) -> Result<Listed, Error>,
    ) -> Result<(), Error> {
        if holds(&entry.name, words) {
            match listed(entry.ino, entry.name.clone()) {
                Err(Error::NotFound) => return Ok(()),
                listed => self.found.push((folder.to_vec(), listed?)),
            }
        }
        if entry.kind == Kind::Directory {
            self.whole &= self.folders.len() < FOLDERS_WAITING_MAX;
            if self.whole {
                self.folders.push_back((entry.ino, [folder, b"/", &entry.name].concat()));
            }
        }
        Ok(())
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
