//! Leaving a drive, as far as the data folder is concerned: that this computer leaves is kept over restarts, and when it has left, what
//! it holds is put aside. Nothing of it is deleted.
//!
//! ```text
//! <data>/workspaces/<id>/leaving    it leaves; the others take over what it holds
//! <data>/workspaces/<id>/left       it is off the roster; written last, and from then on the drive is not this computer's any more
//! <data>/left-<id>/                 what was here, put aside: a data folder of its own, with copies of the keys
//! ```
//!
//! A crash before `left` changes nothing; after it, the next start completes the move.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::data_folder::DataFolder;

const LEAVING: &str = "leaving";
const LEFT: &str = "left";
/// Data folders of one drive that were put aside, at most.
const ASIDE_MAX: usize = 1000;

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum LeavingError {
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
    /// It has left too often.
    #[error("{0} and many more are there already: move some away, and start again")]
    TooMany(PathBuf),
}

/// Whether this computer leaves the drive in this folder.
pub fn is_begun(workspace: &Path) -> bool {
    workspace.join(LEAVING).exists()
}

/// It leaves, from now on and after each restart.
///
/// # Errors
/// [`LeavingError::Io`].
pub fn begin(workspace: &Path) -> Result<(), LeavingError> {
    if is_begun(workspace) { Ok(()) } else { mark(&workspace.join(LEAVING)) }
}

/// It stays after all.
///
/// # Errors
/// [`LeavingError::Io`].
pub fn cancel(workspace: &Path) -> Result<(), LeavingError> {
    remove_if_there(workspace.join(LEAVING))
}

fn remove_if_there(path: PathBuf) -> Result<(), LeavingError> {
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| LeavingError::Io { what: "remove", path, source }),
    }
}

/// It has left: at the next start the drive is put aside.
///
/// # Errors
/// [`LeavingError::Io`].
pub fn end(workspace: &Path) -> Result<(), LeavingError> {
    if workspace.join(LEFT).exists() { Ok(()) } else { mark(&workspace.join(LEFT)) }
}

fn mark(path: &Path) -> Result<(), LeavingError> {
    platform::private_file::create(path, b"").map_err(|source| LeavingError::Io {
        what: "write",
        path: path.into(),
        source,
    })
}

/// Puts a drive aside that this computer has left. To be called with the folder locked and nothing of it open. Where it lies now, if
/// there was one.
///
/// # Errors
/// [`LeavingError`]; the next start tries again.
pub fn complete(folder: &DataFolder) -> Result<Option<PathBuf>, LeavingError> {
    let Some(workspace) = left(folder)? else { return Ok(None) };
    let name = workspace.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = place_for(folder, &name)?;
    create_dir(&aside)?;
    for key in [folder.device_key(), folder.user_key()] {
        copy_if_there(&key, &aside)?;
    }
    // The workspace goes last: its mark says that there is something to do.
    move_if_there(&folder.chunks(), &aside)?;
    move_if_there(&folder.workspaces(), &aside)?;
    forget_marks(&DataFolder::new(&aside).workspaces().join(name))?;
    Ok(Some(aside))
}

/// What lies aside may be opened like any data folder, and is not put aside once more.
fn forget_marks(workspace: &Path) -> Result<(), LeavingError> {
    [LEAVING, LEFT].into_iter().try_for_each(|mark| remove_if_there(workspace.join(mark)))
}

fn left(folder: &DataFolder) -> Result<Option<PathBuf>, LeavingError> {
    let path = folder.workspaces();
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(|source| LeavingError::Io { what: "read", path: path.clone(), source })?,
    };
    for entry in entries {
        let entry = entry.map_err(|source| LeavingError::Io { what: "read", path: path.clone(), source })?;
        if entry.path().join(LEFT).exists() {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// A place that holds no workspace: a new one, or what an earlier try began.
fn place_for(folder: &DataFolder, name: &str) -> Result<PathBuf, LeavingError> {
    let first = folder.root().join(format!("left-{name}"));
    let further = (2..=ASIDE_MAX).map(|number| folder.root().join(format!("left-{name}-{number}")));
    let mut places = std::iter::once(first.clone()).chain(further);
    let is_free = |place: &PathBuf| !DataFolder::new(place).workspaces().exists();
    places.find(is_free).ok_or(LeavingError::TooMany(first))
}

fn create_dir(path: &Path) -> Result<(), LeavingError> {
    platform::private_file::create_dir(path).map_err(|source| LeavingError::Io {
        what: "write",
        path: path.into(),
        source,
    })
}

fn copy_if_there(from: &Path, aside: &Path) -> Result<(), LeavingError> {
    let Some(to) = from.file_name().map(|name| aside.join(name)).filter(|to| !to.exists()) else {
        return Ok(());
    };
    let failed = |what, path: &Path, source| LeavingError::Io { what, path: path.into(), source };
    let file = match fs::read(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => zeroize::Zeroizing::new(file.map_err(|source| failed("read", from, source))?),
    };
    platform::private_file::create(&to, &file).map_err(|source| failed("write", &to, source))
}

fn move_if_there(from: &Path, aside: &Path) -> Result<(), LeavingError> {
    let Some(name) = from.file_name() else { return Ok(()) };
    match fs::rename(from, aside.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved.map_err(|source| LeavingError::Io { what: "move", path: from.into(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive() -> (tempfile::TempDir, DataFolder, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(dir.path());
        let workspace = folder.workspaces().join("id");
        fs::create_dir_all(&workspace).unwrap();
        fs::create_dir_all(folder.chunks()).unwrap();
        fs::write(workspace.join("tree.redb"), "tree").unwrap();
        fs::write(folder.chunks().join("pack"), "chunks").unwrap();
        fs::write(folder.device_key(), "device").unwrap();
        fs::write(folder.user_key(), "user").unwrap();
        (dir, folder, workspace)
    }

    #[test]
    fn who_has_not_left_keeps_everything_in_its_place() {
        let (_dir, folder, workspace) = drive();
        begin(&workspace).unwrap();
        begin(&workspace).unwrap();
        assert!(is_begun(&workspace));
        assert_eq!(complete(&folder).unwrap(), None);
        cancel(&workspace).unwrap();
        cancel(&workspace).unwrap();
        assert!(!is_begun(&workspace) && workspace.join("tree.redb").exists());
    }

    #[test]
    fn what_was_left_lies_aside_whole_however_often_that_is_cut_off() {
        for cut in 0..3 {
            let (_dir, folder, workspace) = drive();
            begin(&workspace).unwrap();
            end(&workspace).unwrap();
            // What the first attempt got done.
            let begun = folder.root().join("left-id");
            if cut > 0 {
                create_dir(&begun).unwrap();
                copy_if_there(&folder.device_key(), &begun).unwrap();
            }
            if cut > 1 {
                move_if_there(&folder.chunks(), &begun).unwrap();
            }
            let aside = complete(&folder).unwrap().unwrap();
            assert_eq!(aside, begun);
            for (path, content) in [
                ("chunks/pack", "chunks"),
                ("workspaces/id/tree.redb", "tree"),
                ("device.key", "device"),
                ("user.key", "user"),
            ] {
                assert_eq!(fs::read_to_string(aside.join(path)).unwrap(), content);
            }
            assert!(!folder.workspaces().exists() && !folder.chunks().exists());
            assert!(folder.device_key().exists() && folder.user_key().exists());
            assert_eq!(complete(&folder).unwrap(), None);
            assert_eq!(complete(&DataFolder::new(&aside)).unwrap(), None, "what lies aside may be opened");
        }
    }

    #[test]
    fn leaving_a_second_time_does_not_touch_what_lies_there() {
        let (_dir, folder, workspace) = drive();
        end(&workspace).unwrap();
        let first = complete(&folder).unwrap().unwrap();
        fs::create_dir_all(&workspace).unwrap();
        end(&workspace).unwrap();
        let second = complete(&folder).unwrap().unwrap();
        assert_ne!(first, second);
        assert!(first.join("chunks/pack").exists() && second.join("workspaces/id").exists());
    }
}
