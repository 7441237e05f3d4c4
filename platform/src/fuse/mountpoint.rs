//! Is the folder fit to be mounted on? Dead mounts of a crash are taken away here.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::unmount;
use crate::mount::{MountError, MountOptions};
use crate::owner::Owner;

/// The type the mount shows in `mount` and `df`.
pub const SUBTYPE: &str = "peerdrive";
/// The kernel's door. Whoever mounts must open it himself, also where the helper mounts for him.
const DEVICE: &str = "/dev/fuse";

/// Dead mounts can lie on one another, one for each crash; more than this is not ours to repair.
const MAX_DEAD_MOUNTS: usize = 16;

/// One line of the mount table.
#[derive(Debug, PartialEq, Eq)]
pub struct MountEntry {
    /// `major:minor` of its device number.
    pub device: String,
    pub path: PathBuf,
    /// Such as `ext4`, `fuse.peerdrive`.
    pub kind: String,
}

/// Checks everything that can be told before mounting; gives the absolute path.
pub fn prepare(options: &MountOptions) -> Result<PathBuf, MountError> {
    let path = existing_folder(&options.mountpoint)?;
    if let Some(entry) = mounted_on(&path) {
        return Err(if is_ours(&entry) {
            MountError::AlreadyMounted(path)
        } else {
            MountError::Occupied { path, kind: entry.kind }
        });
    }
    let mut inside = fs::read_dir(&path).map_err(|error| unusable(&path, &error))?;
    if inside.next().is_some() {
        return Err(MountError::NotEmpty(path));
    }
    check_system(options.allow_other)?;
    Ok(path)
}

/// The topmost mount on exactly this (absolute) path.
pub fn mounted_on(path: &Path) -> Option<MountEntry> {
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    table.lines().filter_map(parse).rfind(|entry| entry.path == path)
}

pub fn is_ours(entry: &MountEntry) -> bool {
    entry.kind.strip_prefix("fuse.") == Some(SUBTYPE)
}

/// The program that mounts and unmounts for plain users.
pub fn helper() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os("FUSERMOUNT_PATH") {
        return Some(chosen.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/bin".into(), "/bin".into()]);
    folders.map(|folder| folder.join("fusermount3")).find(|program| program.is_file())
}

fn existing_folder(wanted: &Path) -> Result<PathBuf, MountError> {
    for _ in 0..MAX_DEAD_MOUNTS {
        match alive(wanted) {
            Ok(found) if found.is_dir() => {
                return fs::canonicalize(wanted).map_err(|error| unusable(wanted, &error));
            }
            Ok(_) => return Err(MountError::NotDirectory(wanted.to_path_buf())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(wanted).map_err(|error| unusable(wanted, &error))?;
            }
            Err(error) if is_dead(&error) => remove_dead(wanted)?,
            Err(error) => return Err(unusable(wanted, &error)),
        }
    }
    Err(MountError::Stale { path: wanted.to_path_buf(), why: "too many of them".into() })
}

/// What is at a path, asked anew: the kernel goes on answering `stat` of a dead mount from what it remembers, but it keeps no `statfs`.
///
/// # Errors
/// There is nothing, or nobody answers; see [`is_dead`].
pub fn alive(path: &Path) -> io::Result<fs::Metadata> {
    rustix::fs::statfs(path)?;
    fs::metadata(path)
}

/// What a path answers whose daemon is gone.
pub fn is_dead(error: &io::Error) -> bool {
    [Some(libc::ENOTCONN), Some(libc::ECONNABORTED)].contains(&error.raw_os_error())
}

fn remove_dead(path: &Path) -> Result<(), MountError> {
    tracing::warn!("removing a mount that a crash left behind");
    let absolute = std::path::absolute(path).map_err(|error| unusable(path, &error))?;
    unmount::detach(&absolute)
        .map_err(|error| MountError::Stale { path: path.to_path_buf(), why: error.to_string() })
}

fn check_system(allow_other: bool) -> Result<(), MountError> {
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(MountError::DeviceDenied(error.to_string()));
        }
        // Missing, or without the kernel's part behind it.
        Err(_) => return Err(MountError::NoDevice),
    }
    if Owner::of_this_process().is_root() {
        return Ok(());
    }
    if helper().is_none() {
        return Err(MountError::NoHelper);
    }
    if allow_other && !others_allowed() {
        return Err(MountError::AllowOther);
    }
    Ok(())
}

/// What `/etc/fuse.conf` says. Where it cannot be read, the helper will tell.
fn others_allowed() -> bool {
    fs::read_to_string("/etc/fuse.conf").map_or_else(
        |error| error.kind() != ErrorKind::NotFound,
        |text| text.lines().any(|line| line.trim() == "user_allow_other"),
    )
}

fn unusable(path: &Path, error: &io::Error) -> MountError {
    MountError::Unusable { path: path.to_path_buf(), why: error.to_string() }
}

/// `36 35 98:0 /root /mount/point rw,noatime shared:1 - ext4 /dev/root rw`, see proc_pid_mountinfo(5).
fn parse(line: &str) -> Option<MountEntry> {
    let (place, source) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(2);
    let device = place.next()?.to_string();
    let path = unescape(place.nth(1)?);
    let kind = source.split(' ').next()?.to_string();
    Some(MountEntry { device, path, kind })
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal =
            tail.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_mount_table() {
        let line =
            r"312 29 0:53 / /home/me/My\040Drive rw,nosuid shared:1 master:2 - fuse.peerdrive peerdrive rw";
        let entry = parse(line).unwrap();
        assert_eq!(entry.path, Path::new("/home/me/My Drive"));
        assert_eq!(entry.device, "0:53");
        assert!(is_ours(&entry));
    }

    #[test]
    fn a_broken_table_is_no_panic() {
        for line in ["", " - ", "1 2", r"1 2 3 4 \0 rw - x", r"1 2 3 4 \999 rw - x", "1 2 3 4 \\"] {
            let _ = parse(line);
        }
        assert_eq!(unescape(r"a\1"), Path::new(r"a\1"));
    }

    #[test]
    fn a_missing_folder_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = dir.path().join("a/b");
        assert_eq!(existing_folder(&wanted).unwrap(), wanted.canonicalize().unwrap());
    }

    #[test]
    fn what_cannot_be_mounted_on_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let told = |path: &Path| prepare(&MountOptions::new(path)).unwrap_err();
        assert!(matches!(told(&file), MountError::NotDirectory(_)));
        assert!(matches!(told(&file.join("below")), MountError::Unusable { .. }));
        assert!(matches!(told(dir.path()), MountError::NotEmpty(_)));
        assert!(matches!(told(Path::new("/proc")), MountError::Occupied { kind, .. } if kind == "proc"));
    }
}
