//! A small log of sealed records beside a database: what must be durable at once goes here, with one write and one flush; the
//! database takes it over later, in bulk.
//!
//! ```text
//!  ┌─────────── half 0 ───────────┬─────────── half 1 ───────────┐
//!  │ 101 │ 102 │ 103 │ (old) …    │ 57 │ 58 │ … │ 100 │ (old) …   │
//!  └──────────────▲───────────────┴──────────────────────────────┘
//!              next record        being taken over by the database, free again when that is done
//! ```
//!
//! The file is as long as it will ever be and filled with zeros when it is made, so that writing a record changes no file system
//! metadata: its flush waits for the data alone. Records are numbered in one unbroken order. The database remembers the last
//! number that it took over; at start, the journal gives the records after that. The first that does not verify ends them: it was
//! being written when the power went. If a later one is found behind it, bytes that were durable have been damaged, and
//! [`Replayed::damage`] says so.
//!
//! Not all goes this way: a batch that the database took without the journal begins a new generation of it, and each record says on
//! which it builds. So a database that was put back to an older copy is told from the one that the records belong to.

pub mod record;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use self::record::{BLOCK_BYTES, Begins, HEADER_BYTES, Header, TAG_BYTES, record_bytes};
use super::{Disk, DiskFile, Open};

/// Bytes written at once while the file is filled.
const FILL_BYTES: usize = 1 << 20;
/// What the sealing key is derived for.
const KEY_CONTEXT: &str = "PeerDrive 2026-11 journal record key v1";

/// The open journal.
pub struct JournalFile {
    file: Arc<dyn DiskFile>,
    key: Zeroizing<[u8; 32]>,
    half_bytes: u64,
    /// The half that records go to, 0 or 1.
    half: u64,
    /// Where the next record goes in it, bytes.
    at: u64,
    /// The other half still holds records that the database has not taken over.
    other_is_busy: bool,
    last_sequence: u64,
    failed: bool,
    /// The record being sealed; kept for the next.
    buffer: Vec<u8>,
}

/// What the database has of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Number of the last record that it has.
    pub sequence: u64,
    /// How many batches it took that no record had, modulo 2^32.
    pub generation: u32,
    /// The journal was in use and its owner did not end in order: the file cannot be missing, nor be without that record or a later one.
    pub was_in_use: bool,
}

/// What was found in a journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The bodies after the last record that was taken over, in order.
    pub bodies: Vec<Vec<u8>>,
    /// The highest number found, or the given one: what comes next is numbered after it.
    pub last: LastRecord,
    /// What does not fit, in words: records that were durable are missing behind the last of `bodies`.
    pub damage: Option<String>,
    /// Records build on this generation of the database, which is another: an older copy of it was put back. `bodies` is empty then.
    pub other_generation: Option<u32>,
}

/// The record that the next one follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRecord {
    /// Its number.
    pub sequence: u64,
    /// Where it lies, if it is there: the next does not go over it. Bytes.
    pub at: Option<u64>,
}

/// Why a record was not appended.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It has to wait until the database has taken over the half before, or is too long for a half.
    #[error("the journal has no room for this record")]
    NoRoom,
    /// The disk failed, now or before; nothing is promised any more.
    #[error("the journal cannot be written: {0}")]
    Failed(#[from] io::Error),
}

impl JournalFile {
    /// Reads what the file holds behind what the database has. A missing file holds nothing.
    ///
    /// # Errors
    /// What the disk says; `Unsupported` for records of a newer version.
    pub fn replay(
        disk: &dyn Disk,
        path: &Path,
        secret: &[u8],
        taken_over: TakenOver,
    ) -> io::Result<Replayed> {
        let TakenOver { sequence: taken_over, generation, was_in_use } = taken_over;
        let last = LastRecord { sequence: taken_over, at: None };
        let mut replayed = Replayed { last, ..Replayed::default() };
        if !disk.exists(path)? {
            replayed.damage = was_in_use.then(|| "the file is gone, though it was in use".into());
            return Ok(replayed);
        }
        let reader = Reader { file: disk.open(path, Open::Read)?, key: derive(secret) };
        // The last record that was taken over is not written over before a later one is there.
        let found = reader.from(taken_over)?;
        if was_in_use && taken_over > 0 && found.is_empty() {
            replayed.damage = Some(format!("record {taken_over} and all after it are gone"));
        }
        let mut next = taken_over + 1;
        for (sequence, Found { at, generation: builds_on, body }) in found {
            // The last number counts whether it is used or not: it is not given again.
            replayed.last = LastRecord { sequence, at: Some(at) };
            if sequence > taken_over && builds_on != generation {
                replayed.other_generation = Some(builds_on);
            }
            if sequence == next {
                replayed.bodies.push(body);
                next += 1;
            }
        }
        if replayed.other_generation.is_some() {
            replayed.bodies.clear();
        } else if replayed.last.sequence >= next {
            let last = replayed.last.sequence;
            replayed.damage = Some(format!("record {next} does not verify, though {last} is there"));
        }
        Ok(replayed)
    }

    /// Opens the journal for writing, behind the last record; what it held before counts as taken over. A file that is none yet is
    /// made, of about `bytes`.
    ///
    /// # Errors
    /// What the disk says; a file that could not be made is removed again.
    pub fn open(
        disk: &dyn Disk,
        path: &Path,
        secret: &[u8],
        bytes: u64,
        last: LastRecord,
    ) -> io::Result<Self> {
        let file = disk.open(path, Open::Create)?;
        let mut len = file.len()?;
        if len == 0 || !len.is_multiple_of(2 * BLOCK_BYTES) {
            len = bytes.max(2 * BLOCK_BYTES) / (2 * BLOCK_BYTES) * (2 * BLOCK_BYTES);
            if let Err(error) = make(disk, &*file, path, len) {
                drop(file);
                disk.remove(path)?;
                return Err(error);
            }
        }
        let half_bytes = len / 2;
        Ok(Self {
            file,
            key: derive(secret),
            half_bytes,
            half: u64::from(last.at.is_some_and(|at| at < half_bytes)),
            at: 0,
            other_is_busy: false,
            last_sequence: last.sequence,
            failed: false,
            buffer: Vec::new(),
        })
    }

    /// Number of the last record.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Whether so much of the half is used that the database should take it over.
    #[must_use]
    pub fn is_filling(&self) -> bool {
        self.at >= self.half_bytes / 4 * 3
    }

    /// Whether a record with a body so long can be appended now.
    #[must_use]
    pub fn has_room(&self, body_bytes: usize) -> bool {
        self.at + record_bytes(body_bytes) <= self.half_bytes
    }

    /// Appends a record that builds on this generation of the database; after `Ok` it is durable.
    ///
    /// # Errors
    /// [`JournalError`]. After `Failed` every later call fails.
    pub fn append(&mut self, generation: u32, body: &[u8]) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Failed(io::Error::other("it failed before; start again")));
        }
        if !self.has_room(body.len()) {
            return Err(JournalError::NoRoom);
        }
        record::seal(&self.key, self.last_sequence + 1, generation, body, &mut self.buffer);
        let offset = self.half * self.half_bytes + self.at;
        let written = self.file.write_at(offset, &self.buffer).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.failed = true;
            return Err(error.into());
        }
        self.at += self.buffer.len() as u64;
        self.last_sequence += 1;
        Ok(())
    }

    /// The database begins to take over all records so far: later ones go to the other half. False if it has not finished the
    /// time before; nothing is changed then.
    #[must_use]
    pub fn begin_take_over(&mut self) -> bool {
        if self.at == 0 {
            return true;
        }
        if self.other_is_busy {
            return false;
        }
        self.half = 1 - self.half;
        self.at = 0;
        self.other_is_busy = true;
        true
    }

    /// The database has taken over, durably, what it began with.
    pub fn taken_over(&mut self) {
        self.other_is_busy = false;
        // A record may be large, and the next one far off.
        self.buffer = Vec::new();
    }
}

impl std::fmt::Debug for JournalFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalFile")
            .field("half", &self.half)
            .field("at", &self.at)
            .field("last_sequence", &self.last_sequence)
            .finish_non_exhaustive()
    }
}

/// A record that verified.
struct Found {
    at: u64,
    generation: u32,
    body: Vec<u8>,
}

struct Reader {
    file: Arc<dyn DiskFile>,
    key: Zeroizing<[u8; 32]>,
}

impl Reader {
    /// All records of this number and later that verify: where they lie, and what they hold.
    fn from(&self, sequence: u64) -> io::Result<BTreeMap<u64, Found>> {
        let len = self.file.len()?;
        let mut found = BTreeMap::new();
        let mut at = 0;
        while at + BLOCK_BYTES <= len {
            match self.record_at(at, len)? {
                Some((header, body)) if header.sequence >= sequence => {
                    found.insert(header.sequence, Found { at, generation: header.generation, body });
                    at += header.record_bytes();
                }
                _ => at += BLOCK_BYTES,
            }
        }
        Ok(found)
    }

    fn record_at(&self, at: u64, end: u64) -> io::Result<Option<(Header, Vec<u8>)>> {
        let mut head = [0; HEADER_BYTES];
        self.file.read_at(at, &mut head)?;
        let header = match Header::parse(&head) {
            Begins::Record(header) if header.record_bytes() <= end - at => header,
            Begins::Newer(version) => {
                let why = format!("the journal has records of version {version}; update this software");
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            _ => return Ok(None),
        };
        let mut record = vec![0; HEADER_BYTES + header.body_bytes as usize + TAG_BYTES];
        self.file.read_at(at, &mut record)?;
        Ok(record::open(&self.key, &record).map(|body| (header, body)))
    }
}

fn derive(secret: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(blake3::derive_key(KEY_CONTEXT, secret))
}

fn make(disk: &dyn Disk, file: &dyn DiskFile, path: &Path, len: u64) -> io::Result<()> {
    fill(file, len)?;
    path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}

/// Zeros all the file, so that its blocks are there and writing them again changes nothing but bytes.
fn fill(file: &dyn DiskFile, bytes: u64) -> io::Result<()> {
    file.set_len(0)?;
    let zeros = vec![0; FILL_BYTES.min(bytes as usize)];
    let mut at = 0;
    while at < bytes {
        let count = (bytes - at).min(zeros.len() as u64);
        file.write_at(at, &zeros[..count as usize])?;
        at += count;
    }
    file.set_len(bytes)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;
    use crate::testing::noise;

    const HALF: u64 = 64 << 10;
    const SECRET: &[u8] = b"secret";

    fn path() -> &'static Path {
        Path::new("journal")
    }

    fn opened(disk: &MemoryDisk, last: u64) -> JournalFile {
        let last = LastRecord { sequence: last, at: replayed(disk, last).last.at };
        JournalFile::open(disk, path(), SECRET, 2 * HALF, last).unwrap()
    }

    fn replayed(disk: &MemoryDisk, taken_over: u64) -> Replayed {
        let taken_over = TakenOver { sequence: taken_over, generation: 0, was_in_use: taken_over > 0 };
        JournalFile::replay(disk, path(), SECRET, taken_over).unwrap()
    }

    fn body(number: u64) -> Vec<u8> {
        noise(number, 1 + (number * 977 % 9000) as usize)
    }

    #[test]
    fn what_was_appended_is_given_back_in_order() {
        let disk = MemoryDisk::new();
        assert_eq!(replayed(&disk, 0), Replayed::default());
        assert!(replayed(&disk, 5).damage.is_some(), "record 5 is not there");
        let mut journal = opened(&disk, 5);
        for number in 6..=10 {
            journal.append(0, &body(number)).unwrap();
        }
        let found = replayed(&disk, 5);
        assert_eq!(found.bodies, (6..=10).map(body).collect::<Vec<_>>());
        assert_eq!((found.last.sequence, found.damage), (10, None));
        assert_eq!(replayed(&disk, 8).bodies, [body(9), body(10)]);
        assert_eq!(replayed(&disk, 10).bodies.len(), 0);
    }

    #[test]
    fn halves_take_turns_and_old_records_do_not_come_back() {
        let disk = MemoryDisk::new();
        let mut journal = opened(&disk, 0);
        let mut taken_over = 0;
        for number in 1..=300 {
            while !journal.has_room(body(number).len()) {
                assert!(journal.begin_take_over());
                // Nothing may be appended over what is not taken over yet.
                assert!(replayed(&disk, taken_over).bodies.len() as u64 == number - 1 - taken_over);
                taken_over = journal.last_sequence();
                journal.taken_over();
            }
            journal.append(0, &body(number)).unwrap();
            let found = replayed(&disk, taken_over);
            assert_eq!(found.last.sequence, number);
            assert_eq!(found.bodies, (taken_over + 1..=number).map(body).collect::<Vec<_>>());
            assert_eq!(found.damage, None);
            if number % 70 == 0 {
                taken_over = number;
                journal = opened(&disk, number);
            }
        }
    }

    #[test]
    fn a_half_is_not_written_over_before_it_is_taken_over() {
        let disk = MemoryDisk::new();
        let mut journal = opened(&disk, 0);
        journal.append(0, &body(1)).unwrap();
        assert!(journal.begin_take_over());
        journal.append(0, &body(2)).unwrap();
        assert!(!journal.begin_take_over());
        assert_eq!(replayed(&disk, 0).bodies, [body(1), body(2)]);
        while journal.append(0, &noise(1, 9000)).is_ok() {}
        assert!(matches!(journal.append(0, &noise(1, 9000)), Err(JournalError::NoRoom)));
        journal.taken_over();
        assert!(journal.begin_take_over());
        journal.append(0, &noise(1, 9000)).unwrap();
    }

    #[test]
    fn a_torn_last_record_is_no_damage_but_a_hole_is() {
        let disk = MemoryDisk::new();
        let mut journal = opened(&disk, 0);
        let mut starts = Vec::new();
        for number in 1..=6 {
            starts.push(journal.at);
            journal.append(0, &body(number)).unwrap();
        }
        let file = disk.open(path(), Open::ReadWrite).unwrap();
        file.write_at(starts[5] + 30, b"torn").unwrap();
        let found = replayed(&disk, 0);
        assert_eq!((found.last.sequence, found.damage), (5, None));
        file.write_at(starts[2] + 30, b"hole").unwrap();
        let found = replayed(&disk, 0);
        assert_eq!(found.bodies, [body(1), body(2)]);
        assert_eq!((found.last.sequence, found.damage.is_some()), (5, true));
        // What the database has does not matter any more.
        assert_eq!(replayed(&disk, 3).damage, None);
        assert_eq!(replayed(&disk, 3).bodies, [body(4), body(5)]);
    }

    #[test]
    fn records_of_another_generation_are_told_and_not_given() {
        let disk = MemoryDisk::new();
        let mut journal = opened(&disk, 0);
        journal.append(0, &body(1)).unwrap();
        journal.append(1, &body(2)).unwrap();
        journal.append(1, &body(3)).unwrap();
        let of = |sequence, generation| {
            let taken_over = TakenOver { sequence, generation, was_in_use: true };
            JournalFile::replay(&disk, path(), SECRET, taken_over).unwrap()
        };
        let right = of(1, 1);
        assert_eq!((right.bodies, right.other_generation), (vec![body(2), body(3)], None));
        for older in [of(0, 0), of(1, 0)] {
            assert_eq!((older.bodies.len(), older.other_generation, older.damage), (0, Some(1), None));
            assert_eq!(older.last.sequence, 3, "no number is given again");
        }
        // What the database has does not matter any more.
        assert_eq!(of(3, 2).other_generation, None);
    }

    #[test]
    fn a_power_cut_loses_no_acknowledged_record() {
        for seed in 0..200 {
            let disk = MemoryDisk::new();
            let mut journal = opened(&disk, 0);
            let last = 1 + seed % 7;
            for number in 1..=last {
                journal.append(0, &body(number)).unwrap();
            }
            let mut torn = Vec::new();
            record::seal(&derive(SECRET), last + 1, 0, &noise(seed, 20_000), &mut torn);
            disk.open(path(), Open::ReadWrite).unwrap().write_at(journal.at, &torn).unwrap();
            let found = replayed(&disk.cut_power(seed), 0);
            assert!(found.last.sequence >= last && found.damage.is_none(), "seed {seed}");
            assert_eq!(found.bodies[..last as usize], (1..=last).map(body).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_short_or_foreign_file_gives_nothing_and_is_made_anew() {
        let disk = MemoryDisk::new();
        let file = disk.open(path(), Open::Create).unwrap();
        file.write_at(0, &noise(3, 5000)).unwrap();
        assert_eq!(replayed(&disk, 0), Replayed::default());
        let mut journal = opened(&disk, 0);
        journal.append(0, b"first").unwrap();
        assert_eq!(replayed(&disk, 0).bodies, [b"first"]);
    }
}
