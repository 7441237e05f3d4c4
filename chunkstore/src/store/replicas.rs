//! What the group must know of the chunks here: which are held, and which are not on enough hosts yet.

use std::cell::OnceCell;
use std::sync::atomic::Ordering;

use super::{ChunkStore, Inner};
use crate::error::StoreError;
use crate::ids::ChunkId;
use crate::index::{ChunkState, Entry};

/// Chunks changed under one hold of the gate.
const REQUEUE_STEP_CHUNKS: usize = 4096;

impl ChunkStore {
    /// At most `max` chunks behind `after` that are not known to be on enough hosts, in order of ids.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn unreplicated(&self, after: Option<ChunkId>, max: usize) -> Result<Vec<ChunkId>, StoreError> {
        self.inner.index.pick(after, max, &|_, entry| entry.state.has(ChunkState::UNREPLICATED))
    }

    /// Sets and clears state bits of these chunks at once, except [`ChunkState::DAMAGED`], as [`ChunkStore::set_state`] does. Ids that
    /// are not here are passed over.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn set_states(&self, ids: &[ChunkId], set: ChunkState, clear: ChunkState) -> Result<(), StoreError> {
        let kept = ChunkState::DAMAGED;
        let (set, clear) = (set.without(kept), clear.without(kept));
        self.inner.change_states(ids, &|_, state| state.without(clear).with(set)).map(drop)
    }

    /// These chunks are on enough hosts and named there: they are not [`ChunkState::UNREPLICATED`] any more, and the other bits are set and
    /// cleared as [`ChunkStore::set_states`] does. Those that were put again since [`ChunkStore::take_fresh`] last told of them stay as
    /// they are: what names them next may be nowhere yet.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn set_replicated(
        &self,
        ids: &[ChunkId],
        set: ChunkState,
        clear: ChunkState,
    ) -> Result<(), StoreError> {
        let kept = ChunkState::DAMAGED;
        let (set, clear) = (set.without(kept), clear.with(ChunkState::UNREPLICATED).without(kept));
        // Looked at while the gate is held: who puts one from now on finds it changed.
        let put_again = OnceCell::new();
        let change = |id: &ChunkId, state: ChunkState| {
            let put_again = put_again.get_or_init(|| self.inner.fresh.waiting());
            if put_again.contains(id) { state } else { state.without(clear).with(set) }
        };
        self.inner.change_states(ids, &change).map(drop)
    }

    /// The chunks of these partitions are not known to be on enough hosts any more (a host is gone). Answers how many were until
    /// now. They are not fresh: who has them marked asks for [`ChunkStore::unreplicated`].
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn requeue(&self, partitions: &[u16]) -> Result<u64, StoreError> {
        self.requeue_those(partitions, ChunkState::default())
    }

    /// The same for those only that placement named this computer a host of.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn requeue_placed(&self, partitions: &[u16]) -> Result<u64, StoreError> {
        self.requeue_those(partitions, ChunkState::PLACED)
    }

    fn requeue_those(&self, partitions: &[u16], with: ChunkState) -> Result<u64, StoreError> {
        let (mut requeued, mut after) = (0, None);
        let is_lost = |id: &ChunkId, entry: &Entry| {
            partitions.contains(&id.partition())
                && entry.state.has(with)
                && !entry.state.has_any(ChunkState::UNREPLICATED.with(ChunkState::DAMAGED))
        };
        loop {
            let ids = self.inner.index.pick(after, REQUEUE_STEP_CHUNKS, &is_lost)?;
            requeued += self.inner.change_states(&ids, &|_, state| state.with(ChunkState::UNREPLICATED))?;
            after = ids.last().copied();
            if ids.len() < REQUEUE_STEP_CHUNKS {
                break;
            }
        }
        Ok(requeued)
    }

    /// These chunks are not known to be on enough hosts any more. Ids that are not here, or damaged, are passed over.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn doubt(&self, ids: &[ChunkId]) -> Result<(), StoreError> {
        let doubt = |_: &ChunkId, state: ChunkState| {
            if state.has(ChunkState::DAMAGED) { state } else { state.with(ChunkState::UNREPLICATED) }
        };
        self.inner.change_states(ids, &doubt).map(drop)
    }

    /// For each chunk, whether a good copy is here. Whoever is told so may count on it, so a sweep under way spares it. Flush first,
    /// if the answer is to survive a power cut.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn have(&self, ids: &[ChunkId]) -> Result<Vec<bool>, StoreError> {
        ids.iter().map(|id| self.inner.holds(id)).collect()
    }
}

impl Inner {
    /// A chunk that is here was put again. What names it next may be nowhere yet, and if it came from others, they may not know that
    /// it is needed: it is told as if it was new, and its plaintext counts as saved.
    pub(super) fn put_again(&self, id: &ChunkId, plain_bytes: usize) -> Result<(), StoreError> {
        self.counts.saved_by_dedup_bytes.fetch_add(plain_bytes as u64, Ordering::Relaxed);
        // First of all, so that nobody lets it go who did not hear of it.
        self.fresh.push(*id);
        {
            let _as_it_is = self.gate.read();
            if self.index.get(id)?.is_none_or(|entry| entry.state.has(ChunkState::UNREPLICATED)) {
                return Ok(());
            }
        }
        self.change_states(&[*id], &|_, state| state.with(ChunkState::UNREPLICATED)).map(drop)
    }

    /// A copy that was imported is here for these reasons as well.
    pub(super) fn add_reasons(&self, id: &ChunkId, state: ChunkState) -> Result<(), StoreError> {
        let more = state.without(ChunkState::CACHED);
        let lacks = |known: ChunkState| !known.has(more);
        if self.index.get(id)?.is_some_and(|entry| lacks(entry.state)) {
            self.change_states(&[*id], &|_, known| known.with(more))?;
        }
        Ok(())
    }

    /// What was doomed is wanted again. Whether it is still here.
    pub(super) fn reprieve(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.change_states(&[*id], &|_, state| state.without(ChunkState::DOOMED))?;
        Ok(self.index.get(id)?.is_some())
    }

    /// Changes the states of these chunks under one hold of the gate; answers how many are others now.
    pub(super) fn change_states(
        &self,
        ids: &[ChunkId],
        change: &dyn Fn(&ChunkId, ChunkState) -> ChunkState,
    ) -> Result<u64, StoreError> {
        let _alone = self.gate.write();
        let mut changed = 0;
        for id in ids {
            let Some(entry) = self.index.get(id)? else { continue };
            let state = change(id, entry.state);
            if state != entry.state {
                self.set_entry(*id, Some(Entry { state, ..entry }))?;
                changed += 1;
            }
        }
        Ok(changed)
    }
}
