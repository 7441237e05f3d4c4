//! Reading chunks: verified, or not at all.

use std::io::ErrorKind;

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
        let (_, sealed) = self.inner.read_sealed(&chunk.id)?;
        self.inner.note_use(&chunk.id)?;
        let plain = match seal::open_stored(chunk, sealed) {
            Ok(plain) => plain,
            Err(_) => self.inner.open_again(chunk)?,
        };
        self.inner.cache.keep(chunk, &plain);
        Ok(plain)
    }

    /// Whether a copy is here that is not known to be damaged. Nothing is read from the packs.
    ///
    /// # Errors
    /// [`StoreError::Index`].
    pub fn contains(&self, id: &ChunkId) -> Result<bool, StoreError> {
        Ok(self.inner.index.get(id)?.is_some_and(|entry| !entry.state.has(ChunkState::DAMAGED)))
    }

    /// The sealed bytes of a chunk, verified against its id: what a peer is given.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Damaged`], or what the disk says.
    pub fn export(&self, id: &ChunkId) -> Result<Vec<u8>, StoreError> {
        let (place, sealed) = self.inner.read_sealed(id)?;
        if ChunkId::of(&sealed) == *id {
            Ok(sealed)
        } else {
            Err(self.inner.found_damaged(*id, place, Damage::WrongHash))
        }
    }
}

impl Inner {
    /// The bytes where the index says the chunk lies. Compaction may move it meanwhile: then it is looked up again.
    fn read_sealed(&self, id: &ChunkId) -> Result<(Location, Vec<u8>), StoreError> {
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
