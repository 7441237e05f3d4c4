//! Device key, user keys and keyring on disk. Their byte formats are `ledger::keys`'; here is when they are made, what
//! opens them, and that nothing is overwritten that could still be needed.
//!
//! | module | is |
//! |---|---|
//! | `device` | `device.key` |
//! | `user` | `user.key`: opened, resealed, recovered |
//! | `workspace` | `workspaces/<id>/keyring`, and whether this computer reads the drive or only keeps it |

mod device;
mod user;
mod workspace;

use std::io;
use std::path::{Path, PathBuf};

use ledger::keys::KeyError;

use crate::data_folder::DataFolder;

pub use device::open_or_make as device_key;
pub use user::{
    Opener, check_passphrase, open_or_make as user_keys, recover, recovery_phrase, set_passphrase, user_of,
};
pub use workspace::{
    LOGS_FILE, OpenWorkspace, Workspace, open_or_make as workspace, replace_keyring, write_keyring,
};

/// What is wrong with a key file, or with what was given to open it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be read or written.
    #[error("cannot {what} {path} ({source}): check the permissions and the disk")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its bytes cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
    /// A secret that was given does not fit.
    #[error("{0}")]
    Secret(KeyError),
    /// The device key is gone, and the drive needs it.
    #[error("{0} is missing and the drive was made with it: bring it back from a copy of the data folder")]
    DeviceMissing(PathBuf),
    /// The user key is gone, and the drive needs it.
    #[error(
        "{0} is missing and the drive opens with it: rebuild it with `peerdrive keys recover`, from the 24 words"
    )]
    UserMissing(PathBuf),
    /// The keyring is gone, and the tree needs it.
    #[error("{0} is missing and the drive opens with it: bring it back from a copy of the data folder")]
    KeyringMissing(PathBuf),
    /// The tree is gone, and the chunks are here.
    #[error(
        "{0} is missing, and without it nobody knows which chunk is of which file: bring it back from a copy"
    )]
    TreeMissing(PathBuf),
    /// Several drives in one folder.
    #[error("{0} holds more than one drive, and this release opens one: move the others away")]
    SeveralWorkspaces(PathBuf),
    /// The keys are locked and nobody gave the passphrase.
    #[error("the keys are locked by a passphrase: start on a terminal, or with --passphrase-file")]
    PassphraseNeeded,
    /// The one who was asked stopped it.
    #[error("stopped before the passphrase was given: nothing was changed")]
    Stopped,
    /// A change needs the present passphrase.
    #[error("the keys have a passphrase: give the present one too")]
    OldPassphraseNeeded,
    /// The 24 words are somebody else's.
    #[error(
        "these words rebuild another user's keys, not those this drive was made with: nothing was changed"
    )]
    OtherUser,
    /// There is nothing the recovered keys could be held against.
    #[error("{0} holds no drive: name the data folder of the drive whose keys are to be rebuilt")]
    NoDrive(PathBuf),
}

/// The content of a file, or none if it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, IdentityError> {
    match platform::private_file::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::Io { what: "read", path: path.into(), source }),
        Ok(bytes) => Ok(Some(bytes)),
    }
}

/// Writes a file that must not exist yet.
fn create(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Io { what: "write", path: path.into(), source };
    platform::private_file::create(path, bytes).map_err(failed)
}

/// Whether a drive was made in this folder, so that lost keys must not be replaced by new ones.
fn has_drive(folder: &DataFolder) -> Result<bool, IdentityError> {
    Ok(!workspace::found(folder)?.is_empty() || folder.has_chunks())
}

#[cfg(test)]
mod tests;
