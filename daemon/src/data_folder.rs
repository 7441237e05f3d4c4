//! What lies where in the data folder.
//!
//! ```text
//! <data>/
//!   config.toml                settings, all optional
//!   device.key  user.key       this device, its user
//!   api.token   api.addr       the way in for the commands
//!   lock                       held while a daemon runs
//!   chunks/                    index and packs of the chunk store
//!   workspaces/<id>/           keyring, tree.redb; on a host logs.redb; peers
//!   joining/                   a join being prepared
//!   left-<id>/                 a drive that this computer left, put aside
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use platform::lock::{FolderLock, LockError};

/// A command that looks whether the lock is held may hold it itself for an instant.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The folder of one daemon.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
}

/// Why a folder cannot be the data folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Somebody else's files are there.
    #[error(
        "{0} holds other files and no drive: choose an empty folder, or the one of your drive, with --data"
    )]
    Foreign(PathBuf),
    /// It cannot be made or looked at.
    #[error("cannot use the data folder {path} ({source}): check the path and its permissions")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataFolder {
    /// The folder at `root`, made or not.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    pub fn device_key(&self) -> PathBuf {
        self.root.join("device.key")
    }

    pub fn user_key(&self) -> PathBuf {
        self.root.join("user.key")
    }

    pub fn token(&self) -> PathBuf {
        self.root.join(ui::cli::TOKEN_FILE)
    }

    pub fn tokens(&self) -> PathBuf {
        self.root.join("api.tokens")
    }

    /// What was found in the place of the tokens and was none.
    pub fn tokens_aside(&self) -> PathBuf {
        self.root.join("api.tokens.broken")
    }

    pub fn address(&self) -> PathBuf {
        self.root.join(ui::cli::ADDRESS_FILE)
    }

    pub fn chunks(&self) -> PathBuf {
        self.root.join("chunks")
    }

    pub fn workspaces(&self) -> PathBuf {
        self.root.join("workspaces")
    }

    /// Where a join is prepared.
    pub fn joining(&self) -> PathBuf {
        self.root.join("joining")
    }

    /// Makes the folder unless it is there; refuses one that holds something else.
    ///
    /// # Errors
    /// [`FolderError`]; nothing was changed.
    pub fn prepare(&self) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io { path: self.root.clone(), source };
        platform::private_file::create_dir(&self.root).map_err(failed)?;
        let ours = [self.config(), self.device_key(), self.root.join("lock")];
        let known = ours.iter().any(|path| path.exists());
        let empty = fs::read_dir(&self.root).map_err(failed)?.next().is_none();
        if known || empty { Ok(()) } else { Err(FolderError::Foreign(self.root.clone())) }
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// [`LockError`]: another daemon has it.
    pub fn lock(&self) -> Result<FolderLock, LockError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match FolderLock::take(&self.root) {
                Err(LockError::Held { .. }) if Instant::now() < deadline => std::thread::sleep(LOCK_PAUSE),
                done => return done,
            }
        }
    }

    /// Whether the chunk store holds anything.
    pub fn has_chunks(&self) -> bool {
        fs::read_dir(self.chunks().join("packs")).is_ok_and(|mut entries| entries.next().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_folder_or_ones_own_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(dir.path().join("a/b"));
        folder.prepare().unwrap();
        folder.prepare().unwrap();
        fs::write(folder.root().join("letter.txt"), "dear").unwrap();
        assert!(matches!(folder.prepare(), Err(FolderError::Foreign(_))));
        fs::write(folder.config(), "").unwrap();
        folder.prepare().unwrap();
        assert!(matches!(DataFolder::new(folder.config()).prepare(), Err(FolderError::Io { .. })));
    }

    #[test]
    fn the_second_daemon_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(dir.path());
        let _first = folder.lock().unwrap();
        assert!(matches!(folder.lock(), Err(LockError::Held { .. })));
    }
}
