//! `user.key`: open to whoever may read it, or sealed by a passphrase.

use std::path::PathBuf;

use ledger::identity::UserId;
use ledger::keys::{KeyError, LockedUserKeys, PassphraseCost, UserKeyFile, UserKeys};
use zeroize::Zeroizing;

use super::{IdentityError, create, has_drive, read, workspace};
use crate::data_folder::DataFolder;
use crate::entropy;

/// Wrong passphrases on a terminal before the start is given up.
const TRIES: usize = 3;

/// Where a passphrase comes from when one is needed.
pub trait Opener {
    /// The passphrase given with the command, if one was.
    fn given(&self) -> Option<&str>;

    /// Asks a person; `again` after a wrong one.
    ///
    /// # Errors
    /// [`IdentityError::PassphraseNeeded`] where nobody can be asked, [`IdentityError::Stopped`].
    fn ask(&self, again: bool) -> Result<Zeroizing<String>, IdentityError>;
}

/// The keys of the user, made at the first start: sealed if a passphrase was given with the command.
///
/// # Errors
/// [`IdentityError`]; a file that cannot be used is not touched, and one that is needed is not replaced.
pub fn open_or_make(folder: &DataFolder, opener: &dyn Opener) -> Result<UserKeys, IdentityError> {
    let path = folder.user_key();
    match load(folder)? {
        Some(UserKeyFile::Open(keys)) => {
            if opener.given().is_some() {
                tracing::warn!("the keys have no passphrase; the one given was not needed");
            }
            Ok(keys)
        }
        Some(UserKeyFile::Locked(locked)) => unlock(&locked, opener),
        None if has_drive(folder)? => Err(IdentityError::UserMissing(path)),
        None => {
            let keys = UserKeys::generate(&mut entropy::fill);
            create(&path, &sealed(&keys, opener.given())?)?;
            Ok(keys)
        }
    }
}

fn unlock(locked: &LockedUserKeys, opener: &dyn Opener) -> Result<UserKeys, IdentityError> {
    if let Some(passphrase) = opener.given() {
        return locked.unlock(passphrase).map_err(IdentityError::Secret);
    }
    for attempt in 1.. {
        let passphrase = opener.ask(attempt > 1)?;
        match locked.unlock(&passphrase) {
            Err(KeyError::WrongPassphrase | KeyError::EmptyPassphrase) if attempt < TRIES => {}
            done => return done.map_err(IdentityError::Secret),
        }
    }
    Err(IdentityError::PassphraseNeeded)
}

/// Whose keys lie here, and whether a passphrase seals them.
///
/// # Errors
/// [`IdentityError`]: the file is gone or cannot be used.
pub fn user_of(folder: &DataFolder) -> Result<(UserId, bool), IdentityError> {
    match present(folder)? {
        UserKeyFile::Open(keys) => Ok((keys.id(), false)),
        UserKeyFile::Locked(locked) => Ok((locked.user(), true)),
    }
}

/// Seals the keys by `new`, or opens them for good without it.
///
/// # Errors
/// [`IdentityError`]; the file is then as it was.
pub fn set_passphrase(
    folder: &DataFolder,
    old: Option<&str>,
    new: Option<&str>,
) -> Result<(), IdentityError> {
    let keys = opened(folder, old)?;
    replace(folder, &sealed(&keys, new)?)
}

/// Whether this is the passphrase that seals the keys; without one, anything is.
///
/// # Errors
/// [`IdentityError`]: it is missing or wrong, or the file cannot be used.
pub fn check_passphrase(folder: &DataFolder, passphrase: Option<&str>) -> Result<(), IdentityError> {
    opened(folder, passphrase).map(drop)
}

/// The 24 words.
///
/// # Errors
/// [`IdentityError`]: the passphrase is missing or wrong, or the file cannot be used.
pub fn recovery_phrase(
    folder: &DataFolder,
    passphrase: Option<&str>,
) -> Result<Zeroizing<String>, IdentityError> {
    Ok(opened(folder, passphrase)?.recovery_phrase())
}

/// Rebuilds `user.key` from the 24 words, if they are those of this drive's user.
///
/// # Errors
/// [`IdentityError`]; nothing was changed.
pub fn recover(folder: &DataFolder, phrase: &str, passphrase: Option<&str>) -> Result<(), IdentityError> {
    let keys = UserKeys::from_recovery_phrase(phrase).map_err(IdentityError::Secret)?;
    // The keyring is the proof; a key file that is still whole is as good.
    match workspace::opens_with(folder, &keys)? {
        Some(true) => {}
        Some(false) => return Err(IdentityError::OtherUser),
        None => match user_of(folder) {
            Ok((user, _)) if user == keys.id() => {}
            Ok(_) => return Err(IdentityError::OtherUser),
            Err(_) => return Err(IdentityError::NoDrive(folder.root().into())),
        },
    }
    replace(folder, &sealed(&keys, passphrase)?)
}

fn opened(folder: &DataFolder, passphrase: Option<&str>) -> Result<UserKeys, IdentityError> {
    match (present(folder)?, passphrase) {
        (UserKeyFile::Open(keys), _) => Ok(keys),
        (UserKeyFile::Locked(_), None) => Err(IdentityError::OldPassphraseNeeded),
        (UserKeyFile::Locked(locked), Some(passphrase)) => {
            locked.unlock(passphrase).map_err(IdentityError::Secret)
        }
    }
}

fn sealed(keys: &UserKeys, passphrase: Option<&str>) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let Some(passphrase) = passphrase else { return Ok(keys.to_open_file()) };
    let file = keys.to_locked_file(passphrase, &mut entropy::fill, PassphraseCost::DEFAULT);
    file.map(Zeroizing::new).map_err(IdentityError::Secret)
}

fn replace(folder: &DataFolder, file: &[u8]) -> Result<(), IdentityError> {
    let path: PathBuf = folder.user_key();
    let failed = |source| IdentityError::Io { what: "write", path: path.clone(), source };
    platform::private_file::replace(&path, file).map_err(failed)
}

fn present(folder: &DataFolder) -> Result<UserKeyFile, IdentityError> {
    load(folder)?.ok_or_else(|| IdentityError::UserMissing(folder.user_key()))
}

fn load(folder: &DataFolder) -> Result<Option<UserKeyFile>, IdentityError> {
    let path = folder.user_key();
    let Some(file) = read(&path)?.map(Zeroizing::new) else { return Ok(None) };
    UserKeyFile::parse(&file).map(Some).map_err(|source| IdentityError::File { path, source })
}
