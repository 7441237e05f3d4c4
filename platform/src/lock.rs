//! One process per folder.
//!
//! The lock is the system's own on an open file, so it ends with the process however that dies; the file stays and
//! holds the process id, for the message of the one who comes second.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The lock; dropping it gives the folder free.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("{} is in use by another process{}: stop it first, or choose another folder", .folder.display(), .pid.map_or(String::new(), |pid| format!(" ({pid})")))]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Its process id, where the system lets it be read.
        pid: Option<u32>,
    },
    /// The file could not be opened or locked.
    #[error("cannot lock {path} ({source}): check that the folder can be written to")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FolderLock {
    /// Takes the lock of `folder`, the file `lock` in it, without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process (or another lock of this one) has it, else [`LockError::Io`].
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { folder: folder.to_path_buf(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        note_holder(&mut file).map_err(io)?;
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file unlocks it anyway; said explicitly, a child that inherited it cannot keep it.
        let _ = self.file.unlock();
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    // Windows forbids reading a locked file: the message then names no process.
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = FolderLock::take(dir.path()).unwrap();
        let second = FolderLock::take(dir.path()).unwrap_err();
        assert!(
            matches!(&second, LockError::Held { pid, .. } if *pid == Some(std::process::id()) || cfg!(windows))
        );
        assert!(second.to_string().contains("in use by another process"));
        drop(first);
        FolderLock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(FolderLock::take(&dir.path().join("none")), Err(LockError::Io { .. })));
    }
}
