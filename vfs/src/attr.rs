//! Attributes as adapters see them.

use crate::{Ino, Kind, Time};

/// What `stat` shows of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// Inode number, stable on this computer and never used again.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, 0o7777.
    pub mode: u32,
    /// Number of names (for a directory: 2 + subdirectories).
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u32,
    /// Length in bytes.
    pub size: u64,
    /// Occupied blocks of 512 bytes.
    pub blocks: u64,
    /// Last read (relatime).
    pub atime: Time,
    /// Last change of content.
    pub mtime: Time,
    /// Last change of anything.
    pub ctime: Time,
    /// Birth.
    pub crtime: Time,
}

/// A time to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeChange {
    /// The drive's present time.
    Now,
    /// This time.
    To(Time),
}

/// Attributes to change; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttrChange {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length in bytes.
    pub size: Option<u64>,
    /// Last read.
    pub atime: Option<TimeChange>,
    /// Last change of content.
    pub mtime: Option<TimeChange>,
}

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct NewNode<'a> {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, the umask already taken off.
    pub mode: u32,
    /// Owner (the caller).
    pub uid: u32,
    /// Group (the caller; a set-gid directory overrides it).
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u32,
    /// Target of a symlink.
    pub target: &'a [u8],
}

/// Room on the drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatFs {
    /// Unit of the block counts, bytes.
    pub block_bytes: u32,
    /// What the drive can hold in all.
    pub blocks: u64,
    /// What can still be stored.
    pub free: u64,
    /// What can still be stored by a plain user.
    pub available: u64,
    /// Inodes in use and free.
    pub files: u64,
    /// Inodes that can still be made.
    pub free_files: u64,
    /// Longest name, bytes.
    pub name_max: u32,
}

/// Who owns what the drive shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Everything belongs to this user and group (the one who mounts).
    MapTo {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
    /// Ids are kept as they are set.
    Posix,
}
