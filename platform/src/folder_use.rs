//! Whether somebody holds a folder's lock, without taking it.

use std::fs::{File, TryLockError};
use std::path::Path;

/// Whether a process holds the [`crate::lock::FolderLock`] of `folder`. One that starts at this very moment may meet the
/// look and must try again.
#[must_use]
pub fn is_held(folder: &Path) -> bool {
    // No file, no lock. The file is closed at once, and the shared lock of the look with it.
    File::open(folder.join("lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::FolderLock;

    #[test]
    fn a_held_lock_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_held(dir.path()));
        let lock = FolderLock::take(dir.path()).unwrap();
        assert!(is_held(dir.path()));
        drop(lock);
        assert!(!is_held(dir.path()));
    }
}
