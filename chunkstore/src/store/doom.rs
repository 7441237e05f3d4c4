//! Giving up chunks on somebody's word that nothing names them: for a computer that cannot look for itself.
//!
//! ```text
//!  kept ─► doom ─► doomed ─┬─► a grace later, the same word again: given up
//!                          └─► put, imported or found held meanwhile: wanted, and kept as before
//! ```
//!
//! Whoever is told that a chunk is held may count on it from then on. So `doom` and what takes it back, and `give_up_doomed` and what
//! finds a chunk held, exclude each other: a chunk is given up only if nobody was told that it is here since it was doomed.

use super::ChunkStore;
use super::report::SweepReport;
use crate::error::StoreError;
use crate::ids::ChunkId;
use crate::index::ChunkState;

impl ChunkStore {
    /// Nothing names these, it is said. They stay, and stay readable. What the user wants here is passed over. Answers how many were
    /// not doomed before.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn doom(&self, ids: &[ChunkId]) -> Result<u64, StoreError> {
        let doom = |_: &ChunkId, state: ChunkState| {
            if state.has(ChunkState::PINNED) { state } else { state.with(ChunkState::DOOMED) }
        };
        self.inner.change_states(ids, &doom)
    }

    /// At most `max` doomed chunks behind `after`, in order of ids.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn doomed(&self, after: Option<ChunkId>, max: usize) -> Result<Vec<ChunkId>, StoreError> {
        self.inner.index.pick(after, max, &|_, entry| entry.state.has(ChunkState::DOOMED))
    }

    /// Something names these after all.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn spare(&self, ids: &[ChunkId]) -> Result<(), StoreError> {
        self.inner.change_states(ids, &|_, state| state.without(ChunkState::DOOMED)).map(drop)
    }

    /// For each chunk, whether a good copy is here. Unlike [`ChunkStore::have`] nobody will count on the answer: what is doomed stays so.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn look_for(&self, ids: &[ChunkId]) -> Result<Vec<bool>, StoreError> {
        let good = |id| Ok(self.state(id)?.is_some_and(|state| !state.has(ChunkState::DAMAGED)));
        ids.iter().map(good).collect()
    }

    /// Gives up those of these chunks that are doomed still. Compaction frees their bytes.
    ///
    /// # Errors
    /// [`StoreError::Index`], or those of [`ChunkStore::checkpoint_index`]. What was given up until then stays so.
    pub fn give_up_doomed(&self, ids: &[ChunkId]) -> Result<SweepReport, StoreError> {
        let mut report = SweepReport::default();
        let alone = self.inner.gate.write();
        for id in ids {
            let entry = self.inner.index.get(id)?;
            if let Some(entry) = entry.filter(|entry| entry.state.has(ChunkState::DOOMED)) {
                report.dead_chunks += 1;
                report.dead_bytes += entry.place.record_bytes();
                self.inner.set_entry(*id, None)?;
            } else {
                report.live_chunks += u64::from(entry.is_some());
            }
        }
        drop(alone);
        self.inner.checkpoint()?;
        self.inner.index.forget_stale_prints()?;
        Ok(report)
    }
}
