//! Names that hold what somebody types, and files that are not safe.
//!
//! There is no index of words: the names of all folders lie side by side in the tree, and are looked through one after the other, a
//! bounded time in each call. That costs no memory, and is never out of date.

use std::time::{Duration, Instant};

use ledger::{Entry, NameCursor};
use memchr::memmem::Finder;

use super::list::Listed;
use crate::core::Core;
use crate::safety::SafetyView;
use crate::{Drive, Error, FileSafety, Ino, Kind, Time};

/// Names looked at under one hold of the ledger's lock, and the most of them that are kept.
pub(super) const STEP_NAMES: (usize, usize) = (4096, 256);

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Every word must be in the name, in any case and order, and all else be as the filter says.
    Words(&'a str, Filter),
    /// Files that are not safe, and those in conflict.
    NotSafe,
}

/// What else must be so; the default lets everything pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Files of so many bytes at least.
    pub min_bytes: Option<u64>,
    /// Files of so many bytes at most.
    pub max_bytes: Option<u64>,
    /// Changed at this time or later.
    pub since: Option<Time>,
    /// Changed at this time or before.
    pub until: Option<Time>,
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// What is looked for.
    pub wanted: Wanted<'a>,
    /// Only in this folder and below.
    pub under: &'a [u8],
    /// `next` of the part before.
    pub after: Option<&'a [u8]>,
    /// Names found at most, about.
    pub limit: usize,
    /// How long it may take.
    pub patience: Duration,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchFound {
    /// Folder of each, from the root, and the entry; those nearest to the root first.
    pub found: Vec<(Vec<u8>, Listed)>,
    /// What `after` takes to go on; none when every name was looked at.
    pub next: Option<Vec<u8>>,
}

impl Drive {
    /// What is wanted, as far as time and limit suffice.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the folder, [`Error::Io`].
    pub fn search(&self, asked: &Search<'_>) -> Result<SearchFound, Error> {
        self.resolve(asked.under)?;
        let sieve = Sieve::of(&asked.wanted);
        if sieve.is_nothing() {
            return Ok(SearchFound { found: Vec::new(), next: None });
        }
        let (core, began) = (&self.core, Instant::now());
        let mut hits = Hits {
            core,
            view: core.safety_view(),
            under: clean(asked.under),
            folder: None,
            found: Vec::new(),
        };
        let mut cursor = asked.after.map(NameCursor::from_bytes).unwrap_or_default();
        let (mut names, mut lowered) = (Vec::new(), Vec::new());
        let next = loop {
            let mut is_wanted = |name: &[u8]| sieve.holds(name, &mut lowered);
            let scanned = core.ledger.read().scan_names(
                &cursor,
                (STEP_NAMES.0, STEP_NAMES.1.min(asked.limit.max(1))),
                &mut is_wanted,
                &mut names,
            );
            let next = scanned.map_err(|error| core.ledger_error(&error))?;
            for (dir, entry) in names.drain(..) {
                hits.take(dir, entry, &sieve)?;
            }
            let Some(next) = next else { break None };
            if hits.found.len() >= asked.limit || began.elapsed() >= asked.patience {
                break Some(next.as_bytes().to_vec());
            }
            cursor = next;
        };
        hits.found.sort_by_key(|(folder, _)| folder.iter().filter(|byte| **byte == b'/').count());
        Ok(SearchFound { found: hits.found, next })
    }
}

/// What names and entries must fit.
struct Sieve {
    /// None: files that are not safe.
    words: Option<Vec<Finder<'static>>>,
    filter: Filter,
}

impl Sieve {
    fn of(wanted: &Wanted<'_>) -> Self {
        match wanted {
            Wanted::NotSafe => Self { words: None, filter: Filter::default() },
            Wanted::Words(words, filter) => {
                let finder = |word: &str| Finder::new(word.to_lowercase().as_bytes()).into_owned();
                Self { words: Some(words.split_whitespace().map(finder).collect()), filter: *filter }
            }
        }
    }

    /// Nobody looks for all there is.
    fn is_nothing(&self) -> bool {
        self.words.as_ref().is_some_and(Vec::is_empty) && self.filter == Filter::default()
    }

    fn holds(&self, name: &[u8], lowered: &mut Vec<u8>) -> bool {
        let Some(words) = &self.words else { return true };
        lowered.clear();
        if name.is_ascii() {
            lowered.extend_from_slice(name);
            lowered.make_ascii_lowercase();
        } else {
            lowered.extend_from_slice(String::from_utf8_lossy(name).to_lowercase().as_bytes());
        }
        words.iter().all(|word| word.find(lowered).is_some())
    }

    fn lets_pass(&self, listed: &Listed) -> bool {
        if self.words.is_none() {
            let safe = listed.safety == Some(FileSafety::Safe) && !listed.conflict;
            return listed.attr.kind == Kind::File && !safe;
        }
        let Filter { kind, min_bytes, max_bytes, since, until } = self.filter;
        let (attr, by_size) = (&listed.attr, min_bytes.is_some() || max_bytes.is_some());
        kind.is_none_or(|kind| attr.kind == kind)
            && (!by_size || attr.kind == Kind::File)
            && min_bytes.is_none_or(|min| attr.size >= min)
            && max_bytes.is_none_or(|max| attr.size <= max)
            && since.is_none_or(|since| attr.mtime >= since)
            && until.is_none_or(|until| attr.mtime <= until)
    }
}

/// What was found so far.
struct Hits<'a> {
    core: &'a Core,
    view: SafetyView,
    under: Vec<u8>,
    /// The folder of the last one and its path; none for one that is not in the drive any more, or not where it is looked.
    folder: Option<(Ino, Option<Vec<u8>>)>,
    found: Vec<(Vec<u8>, Listed)>,
}

impl Hits<'_> {
    fn take(&mut self, dir: Ino, entry: Entry, sieve: &Sieve) -> Result<(), Error> {
        let Some(path) = self.path_of(dir)? else { return Ok(()) };
        match self.core.listed(&self.view, entry.ino, entry.name) {
            // Removed since it was found.
            Err(Error::NotFound) => {}
            listed => self
                .found
                .extend(Some(listed?).filter(|listed| sieve.lets_pass(listed)).map(|listed| (path, listed))),
        }
        Ok(())
    }

    fn path_of(&mut self, dir: Ino) -> Result<Option<Vec<u8>>, Error> {
        if let Some((known, path)) = &self.folder
            && *known == dir
        {
            return Ok(path.clone());
        }
        let path = self.core.ledger.read().path(dir).map_err(|error| self.core.ledger_error(&error))?;
        let path = path.map(|path| clean(&path)).filter(|path| is_below(path, &self.under));
        self.folder = Some((dir, path.clone()));
        Ok(path)
    }
}

/// A path as results show it: from the root, without doubled or last slashes.
fn clean(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    parts.flat_map(|part| [b"/".as_slice(), part].concat()).collect()
}

fn is_below(path: &[u8], under: &[u8]) -> bool {
    path.strip_prefix(under).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
