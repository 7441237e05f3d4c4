//! A path as typed → the path inside the drive.
//!
//! ```text
//! mounted at /home/ann/PeerDrive, typed in /home/ann/PeerDrive/letters
//!   /home/ann/PeerDrive/a.txt → a.txt          a.txt → letters/a.txt          ../a.txt → a.txt
//! typed anywhere else
//!   letters/a.txt → letters/a.txt              /letters/a.txt → letters/a.txt
//! ```

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::failure::Failure;

/// The bytes of `typed` as a path from the drive's root, `/` between names.
pub(super) fn inside(
    typed: &Path,
    mountpoint: Option<&Path>,
    current: Option<&Path>,
) -> Result<Vec<u8>, Failure> {
    let absolute = current.map_or_else(|| typed.to_path_buf(), |current| current.join(typed));
    let mounted = mountpoint.and_then(|mountpoint| below(&absolute, mountpoint));
    let names = match mounted {
        Some(names) => names,
        None => plain_names(typed).ok_or_else(|| outside(typed))?,
    };
    let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_encoded_bytes()).collect();
    Ok(bytes.join(&b'/'))
}

fn outside(typed: &Path) -> Failure {
    Failure::Usage(format!("{} leads out of the drive: name a path inside it", typed.display()))
}

/// The names of `path` below `mountpoint`, if it is below.
fn below(path: &Path, mountpoint: &Path) -> Option<Vec<OsString>> {
    let direct = strip(path, mountpoint);
    // The folders above may be links: look again where they really are. The name itself may be a link in the drive.
    direct.or_else(|| strip(&really(path)?, &mountpoint.canonicalize().ok()?))
}

fn strip(path: &Path, mountpoint: &Path) -> Option<Vec<OsString>> {
    let flat: PathBuf =
        std::iter::once(OsString::from(std::path::MAIN_SEPARATOR_STR)).chain(plain_names(path)?).collect();
    let mountpoint = flattened_root(mountpoint)?;
    let rest = flat.strip_prefix(mountpoint).ok()?;
    Some(rest.components().map(|component| component.as_os_str().to_os_string()).collect())
}

fn flattened_root(path: &Path) -> Option<PathBuf> {
    Some(std::iter::once(OsString::from(std::path::MAIN_SEPARATOR_STR)).chain(plain_names(path)?).collect())
}

/// `path` with its deepest existing folder resolved; what is deleted keeps its names.
fn really(path: &Path) -> Option<PathBuf> {
    let mut folder = path.parent()?;
    loop {
        if let Ok(real) = folder.canonicalize() {
            return Some(real.join(path.strip_prefix(folder).ok()?));
        }
        folder = folder.parent()?;
    }
}

/// The names of a path, `.` and `..` taken away; none if it leads above its beginning.
fn plain_names(path: &Path) -> Option<Vec<OsString>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_os_string()),
            Component::ParentDir if path.is_absolute() => {
                names.pop();
            }
            Component::ParentDir => {
                names.pop()?;
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(typed: &str, mountpoint: &str, current: &str) -> String {
        let path = inside(Path::new(typed), Some(Path::new(mountpoint)), Some(Path::new(current))).unwrap();
        String::from_utf8(path).unwrap()
    }

    #[test]
    fn paths_in_the_mount_and_in_the_drive() {
        let mountpoint = "/home/ann/PeerDrive";
        for (typed, current, expected) in [
            ("/home/ann/PeerDrive/a.txt", "/", "a.txt"),
            ("/home/ann/./x/../PeerDrive//b/a.txt", "/", "b/a.txt"),
            ("/home/ann/PeerDrive", "/", ""),
            ("a.txt", "/home/ann/PeerDrive/letters", "letters/a.txt"),
            ("../a.txt", "/home/ann/PeerDrive/letters", "a.txt"),
            ("PeerDrive/a.txt", "/home/ann", "a.txt"),
            ("letters/a.txt", "/tmp", "letters/a.txt"),
            ("/letters/a.txt", "/tmp", "letters/a.txt"),
            ("./letters/../a.txt", "/tmp", "a.txt"),
            ("/home/ann/PeerDriveX/a", "/", "home/ann/PeerDriveX/a"),
        ] {
            assert_eq!(found(typed, mountpoint, current), expected, "{typed} in {current}");
        }
        assert!(inside(Path::new("../a"), None, Some(Path::new("/tmp"))).is_err());
    }

    #[test]
    fn links_to_the_mount_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let mountpoint = dir.path().join("mount");
        std::fs::create_dir_all(mountpoint.join("sub")).unwrap();
        let current = dir.path().canonicalize().unwrap().join("mount/sub");
        assert_eq!(found("gone/a", &mountpoint.to_string_lossy(), &current.to_string_lossy()), "sub/gone/a");
    }
}
