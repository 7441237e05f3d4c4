//! A disk that breaks when it is told to, for tests.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{Disk, DiskFile, DiskSpace, Open};

/// What happens to an operation that was chosen to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It fails with this kind (`Other` for a medium error, `StorageFull` for no space) and changes nothing.
    Fail(ErrorKind),
    /// Of a write, the first half is done and then it fails; other operations just fail.
    Tear,
    /// It reports success and does nothing.
    Drop,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which changing operation breaks, counted from 0.
    pub at: u64,
    /// How.
    pub kind: FaultKind,
    /// Whether all later operations break as well.
    pub from_then_on: bool,
}

impl Fault {
    /// Breaks only operation `at`.
    #[must_use]
    pub const fn once(at: u64, kind: FaultKind) -> Self {
        Self { at, kind, from_then_on: false }
    }

    /// Breaks operation `at` and all after it.
    #[must_use]
    pub const fn from(at: u64, kind: FaultKind) -> Self {
        Self { at, kind, from_then_on: true }
    }
}

/// Counts the changing operations of a [`FaultyDisk`] (creating opens, writes, resizes, flushes of files and folders,
/// renames, removals) and says which break. Shared between the disk and the test.
#[derive(Debug, Default)]
pub struct FaultPlan {
    count: AtomicU64,
    faults: Mutex<Vec<Fault>>,
}

impl FaultPlan {
    /// A plan with these faults.
    #[must_use]
    pub fn new(faults: Vec<Fault>) -> Arc<Self> {
        Arc::new(Self { count: AtomicU64::new(0), faults: Mutex::new(faults) })
    }

    /// Changing operations seen so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Replaces the faults; counting goes on.
    pub fn set(&self, faults: Vec<Fault>) {
        *self.faults.lock() = faults;
    }

    fn next(&self) -> Option<FaultKind> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let faults = self.faults.lock();
        let hit = faults.iter().find(|fault| fault.at == number || (fault.from_then_on && fault.at < number));
        hit.map(|fault| fault.kind)
    }

    fn run(&self, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self.next() {
            None => operation(),
            Some(FaultKind::Drop) => Ok(()),
            Some(FaultKind::Fail(kind)) => Err(injected(kind)),
            Some(FaultKind::Tear) => Err(injected(ErrorKind::Other)),
        }
    }
}

fn injected(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "injected fault")
}

/// Wraps a disk and breaks the operations a [`FaultPlan`] names. Reads always work.
#[derive(Debug)]
pub struct FaultyDisk {
    inner: Arc<dyn Disk>,
    plan: Arc<FaultPlan>,
}

impl FaultyDisk {
    /// Wraps a disk.
    #[must_use]
    pub fn new(inner: Arc<dyn Disk>, plan: Arc<FaultPlan>) -> Self {
        Self { inner, plan }
    }
}

impl Disk for FaultyDisk {
    /// An open that creates counts as a change; one that is to be dropped fails instead, for there is no file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let creates = match how {
            Open::Read | Open::ReadWrite => false,
            Open::Create => !self.inner.exists(path)?,
            Open::CreateNew => true,
        };
        if let (true, Some(kind)) = (creates, creates.then(|| self.plan.next()).flatten()) {
            let kind = if let FaultKind::Fail(kind) = kind { kind } else { ErrorKind::Other };
            return Err(injected(kind));
        }
        Ok(Arc::new(FaultyFile { inner: self.inner.open(path, how)?, plan: Arc::clone(&self.plan) }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.plan.run(|| self.inner.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.plan.run(|| self.inner.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.plan.run(|| self.inner.sync_dir(dir))
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.inner.space(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Arc<dyn DiskFile>,
    plan: Arc<FaultPlan>,
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.plan.next() {
            None => self.inner.write_at(offset, data),
            Some(FaultKind::Drop) => Ok(()),
            Some(FaultKind::Fail(kind)) => Err(injected(kind)),
            Some(FaultKind::Tear) => {
                self.inner.write_at(offset, &data[..data.len() / 2])?;
                Err(injected(ErrorKind::Other))
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.plan.run(|| self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.plan.run(|| self.inner.sync_data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;

    fn write_thrice(faults: Vec<Fault>) -> (Vec<bool>, Vec<u8>) {
        let plan = FaultPlan::new(faults);
        let disk = FaultyDisk::new(Arc::new(MemoryDisk::new()), Arc::clone(&plan));
        let file = disk.open(Path::new("f"), Open::Create).unwrap();
        file.set_len(6).unwrap();
        let done = (0..3).map(|at| file.write_at(at * 2, b"xx").is_ok()).collect();
        assert_eq!(plan.count(), 5);
        let mut bytes = vec![0; 6];
        file.read_at(0, &mut bytes).unwrap();
        (done, bytes)
    }

    #[test]
    fn each_kind_breaks_the_operation_it_names() {
        assert_eq!(write_thrice(vec![]), (vec![true; 3], b"xxxxxx".to_vec()));
        let fail = FaultKind::Fail(ErrorKind::StorageFull);
        assert_eq!(write_thrice(vec![Fault::once(3, fail)]), (vec![true, false, true], b"xx\0\0xx".to_vec()));
        assert_eq!(
            write_thrice(vec![Fault::from(3, fail)]),
            (vec![true, false, false], b"xx\0\0\0\0".to_vec())
        );
        let tear = Fault::once(3, FaultKind::Tear);
        assert_eq!(write_thrice(vec![tear]), (vec![true, false, true], b"xxx\0xx".to_vec()));
        let lost = Fault::once(3, FaultKind::Drop);
        assert_eq!(write_thrice(vec![lost]), (vec![true; 3], b"xx\0\0xx".to_vec()));
    }
}
