//! Names that hold what somebody types, and files that are not safe.
//!
//! There is no index of words: the names of all folders lie side by side in the tree, and are looked through a bounded time in each
//! call. That costs no memory, and is never out of date.
//!
//! ```text
//!  names of the tree, in order:   │ stretch │ stretch │ stretch │ stretch │ …       each looked through by one of a few threads
//!  the answer:                    ├─────────────────────▶ next                      up to where the first of them stopped
//! ```
//!
//! Time and limit end all stretches at once; what was found behind the first that is not at its end is found again by the next call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ledger::{Entry, NameCursor};
use memchr::memmem::Finder;
use parking_lot::Mutex;

use super::list::Listed;
use crate::core::Core;
use crate::safety::SafetyView;
use crate::{Drive, Error, FileSafety, Ino, Kind, Time};

/// Names looked at under one hold of the ledger's lock, and the most of them that are kept.
pub(super) const STEP_NAMES: (usize, usize) = (4096, 256);
/// Threads that look at one time, the caller's among them.
const THREADS_MAX: usize = 4;
/// Stretches that the names are cut into: so that the threads end about together, and little is looked through twice.
const STRETCHES: u64 = 48;
/// Fewer files and folders than these are looked through by the caller alone.
const CUT_FROM_NAMES: u64 = 16_384;

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
        let from = asked.after.map(NameCursor::from_bytes).unwrap_or_default();
        let hunt = Hunt {
            core: &self.core,
            began: Instant::now(),
            view: self.core.safety_view(),
            sieve,
            under: clean(asked.under),
            limit: asked.limit,
            patience: asked.patience,
            taken: AtomicUsize::new(0),
            stretches: self.core.stretches(from),
            begun: AtomicUsize::new(0),
            looked: Mutex::default(),
        };
        hunt.run();
        hunt.told()
    }
}

impl Core {
    /// The names from `from` on, cut where they may be looked through side by side.
    fn stretches(&self, from: NameCursor) -> Vec<(NameCursor, Option<NameCursor>)> {
        let ledger = self.ledger.read();
        let stats = ledger.stats();
        let is_small = stats.files + stats.directories < CUT_FROM_NAMES;
        let cuts = if is_small { Vec::new() } else { ledger.name_cuts(&from, STRETCHES) };
        let ends = cuts.iter().cloned().map(Some).chain([None]);
        std::iter::once(from).chain(cuts.iter().cloned()).zip(ends).collect()
    }
}

/// A search under way.
struct Hunt<'a> {
    core: &'a Core,
    began: Instant,
    view: SafetyView,
    sieve: Sieve,
    under: Vec<u8>,
    limit: usize,
    patience: Duration,
    /// Found so far, in all stretches.
    taken: AtomicUsize,
    stretches: Vec<(NameCursor, Option<NameCursor>)>,
    /// Stretches that somebody looks through or did.
    begun: AtomicUsize,
    /// What they hold, by their place.
    looked: Mutex<Vec<(usize, Result<Looked, Error>)>>,
}

/// What a stretch holds, and where looking through it stopped before its end.
type Looked = (Vec<(Vec<u8>, Listed)>, Option<NameCursor>);

impl Hunt<'_> {
    fn run(&self) {
        let most = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        thread::scope(|scope| {
            for _ in 1..most.min(self.stretches.len()) {
                let helper = thread::Builder::new().name("search".into());
                if let Err(error) = helper.spawn_scoped(scope, || self.look()) {
                    tracing::debug!(%error, "a search has one thread less");
                }
            }
            self.look();
        });
    }

    fn look(&self) {
        loop {
            let at = self.begun.fetch_add(1, Ordering::Relaxed);
            // The first is always begun, so that each call comes further.
            let Some(stretch) = self.stretches.get(at).filter(|_| at == 0 || !self.is_over()) else { return };
            let looked = self.look_through(stretch);
            self.looked.lock().push((at, looked));
        }
    }

    fn is_over(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.limit || self.began.elapsed() >= self.patience
    }

    fn look_through(&self, (from, to): &(NameCursor, Option<NameCursor>)) -> Result<Looked, Error> {
        let mut hits = Hits { hunt: self, folder: None, found: Vec::new() };
        let (mut cursor, mut names, mut lowered) = (from.clone(), Vec::new(), Vec::new());
        loop {
            let mut is_wanted = |name: &[u8]| self.sieve.holds(name, &mut lowered);
            let scanned = self.core.ledger.read().scan_names(
                (&cursor, to.as_ref()),
                (STEP_NAMES.0, STEP_NAMES.1.min(self.limit.max(1))),
                &mut is_wanted,
                &mut names,
            );
            let next = scanned.map_err(|error| self.core.ledger_error(&error))?;
            for (dir, entry) in names.drain(..) {
                hits.take(dir, entry)?;
            }
            match next {
                Some(next) if !self.is_over() => cursor = next,
                next => return Ok((hits.found, next)),
            }
        }
    }

    /// What was found up to the first place that nobody looked at.
    fn told(self) -> Result<SearchFound, Error> {
        let mut looked = self.looked.into_inner();
        looked.sort_unstable_by_key(|(at, _)| *at);
        let mut found = Vec::new();
        let mut next = None;
        let mut stretches = self.stretches.into_iter().enumerate();
        let mut looked = looked.into_iter().peekable();
        for (at, (from, _)) in &mut stretches {
            let Some((_, outcome)) = looked.next_if(|(looked, _)| *looked == at) else {
                next = Some(from);
                break;
            };
            let (more, stopped) = outcome?;
            found.extend(more);
            if stopped.is_some() {
                next = stopped;
                break;
            }
        }
        found.sort_by_key(|(folder, _)| folder.iter().filter(|byte| **byte == b'/').count());
        Ok(SearchFound { found, next: next.map(|next| next.as_bytes().to_vec()) })
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

/// What a stretch holds so far.
struct Hits<'a> {
    hunt: &'a Hunt<'a>,
    /// The folder of the last one and its path; none for one that is not in the drive any more, or not where it is looked.
    folder: Option<(Ino, Option<Vec<u8>>)>,
    found: Vec<(Vec<u8>, Listed)>,
}

impl Hits<'_> {
    fn take(&mut self, dir: Ino, entry: Entry) -> Result<(), Error> {
        let Some(path) = self.path_of(dir)? else { return Ok(()) };
        let listed = match self.hunt.core.listed(&self.hunt.view, entry.ino, entry.name) {
            // Removed since it was found.
            Err(Error::NotFound) => return Ok(()),
            listed => listed?,
        };
        if self.hunt.sieve.lets_pass(&listed) {
            self.found.push((path, listed));
            self.hunt.taken.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn path_of(&mut self, dir: Ino) -> Result<Option<Vec<u8>>, Error> {
        if let Some((known, path)) = &self.folder
            && *known == dir
        {
            return Ok(path.clone());
        }
        let Hunt { core, under, .. } = self.hunt;
        let path = core.ledger.read().path(dir).map_err(|error| core.ledger_error(&error))?;
        let path = path.map(|path| clean(&path)).filter(|path| is_below(path, under));
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
