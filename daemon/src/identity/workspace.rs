//! `workspaces/<id>/keyring`: the secrets of the drive, sealed to its user.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ledger::identity::WorkspaceId;
use ledger::keys::{KeyError, Keyring, UserKeys};

use super::{IdentityError, create, read};
use crate::data_folder::DataFolder;
use crate::entropy;

/// File with the sealed keyring, in the workspace's folder.
const KEYRING_FILE: &str = "keyring";
/// The tree, whose absence beside chunks is a loss and no first start.
const TREE_FILE: &str = "tree.redb";

/// Sealed logs, where this computer is a host without keys.
pub const LOGS_FILE: &str = "logs.redb";

/// What this computer keeps.
pub enum Workspace {
    /// A drive, with its secrets.
    Drive(OpenWorkspace),
    /// Sealed data of others.
    Host {
        /// Its folder.
        folder: PathBuf,
        /// Which.
        id: WorkspaceId,
    },
}

/// A workspace whose secrets are open.
pub struct OpenWorkspace {
    /// Its folder.
    pub folder: PathBuf,
    /// Its secrets.
    pub keyring: Keyring,
}

/// The workspace of this folder, made at the first start.
///
/// # Errors
/// [`IdentityError`]; nothing that exists was changed.
pub fn open_or_make(folder: &DataFolder, user: &UserKeys) -> Result<Workspace, IdentityError> {
    match found(folder)?.as_slice() {
        [] => make(folder, user).map(Workspace::Drive),
        [one] => match hosted(one) {
            Some(id) => Ok(Workspace::Host { folder: one.clone(), id }),
            None => open(folder, one.clone(), user).map(Workspace::Drive),
        },
        _ => Err(IdentityError::SeveralWorkspaces(folder.workspaces())),
    }
}

/// The workspace that lies sealed in this folder, if one does.
fn hosted(folder: &Path) -> Option<WorkspaceId> {
    let id = folder.file_name()?.to_str()?.parse().ok()?;
    folder.join(LOGS_FILE).exists().then_some(id)
}

/// Writes the keyring of a workspace that is being joined.
///
/// # Errors
/// [`IdentityError`].
pub fn write_keyring(folder: &Path, keyring: &Keyring, user: &UserKeys) -> Result<(), IdentityError> {
    create(&folder.join(KEYRING_FILE), &sealed(keyring, user)?)
}

/// Writes it anew, after it grew.
///
/// # Errors
/// [`IdentityError`]; the file is then as it was.
pub fn replace_keyring(folder: &Path, keyring: &Keyring, user: &UserKeys) -> Result<(), IdentityError> {
    let path = folder.join(KEYRING_FILE);
    let failed = |source| IdentityError::Io { what: "write", path: path.clone(), source };
    platform::private_file::replace(&path, &sealed(keyring, user)?).map_err(failed)
}

fn sealed(keyring: &Keyring, user: &UserKeys) -> Result<Vec<u8>, IdentityError> {
    keyring.seal_to(&user.agreement_public(), &mut entropy::fill).map_err(IdentityError::Secret)
}

/// Whether these keys open the drive of this folder; none where there is no drive.
///
/// # Errors
/// [`IdentityError`]: the keyring cannot be used.
pub fn opens_with(folder: &DataFolder, user: &UserKeys) -> Result<Option<bool>, IdentityError> {
    let drive = found(folder)?.into_iter().find(|workspace| hosted(workspace).is_none());
    let Some(workspace) = drive else { return Ok(None) };
    match unsealed(&workspace, user) {
        Ok(_) => Ok(Some(true)),
        Err(IdentityError::File { source: KeyError::ForAnotherUser { .. }, .. }) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

/// Folders of workspaces that hold a keyring or a tree. One that holds neither was begun and never used.
pub fn found(folder: &DataFolder) -> Result<Vec<PathBuf>, IdentityError> {
    let path = folder.workspaces();
    let failed = |source| IdentityError::Io { what: "read", path: path.clone(), source };
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut workspaces = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let named = entry.file_name().to_str().is_some_and(|name| name.parse::<WorkspaceId>().is_ok());
        let used = [KEYRING_FILE, TREE_FILE, LOGS_FILE].iter().any(|file| entry.path().join(file).exists());
        if named && used {
            workspaces.push(entry.path());
        }
    }
    Ok(workspaces)
}

fn open(folder: &DataFolder, workspace: PathBuf, user: &UserKeys) -> Result<OpenWorkspace, IdentityError> {
    let keyring = unsealed(&workspace, user)?;
    let tree = workspace.join(TREE_FILE);
    // A new tree would call every chunk garbage.
    if !tree.exists() && folder.has_chunks() {
        return Err(IdentityError::TreeMissing(tree));
    }
    Ok(OpenWorkspace { folder: workspace, keyring })
}

fn unsealed(workspace: &Path, user: &UserKeys) -> Result<Keyring, IdentityError> {
    let path = workspace.join(KEYRING_FILE);
    let file = read(&path)?.ok_or_else(|| IdentityError::KeyringMissing(path.clone()))?;
    Keyring::unseal(user, &file).map_err(|source| IdentityError::File { path, source })
}

fn make(folder: &DataFolder, user: &UserKeys) -> Result<OpenWorkspace, IdentityError> {
    if folder.has_chunks() {
        return Err(IdentityError::KeyringMissing(folder.workspaces()));
    }
    let keyring = Keyring::generate(&user.id(), &mut entropy::fill);
    let workspace = folder.workspaces().join(keyring.workspace.to_text());
    let failed = |source| IdentityError::Io { what: "write", path: workspace.clone(), source };
    platform::private_file::create_dir(&workspace).map_err(failed)?;
    write_keyring(&workspace, &keyring, user)?;
    Ok(OpenWorkspace { folder: workspace, keyring })
}
