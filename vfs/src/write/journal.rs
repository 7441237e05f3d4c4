//! The journal of a workspace: what `fsync` waits for is one sealed record in it, not a transaction of the tree's database.
//!
//! ```text
//! fsync   ledger.keep ──▶ packs flushed, if the batch can name chunks ──▶ record appended and flushed ──▶ ledger.kept
//! commit  what was kept, as one batch of the database, with the mark below ──▶ that half of the journal is free again
//! start   records after the mark ──▶ one batch of the database ──▶ the ledger is opened
//!
//! mark    version 1 ‖ number of the last record the database has (8, LE) ‖ 1 after a clean end, else 0      a local row
//! ```
//!
//! While a batch that is *not* in the journal is on its way into the database, nothing is kept: a record must never build on
//! changes that a power cut could still take away.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use chunkstore::disk::{Disk, JournalError, JournalFile, LastRecord, Replayed};
use ledger::{Backing, Batch, Ledger, LedgerError, LocalSpace, StoreError, WireError};
use zeroize::Zeroizing;

use crate::Error;
use crate::core::{Core, now};

/// The share of the free disk that a new journal takes at most.
const DISK_SHARE: u64 = 32;
/// A journal at least, bytes.
const MIN_BYTES: u64 = 1 << 20;
const SPACE: LocalSpace = LocalSpace(3);
const MARK_KEY: &[u8] = b"taken over";
const VERSION: u8 = 1;

/// Where a journal lies, and what its records are sealed with.
#[derive(Clone)]
pub(crate) struct JournalPlace {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) path: PathBuf,
    pub(crate) secret: Zeroizing<Vec<u8>>,
    /// Its length when it is made, bytes, on a disk with room.
    pub(crate) bytes: u64,
}

/// The journal of an open drive; its file is made, or opened, by the first `fsync`.
pub(crate) struct Journal {
    place: JournalPlace,
    file: Option<JournalFile>,
    last: LastRecord,
    /// A batch that is not in the journal is on its way into the database.
    pub(crate) passing: bool,
    /// Something that counts as kept did not fit: only a commit makes it durable.
    pub(crate) overflowed: bool,
    /// There was no room to make it: every `fsync` is a commit.
    unusable: bool,
}

/// Why a journal could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The disk failed, or the journal is of a newer version.
    #[error("it cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// A record is sealed right, and does not hold what it should.
    #[error("a record makes no sense: {0}")]
    Record(#[from] WireError),
    /// The database failed.
    #[error("the tree cannot take it over: {0}")]
    Tree(#[from] StoreError),
}

struct Mark {
    sequence: u64,
    clean: bool,
}

impl Mark {
    fn bytes(&self) -> Vec<u8> {
        [&[VERSION][..], &self.sequence.to_le_bytes(), &[self.clean.into()]].concat()
    }

    fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        match bytes {
            [VERSION, sequence @ .., clean @ (0 | 1)] if sequence.len() == 8 => {
                let sequence = sequence.first_chunk().copied().map_or(0, u64::from_le_bytes);
                Ok(Self { sequence, clean: *clean == 1 })
            }
            [found, ..] if *found > VERSION => Err(WireError::Newer { found: *found, known: VERSION }),
            _ => Err(WireError::Malformed("the journal's mark")),
        }
    }
}

impl Journal {
    /// Brings what a crash left in the journal into the database, before a ledger is opened over it. The second is what was
    /// found damaged, in words: changes that were synced before the crash are lost.
    pub(crate) fn replay(
        place: JournalPlace,
        backing: &dyn Backing,
    ) -> Result<(Self, Option<String>), ReplayError> {
        let mark = Ledger::local_row(backing, SPACE, MARK_KEY)?;
        let mark = mark.map(|mark| Mark::parse(&mark)).transpose()?;
        let taken_over = mark.as_ref().map_or(0, |mark| mark.sequence);
        let was_in_use = mark.is_some_and(|mark| !mark.clean);
        let Replayed { bodies, last, damage } =
            JournalFile::replay(&*place.disk, &place.path, &place.secret, taken_over, was_in_use)?;
        if last.sequence > taken_over {
            tracing::info!(records = bodies.len(), "taking over what was synced before the last stop");
            let mark = Mark { sequence: last.sequence, clean: false };
            backing.write(&Batch::replayed(&bodies, SPACE, MARK_KEY, &mark.bytes())?)?;
        }
        let damage = damage.map(|what| {
            format!("{}: {what}; changes synced shortly before the last stop are lost", place.path.display())
        });
        if let Some(damage) = &damage {
            tracing::error!("the journal is damaged: {damage}");
        }
        let journal = Self { place, file: None, last, passing: false, overflowed: false, unusable: false };
        Ok((journal, damage))
    }

    /// The file; none if there is no room for it.
    fn file(&mut self) -> io::Result<Option<&mut JournalFile>> {
        if self.file.is_none() && !self.unusable {
            let JournalPlace { disk, path, secret, bytes } = &self.place;
            let free_bytes = disk.space(path.parent().unwrap_or(path))?.free_bytes;
            let bytes = (*bytes).min(free_bytes / DISK_SHARE).max(MIN_BYTES);
            match JournalFile::open(&**disk, path, secret, bytes, self.last) {
                Ok(file) => self.file = Some(file),
                Err(error) if [ErrorKind::StorageFull, ErrorKind::QuotaExceeded].contains(&error.kind()) => {
                    tracing::warn!(path = %path.display(), %error, "no journal: every fsync is a commit of the tree");
                    self.unusable = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.file.as_mut())
    }

    /// What a batch for the database says of the journal; nothing as long as that is not used.
    pub(crate) fn mark(&self, clean: bool) -> Option<Vec<u8>> {
        self.file.as_ref().map(|file| Mark { sequence: file.last_sequence(), clean }.bytes())
    }

    /// A batch with everything kept so far is on its way into the database.
    pub(crate) fn begin_take_over(&mut self) {
        if let Some(file) = &mut self.file {
            let begun = file.begin_take_over();
            debug_assert!(begun, "batches are written one after the other");
        }
    }

    /// That batch is there.
    pub(crate) fn taken_over(&mut self) {
        self.passing = false;
        if let Some(file) = &mut self.file {
            file.taken_over();
        }
    }
}

/// What became of an attempt to keep changes in the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Everything done so far is on disk.
    Durable,
    /// It takes a commit.
    NotYet,
}

impl Core {
    /// Makes everything done so far durable, by the journal if that can.
    pub(crate) fn keep(&self, journal: &mut Journal) -> Result<Kept, Error> {
        self.writable()?;
        if journal.passing || journal.overflowed {
            return Ok(Kept::NotYet);
        }
        if journal.file().map_err(|error| self.fail(&error))?.is_none() {
            return Ok(Kept::NotYet);
        }
        let kept = {
            let mut ledger = self.ledger.write();
            let kept = ledger.keep(now());
            self.begin_saving();
            kept
        };
        let Some(batch) = kept.map_err(|error| self.fail(&error))? else { return Ok(Kept::Durable) };
        let body = batch.encode();
        let file = journal.file.as_mut().expect("it was there before the batch was made");
        if !file.has_room(body.len()) {
            self.ledger.write().not_kept(batch);
            journal.overflowed = true;
            return Ok(Kept::NotYet);
        }
        if !batch.is_local() {
            self.store.flush().map_err(|error| self.fail(&error))?;
        }
        match file.append(&body) {
            Ok(()) => {}
            Err(JournalError::NoRoom) => unreachable!("room was looked for above, under the same lock"),
            Err(error @ JournalError::Failed(_)) => return Err(self.fail(&error)),
        }
        let is_filling = file.is_filling();
        {
            let mut ledger = self.ledger.write();
            let before = (ledger.frontier(), ledger.outline_counters());
            ledger.kept(batch);
            if (ledger.frontier(), ledger.outline_counters()) != before {
                self.log_watch.note();
            }
        }
        self.end_saving();
        if is_filling {
            self.committer.hurry();
        }
        Ok(Kept::Durable)
    }

    /// The next batch for the database, and the journal told of it. What a journal has goes first and alone: so later records
    /// never build on changes that are nowhere yet.
    pub(crate) fn next_batch(&self, journal: &mut Journal, last: bool) -> Result<Option<Batch>, LedgerError> {
        let mut ledger = self.ledger.write();
        let mark = journal.mark(last);
        let mark = mark.as_deref().map(|mark| (SPACE, MARK_KEY, mark));
        if ledger.has_kept() && !journal.overflowed && !last {
            let batch = ledger.freeze_kept(mark)?;
            journal.begin_take_over();
            return Ok(batch);
        }
        if let (Some((space, key, mark)), true) = (mark, last || ledger.has_uncommitted()) {
            ledger.local_put(space, key, mark)?;
        }
        self.begin_saving();
        let batch = ledger.freeze(now())?;
        if batch.is_some() {
            journal.begin_take_over();
            journal.passing = true;
            journal.overflowed = false;
        }
        Ok(batch)
    }
}
