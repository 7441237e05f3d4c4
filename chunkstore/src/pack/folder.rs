//! The pack files by number, and a few of them open.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{PACK_HEADER_BYTES, encode_pack_header};
use crate::disk::{Disk, DiskFile, Open};
use crate::error::StoreError;

/// Most packs kept open for reading.
const MAX_OPEN_PACKS: usize = 16;
const SUFFIX: &str = ".pack";

/// The folder `packs/`.
pub(crate) struct PackFolder {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Most recently used first.
    open: Mutex<Vec<(u64, Arc<dyn DiskFile>)>>,
}

impl PackFolder {
    /// Takes the folder, making it if missing.
    pub(crate) fn open(disk: Arc<dyn Disk>, dir: PathBuf) -> Result<Self, StoreError> {
        disk.create_dir_all(&dir).map_err(|error| StoreError::io("cannot make folder", &dir, error))?;
        Ok(Self { disk, dir, open: Mutex::new(Vec::new()) })
    }

    /// The numbers of all packs on disk.
    pub(crate) fn list(&self) -> Result<BTreeSet<u64>, StoreError> {
        let mut packs = BTreeSet::new();
        for name in self.names(&self.dir)? {
            if u8::from_str_radix(&name, 16).is_ok() && name.len() == 2 {
                packs.extend(self.names(&self.dir.join(name))?.iter().filter_map(|name| number_of(name)));
            }
        }
        Ok(packs)
    }

    fn names(&self, dir: &Path) -> Result<Vec<String>, StoreError> {
        self.disk.list(dir).map_err(|error| StoreError::io("cannot list", dir, error))
    }

    pub(crate) fn path(&self, pack: u64) -> PathBuf {
        self.dir_of(pack).join(format!("{pack:016x}{SUFFIX}"))
    }

    fn dir_of(&self, pack: u64) -> PathBuf {
        self.dir.join(format!("{:02x}", pack & 0xff))
    }

    /// A pack to read, and to cut its tail during recovery.
    pub(crate) fn file(&self, pack: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open.lock();
        let file = match open.iter().position(|(number, _)| *number == pack) {
            Some(found) => open.remove(found).1,
            // A folder in its place is as good as nothing.
            None => {
                self.disk.open(&self.path(pack), Open::ReadWrite).map_err(|error| match error.kind() {
                    ErrorKind::IsADirectory => ErrorKind::NotFound.into(),
                    _ => error,
                })?
            }
        };
        open.insert(0, (pack, Arc::clone(&file)));
        open.truncate(MAX_OPEN_PACKS);
        Ok(file)
    }

    /// Makes a new pack with its header. Its bytes and its name are not durable yet.
    pub(crate) fn create(&self, pack: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut pack_id = [0; 16];
        getrandom::fill(&mut pack_id).map_err(io::Error::other)?;
        self.disk.create_dir_all(&self.dir_of(pack))?;
        let file = self.disk.open(&self.path(pack), Open::CreateNew)?;
        file.write_at(0, &encode_pack_header(pack_id))?;
        let mut open = self.open.lock();
        open.insert(0, (pack, Arc::clone(&file)));
        open.truncate(MAX_OPEN_PACKS);
        Ok(file)
    }

    /// Makes the name of a new or removed pack durable.
    pub(crate) fn sync_name(&self, pack: u64) -> io::Result<()> {
        self.disk.sync_dir(&self.dir_of(pack))?;
        self.disk.sync_dir(&self.dir)
    }

    /// Removes a pack; readers that hold it open may finish.
    pub(crate) fn remove(&self, pack: u64) -> io::Result<()> {
        self.open.lock().retain(|(number, _)| *number != pack);
        self.disk.remove(&self.path(pack))?;
        self.sync_name(pack)
    }

    /// Bytes of a new pack before its first record.
    pub(crate) const FIRST_OFFSET: u32 = PACK_HEADER_BYTES as u32;
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;

    #[test]
    fn packs_are_found_by_number_and_others_are_left_alone() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let folder = PackFolder::open(Arc::clone(&disk), PathBuf::from("c/packs")).unwrap();
        for pack in [1, 0x1ff, 0x2ff] {
            folder.create(pack).unwrap();
        }
        disk.open(Path::new("c/packs/ff/notes.txt"), Open::Create).unwrap();
        disk.open(Path::new("c/packs/ff/01ff.pack"), Open::Create).unwrap();
        assert_eq!(folder.path(0x1ff), Path::new("c/packs/ff/00000000000001ff.pack"));
        assert_eq!(folder.list().unwrap(), BTreeSet::from([1, 0x1ff, 0x2ff]));
        folder.remove(0x1ff).unwrap();
        assert_eq!(folder.list().unwrap(), BTreeSet::from([1, 0x2ff]));
        assert!(folder.file(0x1ff).is_err() && folder.create(1).is_err());
    }

    #[test]
    fn few_packs_stay_open() {
        let folder = PackFolder::open(Arc::new(MemoryDisk::new()), PathBuf::from("packs")).unwrap();
        for pack in 0..40 {
            folder.create(pack).unwrap();
            folder.file(pack / 2).unwrap();
            assert!(folder.open.lock().len() <= MAX_OPEN_PACKS);
        }
    }
}
