//! A disk in memory that can lose its power, for tests.

mod loss;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use self::loss::{Chance, Change, Content};
use super::{Disk, DiskFile, DiskSpace, Open};

/// Keeps what was written and what is *durable* apart. Bytes become durable by `sync_data`, names by `sync_dir` of
/// their folder. [`MemoryDisk::cut_power`] shows what a real disk might hold after power loss.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<Names>>,
    power: Power,
}

/// Whether the power is off. Every operation holds it shared and a cut alone, so a cut sees one moment of the whole disk.
#[derive(Clone, Debug, Default)]
struct Power(Arc<RwLock<bool>>);

impl Power {
    fn on(&self) -> io::Result<RwLockReadGuard<'_, bool>> {
        let off = self.0.read();
        if *off { Err(io::Error::other("the disk has no power")) } else { Ok(off) }
    }
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

    /// From now on every operation on this disk fails: what still runs over it after a cut ends soon.
    pub fn switch_off(&self) {
        *self.power.0.write() = true;
    }

    /// The disk as it may be after power loss at this moment, chosen by the seed. Durable bytes and names are kept; each write,
    /// resize, creation, rename or removal that was not synced is kept, lost or (a write) torn, in sectors of 512 bytes or of 4 KiB.
    /// Folders survive.
    #[must_use]
    pub fn cut_power(&self, seed: u64) -> Self {
        let _moment = self.power.0.write();
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
        let sector = if chance.one_in(2) { 512 } else { 4096 };
        let power = Power::default();
        let files: BTreeMap<_, _> = files
            .into_iter()
            .map(|(path, file)| {
                let bytes = file.content.lock().after_loss(sector, &mut chance);
                (path, Arc::new(MemoryFile::holding(bytes, power.clone())))
            })
            .collect();
        let names =
            Names { durable: files.clone(), files, dirs: state.dirs.clone(), total_bytes: state.total_bytes };
        Self { state: Arc::new(Mutex::new(names)), power }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let _on = self.power.on()?;
        let mut state = self.state.lock();
        if state.dirs.contains(path) {
            return Err(ErrorKind::IsADirectory.into());
        }
        match (state.files.get(path), how) {
            (Some(_), Open::CreateNew) => Err(ErrorKind::AlreadyExists.into()),
            (Some(file), _) => Ok(Arc::clone(file) as Arc<dyn DiskFile>),
            (None, Open::Read | Open::ReadWrite) => Err(ErrorKind::NotFound.into()),
            (None, Open::Create | Open::CreateNew) => {
                let file = Arc::new(MemoryFile::holding(Vec::new(), self.power.clone()));
                state.files.insert(path.to_owned(), Arc::clone(&file));
                Ok(file)
            }
        }
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let _on = self.power.on()?;
        let state = self.state.lock();
        Ok(state.files.contains_key(path) || state.dirs.contains(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let _on = self.power.on()?;
        let state = self.state.lock();
        let here = state.files.keys().chain(&state.dirs).filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let _on = self.power.on()?;
        self.state.lock().dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _on = self.power.on()?;
        let mut state = self.state.lock();
        if state.dirs.remove(from) {
            state.dirs.insert(to.to_owned());
            return Ok(());
        }
        let file = state.files.remove(from).ok_or(ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let _on = self.power.on()?;
        self.state.lock().files.remove(path).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let _on = self.power.on()?;
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
    power: Power,
}

impl MemoryFile {
    fn holding(bytes: Vec<u8>, power: Power) -> Self {
        Self { content: Mutex::new(Content::holding(bytes)), power }
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        let _on = self.power.on()?;
        Ok(self.content.lock().now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let _on = self.power.on()?;
        let content = self.content.lock();
        let from = usize::try_from(offset).map_err(|_| ErrorKind::UnexpectedEof)?;
        let range = from..from.checked_add(buffer.len()).ok_or(ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(content.now.get(range).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let _on = self.power.on()?;
        let at = usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput)?;
        self.content.lock().change(Change::Write { at, data: data.to_vec() });
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _on = self.power.on()?;
        let len = usize::try_from(len).map_err(|_| ErrorKind::InvalidInput)?;
        self.content.lock().change(Change::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let _on = self.power.on()?;
        self.content.lock().sync();
        Ok(())
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
    fn without_power_nothing_works_and_the_copy_does() {
        let disk = MemoryDisk::new();
        let file = disk.open(Path::new("f"), Open::Create).unwrap();
        disk.create_dir_all(Path::new("d")).unwrap();
        let after = disk.cut_power(1);
        disk.switch_off();
        assert!(file.write_at(0, b"x").is_err() && file.sync_data().is_err() && file.len().is_err());
        assert!(disk.open(Path::new("f"), Open::Create).is_err() && disk.list(Path::new("d")).is_err());
        assert!(after.open(Path::new("f"), Open::Create).is_ok());
        assert_eq!(after.open(Path::new("d"), Open::Create).unwrap_err().kind(), io::ErrorKind::IsADirectory);
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
