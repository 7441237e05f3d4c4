//! A disk in memory that can lose its power, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile, DiskSpace, Open};

/// Keeps what was written and what is *durable* apart. Bytes become durable by `sync_data`, names by `sync_dir` of
/// their folder. [`MemoryDisk::cut_power`] shows what a real disk might hold after power loss.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<Names>>,
}

#[derive(Debug)]
struct Names {
    files: BTreeMap<PathBuf, Arc<MemoryFile>>,
    durable: BTreeMap<PathBuf, Arc<MemoryFile>>,
    dirs: BTreeSet<PathBuf>,
    total_bytes: u64,
}

impl Default for Names {
    fn default() -> Self {
        Self { files: BTreeMap::new(), durable: BTreeMap::new(), dirs: BTreeSet::new(), total_bytes: 1 << 40 }
    }
}

impl MemoryDisk {
    /// An empty disk of 1 TiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the size of the disk that [`Disk::space`] reports; writes are not stopped by it.
    pub fn set_total_bytes(&self, total_bytes: u64) {
        self.state.lock().total_bytes = total_bytes;
    }

    /// The disk as it may be after power loss, chosen by the seed. Durable bytes and names are kept; each write,
    /// resize, creation, rename or removal that was not synced is kept, lost or (a write) torn. Folders survive.
    #[must_use]
    pub fn cut_power(&self, seed: u64) -> Self {
        let mut chance = Chance(seed);
        let state = self.state.lock();
        let mut files = state.durable.clone();
        let paths: BTreeSet<_> = state.files.keys().chain(state.durable.keys()).collect();
        for path in paths {
            let (now, durable) = (state.files.get(path), state.durable.get(path));
            let changed = now.map(Arc::as_ptr) != durable.map(Arc::as_ptr);
            if changed && chance.one_in(2) {
                match now {
                    Some(file) => files.insert(path.clone(), Arc::clone(file)),
                    None => files.remove(path),
                };
            }
        }
        let files: BTreeMap<_, _> = files
            .into_iter()
            .map(|(path, file)| {
                (path, Arc::new(MemoryFile::holding(file.content.lock().after_loss(&mut chance))))
            })
            .collect();
        let names =
            Names { durable: files.clone(), files, dirs: state.dirs.clone(), total_bytes: state.total_bytes };
        Self { state: Arc::new(Mutex::new(names)) }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        match (state.files.get(path), how) {
            (Some(_), Open::CreateNew) => Err(ErrorKind::AlreadyExists.into()),
            (Some(file), _) => Ok(Arc::clone(file) as Arc<dyn DiskFile>),
            (None, Open::Read | Open::ReadWrite) => Err(ErrorKind::NotFound.into()),
            (None, Open::Create | Open::CreateNew) => {
                let file = Arc::new(MemoryFile::holding(Vec::new()));
                state.files.insert(path.to_owned(), Arc::clone(&file));
                Ok(file)
            }
        }
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.state.lock();
        Ok(state.files.contains_key(path) || state.dirs.contains(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        let here = state.files.keys().chain(&state.dirs).filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.state.lock().dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let file = state.files.remove(from).ok_or(ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state.lock().files.remove(path).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let Names { files, durable, .. } = &mut *state;
        durable.retain(|path, _| path.parent() != Some(dir));
        let here = files.iter().filter(|(path, _)| path.parent() == Some(dir));
        durable.extend(here.map(|(path, file)| (path.clone(), Arc::clone(file))));
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<DiskSpace> {
        let state = self.state.lock();
        let used: u64 = state.files.values().map(|file| file.content.lock().now.len() as u64).sum();
        Ok(DiskSpace { total_bytes: state.total_bytes, free_bytes: state.total_bytes.saturating_sub(used) })
    }
}

#[derive(Debug)]
struct MemoryFile {
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    SetLen(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::SetLen(len) => bytes.resize(*len, 0),
            Self::Write { at, data } => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
        }
    }

    /// What of this change a disk without power might have kept.
    fn after_loss(&self, chance: &mut Chance) -> Option<Self> {
        match (chance.below(3), self) {
            (0, _) => None,
            (1, Self::Write { at, data }) => {
                let kept = chance.below(data.len() as u64 + 1) as usize;
                Some(Self::Write { at: *at, data: data[..kept].to_vec() })
            }
            _ => Some(self.clone()),
        }
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    fn after_loss(&self, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.unsynced {
            if let Some(kept) = change.after_loss(chance) {
                kept.apply(&mut bytes);
            }
        }
        bytes
    }
}

impl MemoryFile {
    fn holding(bytes: Vec<u8>) -> Self {
        Self { content: Mutex::new(Content { now: bytes.clone(), durable: bytes, unsynced: Vec::new() }) }
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content.lock().now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let content = self.content.lock();
        let from = usize::try_from(offset).map_err(|_| ErrorKind::UnexpectedEof)?;
        let range = from..from.checked_add(buffer.len()).ok_or(ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(content.now.get(range).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput)?;
        self.content.lock().change(Change::Write { at, data: data.to_vec() });
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| ErrorKind::InvalidInput)?;
        self.content.lock().change(Change::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.content.lock();
        let Content { now, durable, unsynced } = &mut *content;
        for change in unsynced.drain(..) {
            change.apply(durable);
        }
        debug_assert_eq!(now, durable, "all changes were replayed");
        Ok(())
    }
}

/// A small deterministic random source (`SplitMix64`, G. Steele et al., 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_bytes_and_names_survive_and_others_may_not() {
        let disk = MemoryDisk::new();
        let dir = Path::new("d");
        disk.create_dir_all(dir).unwrap();
        let kept = disk.open(&dir.join("kept"), Open::CreateNew).unwrap();
        kept.write_at(0, b"safe").unwrap();
        kept.sync_data().unwrap();
        disk.sync_dir(dir).unwrap();
        kept.write_at(4, b"torn").unwrap();
        disk.open(&dir.join("new"), Open::CreateNew).unwrap();
        let (mut lengths, mut seen_new) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..64 {
            let after = disk.cut_power(seed);
            let file = after.open(&dir.join("kept"), Open::Read).unwrap();
            let mut bytes = vec![0; file.len().unwrap() as usize];
            file.read_at(0, &mut bytes).unwrap();
            assert!(b"safetorn".starts_with(&bytes) && bytes.len() >= 4);
            lengths.insert(bytes.len());
            seen_new.insert(after.exists(&dir.join("new")).unwrap());
        }
        assert_eq!(lengths, (4..=8).collect());
        assert_eq!(seen_new.len(), 2);
    }

    #[test]
    fn an_unsynced_removal_may_come_undone() {
        let disk = MemoryDisk::new();
        disk.open(Path::new("d/f"), Open::Create).unwrap();
        disk.sync_dir(Path::new("d")).unwrap();
        disk.remove(Path::new("d/f")).unwrap();
        let outcomes: BTreeSet<_> =
            (0..32).map(|seed| disk.cut_power(seed).exists(Path::new("d/f")).unwrap()).collect();
        assert_eq!(outcomes.len(), 2);
    }
}
