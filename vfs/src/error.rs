//! What a call on the drive can fail with; each adapter maps it to its system's code.

use chunkstore::ChunkId;

/// Why a file operation was refused. Small on purpose: one variant per thing a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such entry, inode or version.
    #[error("no such file or directory")]
    NotFound,
    /// The inode went while its name was being followed: follow it again.
    #[error("the file is gone; look its name up again")]
    Stale,
    /// The name is taken.
    #[error("the name exists already")]
    Exists,
    /// A directory was needed.
    #[error("not a directory")]
    NotDirectory,
    /// Something else than a directory was needed.
    #[error("is a directory")]
    IsDirectory,
    /// The directory has entries.
    #[error("directory not empty")]
    NotEmpty,
    /// The caller may never do this (EPERM).
    #[error("operation not permitted")]
    NotPermitted,
    /// The mode bits forbid it (EACCES).
    #[error("permission denied")]
    Denied,
    /// A name over 255 bytes.
    #[error("name too long")]
    NameTooLong,
    /// An argument makes no sense here.
    #[error("invalid argument")]
    Invalid,
    /// The contribution limit, the disk reserve or the disk itself is reached: free something, then retry.
    #[error("no space left on the drive")]
    NoSpace,
    /// The store failed once and takes no more changes until it is opened again; see `doctor`.
    #[error("the drive is read-only after a disk failure")]
    ReadOnly,
    /// Bytes could not be read or did not verify.
    #[error("input/output error")]
    Io,
    /// A chunk is not on this computer, and the group may have it. Known inside the drive alone: callers are answered after it came,
    /// or with [`Error::Io`].
    #[doc(hidden)]
    #[error("input/output error")]
    Missing(ChunkId),
    /// No such extended attribute.
    #[error("no such attribute")]
    NoAttribute,
    /// A size or an attribute's value is beyond what can be kept.
    #[error("too large")]
    TooLarge,
    /// This drive does not do that.
    #[error("operation not supported")]
    Unsupported,
    /// The inode has as many links as it can carry.
    #[error("too many links")]
    TooManyLinks,
    /// The handle is closed, or not open for this.
    #[error("bad file handle")]
    BadHandle,
    /// Nothing to be found there (seek past the last data).
    #[error("no data at or after the offset")]
    NoData,
}
