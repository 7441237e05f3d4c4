//! This computer, as the commands see it.

use std::io;
use std::path::{Path, PathBuf};

use ui::answers::Finding;
use ui::cli::{Computer, Failure, Output, UpArguments};
use zeroize::Zeroizing;

use crate::data_folder::DataFolder;
use crate::{identity, offline, up};

/// The real one.
pub struct ThisComputer;

impl Computer for ThisComputer {
    fn default_data_dir(&self) -> Option<PathBuf> {
        platform::paths::default_data_dir()
    }

    fn up(&self, data: &Path, arguments: &UpArguments, output: &mut Output) -> Result<(), Failure> {
        up::up(&DataFolder::new(data), arguments, output)
    }

    fn daemon_runs(&self, data: &Path) -> bool {
        platform::folder_use::is_held(data)
    }

    fn examine(&self, data: &Path) -> Vec<Finding> {
        offline::examine(&DataFolder::new(data))
    }

    fn recover_keys(&self, data: &Path, phrase: &str, passphrase: Option<&str>) -> Result<(), Failure> {
        let folder = DataFolder::new(data);
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
        if !folder.root().is_dir() {
            return Err(failed(&format!(
                "{} does not exist: name the data folder of the drive",
                data.display()
            )));
        }
        let _lock = folder.lock().map_err(|error| failed(&error))?;
        identity::recover(&folder, phrase, passphrase).map_err(|error| failed(&error))
    }

    fn ask_secret(&self, question: &str) -> io::Result<Zeroizing<String>> {
        platform::terminal::ask_secret(question, &|| false)
    }

    fn open_in_browser(&self, url: &str) -> io::Result<()> {
        platform::browser::open(url)
    }
}
