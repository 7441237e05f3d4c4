//! Chunks that came for a reader: he is served from memory at once, and the packs get them a moment later, many in one piece.
//!
//! ```text
//!  import_cached ─verified─▶ kept ─▶ get, export
//!                             └─▶ writer: claims, places, one write, index ─▶ kept until newer ones need the room
//! ```
//!
//! Until it is written such a chunk can be read and counts for nothing else: no put finds it, nobody is told that it is held, and a
//! crash forgets it. So a write that fails loses only what others have. Pages of the system's cache are not spent on the packs: whoever
//! read the chunk has its plaintext.

use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::append::Claim;
use super::space::Purpose;
use super::{ChunkStore, Inner};
use crate::disk::DiskFile;
use crate::error::StoreError;
use crate::ids::ChunkId;
use crate::index::ChunkState;
use crate::pack::{Location, RECORD_HEADER_BYTES, record_header};
use crate::seal::MAX_SEALED_BYTES;

/// Sealed bytes in memory at most, written or not; more than a reader's read-ahead over the network.
const KEPT_MAX_BYTES: usize = 32 << 20;
/// Of these, not written: whoever brings more waits.
const UNWRITTEN_MAX_BYTES: usize = 24 << 20;
/// Bytes that are worth a write.
const BATCH_BYTES: usize = 2 << 20;
/// Bytes and chunks of one write at most.
const BATCH_MAX_BYTES: usize = 4 << 20;
const BATCH_MAX_CHUNKS: usize = 256;
/// Fewer bytes wait so long for more.
const LINGER: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Behind {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    came: Condvar,
    /// There is room again.
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    kept: HashMap<ChunkId, Bytes>,
    kept_bytes: usize,
    /// In the order in which they came.
    unwritten: VecDeque<ChunkId>,
    unwritten_bytes: usize,
    /// Kept and written, or given up; the oldest first.
    done: VecDeque<ChunkId>,
    stop: bool,
}

impl Waiting {
    fn forget_done(&mut self, most_bytes: usize) {
        while self.kept_bytes > most_bytes {
            let Some(id) = self.done.pop_front() else { return };
            self.kept_bytes -= self.kept.remove(&id).map_or(0, |sealed| sealed.len());
        }
    }

    /// The next to be written; they stay kept.
    fn batch(&self) -> Vec<(ChunkId, Bytes)> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for id in self.unwritten.iter().take(BATCH_MAX_CHUNKS) {
            let sealed = self.kept.get(id).expect("what is unwritten is kept");
            bytes += sealed.len();
            if bytes > BATCH_MAX_BYTES && !batch.is_empty() {
                break;
            }
            batch.push((*id, sealed.clone()));
        }
        batch
    }

    fn batch_done(&mut self, chunks: usize) {
        for id in self.unwritten.drain(..chunks) {
            self.unwritten_bytes -= self.kept.get(&id).map_or(0, Bytes::len);
            self.done.push_back(id);
        }
        self.forget_done(KEPT_MAX_BYTES);
    }
}

impl Behind {
    /// The sealed bytes, if they came a moment ago.
    pub(super) fn get(&self, id: &ChunkId) -> Option<Bytes> {
        self.waiting.lock().kept.get(id).cloned()
    }

    pub(super) fn contains(&self, id: &ChunkId) -> bool {
        self.waiting.lock().kept.contains_key(id)
    }

    /// Gives back what is written.
    pub(super) fn clear(&self) {
        self.waiting.lock().forget_done(0);
    }

    fn keep(&self, id: ChunkId, sealed: Bytes) {
        let mut waiting = self.waiting.lock();
        while waiting.unwritten_bytes + sealed.len() > UNWRITTEN_MAX_BYTES && !waiting.stop {
            self.written.wait(&mut waiting);
        }
        if waiting.stop || waiting.kept.contains_key(&id) {
            return;
        }
        waiting.kept_bytes += sealed.len();
        waiting.unwritten_bytes += sealed.len();
        waiting.kept.insert(id, sealed);
        waiting.unwritten.push_back(id);
        waiting.forget_done(KEPT_MAX_BYTES);
        if waiting.unwritten.len() == 1 || waiting.unwritten_bytes >= BATCH_BYTES {
            self.came.notify_one();
        }
    }

    /// Waits for something that is worth a write, or has waited long enough. None at the end.
    fn next(&self) -> Option<Vec<(ChunkId, Bytes)>> {
        let mut waiting = self.waiting.lock();
        while waiting.unwritten.is_empty() {
            if waiting.stop {
                return None;
            }
            self.came.wait(&mut waiting);
        }
        while waiting.unwritten_bytes < BATCH_BYTES && !waiting.stop {
            if self.came.wait_for(&mut waiting, LINGER).timed_out() {
                break;
            }
        }
        Some(waiting.batch())
    }

    fn done(&self, chunks: usize) {
        self.waiting.lock().batch_done(chunks);
        self.written.notify_all();
    }

    fn stop(&self) {
        self.waiting.lock().stop = true;
        self.came.notify_one();
        self.written.notify_all();
    }
}

impl ChunkStore {
    /// Takes in a chunk that a reader waits for: its hash is checked, then it can be read. Waits only while too much is not written.
    /// It is [cached](ChunkState::CACHED) once it is written, which nobody is told: until then it is not held, and what had no room is
    /// dropped when newer chunks come.
    ///
    /// # Errors
    /// [`StoreError::TooLong`], [`StoreError::WrongBytes`] if the bytes are not that chunk, [`StoreError::Failed`].
    pub fn import_cached(&self, id: &ChunkId, sealed: Bytes) -> Result<(), StoreError> {
        self.inner.latch.check()?;
        if sealed.len() > MAX_SEALED_BYTES {
            return Err(StoreError::TooLong(sealed.len()));
        }
        if ChunkId::of(&sealed) != *id {
            return Err(StoreError::WrongBytes(*id));
        }
        self.inner.counts.uses.fetch_add(1, Ordering::Relaxed);
        self.inner.behind.keep(*id, sealed);
        Ok(())
    }
}

/// The thread that writes.
pub(super) struct BehindWriter {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

impl BehindWriter {
    pub(super) fn start(inner: &Arc<Inner>) -> Result<Self, StoreError> {
        let worker = Arc::clone(inner);
        let thread = thread::Builder::new()
            .name("chunk-cache".into())
            .spawn(move || work(&worker))
            .map_err(|error| StoreError::io("cannot start a thread for", &inner.dir, error))?;
        Ok(Self { inner: Arc::clone(inner), thread: Some(thread) })
    }

    /// Ends the thread when all is written.
    pub(super) fn stop(&mut self) {
        self.inner.behind.stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes cached chunks panicked");
        }
    }
}

fn work(inner: &Inner) {
    while let Some(batch) = inner.behind.next() {
        let written = inner.with_room(|| inner.store_batch(&batch)).and_then(|()| inner.keep_bounds());
        if let Err(error) = written {
            tracing::info!(%error, chunks = batch.len(), "chunks that were read are not cached");
        }
        inner.behind.done(batch.len());
    }
}

/// Records that follow each other in one pack.
struct Run<'a> {
    file: Arc<dyn DiskFile>,
    records: Vec<(Claim<'a>, Location, &'a Bytes)>,
    end: u64,
}

impl Inner {
    /// Appends these chunks, but those that are here already or that somebody else stores at the moment.
    fn store_batch(&self, batch: &[(ChunkId, Bytes)]) -> Result<(), StoreError> {
        let mut runs = Vec::new();
        // Places that were taken must not stay holes: they are written whatever came after them.
        let placed = batch.iter().try_for_each(|(id, sealed)| self.place(*id, sealed, &mut runs));
        runs.into_iter().try_for_each(|run| self.write_run(run)).and(placed)
    }

    fn place<'a>(
        &'a self,
        id: ChunkId,
        sealed: &'a Bytes,
        runs: &mut Vec<Run<'a>>,
    ) -> Result<(), StoreError> {
        let Some(mut claim) = self.appender.try_claim(id) else { return Ok(()) };
        if self.holds(&id)? {
            return Ok(());
        }
        let bytes = (RECORD_HEADER_BYTES + sealed.len()) as u32;
        let (place, file) = claim.reserve(self, bytes, Purpose::Store)?;
        let end = u64::from(place.at.offset) + u64::from(bytes);
        match runs.last_mut() {
            Some(run) if run.follows(&place) => {
                run.end = end;
                run.records.push((claim, place, sealed));
            }
            _ => runs.push(Run { file, end, records: vec![(claim, place, sealed)] }),
        }
        Ok(())
    }

    fn write_run(&self, run: Run<'_>) -> Result<(), StoreError> {
        let Some((_, first, _)) = run.records.first() else { return Ok(()) };
        let headers: Vec<_> =
            run.records.iter().map(|(claim, place, _)| record_header(&claim.id(), place.len)).collect();
        let mut pieces = Vec::with_capacity(2 * headers.len());
        for (header, (_, _, sealed)) in headers.iter().zip(&run.records) {
            pieces.extend([IoSlice::new(header), IoSlice::new(sealed)]);
        }
        let at = u64::from(first.at.offset);
        if let Err(error) = run.file.write_pieces_at(at, &mut pieces, false) {
            let bytes = usize::try_from(run.end - at).expect("inside a pack");
            return Err(self.appender.not_written(self, first.at.pack, bytes, error));
        }
        for (claim, place, _) in run.records {
            self.note_appended(claim.id(), place, ChunkState::CACHED)?;
        }
        Ok(())
    }
}

impl Run<'_> {
    fn follows(&self, place: &Location) -> bool {
        let pack = self.records.first().map(|(_, first, _)| first.at.pack);
        pack == Some(place.at.pack) && self.end == u64::from(place.at.offset)
    }
}
