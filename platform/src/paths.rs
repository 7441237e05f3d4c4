//! Where things lie when nobody says otherwise.

use std::path::PathBuf;

use directories::{ProjectDirs, UserDirs};

/// The data folder: `~/.local/share/peerdrive` (or under `XDG_DATA_HOME`) on Linux, `%LOCALAPPDATA%\peerdrive\data`
/// on Windows. `None` where the user has no home folder: `--data` must then be given.
#[must_use]
pub fn default_data_dir() -> Option<PathBuf> {
    ProjectDirs::from("", "", "peerdrive").map(|dirs| dirs.data_local_dir().to_path_buf())
}

/// The folder the drive appears as: `~/PeerDrive`. `None` where the user has no home folder.
#[must_use]
pub fn default_mountpoint() -> Option<PathBuf> {
    UserDirs::new().map(|dirs| dirs.home_dir().join("PeerDrive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_lie_in_the_home_folder() {
        let Some(mountpoint) = default_mountpoint() else { return };
        assert!(mountpoint.ends_with("PeerDrive"));
        assert!(default_data_dir().unwrap().to_string_lossy().contains("peerdrive"));
    }
}
