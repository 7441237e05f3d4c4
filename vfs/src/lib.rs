//! The drive: handles, write buffers, settling, reads, history. Every adapter calls [`Drive`] and knows nothing below it.

mod attr;
mod drive;
mod error;
mod people;
mod request;

pub use attr::{Attr, AttrChange, NewNode, Ownership, StatFs, TimeChange};
pub use drive::{Drive, OpenError, Settings, WorkspaceFiles};
pub use error::Error;
pub use people::{
    DoctorFinding, Health, LogLine, PeopleError, RestoreAt, Restored, ScrubProgress, ScrubReport, Severity,
    Status, VersionInfo, Whereabouts,
};
pub use request::{
    Allocate, Change, DirItem, Handle, OpenFlags, Opened, RenameMode, Reply, Seek, XattrMode, wait,
};

/// Inode number on this computer.
pub type Ino = u64;
/// The root directory.
pub const ROOT: Ino = 1;

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants say what they are")]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

/// A moment: seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub struct Time {
    pub secs: i64,
    pub nanos: u32,
}
