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

/// Which operations a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// All that change something.
    Changes,
    /// Of those, flushes of files and folders only.
    Flushes,
    /// Reads, which are counted by themselves.
    Reads,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which operation breaks, counted from 0.
    pub at: u64,
    /// How.
    pub kind: FaultKind,
    /// Whether all later operations break as well.
    pub from_then_on: bool,
    /// What is broken.
    pub breaks: Breaks,
}

impl Fault {
    /// Breaks only operation `at`.
    #[must_use]
    pub const fn once(at: u64, kind: FaultKind) -> Self {
        Self { at, kind, from_then_on: false, breaks: Breaks::Changes }
    }

    /// Breaks operation `at` and all after it.
    #[must_use]
    pub const fn from(at: u64, kind: FaultKind) -> Self {
        Self { at, kind, from_then_on: true, breaks: Breaks::Changes }
    }

    /// The same fault of other operations.
    #[must_use]
    pub const fn of(self, breaks: Breaks) -> Self {
        Self { breaks, ..self }
    }
}

/// Counts the changing operations of a [`FaultyDisk`] (creating opens, writes, resizes, flushes of files and folders,
/// renames, removals), and apart from them the reads, and says which break. Shared between the disk and the test.
#[derive(Debug, Default)]
pub struct FaultPlan {
    changes: AtomicU64,
    reads: AtomicU64,
    hits: AtomicU64,
    faults: Mutex<Vec<Fault>>,
}

impl FaultPlan {
    /// A plan with these faults.
    #[must_use]
    pub fn new(faults: Vec<Fault>) -> Arc<Self> {
        Arc::new(Self { faults: Mutex::new(faults), ..Self::default() })
    }

    /// Changing operations seen so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Reads seen so far.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// Operations broken so far.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }

    /// Replaces the faults; counting goes on.
    pub fn set(&self, faults: Vec<Fault>) {
        *self.faults.lock() = faults;
    }

    fn next_change(&self, is_flush: bool) -> Option<FaultKind> {
        let number = self.changes.fetch_add(1, Ordering::SeqCst);
        self.hit(number, |breaks| match breaks {
            Breaks::Changes => true,
            Breaks::Flushes => is_flush,
            Breaks::Reads => false,
        })
    }

    fn next_read(&self) -> Option<FaultKind> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        self.hit(number, |breaks| breaks == Breaks::Reads)
    }

    fn hit(&self, number: u64, is_meant: impl Fn(Breaks) -> bool) -> Option<FaultKind> {
        let faults = self.faults.lock();
        let is_due = |fault: &&Fault| fault.at == number || (fault.from_then_on && fault.at < number);
        let hit = faults.iter().filter(|fault| is_meant(fault.breaks)).find(is_due)?;
        self.hits.fetch_add(1, Ordering::SeqCst);
        Some(hit.kind)
    }

    fn change(&self, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        outcome(self.next_change(false), operation)
    }

    fn flush(&self, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        outcome(self.next_change(true), operation)
    }
}

fn outcome(fault: Option<FaultKind>, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match fault {
        None => operation(),
        Some(FaultKind::Drop) => Ok(()),
        Some(FaultKind::Fail(kind)) => Err(injected(kind)),
        Some(FaultKind::Tear) => Err(injected(ErrorKind::Other)),
    }
}

fn injected(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "injected fault")
}

/// Wraps a disk and breaks the operations a [`FaultPlan`] names. Looking at names, lengths and room always works.
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
        if let (true, Some(kind)) = (creates, creates.then(|| self.plan.next_change(false)).flatten()) {
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
        self.plan.change(|| self.inner.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.plan.change(|| self.inner.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.plan.flush(|| self.inner.sync_dir(dir))
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
        match self.plan.next_read() {
            None => self.inner.read_at(offset, buffer),
            Some(FaultKind::Fail(kind)) => Err(injected(kind)),
            Some(_) => Err(injected(ErrorKind::Other)),
        }
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.plan.next_change(false) {
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
        self.plan.change(|| self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.plan.flush(|| self.inner.sync_data())
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
        assert_eq!((plan.count(), plan.reads()), (5, 0));
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
        let flushes = Fault::from(0, fail).of(Breaks::Flushes);
        assert_eq!(write_thrice(vec![flushes]), (vec![true; 3], b"xxxxxx".to_vec()));
        let lost = Fault::once(3, FaultKind::Drop);
        assert_eq!(write_thrice(vec![lost]), (vec![true; 3], b"xx\0\0xx".to_vec()));
    }

    #[test]
    fn flushes_and_reads_break_apart_from_writes() {
        let plan = FaultPlan::new(vec![]);
        let disk = FaultyDisk::new(Arc::new(MemoryDisk::new()), Arc::clone(&plan));
        let file = disk.open(Path::new("f"), Open::Create).unwrap();
        let fail = FaultKind::Fail(ErrorKind::Other);
        plan.set(vec![Fault::from(0, fail).of(Breaks::Flushes)]);
        assert!(file.write_at(0, b"abc").is_ok() && file.sync_data().is_err() && plan.hits() == 1);
        assert!(disk.sync_dir(Path::new("")).is_err() && file.read_at(0, &mut [0; 3]).is_ok());
        plan.set(vec![Fault::once(1, fail).of(Breaks::Reads)]);
        assert!(file.read_at(0, &mut [0; 3]).is_err() && file.read_at(0, &mut [0; 3]).is_ok());
        assert!(file.sync_data().is_ok());
    }
}
