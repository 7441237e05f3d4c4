//! Joining a drive of others: prepared beside what is there, moved into place at the next opening.
//!
//! ```text
//! <data>/joining/
//!   user.key          only if this computer takes over the user of the one that invited it
//!   workspace/        keyring and tree.redb, or logs.redb of a host
//!   ready             the workspace's id; written last, and from then on the joined drive is this computer's
//! ```
//!
//! A crash before `ready` leaves the old drive as it was; after it, the next start completes the move.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ledger::identity::WorkspaceId;

use crate::data_folder::DataFolder;

const USER_KEY: &str = "user.key";
const WORKSPACE: &str = "workspace";
const READY: &str = "ready";

/// Why a join was not prepared or completed.
#[derive(Debug, thiserror::Error)]
pub enum JoiningError {
    /// A file could not be written or moved.
    #[error("cannot {what} {path} ({source}): check the permissions and the disk")]
    Io {
        /// `write`, `move` or `remove`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `ready` holds no id.
    #[error("{0} is damaged: remove the folder it is in, and join again")]
    Damaged(PathBuf),
}

/// A join being prepared. Dropped before [`Joining::ready`], it never was.
pub struct Joining {
    root: PathBuf,
}

impl Joining {
    /// Begins one; what an earlier attempt left is removed.
    ///
    /// # Errors
    /// [`JoiningError::Io`].
    pub fn begin(folder: &DataFolder) -> Result<Self, JoiningError> {
        let root = folder.joining();
        remove_dir(&root)?;
        let this = Self { root };
        create_dir(&this.root)?;
        create_dir(&this.workspace())?;
        Ok(this)
    }

    /// Where the workspace's files are prepared.
    pub fn workspace(&self) -> PathBuf {
        self.root.join(WORKSPACE)
    }

    /// Puts the user's keys beside it.
    ///
    /// # Errors
    /// [`JoiningError::Io`].
    pub fn user_key(&self, file: &[u8]) -> Result<(), JoiningError> {
        let path = self.root.join(USER_KEY);
        platform::private_file::create(&path, file).map_err(|source| JoiningError::Io {
            what: "write",
            path,
            source,
        })
    }

    /// From here on the joined drive is this computer's.
    ///
    /// # Errors
    /// [`JoiningError::Io`].
    pub fn ready(self, workspace: WorkspaceId) -> Result<(), JoiningError> {
        let path = self.root.join(READY);
        platform::private_file::create(&path, workspace.to_text().as_bytes())
            .map_err(|source| JoiningError::Io { what: "write", path, source })
    }
}

/// Completes a join that was prepared, or forgets one that was not. To be called with the folder locked and nothing of it open.
///
/// # Errors
/// [`JoiningError`]; the next start tries again.
pub fn complete(folder: &DataFolder) -> Result<bool, JoiningError> {
    let root = folder.joining();
    let ready = root.join(READY);
    let id = match fs::read_to_string(&ready) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            remove_dir(&root)?;
            return Ok(false);
        }
        Err(source) => return Err(JoiningError::Io { what: "read", path: ready, source }),
        Ok(text) => text.parse::<WorkspaceId>().map_err(|_| JoiningError::Damaged(ready))?,
    };
    let place = folder.workspaces().join(id.to_text());
    give_up_others(folder, &place)?;
    replace_if_there(&root.join(USER_KEY), &folder.user_key())?;
    replace_if_there(&root.join(WORKSPACE), &place)?;
    remove_dir(&root)?;
    Ok(true)
}

/// The drive that was here was empty when the join was prepared.
fn give_up_others(folder: &DataFolder, place: &Path) -> Result<(), JoiningError> {
    // Once the joined one is in place, the chunks are its own.
    if place.exists() {
        return Ok(());
    }
    remove_dir(&folder.workspaces())?;
    remove_dir(&folder.chunks())?;
    create_dir(&folder.workspaces())
}

fn replace_if_there(from: &Path, to: &Path) -> Result<(), JoiningError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved.map_err(|source| JoiningError::Io { what: "move", path: from.into(), source }),
    }
}

fn create_dir(path: &Path) -> Result<(), JoiningError> {
    platform::private_file::create_dir(path).map_err(|source| JoiningError::Io {
        what: "write",
        path: path.into(),
        source,
    })
}

fn remove_dir(path: &Path) -> Result<(), JoiningError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| JoiningError::Io { what: "remove", path: path.into(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> (tempfile::TempDir, DataFolder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(dir.path());
        fs::create_dir_all(folder.workspaces().join("old")).unwrap();
        fs::create_dir_all(folder.chunks()).unwrap();
        fs::write(folder.user_key(), "old user").unwrap();
        (dir, folder)
    }

    #[test]
    fn a_join_that_was_not_ready_never_was() {
        let (_dir, folder) = begun();
        let joining = Joining::begin(&folder).unwrap();
        joining.user_key(b"new user").unwrap();
        assert!(!complete(&folder).unwrap());
        assert_eq!(fs::read(folder.user_key()).unwrap(), b"old user");
        assert!(folder.workspaces().join("old").exists() && !folder.joining().exists());
    }

    #[test]
    fn a_join_that_was_ready_is_completed_however_often_it_is_cut_off() {
        let id = WorkspaceId::from_bytes([7; 16]);
        for cut in 0..4 {
            let (_dir, folder) = begun();
            let joining = Joining::begin(&folder).unwrap();
            joining.user_key(b"new user").unwrap();
            fs::write(joining.workspace().join("keyring"), "keys").unwrap();
            joining.ready(id).unwrap();
            let place = folder.workspaces().join(id.to_text());
            // What the first attempt got done.
            if cut > 0 {
                give_up_others(&folder, &place).unwrap();
            }
            if cut > 1 {
                replace_if_there(&folder.joining().join(USER_KEY), &folder.user_key()).unwrap();
            }
            if cut > 2 {
                replace_if_there(&folder.joining().join(WORKSPACE), &place).unwrap();
            }
            assert!(complete(&folder).unwrap());
            assert_eq!(fs::read(folder.user_key()).unwrap(), b"new user");
            assert_eq!(fs::read(place.join("keyring")).unwrap(), b"keys");
            assert!(!folder.workspaces().join("old").exists() && !folder.joining().exists());
            assert!(!complete(&folder).unwrap());
        }
    }
}
