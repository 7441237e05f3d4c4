//! Writing the index's changes to its database.

use std::collections::BTreeMap;

use super::{ChunkStore, Inner};
use crate::error::StoreError;

impl ChunkStore {
    /// Writes what the index learned since the last checkpoint, after flushing the packs it names. Called every few
    /// seconds and when idle; shortens the next start and frees memory. Losing a checkpoint loses no chunk.
    ///
    /// # Errors
    /// [`StoreError::Failed`], or the first failure itself.
    pub fn checkpoint_index(&self) -> Result<(), StoreError> {
        self.inner.checkpoint()
    }
}

impl Inner {
    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        let mut removed = self.checkpointing.lock();
        self.latch.check()?;
        // The position is read before the layer is frozen: what landed before it is in the layer or the database.
        let valid_to = self.appender.landed();
        if self.index.pending() == 0
            && !self.index.has_new_notes()
            && removed.is_empty()
            && self.index.valid_to()? == Some(valid_to)
        {
            return Ok(());
        }
        self.index.freeze();
        self.flush()?;
        let sizes = self.pack_sizes(&removed);
        self.index.write(Some(valid_to), &sizes).map_err(|error| self.latch.close(error))?;
        removed.clear();
        Ok(())
    }

    /// Sizes that may have changed since the last checkpoint: those of packs from the last valid position on.
    fn pack_sizes(&self, removed: &[u64]) -> BTreeMap<u64, Option<u64>> {
        let from = self.index.valid_to().ok().flatten().map_or(0, |at| at.pack);
        let packs = self.packs.lock();
        let grown = packs.range(from..).map(|(pack, used)| (*pack, Some(used.bytes)));
        grown.chain(removed.iter().map(|pack| (*pack, None))).collect()
    }
}
