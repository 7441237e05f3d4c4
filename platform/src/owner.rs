//! Who runs this process, and so owns what a drive shows by default.

/// A user and a group, as numbers of this computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// The user this process acts for.
    #[cfg(unix)]
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    /// The user this process acts for; systems without numbers show everything as 0.
    #[cfg(not(unix))]
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { uid: 0, gid: 0 }
    }

    /// May everything on this computer.
    #[must_use]
    pub fn is_root(self) -> bool {
        cfg!(unix) && self.uid == 0
    }
}
