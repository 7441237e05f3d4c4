//! Giving up chunks that are here only because they were read, when room is needed.
//!
//! Least recently used, approximately: the order is that of the packs, oldest first, and a chunk that was read of late gets a second
//! chance. What was read is remembered in memory alone, so a restart forgets it. Giving up means that the index forgets the chunk;
//! compaction frees the bytes.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::{ChunkStore, Inner};
use crate::error::{FullLimit, StoreError};
use crate::ids::ChunkId;
use crate::index::ChunkState;
use crate::pack::Position;

/// Cached chunks whose use is remembered; with more all uses are forgotten.
const USES_MAX_CHUNKS: usize = 64 << 10;
/// The oldest cached chunks that one round looks at.
const ROUND_MAX_CHUNKS: usize = 32 << 10;
/// Bytes given up at least when something did not fit: to look for a few would cost as much.
const STEP_BYTES: u64 = 64 << 20;

/// Cached chunks read since they last had a second chance.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashSet<ChunkId>>);

impl ChunkStore {
    /// Gives up cached chunks until `bytes` of records are dead or none is left; answers how many bytes. Call
    /// [`ChunkStore::compact`] to free them on disk.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn evict(&self, bytes: u64) -> Result<u64, StoreError> {
        self.inner.evict(bytes)
    }
}

impl Inner {
    /// Remembers that a cached chunk was read.
    pub(super) fn note_use(&self, id: &ChunkId) -> Result<(), StoreError> {
        if self.counts.cached_bytes.load(Ordering::Relaxed) == 0
            || !self.index.get(id)?.is_some_and(|entry| entry.state.is_evictable())
        {
            return Ok(());
        }
        let mut uses = self.uses.0.lock();
        if uses.len() >= USES_MAX_CHUNKS {
            uses.clear();
        }
        uses.insert(*id);
        Ok(())
    }

    fn evict(&self, bytes: u64) -> Result<u64, StoreError> {
        let mut freed = 0;
        while freed < bytes && self.counts.cached_bytes.load(Ordering::Relaxed) > 0 {
            let given_up = self.evict_round(bytes - freed)?;
            if given_up == 0 {
                break;
            }
            freed += given_up;
        }
        Ok(freed)
    }

    /// Goes through the oldest cached chunks, first those without a second chance.
    fn evict_round(&self, bytes: u64) -> Result<u64, StoreError> {
        let oldest = self.oldest_cached()?;
        let used = std::mem::take(&mut *self.uses.0.lock());
        let (spared, unused): (Vec<_>, Vec<_>) = oldest.into_values().partition(|id| used.contains(id));
        let _alone = self.gate.write();
        let mut freed = 0;
        for id in unused.iter().chain(&spared) {
            if freed >= bytes {
                break;
            }
            if let Some(entry) = self.index.get(id)?.filter(|entry| entry.state.is_evictable()) {
                freed += entry.place.record_bytes();
                self.set_entry(*id, None)?;
            }
        }
        Ok(freed)
    }

    fn oldest_cached(&self) -> Result<BTreeMap<Position, ChunkId>, StoreError> {
        // What changed since the last checkpoint is not walked.
        self.checkpoint()?;
        let mut oldest = BTreeMap::new();
        self.index.walk(ChunkId([0; 32]), &mut |id, entry| {
            if entry.state.is_evictable() && !entry.state.has(ChunkState::DAMAGED) {
                oldest.insert(entry.place.at, id);
                if oldest.len() > ROUND_MAX_CHUNKS {
                    oldest.pop_last();
                }
            }
            true
        })?;
        Ok(oldest)
    }

    /// Stores; where that meets a limit, the cache makes room first. The caller holds no claim: compaction takes them.
    pub(super) fn with_room<T>(
        &self,
        mut store: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match store() {
            Err(StoreError::Full { needed_bytes, limit }) if self.make_room(needed_bytes, limit)? => store(),
            outcome => outcome,
        }
    }

    fn make_room(&self, needed_bytes: u64, limit: FullLimit) -> Result<bool, StoreError> {
        if self.counts.cached_bytes.load(Ordering::Relaxed) == 0 {
            return Ok(false);
        }
        let freed = self.evict(needed_bytes.max(STEP_BYTES))?;
        let compacted = self.compact(2 * STEP_BYTES)?;
        tracing::info!(%limit, freed, removed_bytes = compacted.removed_bytes, "the cache made room");
        Ok(compacted.removed_bytes > compacted.copied_bytes)
    }
}
