//! A file for a database to live in: redb's storage backend over the disk seam, enciphered if a key is given.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use super::sectors::{SECTOR_BYTES, Sector, SectorCipher, SectorKey};
use super::{Disk, DiskFile, Open};

const SECTOR: u64 = SECTOR_BYTES as u64;

/// Implements [`redb::StorageBackend`]. With a key, all bytes on disk are AES-256-XTS ciphertext and the file's
/// length is a multiple of [`SECTOR_BYTES`]; without one they are as the database wrote them.
///
/// The first failed write, resize or sync latches: everything that changes the file fails from then on, because
/// what lies on disk is unknown until the file is opened anew.
pub struct DatabaseFile {
    file: Arc<dyn DiskFile>,
    cipher: Option<SectorCipher>,
    /// Keeps read-modify-write of a shared sector whole; aligned access does not need it.
    sector_edit: RwLock<()>,
    failed: AtomicBool,
}

impl DatabaseFile {
    /// Opens or creates the file; a new file's name is made durable.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(disk: &Arc<dyn Disk>, path: &Path, key: Option<&SectorKey>) -> io::Result<Self> {
        let is_new = !disk.exists(path)?;
        let file = disk.open(path, Open::Create)?;
        if let (true, Some(dir)) = (is_new, path.parent()) {
            disk.sync_dir(dir)?;
        }
        let cipher = key.map(SectorCipher::new);
        Ok(Self { file, cipher, sector_edit: RwLock::new(()), failed: AtomicBool::new(false) })
    }

    /// Whether a write, resize or sync failed since the file was opened.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn changing(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.has_failed() {
            return Err(io::Error::other("an earlier write to this database failed; reopen it"));
        }
        change().inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    fn read_sealed(&self, cipher: &SectorCipher, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).ok_or(ErrorKind::UnexpectedEof)?;
        if end > self.file.len()? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let _shared = self.sector_edit.read();
        let mut done = 0;
        while done < out.len() {
            let (number, start, count) = part(offset + done as u64, out.len() - done);
            let target = &mut out[done..done + count];
            match <&mut Sector>::try_from(&mut *target) {
                Ok(whole) => self.read_sector(cipher, number, whole)?,
                Err(_) => {
                    let mut sector = [0; SECTOR_BYTES];
                    self.read_sector(cipher, number, &mut sector)?;
                    target.copy_from_slice(&sector[start..start + count]);
                }
            }
            done += count;
        }
        Ok(())
    }

    fn read_sector(&self, cipher: &SectorCipher, number: u64, sector: &mut Sector) -> io::Result<()> {
        self.file.read_at(number * SECTOR, sector)?;
        cipher.decrypt(number, sector);
        Ok(())
    }

    fn write_sealed(&self, cipher: &SectorCipher, offset: u64, data: &[u8]) -> io::Result<()> {
        let _alone = self.sector_edit.write();
        let end = offset.checked_add(data.len() as u64).ok_or(ErrorKind::InvalidInput)?;
        let len = self.file.len()?;
        let first = offset / SECTOR * SECTOR;
        // One buffer and one write for a whole database page, however many sectors it has.
        let mut sealed = vec![0; (end.next_multiple_of(SECTOR) - first) as usize];
        for (edge, is_partial) in [(first, offset != first), (end / SECTOR * SECTOR, end % SECTOR != 0)] {
            if is_partial && edge + SECTOR <= len {
                let sector = sector_at(&mut sealed, (edge - first) as usize);
                self.read_sector(cipher, edge / SECTOR, sector)?;
            }
        }
        let at = (offset - first) as usize;
        sealed[at..at + data.len()].copy_from_slice(data);
        for (index, number) in (first / SECTOR..end.div_ceil(SECTOR)).enumerate() {
            cipher.encrypt(number, sector_at(&mut sealed, index * SECTOR_BYTES));
        }
        self.file.write_at(first, &sealed)
    }
}

/// Sector number, first byte inside it, and byte count of the next piece of an access.
fn part(offset: u64, wanted: usize) -> (u64, usize, usize) {
    let start = (offset % SECTOR) as usize;
    (offset / SECTOR, start, wanted.min(SECTOR_BYTES - start))
}

fn sector_at(buffer: &mut [u8], at: usize) -> &mut Sector {
    (&mut buffer[at..at + SECTOR_BYTES]).try_into().expect("the slice has a sector's length")
}

impl redb::StorageBackend for DatabaseFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &self.cipher {
            Some(cipher) => self.read_sealed(cipher, offset, out),
            None => self.file.read_at(offset, out),
        }
    }

    /// With a key, lengths are rounded up to whole sectors.
    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = if self.cipher.is_some() { len.next_multiple_of(SECTOR) } else { len };
        self.changing(|| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.changing(|| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.changing(|| match &self.cipher {
            Some(cipher) => self.write_sealed(cipher, offset, data),
            None => self.file.write_at(offset, data),
        })
    }
}

impl fmt::Debug for DatabaseFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseFile")
            .field("file", &self.file)
            .field("encrypted", &self.cipher.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};

    use super::*;
    use crate::disk::{Fault, FaultKind, FaultPlan, FaultyDisk, MemoryDisk};
    use crate::testing::noise;

    const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("things");
    const MARKER: &[u8] = b"a name nobody may find on the disk";

    fn key() -> SectorKey {
        let mut key = [1; 64];
        key[32..].fill(2);
        SectorKey::new(key)
    }

    fn all_bytes(disk: &Arc<dyn Disk>, path: &Path) -> Vec<u8> {
        let file = disk.open(path, Open::Read).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_database_lives_in_it_and_its_names_are_not_on_the_disk() {
        for key in [None, Some(key())] {
            let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
            let path = Path::new("tree.redb");
            for round in 0..3_u64 {
                let file = DatabaseFile::open(&disk, path, key.as_ref()).unwrap();
                let database = Database::builder().create_with_backend(file).unwrap();
                let write = database.begin_write().unwrap();
                for row in 0..500 {
                    write.open_table(TABLE).unwrap().insert(round * 1000 + row, MARKER).unwrap();
                }
                write.commit().unwrap();
                let table = database.begin_read().unwrap().open_table(TABLE).unwrap();
                for row in (0..=round).flat_map(|round| round * 1000..round * 1000 + 500) {
                    assert_eq!(table.get(row).unwrap().unwrap().value(), MARKER);
                }
            }
            let found = all_bytes(&disk, path).windows(MARKER.len()).any(|window| window == MARKER);
            assert_eq!(found, key.is_none());
        }
    }

    #[test]
    fn access_at_any_offset_and_length_gives_what_was_written() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let file = DatabaseFile::open(&disk, Path::new("f"), Some(&key())).unwrap();
        file.set_len(40_000).unwrap();
        assert_eq!(StorageBackend::len(&file).unwrap(), 40_960);
        let mut model = vec![0; 40_960];
        let random = noise(1, 4 * 400);
        for step in random.chunks_exact(4) {
            let at = usize::from(u16::from_le_bytes([step[0], step[1]])) % 40_000;
            let len = (usize::from(step[2]) * 37).min(model.len() - at);
            let data = vec![step[3]; len];
            file.write(at as u64, &data).unwrap();
            model[at..at + len].copy_from_slice(&data);
            let from = at.saturating_sub(usize::from(step[3]) * 11);
            let mut back = vec![0; at + len - from];
            file.read(from as u64, &mut back).unwrap();
            assert_eq!(back, model[from..at + len]);
        }
        let mut whole = vec![1; model.len()];
        file.read(0, &mut whole).unwrap();
        assert_eq!(whole, model);
        assert!(file.read(40_950, &mut [0; 20]).is_err());
        assert!(file.read(u64::MAX, &mut [0; 20]).is_err());
    }

    #[test]
    fn a_write_past_the_end_grows_the_file_with_zeros() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let file = DatabaseFile::open(&disk, Path::new("f"), Some(&key())).unwrap();
        file.write(10_000, b"far").unwrap();
        let mut back = vec![1; 10_003];
        file.read(0, &mut back).unwrap();
        assert!(back[..10_000].iter().all(|byte| *byte == 0) && back.ends_with(b"far"));
    }

    #[test]
    fn after_a_failed_write_nothing_is_changed_any_more() {
        for kind in [FaultKind::Fail(ErrorKind::Other), FaultKind::Tear] {
            let plan = FaultPlan::new(vec![Fault::once(2, kind)]);
            let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(Arc::new(MemoryDisk::new()), plan));
            let file = DatabaseFile::open(&disk, Path::new("f"), None).unwrap();
            assert!(file.write(0, b"abcd").is_err());
            assert!(file.has_failed());
            assert!(file.write(0, b"abcd").is_err() && file.sync_data().is_err() && file.set_len(9).is_err());
        }
    }
}
