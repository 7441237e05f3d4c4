//! The journal of a workspace: what `fsync` waits for is one sealed record in it, not a transaction of the tree's database.
//!
//! ```text
//! fsync   ledger.keep ──▶ packs flushed, if the batch can name chunks ──▶ record appended and flushed ──▶ ledger.kept
//! commit  what was kept, as one batch of the database, with the mark below ──▶ that half of the journal is free again
//! start   records after the mark ──▶ one batch of the database ──▶ the ledger is opened
//!
//! mark    version 2 ‖ number of the last record the database has (8, LE) ‖ its generation (4, LE) ‖ 1 after a clean end, else 0
//!         a local row
//! ```
//!
//! While a batch that is *not* in the journal is on its way into the database, nothing is kept: a record must never build on
//! changes that a power cut could still take away. Such a batch begins a new generation of the database. A record says on which it
//! builds, so records are never brought into an older copy that lacks such a batch.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use chunkstore::disk::{Disk, JournalError, JournalFile, LastRecord, Replayed, TakenOver};
use ledger::{Backing, Batch, Ledger, LedgerError, LocalSpace, StoreError, WireError};
use zeroize::Zeroizing;

use crate::Error;
use crate::core::{Core, now};
use crate::naming::Question;

/// The share of the free disk that a new journal takes at most.
const DISK_SHARE: u64 = 32;
/// A journal at least, bytes.
const MIN_BYTES: u64 = 1 << 20;
const SPACE: LocalSpace = LocalSpace(3);
const MARK_KEY: &[u8] = b"taken over";
const VERSION: u8 = 2;
/// The version without a generation: there were no records that name one.
const WITHOUT_GENERATION: u8 = 1;

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
    /// What the database says of it.
    mark: Mark,
    /// A batch that is not in the journal is on its way into the database.
    pub(crate) passing: bool,
    /// Something that counts as kept did not fit: only a commit makes it durable.
    pub(crate) overflowed: bool,
    /// Who hears when the batch that is on its way is there.
    pub(crate) asked: Vec<Question>,
    /// There was no room to make it: every `fsync` is a commit.
    unusable: bool,
}

/// Why a journal could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The disk failed, or the journal is of a newer version.
    #[error("it cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// The records are those of a newer database.
    #[error("its records build on a newer tree")]
    OlderTree,
    /// A record is sealed right, and does not hold what it should.
    #[error("a record makes no sense: {0}")]
    Record(#[from] WireError),
    /// The database failed.
    #[error("the tree cannot take it over: {0}")]
    Tree(#[from] StoreError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    sequence: u64,
    generation: u32,
    clean: bool,
}

impl Mark {
    fn bytes(&self) -> Vec<u8> {
        let (sequence, generation) = (self.sequence.to_le_bytes(), self.generation.to_le_bytes());
        [&[VERSION][..], &sequence, &generation, &[self.clean.into()]].concat()
    }

    fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let malformed = WireError::Malformed("the journal's mark");
        let (&version, rest) = bytes.split_first().ok_or(malformed)?;
        if version > VERSION {
            return Err(WireError::Newer { found: version, known: VERSION });
        }
        let (sequence, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (generation, clean) = match (version, rest) {
            (VERSION, rest) => rest.split_first_chunk().ok_or(malformed)?,
            (WITHOUT_GENERATION, rest) => (&[0; 4], rest),
            _ => return Err(malformed),
        };
        let clean = match clean {
            [clean @ (0 | 1)] => *clean == 1,
            _ => return Err(malformed),
        };
        let (sequence, generation) = (u64::from_le_bytes(*sequence), u32::from_le_bytes(*generation));
        Ok(Self { sequence, generation, clean })
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
        let mut mark = mark.unwrap_or(Mark { sequence: 0, generation: 0, clean: true });
        let Mark { sequence, generation, clean } = mark;
        let taken_over = TakenOver { sequence, generation, was_in_use: !clean };
        let Replayed { bodies, last, damage, other_generation } =
            JournalFile::replay(&*place.disk, &place.path, &place.secret, taken_over)?;
        if let Some(of_records) = other_generation {
            tracing::error!(of_records, of_tree = generation, "the journal belongs to a newer tree");
            return Err(ReplayError::OlderTree);
        }
        if last.sequence > sequence {
            tracing::info!(records = bodies.len(), "taking over what was synced before the last stop");
            mark = Mark { sequence: last.sequence, generation, clean: false };
            backing.write(&Batch::replayed(&bodies, SPACE, MARK_KEY, &mark.bytes())?)?;
        }
        let damage = damage.map(|what| {
            format!("{}: {what}; changes synced shortly before the last stop are lost", place.path.display())
        });
        if let Some(damage) = &damage {
            tracing::error!("the journal is damaged: {damage}");
        }
        let journal = Self {
            place,
            file: None,
            last,
            mark,
            passing: false,
            overflowed: false,
            asked: Vec::new(),
            unusable: false,
        };
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

    /// What the next batch for the database says of the journal.
    fn next_mark(&self, passing: bool, clean: bool) -> Mark {
        let Mark { sequence, generation, clean: was_clean } = self.mark;
        let generation = generation.wrapping_add(passing.into());
        match &self.file {
            Some(file) => Mark { sequence: file.last_sequence(), generation, clean },
            None => Mark { sequence, generation, clean: clean || was_clean },
        }
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
        let asked = self.naming.take();
        let kept = {
            let mut ledger = self.ledger.write();
            let kept = ledger.keep(now());
            self.begin_saving();
            kept
        };
        let Some(batch) = kept.map_err(|error| self.fail(&error))? else {
            self.answer_named(asked);
            return Ok(Kept::Durable);
        };
        let body = batch.encode();
        let file = journal.file.as_mut().expect("it was there before the batch was made");
        if !file.has_room(body.len()) {
            self.ledger.write().not_kept(batch);
            self.naming.put_back(asked);
            journal.overflowed = true;
            return Ok(Kept::NotYet);
        }
        if !batch.is_local() {
            self.store.flush().map_err(|error| self.fail(&error))?;
        }
        match file.append(journal.mark.generation, &body) {
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
        self.answer_named(asked);
        if is_filling {
            self.committer.hurry();
        }
        Ok(Kept::Durable)
    }

    /// The next batch for the database, and the journal told of it. What a journal has goes first and alone: so later records
    /// never build on changes that are nowhere yet.
    pub(crate) fn next_batch(&self, journal: &mut Journal, last: bool) -> Result<Option<Batch>, LedgerError> {
        let mut ledger = self.ledger.write();
        if ledger.has_kept() && !journal.overflowed && !last {
            let mark = journal.next_mark(false, false);
            let batch = ledger.freeze_kept(Some((SPACE, MARK_KEY, &mark.bytes())))?;
            journal.mark = mark;
            journal.begin_take_over();
            return Ok(batch);
        }
        let mark = journal.next_mark(true, last);
        if ledger.has_uncommitted() || (last && journal.file.is_some()) {
            ledger.local_put(SPACE, MARK_KEY, &mark.bytes())?;
        }
        self.begin_saving();
        journal.asked = self.naming.take();
        let batch = ledger.freeze(now())?;
        if batch.is_some() {
            journal.mark = mark;
            journal.begin_take_over();
            journal.passing = true;
            journal.overflowed = false;
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_mark_are_what_they_were() {
        let mark = Mark { sequence: 0x0102, generation: 0x0304, clean: true };
        assert_eq!(mark.bytes(), b"\x02\x02\x01\0\0\0\0\0\0\x04\x03\0\0\x01");
        assert_eq!(Mark::parse(&mark.bytes()), Ok(mark));
        let without_generation = Mark { generation: 0, ..mark };
        assert_eq!(Mark::parse(b"\x01\x02\x01\0\0\0\0\0\0\x01"), Ok(without_generation));
    }

    #[test]
    fn what_is_no_mark_is_refused() {
        assert_eq!(Mark::parse(b"\x03"), Err(WireError::Newer { found: 3, known: 2 }));
        for bad in [
            &b""[..],
            b"\0",
            b"\x01\0\0\0\0\0\0\0\0",
            b"\x02\0\0\0\0\0\0\0\0\x01",
            b"\x01\0\0\0\0\0\0\0\0\x02",
        ] {
            assert!(matches!(Mark::parse(bad), Err(WireError::Malformed(_))), "{bad:?}");
        }
    }
}
