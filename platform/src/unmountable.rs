//! Systems without an adapter: mounting is refused with a clear text, everything else works.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::{MountError, MountOptions};

/// A mounted drive; none can exist here.
pub struct Mounted {
    never: std::convert::Infallible,
}

impl Mounted {
    /// The folder.
    #[must_use]
    pub fn mountpoint(&self) -> &Path {
        match self.never {}
    }

    /// Whether the mount still answers.
    #[must_use]
    pub fn is_mounted(&self) -> bool {
        match self.never {}
    }

    /// Waits for the end of the mount.
    pub fn wait(&self) {
        match self.never {}
    }

    /// Takes the drive away.
    ///
    /// # Errors
    /// Never.
    pub fn unmount(&self) -> io::Result<()> {
        match self.never {}
    }
}

/// Refuses.
///
/// # Errors
/// Always [`MountError::NotYet`].
#[allow(clippy::needless_pass_by_value, reason = "the signature where mounting works")]
pub fn mount(_drive: Arc<vfs::Drive>, _options: &MountOptions) -> Result<Mounted, MountError> {
    Err(MountError::NotYet)
}
