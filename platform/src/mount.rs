//! The words of mounting, the same on every system.

use std::path::PathBuf;

/// How the drive appears as a folder.
#[derive(Debug, Clone)]
pub struct MountOptions {
    /// The folder. It is made when it is missing, and must be empty.
    pub mountpoint: PathBuf,
    /// Other users of this computer see the drive too (the mode bits still hold).
    pub allow_other: bool,
    /// Nothing can be changed through this mount.
    pub read_only: bool,
    /// Threads that take the kernel's requests; one slow answer must not stop the rest.
    pub threads: usize,
    /// Processors are kept from sleeping deeply while the drive is busy, where this user may ask for that.
    pub quick_wake: bool,
}

impl MountOptions {
    /// The usual ones: only this user, writable, two threads.
    #[must_use]
    pub fn new(mountpoint: impl Into<PathBuf>) -> Self {
        Self {
            mountpoint: mountpoint.into(),
            allow_other: false,
            read_only: false,
            threads: 2,
            quick_wake: true,
        }
    }
}

/// Why the drive could not be mounted. Each text says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// This system has no adapter yet.
    #[error("mounting is not supported on this system yet; use `--no-mount`")]
    NotYet,
    /// The path names something else than a folder.
    #[error("{0} is not a folder: choose another mountpoint")]
    NotDirectory(PathBuf),
    /// Files would be hidden under the mount.
    #[error("{0} is not empty, and mounting would hide what is in it: choose an empty folder")]
    NotEmpty(PathBuf),
    /// A living drive is there.
    #[error(
        "a drive is already mounted on {0}: stop it first (`peerdrive down`), or choose another mountpoint"
    )]
    AlreadyMounted(PathBuf),
    /// Another file system is there.
    #[error("{path} is already the mountpoint of a {kind} file system: choose another folder")]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// Its file system's type.
        kind: String,
    },
    /// A mount left behind by a crash could not be taken away.
    #[error("{path} holds a dead mount that could not be removed ({why}): run `fusermount3 -uz {path}`")]
    Stale {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The folder is missing and cannot be made, or cannot be looked at.
    #[error("cannot use {path} as a mountpoint ({why}): check that you may write to the folder above it")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The kernel's FUSE device is missing.
    #[error("/dev/fuse is missing: load it with `modprobe fuse` (in a container, pass --device /dev/fuse)")]
    NoDevice,
    /// The kernel's FUSE device may not be opened by this user.
    #[error(
        "/dev/fuse may not be opened ({0}): allow it with `sudo chmod 666 /dev/fuse`, as most systems do"
    )]
    DeviceDenied(String),
    /// The program that mounts for plain users is missing.
    #[error("fusermount3 is missing, and plain users need it to mount: install the package `fuse3`")]
    NoHelper,
    /// The system forbids mounting.
    #[error("mounting on {path} is not permitted ({why}): in a container, add the capability SYS_ADMIN")]
    NotPermitted {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Plain users may not let others in.
    #[error("--allow-other needs the line `user_allow_other` in /etc/fuse.conf: add it, or run without")]
    AllowOther,
    /// Anything else.
    #[error("mounting on {path} failed ({why}): see the system's log (`dmesg`)")]
    Failed {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}
