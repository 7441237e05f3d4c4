//! The store: the order of writes, the limits, and what is done about damage.
//!
//! ```text
//!  put:    fingerprint ─known?─▶ dedup
//!             └▶ seal ─known?─▶ dedup
//!                  └▶ reserve room and a place (short lock) ─▶ write outside it ─▶ index layer ─▶ landed
//!  flush:  wait until all before here have landed ─▶ sync packs, then names of new packs      shared by callers
//!  checkpoint: note the landed position ─▶ freeze the layer ─▶ flush ─▶ one durable index commit
//! ```
//!
//! The one order that matters: nothing is named durably before its bytes are durable. The index claims only flushed
//! records, callers commit their trees only after [`ChunkStore::flush`], and compaction removes a pack only after
//! the copies are flushed and the index names them.

mod append;
mod background;
mod behind;
mod cache;
mod checkpoint;
mod compact;
mod doom;
mod evict;
mod flush;
mod fresh;
mod kept;
mod latch;
mod put;
mod read;
mod recover;
mod replicas;
mod report;
mod scrub;
mod space;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::ids::ChunkId;
use crate::index::{ChunkState, Entry, Index, PackUse, PartitionSum};
use crate::pack::PackFolder;
use crate::seal::SealScratch;
use append::Appender;
use background::Background;
use behind::{Behind, BehindWriter};
use cache::PlainCache;
use evict::Uses;
use flush::Flusher;
pub use fresh::Fresh;
use fresh::FreshQueue;
use latch::Latch;
pub use report::{
    CompactReport, Flushed, Health, Limits, MAX_REPORTED_BAD_CHUNKS, Pace, ScrubProgress, ScrubReport,
    SweepReport, Usage,
};
use space::Space;
pub use sweep::Sweep;
use sweep::{DoomEpoch, SweepFilter};

/// Stores sealed chunks in packs. Used from any number of threads at once, behind an [`Arc`].
pub struct ChunkStore {
    inner: Arc<Inner>,
    background: Background,
    behind: BehindWriter,
}

/// The state all parts of the store work on.
struct Inner {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    folder: PackFolder,
    index: Index,
    appender: Appender,
    flusher: Flusher,
    space: Space,
    latch: Latch,
    cache: PlainCache,
    behind: Behind,
    /// What threads seal with: as many as ever sealed at once since memory was last given back.
    scratches: Mutex<Vec<SealScratch>>,
    /// Use of every pack: 24 bytes for each 64 MiB.
    packs: Mutex<BTreeMap<u64, PackUse>>,
    counts: Counts,
    /// Lookups that lead to "it is here" hold it shared; giving chunks up holds it alone. Inside: the filter of
    /// the sweep that is under way.
    gate: RwLock<Option<Arc<SweepFilter>>>,
    /// One checkpoint at a time. Inside: packs removed since the last.
    checkpointing: Mutex<Vec<u64>>,
    /// One compaction at a time. Inside: packs it cannot empty, because something in them does not verify.
    compacting: Mutex<HashSet<u64>>,
    bell: Arc<background::Bell>,
    /// Chunks put here first, for who brings them to other hosts.
    fresh: FreshQueue,
    /// Cached chunks read of late.
    uses: Uses,
    dooming: Mutex<DoomEpoch>,
}

#[derive(Default)]
struct Counts {
    chunks: AtomicU64,
    live_bytes: AtomicU64,
    damaged_chunks: AtomicU64,
    cached_bytes: AtomicU64,
    saved_by_dedup_bytes: AtomicU64,
    saved_by_compression_bytes: AtomicU64,
    healed_chunks: AtomicU64,
    uses: AtomicU64,
    plain_bytes: AtomicU64,
}

impl ChunkStore {
    /// Opens the store in `dir` (`<data>/chunks`), making it if missing. The packs written after the last index
    /// checkpoint are walked; if the index is missing or cannot be used, all are.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`], or what the disk says.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        let inner = Arc::new(recover::open(disk, dir, limits)?);
        let background = Background::start(&inner)?;
        let behind = BehindWriter::start(&inner)?;
        Ok(Self { inner, background, behind })
    }

    /// Forgets what only makes the next work faster: opened chunks, and the buffers that sealing uses. For a store that rests.
    pub fn release_memory(&self) {
        self.inner.cache.clear();
        self.inner.behind.clear();
        self.inner.scratches.lock().clear();
    }

    /// Whether so many bytes of new chunks can be stored. Cheap: the system is asked once a second at most, unless the answer would
    /// be no.
    #[must_use]
    pub fn has_room(&self, bytes: u64) -> bool {
        let inner = &*self.inner;
        inner.space.has_room(bytes, &*inner.disk, &inner.dir)
    }

    /// What lies on disk and how much more may. Asks the system for the free space.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let inner = &*self.inner;
        let limits = inner.space.limits();
        Usage {
            chunks: inner.counts.chunks.load(Ordering::Relaxed),
            live_bytes: inner.counts.live_bytes.load(Ordering::Relaxed),
            pack_bytes: inner.space.pack_bytes(),
            limit_bytes: limits.contribute_bytes,
            reserve_bytes: limits.reserve_bytes,
            can_store_bytes: inner.space.can_store_bytes(&*inner.disk, &inner.dir),
            saved_by_dedup_bytes: inner.counts.saved_by_dedup_bytes.load(Ordering::Relaxed),
            saved_by_compression_bytes: inner.counts.saved_by_compression_bytes.load(Ordering::Relaxed),
            damaged_chunks: inner.counts.damaged_chunks.load(Ordering::Relaxed),
            healed_chunks: inner.counts.healed_chunks.load(Ordering::Relaxed),
            cached_bytes: inner.counts.cached_bytes.load(Ordering::Relaxed),
        }
    }

    /// How often the packs were read or written for somebody since the start; looks, scrubs and compaction do not count. While
    /// it stays, nobody waits for the disk because of this store.
    #[must_use]
    pub fn uses(&self) -> u64 {
        self.inner.counts.uses.load(Ordering::Relaxed)
    }

    /// Plain bytes that were put, or opened and not found in memory, since the start: what the drive of this computer did. For others
    /// chunks come and go sealed, and do not count.
    #[must_use]
    pub fn plain_bytes(&self) -> u64 {
        self.inner.counts.plain_bytes.load(Ordering::Relaxed)
    }

    /// The limits that hold now.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.inner.space.limits()
    }

    /// Sets the limits from now on. Lowering one below what is used stops writes and removes nothing.
    pub fn set_limits(&self, limits: Limits) {
        self.inner.cache.set_capacity(limits.cache_bytes);
        self.inner.space.set_limits(limits);
    }

    /// Notes how far an owner of chunks (a workspace) has come by its own count, which only grows. Durable with the next checkpoint.
    /// At its next start the owner can tell by [`ChunkStore::progress`] that its own files are older than the store.
    pub fn note_progress(&self, owner: &str, to: u64) {
        self.inner.index.note_progress(owner, to);
    }

    /// How far each owner had come, as last noted and checkpointed. Nothing is known after a rebuild of the index: it is no part of
    /// the packs.
    #[must_use]
    pub fn progress(&self) -> BTreeMap<String, u64> {
        self.inner.index.progress()
    }

    /// Something is not where the index says, or not in it: the next start builds the index from the packs, which finds what is there.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Index`].
    pub fn distrust_index(&self) -> Result<(), StoreError> {
        let _alone = self.inner.checkpointing.lock();
        self.inner.latch.check()?;
        self.inner.index.distrust().map_err(|error| self.inner.latch.close(error))
    }

    /// Whether the store still writes.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.latch.health()
    }

    /// State bits of a chunk; `None` if it is not here.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn state(&self, id: &ChunkId) -> Result<Option<ChunkState>, StoreError> {
        Ok(self.inner.index.get(id)?.map(|entry| entry.state))
    }

    /// Sets and clears state bits of a chunk, except [`ChunkState::DAMAGED`], which the store keeps itself. Durable
    /// with the next checkpoint; after a rebuild of the index all chunks are [`ChunkState::UNREPLICATED`] again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Index`].
    pub fn set_state(&self, id: &ChunkId, set: ChunkState, clear: ChunkState) -> Result<(), StoreError> {
        let _alone = self.inner.gate.write();
        let entry = self.inner.index.get(id)?.ok_or(StoreError::NotFound(*id))?;
        let kept = ChunkState::DAMAGED;
        let state = entry.state.without(clear.without(kept)).with(set.without(kept));
        self.inner.set_entry(*id, Some(Entry { state, ..entry }))
    }

    /// The sums of all partitions that hold chunks, after a checkpoint: what hosts compare to find differences.
    ///
    /// # Errors
    /// Those of [`ChunkStore::checkpoint_index`].
    pub fn partition_sums(&self) -> Result<BTreeMap<u16, PartitionSum>, StoreError> {
        self.checkpoint_index()?;
        let mut sums = self.inner.index.partition_sums()?;
        sums.retain(|_, sum| sum.count > 0);
        Ok(sums)
    }

    /// How many chunks are here of each partition, in order, as of the last checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn chunks_by_partition(&self) -> Result<Vec<u64>, StoreError> {
        let mut counts = vec![0; usize::from(crate::PARTITIONS)];
        for (partition, sum) in self.inner.index.partition_sums()? {
            if let Some(count) = counts.get_mut(usize::from(partition)) {
                *count = sum.count;
            }
        }
        Ok(counts)
    }

    /// At most `max` ids of a partition behind `after`, in order, as of the last checkpoint; damaged chunks are left
    /// out.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn partition_ids(
        &self,
        partition: u16,
        after: Option<ChunkId>,
        max: usize,
    ) -> Result<Vec<ChunkId>, StoreError> {
        let first = ChunkId::first_of(partition);
        let from = after.unwrap_or(first).max(first);
        let mut ids = Vec::new();
        self.inner.index.walk(from, &mut |id, entry| {
            if id.partition() == partition && Some(id) != after && !entry.state.has(ChunkState::DAMAGED) {
                ids.push(id);
            }
            id.partition() == partition && ids.len() < max
        })?;
        Ok(ids)
    }
}

impl Drop for ChunkStore {
    /// Leaves a short start behind: flushes and checkpoints, unless writing has failed.
    fn drop(&mut self) {
        self.behind.stop();
        self.background.stop();
        if self.inner.latch.check().is_ok()
            && let Err(error) = self.inner.checkpoint()
        {
            tracing::warn!(%error, "the chunk store was closed without a checkpoint; the next start walks more");
        }
    }
}

impl Inner {
    /// Changes a chunk's entry and all that is counted with it. The caller holds the gate.
    fn set_entry(&self, id: ChunkId, new: Option<Entry>) -> Result<(), StoreError> {
        let old = self.index.get(&id)?;
        self.index.set(id, new);
        let is_bad = |entry: Entry| entry.state.has(ChunkState::DAMAGED);
        if old.is_some_and(is_bad) && new.is_some_and(|new| !is_bad(new)) {
            self.counts.healed_chunks.fetch_add(1, Ordering::Relaxed);
        }
        let mut packs = self.packs.lock();
        if let Some(old) = old {
            let bytes = old.place.record_bytes();
            let pack = packs.entry(old.place.at.pack).or_default();
            pack.live_bytes = pack.live_bytes.saturating_sub(bytes);
            self.counts.chunks.fetch_sub(1, Ordering::Relaxed);
            self.counts.live_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.cached_bytes.fetch_sub(old.cached_bytes(), Ordering::Relaxed);
            if old.state.has(ChunkState::DAMAGED) {
                self.counts.damaged_chunks.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if let Some(new) = new {
            let bytes = new.place.record_bytes();
            packs.entry(new.place.at.pack).or_default().live_bytes += bytes;
            self.counts.chunks.fetch_add(1, Ordering::Relaxed);
            self.counts.live_bytes.fetch_add(bytes, Ordering::Relaxed);
            self.counts.cached_bytes.fetch_add(new.cached_bytes(), Ordering::Relaxed);
            if new.state.has(ChunkState::DAMAGED) {
                self.counts.damaged_chunks.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
