//! What the commands need of this computer. The program provides it; tests provide another.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::arguments::UpArguments;
use super::{Failure, Output};
use crate::answers::Finding;

/// This computer, as the commands see it.
pub trait Computer {
    /// The data folder when nobody names one; none where the user has no home.
    fn default_data_dir(&self) -> Option<PathBuf>;

    /// Runs the daemon until it is told to stop.
    ///
    /// # Errors
    /// Why it did not start, or did not end well.
    fn up(&self, data: &Path, arguments: &UpArguments, output: &mut Output) -> Result<(), Failure>;

    /// Whether a daemon holds this data folder.
    fn daemon_runs(&self, data: &Path) -> bool;

    /// What the doctor sees without a daemon.
    fn examine(&self, data: &Path) -> Vec<Finding>;

    /// Rebuilds the user's keys from the recovery phrase, under a new passphrase or none. No daemon may run.
    ///
    /// # Errors
    /// The phrase is wrong or another user's, or the files cannot be written.
    fn recover_keys(&self, data: &Path, phrase: &str, passphrase: Option<&str>) -> Result<(), Failure>;

    /// Asks for a secret on the terminal, without showing it.
    ///
    /// # Errors
    /// [`io::ErrorKind::Interrupted`] for Ctrl+C, anything else where there is no terminal.
    fn ask_secret(&self, question: &str) -> io::Result<Zeroizing<String>>;

    /// Opens an address in the user's browser.
    ///
    /// # Errors
    /// There is no program that does.
    fn open_in_browser(&self, url: &str) -> io::Result<()>;
}
