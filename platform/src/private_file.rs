//! Files that only their owner may read: keys and tokens.
//!
//! A file is written beside its final name, made durable, and renamed over it; so after a crash the name holds the
//! old bytes or the new ones, never a part.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The largest private file that is read, in bytes: keys are small, and garbage must not fill the memory.
pub const MAX_PRIVATE_FILE_BYTES: u64 = 16 << 20;

/// Writes `bytes` as the whole content of `path`, durably, readable and writable by the owner alone.
///
/// # Errors
/// What the system says; the old content is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path);
    let written = write_durably(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    if let Err(error) = written {
        // The first error is the one to tell; a leftover is overwritten by the next attempt.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    sync_parent(path)
}

/// Like [`replace`], but refuses to touch a file that exists.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when the name is taken, else what the system says.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path);
    let linked = write_durably(&fresh, bytes).and_then(|()| link(&fresh, path));
    // Linked or refused: the second name has done its work.
    let _ = fs::remove_file(&fresh);
    linked?;
    sync_parent(path)
}

/// Gives the file its name, which must be free: by a link, which the system refuses on a taken name, or where the
/// file system knows no links, by looking first.
fn link(fresh: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(fresh, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.try_exists()? => {
            fs::rename(fresh, path)
        }
        done => done,
    }
}

/// The whole content of a private file.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidData`] above [`MAX_PRIVATE_FILE_BYTES`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_PRIVATE_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PRIVATE_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "far larger than such a file can be"));
    }
    Ok(bytes)
}

/// Makes the folder `path`, and those above it, so that only the owner may look into it. The names of the folders it
/// made are durable.
///
/// # Errors
/// What the system says.
pub fn create_dir(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    missing.into_iter().filter(|made| !made.as_os_str().is_empty()).try_for_each(sync_parent)
}

/// Whether others than the owner may read or write the file. Systems without mode bits say no.
///
/// # Errors
/// What the system says.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    return Ok(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions()) & 0o077 != 0);
    #[cfg(not(unix))]
    fs::metadata(path).map(|_| false)
}

/// A name in the same folder, so that the rename stays inside one file system; one per process, so that two
/// processes do not share it.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    // Made anew, so that the mode is ours from the first byte on.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the name itself durable. Windows has no such call and needs none.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(parent)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        assert!(!is_open_to_others(&path).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn creates_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        create(&path, b"first").unwrap();
        assert_eq!(create(&path, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_keeps_the_old() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("inside"), "x").unwrap();
        assert!(replace(&taken, b"new").is_err());
        assert!(taken.join("inside").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn garbage_is_not_read_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge");
        File::create(&path).unwrap().set_len(MAX_PRIVATE_FILE_BYTES + 1).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn folders_are_private_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        create_dir(&path).unwrap();
        create_dir(&path).unwrap();
        assert!(!is_open_to_others(&path).unwrap());
    }
}
