//! The store.
mod report;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::ids::{ChunkId, ChunkRef, DedupSecret};
use crate::seal::{self, SealScratch};
pub use report::{
    CompactReport, Flushed, Health, Limits, MAX_REPORTED_BAD_CHUNKS, Pace, ScrubProgress, ScrubReport,
    SweepReport, Usage,
};

/// Stores sealed chunks.
#[derive(Default)]
pub struct ChunkStore {
    chunks: Mutex<HashMap<ChunkId, Vec<u8>>>,
    limits: Mutex<Limits>,
}

/// Opens the store.
///
/// # Errors
/// Any.
impl ChunkStore {
    /// Opens the store in `dir`, making it if missing.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`], or what the disk says.
    pub fn open(_disk: Arc<dyn Disk>, _dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        Ok(Self { limits: Mutex::new(limits), ..Self::default() })
    }

    /// Stores a chunk, or finds that it is stored.
    ///
    /// # Errors
    /// Limits and disk errors.
    pub fn put(&self, secret: &DedupSecret, plain: &[u8]) -> Result<ChunkRef, StoreError> {
        let (_, key) = seal::fingerprint(secret, plain);
        let mut scratch = SealScratch::new();
        let sealed = seal::seal(&key, plain, &mut scratch);
        let id = sealed.id;
        self.chunks.lock().insert(id, sealed.into_record()[seal::HEAD_ROOM_BYTES..].to_vec());
        Ok(ChunkRef { id, key, len: plain.len() as u32 })
    }

    /// The plaintext of a chunk, verified.
    ///
    /// # Errors
    /// Missing or damaged.
    pub fn get(&self, chunk: &ChunkRef) -> Result<Bytes, StoreError> {
        let sealed = self.export(&chunk.id)?;
        seal::open_owned(chunk, sealed).map_err(|why| StoreError::Damaged { id: chunk.id, why })
    }

    /// Whether a good copy is here.
    ///
    /// # Errors
    /// Index errors.
    pub fn contains(&self, id: &ChunkId) -> Result<bool, StoreError> {
        Ok(self.chunks.lock().contains_key(id))
    }

    /// Makes all that was stored before durable.
    ///
    /// # Errors
    /// Disk errors.
    pub fn flush(&self) -> Result<Flushed, StoreError> {
        Ok(Flushed(()))
    }

    /// Writes the index.
    ///
    /// # Errors
    /// Disk errors.
    pub fn checkpoint_index(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The sealed bytes of a chunk.
    ///
    /// # Errors
    /// Missing or damaged.
    pub fn export(&self, id: &ChunkId) -> Result<Vec<u8>, StoreError> {
        self.chunks.lock().get(id).cloned().ok_or(StoreError::NotFound(*id))
    }

    /// Stores sealed bytes.
    ///
    /// # Errors
    /// Wrong bytes, limits, disk errors.
    pub fn import(&self, id: &ChunkId, ciphertext: &[u8]) -> Result<(), StoreError> {
        if ChunkId::of(ciphertext) != *id {
            return Err(StoreError::WrongBytes(*id));
        }
        self.chunks.lock().insert(*id, ciphertext.to_vec());
        Ok(())
    }

    /// What is used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Sets limits.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.lock() = limits;
    }

    /// Whether it still writes.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::Ok
    }

    /// Verifies all.
    ///
    /// # Errors
    /// Index errors.
    pub fn scrub(
        &self,
        _bytes_per_second: Option<u64>,
        _pace: &mut dyn FnMut(&ScrubProgress) -> Pace,
    ) -> Result<ScrubReport, StoreError> {
        Ok(ScrubReport::default())
    }

    /// Begins a sweep.
    #[must_use]
    pub fn begin_sweep(&self) -> Sweep<'_> {
        Sweep { store: PhantomData }
    }

    /// Rewrites packs.
    ///
    /// # Errors
    /// Disk errors.
    pub fn compact(&self, _budget_bytes: u64) -> Result<CompactReport, StoreError> {
        Ok(CompactReport::default())
    }
}

/// A sweep.
pub struct Sweep<'a> {
    store: PhantomData<&'a ChunkStore>,
}

impl Sweep<'_> {
    /// This chunk lives.
    pub fn mark(&self, _id: &ChunkId) {}

    /// Gives up the rest.
    ///
    /// # Errors
    /// Index errors.
    pub fn finish(self) -> Result<SweepReport, StoreError> {
        Ok(SweepReport::default())
    }
}
