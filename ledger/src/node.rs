//! What the tree is made of, as its readers see it.

use crate::content::Content;
use crate::identity::DeviceTag;
use crate::stamp::{Time, VersionId};

/// Number of an inode on this computer; never used again for another.
pub type Ino = u64;
/// The root directory.
pub const ROOT: Ino = 1;

/// Longest name, bytes.
pub const NAME_MAX_BYTES: usize = 255;
/// Longest symlink target, bytes.
pub const TARGET_MAX_BYTES: usize = 4095;
/// Longest extended attribute's name, bytes.
pub const XATTR_NAME_MAX_BYTES: usize = 255;
/// Longest extended attribute's value, bytes.
pub const XATTR_VALUE_MAX_BYTES: usize = 65_536;

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A regular file.
    File = 1,
    /// A directory.
    Directory = 2,
    /// A symbolic link.
    Symlink = 3,
    /// A named pipe.
    Fifo = 4,
    /// A socket.
    Socket = 5,
    /// A character device node.
    CharDevice = 6,
    /// A block device node.
    BlockDevice = 7,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::File,
            Self::Directory,
            Self::Symlink,
            Self::Fifo,
            Self::Socket,
            Self::CharDevice,
            Self::BlockDevice,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// The name of an inode, and of a link, that all devices share: who made it and its number there. A node's first link
/// has the node's own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId {
    /// Who made it; zero for the root.
    pub device: DeviceTag,
    /// Its number on that device.
    pub number: u64,
}

impl InodeId {
    /// The root directory's.
    pub const ROOT: Self = Self { device: DeviceTag(0), number: ROOT };
}

/// Names a link; drawn from the same numbers as the inodes.
pub type EntryId = InodeId;

/// The version of a file that opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which version.
    pub version: VersionId,
    /// Length, bytes.
    pub size: u64,
}

/// Everything known of an inode but its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// Number on this computer.
    pub ino: Ino,
    /// Name on all computers.
    pub id: InodeId,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, 12 of them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Target of a symlink.
    pub target: Vec<u8>,
    /// Length in bytes (a symlink's: of its target).
    pub size: u64,
    /// Last change of content, or of a directory's entries.
    pub mtime: Time,
    /// Last change of anything, as this device saw it.
    pub ctime: Time,
    /// Last read, on this device.
    pub atime: Time,
    /// Birth.
    pub crtime: Time,
    /// Names it has (for a directory: 2 + subdirectories); 0 when deleted.
    pub nlink: u32,
    /// The version that opens; none for a file nothing was ever published of.
    pub head: Option<Head>,
    /// How many versions are in conflict with the head.
    pub conflicts: u32,
    /// For a directory: number of names in it.
    pub entries: u64,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it names.
    pub ino: Ino,
    /// What that is.
    pub kind: Kind,
    /// The name.
    pub name: Vec<u8>,
    /// Stable position in listings, 16..=2^62. Two names may share one; `list` never parts them.
    pub cookie: u64,
}

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct NewNode<'a> {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Target of a symlink.
    pub target: &'a [u8],
}

/// Attributes to change; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttributeChange {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Last change of content.
    pub mtime: Option<Time>,
}

/// New content of a file.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The head it replaces; `None` for the first.
    pub base: Option<VersionId>,
    /// Length, bytes.
    pub size: u64,
    /// When it was last written.
    pub mtime: Time,
    /// What it is made of.
    pub content: Content,
}

/// What a rename does about a taken name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// The entry under the new name, if any, is replaced.
    Replace,
    /// The two entries change places.
    Exchange,
}

/// What an unlink left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlinked {
    /// What the name stood for.
    pub ino: Ino,
    /// Names it still has.
    pub nlink_left: u32,
}

/// What a rename did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renamed {
    /// The moved inode.
    pub ino: Ino,
    /// What stood under the new name before.
    pub replaced: Option<Unlinked>,
}

/// A version in a file's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Which.
    pub id: VersionId,
    /// The inode it belongs to (another one when two files of one name were merged).
    pub ino: Ino,
    /// When it was published.
    pub time: Time,
    /// Length, bytes.
    pub size: u64,
    /// Modification time it was published with.
    pub mtime: Time,
    /// Who published it.
    pub device: DeviceTag,
    /// It is what opens.
    pub current: bool,
    /// It stands against the current one.
    pub conflict: bool,
    /// The versions it replaced.
    pub parents: Vec<VersionId>,
}

/// A deleted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedEntry {
    /// The name it had.
    pub name: Vec<u8>,
    /// What it named; `revive` takes it.
    pub ino: Ino,
    /// When it was deleted.
    pub time: Time,
    /// What it was.
    pub kind: Kind,
    /// Who deleted it.
    pub device: DeviceTag,
    /// Length of its last version, bytes.
    pub size: u64,
}

/// A file with more than one current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The file that opens.
    pub ino: Ino,
    /// Versions, the current one among them.
    pub versions: Vec<VersionInfo>,
}

/// Counts of the live tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Files, symlinks and special nodes.
    pub files: u64,
    /// Directories, the root among them.
    pub directories: u64,
    /// Bytes of all current versions.
    pub bytes: u64,
    /// Versions in conflict.
    pub conflicts: u64,
    /// Transactions in the logs.
    pub transactions: u64,
}

/// A small namespace of rows that stay on this device, written in the same batches as the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalSpace(pub u8);

/// Whether `name` can be a name in a directory.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX_BYTES
        && name != b"."
        && name != b".."
        && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}
