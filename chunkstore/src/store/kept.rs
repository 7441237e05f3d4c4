//! What is kept for good, by partition: what hosts of the same partition compare, list and ask each other to prove.
//!
//! Cache is no part of it, nor what is damaged here, nor what nothing named when a sweep looked.

use std::ops::Bound;

use super::ChunkStore;
use crate::error::StoreError;
use crate::ids::{ChunkId, PARTITIONS};
use crate::index::{ChunkState, Entry, PartitionSum};

/// Ids looked at in one step of a sum.
const STEP_IDS: usize = 4096;

impl ChunkStore {
    /// At most `max` ids behind `after` that are kept for good, in order. `partitions` is in order. `confirmed`: only those that are
    /// known to be on enough hosts.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn kept(
        &self,
        partitions: &[u16],
        after: Option<ChunkId>,
        max: usize,
        confirmed: bool,
    ) -> Result<Vec<ChunkId>, StoreError> {
        let (Some(first), Some(last)) = (partitions.first(), partitions.last()) else {
            return Ok(Vec::new());
        };
        let start = ChunkId::first_of(*first);
        let from = after.filter(|after| *after >= start).map_or(Bound::Included(start), Bound::Excluded);
        let end = match last + 1 {
            PARTITIONS => Bound::Unbounded,
            next => Bound::Excluded(ChunkId::first_of(next)),
        };
        let refused = if confirmed { NOT_KEPT.with(ChunkState::UNREPLICATED) } else { NOT_KEPT };
        let is_kept = |id: &ChunkId, entry: &Entry| {
            entry.state.has_any(KEPT)
                && !entry.state.has_any(refused)
                && partitions.binary_search(&id.partition()).is_ok()
        };
        self.inner.index.pick_within((from, end), max, &is_kept)
    }

    /// The sums of what is kept for good in each of these partitions, which are in order: two hosts with equal sums keep the same.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn kept_sums(&self, partitions: &[u16]) -> Result<Vec<PartitionSum>, StoreError> {
        let mut sums = vec![PartitionSum::default(); partitions.len()];
        let mut after = None;
        loop {
            let ids = self.kept(partitions, after, STEP_IDS, false)?;
            for id in &ids {
                if let Ok(place) = partitions.binary_search(&id.partition()) {
                    sums[place].add(id);
                }
            }
            if ids.len() < STEP_IDS {
                return Ok(sums);
            }
            after = ids.last().copied();
        }
    }

    /// At most `max` chunks behind `after` that are damaged here, in order of ids: another copy heals them.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn damaged(&self, after: Option<ChunkId>, max: usize) -> Result<Vec<ChunkId>, StoreError> {
        self.inner.index.pick(after, max, &|_, entry| entry.state.has(ChunkState::DAMAGED))
    }
}

const KEPT: ChunkState = ChunkState::PLACED.with(ChunkState::UNREPLICATED);
const NOT_KEPT: ChunkState = ChunkState::DAMAGED.with(ChunkState::DOOMED);
