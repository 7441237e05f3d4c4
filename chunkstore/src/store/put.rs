//! Storing chunks: from plaintext, and as sealed bytes from a peer.

use std::sync::atomic::Ordering;

use super::append::Claim;
use super::space::Purpose;
use super::{ChunkStore, Inner};
use crate::cut::MAX_CHUNK_BYTES;
use crate::error::StoreError;
use crate::ids::{ChunkId, ChunkKey, ChunkRef, DedupSecret, Fingerprint};
use crate::index::{ChunkState, Entry};
use crate::pack::Location;
use crate::seal::{self, MAX_SEALED_BYTES, SealScratch};

/// Changes the index keeps in memory before a checkpoint is asked for.
const CHECKPOINT_AT_ENTRIES: usize = 32 << 10;
/// Changes at which storing waits for the checkpoint itself.
const MAX_PENDING_ENTRIES: usize = 4 * CHECKPOINT_AT_ENTRIES;
/// Packs that may lie unflushed; more make the thread that stores flush. Recovery without an index trusts older
/// packs without reading them whole.
pub(super) const MAX_UNFLUSHED_PACKS: usize = 3;

impl ChunkStore {
    /// Stores a chunk, or finds that it is stored already. Readable at once; durable after the next
    /// [`ChunkStore::flush`].
    ///
    /// # Errors
    /// [`StoreError::Full`] (nothing was written), [`StoreError::TooLong`], [`StoreError::Failed`], or what the disk
    /// says.
    pub fn put(&self, secret: &DedupSecret, plain: &[u8]) -> Result<ChunkRef, StoreError> {
        let inner = &*self.inner;
        if plain.len() > MAX_CHUNK_BYTES {
            return Err(StoreError::TooLong(plain.len()));
        }
        inner.latch.check()?;
        inner.counts.plain_bytes.fetch_add(plain.len() as u64, Ordering::Relaxed);
        let (print, key) = seal::fingerprint(secret, plain);
        let id = match inner.find_print(&print)? {
            Some(id) => {
                inner.put_again(&id, plain.len())?;
                id
            }
            None => {
                let mut scratch = inner.scratches.lock().pop().unwrap_or_default();
                let stored = inner.with_room(|| inner.put_sealed(print, &key, plain, &mut scratch));
                inner.scratches.lock().push(scratch);
                stored?
            }
        };
        inner.keep_bounds()?;
        Ok(ChunkRef { id, key, len: plain.len() as u32 })
    }

    /// Stores the sealed bytes of a chunk, as a host without keys does. A damaged copy here is replaced.
    ///
    /// # Errors
    /// [`StoreError::WrongBytes`] if they are not that chunk, else those of [`ChunkStore::put`].
    pub fn import(&self, id: &ChunkId, ciphertext: &[u8]) -> Result<(), StoreError> {
        self.import_as(id, ciphertext, ChunkState::default())
    }

    /// Like [`ChunkStore::import`]; says why the chunk is here. A copy that was here before is here for this reason too; one that was
    /// here for a better reason than the cache does not become evictable.
    ///
    /// # Errors
    /// Those of [`ChunkStore::import`].
    pub fn import_as(&self, id: &ChunkId, ciphertext: &[u8], state: ChunkState) -> Result<(), StoreError> {
        let inner = &*self.inner;
        if ciphertext.len() > MAX_SEALED_BYTES {
            return Err(StoreError::TooLong(ciphertext.len()));
        }
        inner.latch.check()?;
        if ChunkId::of(ciphertext) != *id {
            return Err(StoreError::WrongBytes(*id));
        }
        let state = state.without(ChunkState::DAMAGED.with(ChunkState::DOOMED));
        inner.with_room(|| inner.store_new(*id, state, |claim| claim.append_sealed(inner, ciphertext)))?;
        inner.add_reasons(id, state)?;
        inner.keep_bounds()
    }
}

impl Inner {
    /// The chunk of this fingerprint, if a good copy is here. It then counts as live for a sweep under way.
    fn find_print(&self, print: &Fingerprint) -> Result<Option<ChunkId>, StoreError> {
        match self.index.print(print)? {
            Some(id) if self.holds(&id)? => Ok(Some(id)),
            _ => Ok(None),
        }
    }

    /// Seals and stores what no known fingerprint stands for. The chunk may be here all the same: then its
    /// fingerprint is learned again.
    fn put_sealed(
        &self,
        print: Fingerprint,
        key: &ChunkKey,
        plain: &[u8],
        scratch: &mut SealScratch,
    ) -> Result<ChunkId, StoreError> {
        let sealed = seal::seal(key, plain, scratch);
        let id = sealed.id;
        let record = sealed.into_record();
        let shorter = plain.len().saturating_sub(record.len()) as u64;
        let append = |claim: &mut Claim<'_>| claim.append(self, record, Purpose::Store);
        if self.store_new(id, ChunkState::UNREPLICATED, append)? {
            self.fresh.push(id);
            self.counts.saved_by_compression_bytes.fetch_add(shorter, Ordering::Relaxed);
        } else {
            self.put_again(&id, plain.len())?;
        }
        self.index.learn(print, id);
        Ok(id)
    }

    /// Whether a good copy is here; if so it counts as live for a sweep under way.
    pub(super) fn holds(&self, id: &ChunkId) -> Result<bool, StoreError> {
        let sweep = self.gate.read();
        if let Some(filter) = &*sweep {
            filter.mark(id);
        }
        let Some(entry) = self.index.get(id)? else { return Ok(false) };
        drop(sweep);
        // It may have been given up this very moment: then it is not here.
        if entry.state.has(ChunkState::DOOMED) && !self.reprieve(id)? {
            return Ok(false);
        }
        Ok(!entry.state.has(ChunkState::DAMAGED))
    }

    /// Appends the chunk unless a good copy is here. True if it was appended.
    fn store_new(
        &self,
        id: ChunkId,
        state: ChunkState,
        append: impl FnOnce(&mut Claim<'_>) -> Result<Location, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut claim = self.appender.claim(id);
        if self.holds(&id)? {
            return Ok(false);
        }
        self.counts.uses.fetch_add(1, Ordering::Relaxed);
        let place = append(&mut claim)?;
        self.note_appended(id, place, state)?;
        Ok(true)
    }

    /// The index learns of a record before it has landed. A damaged copy is replaced and keeps its state.
    pub(super) fn note_appended(
        &self,
        id: ChunkId,
        place: Location,
        state: ChunkState,
    ) -> Result<(), StoreError> {
        let sweep = self.gate.read();
        if let Some(filter) = &*sweep {
            filter.mark(&id);
        }
        let old = self
            .index
            .get(&id)?
            .map_or(state, |old| old.state.without(ChunkState::DAMAGED.with(ChunkState::DOOMED)));
        self.set_entry(id, Some(Entry { place, state: old }))
    }

    /// Asks for, or does, the flush and the checkpoint that keep memory and recovery bounded.
    pub(super) fn keep_bounds(&self) -> Result<(), StoreError> {
        if self.appender.unflushed_packs() > MAX_UNFLUSHED_PACKS {
            self.flush()?;
        }
        let pending = self.index.pending();
        if pending >= MAX_PENDING_ENTRIES {
            return self.checkpoint();
        }
        let write_out_bytes = self.space.limits().write_out_bytes;
        if write_out_bytes > 0 && self.unflushed_bytes() >= write_out_bytes {
            self.bell.ask_flush();
        }
        if pending >= CHECKPOINT_AT_ENTRIES {
            self.bell.ask_checkpoint();
        }
        Ok(())
    }
}
