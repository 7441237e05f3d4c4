//! Appends: a place is reserved under a short lock, the bytes are written outside it.
//!
//! ```text
//!  claim(id) ─▶ reserve ─▶ write ─▶ (caller notes it in the index) ─▶ landed
//! ```
//!
//! A claim makes a second thread with the same chunk wait for the first. A landing is noted after the index knows
//! the record, so "everything before this position has landed" means that the index knows everything before it.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::Inner;
use super::space::Purpose;
use crate::disk::DiskFile;
use crate::error::{FullLimit, StoreError};
use crate::ids::ChunkId;
use crate::pack::{Location, PackFolder, Position, RECORD_HEADER_BYTES, encode_record_header, record_header};

/// A pack with bytes that are not known to be durable, kept open until they are: an error of the disk is told to
/// those who had the file open when it happened.
#[derive(Clone)]
pub(super) struct UnflushedPack {
    pub(super) pack: u64,
    pub(super) file: Arc<dyn DiskFile>,
    /// Its name may not be durable either.
    pub(super) is_new: bool,
}

#[derive(Default)]
pub(super) struct Appender {
    tail: Mutex<Tail>,
    landed: Condvar,
    /// Who writes into the packs. File systems let one write to a file at a time, and who waits for that in the kernel
    /// spins: 2 % of two processors while a file was put to another computer. Here it sleeps.
    writing: Mutex<()>,
    /// Bytes landed since the store was opened.
    landed_bytes: AtomicU64,
}

#[derive(Default)]
pub(super) struct Tail {
    /// Where the next record goes, if its pack exists and has room.
    open: Option<OpenPack>,
    /// Number of the next pack.
    next_pack: u64,
    /// Chunks claimed by a thread that is storing them.
    claimed: HashSet<ChunkId>,
    /// Places reserved and not landed.
    in_flight: BTreeSet<Position>,
    unflushed: Vec<UnflushedPack>,
    /// End of everything reserved so far.
    end: Position,
}

struct OpenPack {
    pack: u64,
    file: Arc<dyn DiskFile>,
    end: u32,
}

/// The right to store one chunk, and the place it went to. Dropping it gives both back.
pub(super) struct Claim<'a> {
    appender: &'a Appender,
    id: ChunkId,
    place: Option<Location>,
}

impl Appender {
    /// Starts behind the packs found on disk; `last` has room for more.
    pub(super) fn resume(&self, next_pack: u64, last: Option<(u64, Arc<dyn DiskFile>, u32)>, end: Position) {
        let mut tail = self.tail.lock();
        tail.next_pack = next_pack;
        tail.end = end;
        tail.open = last.map(|(pack, file, end)| {
            tail.unflushed.push(UnflushedPack { pack, file: Arc::clone(&file), is_new: false });
            OpenPack { pack, file, end }
        });
    }

    /// Waits until no other thread stores this chunk.
    pub(super) fn claim(&self, id: ChunkId) -> Claim<'_> {
        let mut tail = self.tail.lock();
        while !tail.claimed.insert(id) {
            self.landed.wait(&mut tail);
        }
        Claim { appender: self, id, place: None }
    }

    /// The same, unless another thread stores this chunk at the moment.
    pub(super) fn try_claim(&self, id: ChunkId) -> Option<Claim<'_>> {
        let is_free = self.tail.lock().claimed.insert(id);
        is_free.then_some(Claim { appender: self, id, place: None })
    }

    /// Waits until everything reserved before this call has landed or failed.
    pub(super) fn wait_for_landings(&self) {
        let mut tail = self.tail.lock();
        let goal = tail.end;
        while tail.in_flight.first().is_some_and(|first| *first < goal) {
            self.landed.wait(&mut tail);
        }
    }

    /// The position before which everything has landed.
    pub(super) fn landed(&self) -> Position {
        self.tail.lock().landed()
    }

    /// The same, with the packs that have unflushed bytes before it.
    pub(super) fn unflushed(&self) -> (Position, Vec<UnflushedPack>) {
        let tail = self.tail.lock();
        (tail.landed(), tail.unflushed.clone())
    }

    /// Bytes landed since the store was opened.
    pub(super) fn landed_bytes(&self) -> u64 {
        self.landed_bytes.load(Ordering::Relaxed)
    }

    /// Everything before this position is durable, and so are the names of these packs.
    pub(super) fn flushed(&self, to: Position, names: &[u64]) {
        let mut tail = self.tail.lock();
        let open = tail.open.as_ref().map(|open| open.pack);
        let end = tail.end;
        tail.unflushed.retain(|pack| {
            pack.pack > to.pack || (pack.pack == to.pack && (open == Some(pack.pack) || end > to))
        });
        for pack in &mut tail.unflushed {
            pack.is_new &= !names.contains(&pack.pack);
        }
    }

    /// How many packs have unflushed bytes.
    pub(super) fn unflushed_packs(&self) -> usize {
        self.tail.lock().unflushed.len()
    }

    /// The pack that records are appended to.
    pub(super) fn open_pack(&self) -> Option<u64> {
        self.tail.lock().open.as_ref().map(|open| open.pack)
    }

    /// Ends the pack if it is still the one appended to; the next record begins a new one.
    pub(super) fn seal(&self, pack: u64) {
        let mut tail = self.tail.lock();
        if tail.open.as_ref().is_some_and(|open| open.pack == pack) {
            tail.open = None;
        }
    }

    /// Whether the pack may still grow or is not yet durable.
    pub(super) fn is_in_use(&self, pack: u64) -> bool {
        let tail = self.tail.lock();
        tail.open.as_ref().is_some_and(|open| open.pack == pack)
            || tail.unflushed.iter().any(|unflushed| unflushed.pack == pack)
    }
}

impl Claim<'_> {
    /// Writes a record (head room and ciphertext) at the end of the packs. It has landed once the claim is dropped,
    /// so the index must know it before that.
    pub(super) fn append(
        &mut self,
        inner: &Inner,
        record: &mut [u8],
        purpose: Purpose,
    ) -> Result<Location, StoreError> {
        encode_record_header(record, &self.id);
        let (place, file) = self.reserve(inner, record.len() as u32, purpose)?;
        let write = || file.write_at(u64::from(place.at.offset), record);
        self.appender.write(inner, place.at.pack, record.len(), write)?;
        Ok(place)
    }

    /// The same for a ciphertext without head room.
    pub(super) fn append_sealed(&mut self, inner: &Inner, sealed: &[u8]) -> Result<Location, StoreError> {
        let header = record_header(&self.id, sealed.len() as u32);
        let (place, file) = self.reserve(inner, (header.len() + sealed.len()) as u32, Purpose::Store)?;
        let mut pieces = [IoSlice::new(&header), IoSlice::new(sealed)];
        let write = || file.write_pieces_at(u64::from(place.at.offset), &mut pieces, true);
        self.appender.write(inner, place.at.pack, header.len() + sealed.len(), write)?;
        Ok(place)
    }

    /// The chunk.
    pub(super) fn id(&self) -> ChunkId {
        self.id
    }

    /// Takes a place, and names the file it is in.
    pub(super) fn reserve(
        &mut self,
        inner: &Inner,
        record_bytes: u32,
        purpose: Purpose,
    ) -> Result<(Location, Arc<dyn DiskFile>), StoreError> {
        let (place, file) = self.appender.reserve(inner, record_bytes, purpose)?;
        self.place = Some(place);
        Ok((place, file))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut tail = self.appender.tail.lock();
        tail.claimed.remove(&self.id);
        if let Some(place) = self.place {
            tail.in_flight.remove(&place.at);
        }
        drop(tail);
        self.appender.landed.notify_all();
    }
}

impl Appender {
    /// Lets one write at a time through, and counts what was written, or says why it was not.
    fn write(
        &self,
        inner: &Inner,
        pack: u64,
        bytes: usize,
        write: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let one = self.writing.lock();
        let outcome = write();
        drop(one);
        match outcome {
            Ok(()) => {
                self.landed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(self.not_written(inner, pack, bytes, error)),
        }
    }

    /// The hole is skipped by recovery; nothing may follow it that counts on the pack being orderly.
    pub(super) fn not_written(&self, inner: &Inner, pack: u64, bytes: usize, error: io::Error) -> StoreError {
        self.tail.lock().open = None;
        inner.write_failed("cannot append to", pack, bytes as u64, error)
    }

    fn reserve(
        &self,
        inner: &Inner,
        record_bytes: u32,
        purpose: Purpose,
    ) -> Result<(Location, Arc<dyn DiskFile>), StoreError> {
        let mut tail = self.tail.lock();
        inner.latch.check()?;
        inner.space.take(u64::from(record_bytes), purpose, &*inner.disk, &inner.dir)?;
        let seal_at = inner.space.seal_packs_at();
        if tail.open.as_ref().is_none_or(|open| open.end + record_bytes > seal_at)
            && let Err(error) = tail.begin_pack(inner)
        {
            inner.space.shrank(u64::from(record_bytes));
            return Err(inner.write_failed(
                "cannot begin",
                tail.next_pack - 1,
                u64::from(record_bytes),
                error,
            ));
        }
        let open = tail.open.as_mut().expect("a pack was begun if there was none");
        let at = Position { pack: open.pack, offset: open.end };
        open.end += record_bytes;
        let (file, end) = (Arc::clone(&open.file), open.end);
        inner.packs.lock().entry(at.pack).or_default().bytes = u64::from(end);
        tail.end = Position { pack: at.pack, offset: end };
        tail.in_flight.insert(at);
        Ok((Location { at, len: record_bytes - RECORD_HEADER_BYTES as u32 }, file))
    }
}

impl Tail {
    fn landed(&self) -> Position {
        self.in_flight.first().copied().unwrap_or(self.end)
    }

    /// The number is used up even if this fails, since the file may be half made.
    fn begin_pack(&mut self, inner: &Inner) -> io::Result<()> {
        self.open = None;
        let pack = self.next_pack;
        self.next_pack += 1;
        let file = inner.folder.create(pack)?;
        inner.space.grew(u64::from(PackFolder::FIRST_OFFSET));
        self.unflushed.push(UnflushedPack { pack, file: Arc::clone(&file), is_new: true });
        self.open = Some(OpenPack { pack, file, end: PackFolder::FIRST_OFFSET });
        Ok(())
    }
}

impl Inner {
    /// A full disk is told and leaves the store in use; any other failure to write ends writing.
    fn write_failed(&self, what: &'static str, pack: u64, needed_bytes: u64, error: io::Error) -> StoreError {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                StoreError::Full { needed_bytes, limit: FullLimit::Disk }
            }
            _ => self.latch.close(StoreError::io(what, self.folder.path(pack), error)),
        }
    }
}
