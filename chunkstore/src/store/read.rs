//! Reading chunks: verified, or not at all.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{ChunkStore, Inner};
use crate::error::{Damage, StoreError};
use crate::ids::{ChunkId, ChunkRef};
use crate::index::{ChunkState, Entry};
use crate::pack::Location;
use crate::seal;

impl ChunkStore {
    /// The plaintext of a chunk: tag, key and length are checked before a byte is given. A chunk that does not
    /// verify is marked; the next good copy that is put or imported replaces it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Damaged`], or what the disk says.
    pub fn get(&self, chunk: &ChunkRef) -> Result<Bytes, StoreError> {
        if let Some(plain) = self.inner.cache.get(chunk) {
            return Ok(plain);
        }
        let plain = match self.inner.behind.get(&chunk.id) {
            // The hash was right when it came, so that only the reference can be wrong.
            Some(sealed) => seal::open_stored(chunk, sealed.to_vec())
                .map_err(|why| StoreError::Damaged { id: chunk.id, why })?,
            None => self.inner.open_from_pack(chunk)?,
        };
        self.inner.counts.plain_bytes.fetch_add(plain.len() as u64, Ordering::Relaxed);
        self.inner.cache.keep(chunk, &plain);
        Ok(plain)
    }

    /// Whether a copy is here that is not known to be damaged. Nothing is read from the packs.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn contains(&self, id: &ChunkId) -> Result<bool, StoreError> {
        let is_here = |entry: Entry| !entry.state.has(ChunkState::DAMAGED);
        Ok(self.inner.index.get(id)?.is_some_and(is_here) || self.inner.behind.contains(id))
    }

    /// The sealed bytes of a chunk: what a peer is given, who verifies them against the id whatever we say. Here it is
    /// done for what lies on the disk, to find rot; what is not flushed yet comes from the kernel's memory, where it
    /// was put a moment ago.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Damaged`], or what the disk says.
    pub fn export(&self, id: &ChunkId) -> Result<Vec<u8>, StoreError> {
        if let Some(sealed) = self.inner.behind.get(id) {
            return Ok(sealed.to_vec());
        }
        let (place, sealed) = self.inner.read_sealed(id)?;
        let is_on_disk = place.at < self.inner.flusher.reached();
        if !is_on_disk || ChunkId::of(&sealed) == *id {
            Ok(sealed)
        } else {
            Err(self.inner.found_damaged(*id, place, Damage::WrongHash))
        }
    }
}

impl Inner {
    fn open_from_pack(&self, chunk: &ChunkRef) -> Result<Bytes, StoreError> {
        let (_, sealed) = self.read_sealed(&chunk.id)?;
        self.note_use(&chunk.id)?;
        seal::open_stored(chunk, sealed).or_else(|_| self.open_again(chunk))
    }

    /// The bytes where the index says the chunk lies. Compaction may move it meanwhile: then it is looked up again.
    fn read_sealed(&self, id: &ChunkId) -> Result<(Location, Vec<u8>), StoreError> {
        self.counts.uses.fetch_add(1, Ordering::Relaxed);
        let mut failed_at = None;
        loop {
            let entry = self.index.get(id)?.ok_or(StoreError::NotFound(*id))?;
            if entry.state.has(ChunkState::DAMAGED) {
                return Err(StoreError::Damaged { id: *id, why: Damage::KnownBad });
            }
            if failed_at == Some(entry.place) {
                return Err(self.found_damaged(*id, entry.place, Damage::Unreadable));
            }
            match self.read_place(&entry.place)? {
                Some(sealed) => return Ok((entry.place, sealed)),
                None => failed_at = Some(entry.place),
            }
        }
    }

    /// The ciphertext at a place; `None` if the disk cannot give it. A pack that exists but cannot be opened (too
    /// many open files, no permission) is an error of the moment and says nothing about the chunk.
    pub(super) fn read_place(&self, place: &Location) -> Result<Option<Vec<u8>>, StoreError> {
        let file = match self.folder.file(place.at.pack) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("cannot open", self.folder.path(place.at.pack), error)),
        };
        let mut sealed = vec![0; place.len as usize];
        match file.read_at(place.ciphertext_at(), &mut sealed) {
            Ok(()) => Ok(Some(sealed)),
            Err(error) => {
                tracing::warn!(pack = place.at.pack, offset = place.at.offset, %error, "cannot read a chunk");
                Ok(None)
            }
        }
    }

    /// What did not open is read once more and looked at closely: a disk may fail for a moment, and a wrong reference is no damage.
    fn open_again(&self, chunk: &ChunkRef) -> Result<Bytes, StoreError> {
        let (place, sealed) = self.read_sealed(&chunk.id)?;
        seal::open_owned(chunk, sealed).map_err(|why| self.found_damaged(chunk.id, place, why))
    }

    /// Marks the chunk unless its bytes are whole and only the reference is wrong.
    fn found_damaged(&self, id: ChunkId, place: Location, why: Damage) -> StoreError {
        let error = StoreError::Damaged { id, why };
        if matches!(why, Damage::WrongHash | Damage::Unreadable) {
            tracing::warn!(%id, pack = place.at.pack, offset = place.at.offset, "a chunk is damaged: {why}");
            if let Err(error) = self.mark_damaged(id, place) {
                return error;
            }
        }
        error
    }

    /// Marks the copy at this place as bad, if it is still the chunk's place.
    pub(super) fn mark_damaged(&self, id: ChunkId, place: Location) -> Result<(), StoreError> {
        let _alone = self.gate.write();
        match self.index.get(&id)? {
            Some(entry) if entry.place == place && !entry.state.has(ChunkState::DAMAGED) => {
                self.set_entry(id, Some(Entry { place, state: entry.state.with(ChunkState::DAMAGED) }))
            }
            _ => Ok(()),
        }
    }

    /// The copy at this place verifies after all, if it is still the chunk's place.
    pub(super) fn mark_whole(&self, id: ChunkId, place: Location) -> Result<(), StoreError> {
        let _alone = self.gate.write();
        match self.index.get(&id)? {
            Some(entry) if entry.place == place => {
                let state = entry.state.without(ChunkState::DAMAGED);
                self.set_entry(id, Some(Entry { place, state }))
            }
            _ => Ok(()),
        }
    }
}
