//! The wall clock of a daemon, set by the test.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::daemon::Start;

/// In a file that the daemon looks into whenever it asks for the time.
#[derive(Debug)]
pub struct Clock {
    _folder: TempDir,
    file: PathBuf,
}

impl Default for Clock {
    /// The true time.
    ///
    /// # Panics
    /// When no file can be made.
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Self { file: folder.path().join("clock"), _folder: folder };
        clock.set("+0");
        clock
    }
}

impl Clock {
    /// Sets it off by so much: `+1y`, `-1y`, `+0`.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, offset: &str) {
        // Whole at any moment: the daemon reads it meanwhile.
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, offset).expect("the clock's file");
        fs::rename(&fresh, &self.file).expect("the clock's file");
    }

    /// Gives it to a daemon.
    ///
    /// # Panics
    /// When libfaketime is not installed.
    #[must_use]
    pub fn on(&self, start: Start) -> Start {
        start
            .env("LD_PRELOAD", faketime_library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            // A clock that is set does not move the one that measures how much time passes.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

/// The library itself: the program `faketime` leaves shared memory behind by its process number, and stumbles over it later.
fn faketime_library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("libraries").map(|entry| entry.expect("an entry").path());
    folders
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file())
        .expect("libfaketime is missing: run `cargo xtask tools`")
}
