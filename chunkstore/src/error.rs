//! What can go wrong in the store, and what the caller should do about it.

use std::io;
use std::path::PathBuf;

use crate::ids::ChunkId;

/// An operation of the store failed. [`StoreError::kind`] sorts the causes into what a caller can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such chunk here: fetch it from another host.
    #[error("chunk {0} is not on this computer; fetch it from another host")]
    NotFound(ChunkId),
    /// The bytes on disk do not verify: fetch a good copy and [`import`](crate::ChunkStore::import) it, or
    /// write the same content again; either heals the chunk.
    #[error("chunk {id} is damaged on this computer ({why}); a good copy from another host heals it")]
    Damaged {
        /// Which chunk.
        id: ChunkId,
        /// What did not verify.
        why: Damage,
    },
    /// A limit would be passed; nothing was written.
    #[error("no room for {needed_bytes} bytes: {limit}")]
    Full {
        /// Bytes that were to be written.
        needed_bytes: u64,
        /// The limit, and how to raise it.
        limit: FullLimit,
    },
    /// The store stopped writing after its first I/O error. Reads go on; mend the disk and restart.
    #[error("the chunk store stopped writing after an error ({0}); check the disk, then restart")]
    Failed(String),
    /// The disk refused one operation.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The chunk index database failed. It is a cache of the packs: a restart rebuilds it.
    #[error("the chunk index failed ({0}); restart to rebuild it from the packs")]
    Index(#[from] redb::Error),
    /// A file was written by a newer PeerDrive. Nothing was changed.
    #[error("{} has format {found}, this version knows up to {known}; update PeerDrive", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Newest version known here.
        known: u32,
    },
    /// A chunk longer than [`MAX_CHUNK_BYTES`](crate::MAX_CHUNK_BYTES): cut it first.
    #[error("a chunk of {0} bytes is longer than the format allows; cut it first")]
    TooLong(usize),
    /// Imported bytes are not the chunk they were said to be: ask another host.
    #[error("the bytes received for chunk {0} do not verify; ask another host")]
    WrongBytes(ChunkId),
    /// Another sweep was begun meanwhile, so this one deletes nothing.
    #[error("another sweep was begun; this one deleted nothing")]
    SweepReplaced,
}

impl StoreError {
    /// Sorts the error into what a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        match self {
            Self::NotFound(_) => StoreErrorKind::NotFound,
            Self::Damaged { .. } | Self::WrongBytes(_) => StoreErrorKind::Damaged,
            Self::Full { .. } => StoreErrorKind::Full,
            Self::Failed(_) => StoreErrorKind::ReadOnly,
            Self::Io { .. } | Self::Index(_) => StoreErrorKind::Io,
            Self::NewerFormat { .. } => StoreErrorKind::NewerFormat,
            Self::TooLong(_) | Self::SweepReplaced => StoreErrorKind::Misuse,
        }
    }

    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { what, path: path.into(), source }
    }

    pub(crate) fn index(error: impl Into<redb::Error>) -> Self {
        Self::Index(error.into())
    }
}

/// The causes of a [`StoreError`], sorted by what a caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Fetch from a peer, else answer EIO.
    NotFound,
    /// Fetch from a peer and import, else answer EIO.
    Damaged,
    /// Answer ENOSPC.
    Full,
    /// Answer EROFS or EIO: nothing can be written until the next start.
    ReadOnly,
    /// Answer EIO.
    Io,
    /// Do not start; the message says what to do.
    NewerFormat,
    /// A bug in the caller.
    Misuse,
}

/// What about a chunk's bytes does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The hash of the ciphertext is not the chunk's id.
    #[error("its bytes changed on disk")]
    WrongHash,
    /// The ciphertext is whole but the key does not open it.
    #[error("its key does not open it")]
    WrongKey,
    /// It opens, but the payload is not the plaintext it was named for.
    #[error("its payload is malformed")]
    Malformed,
    /// The disk could not give the bytes.
    #[error("the disk cannot read it")]
    Unreadable,
    /// An earlier read or a scrub found it bad.
    #[error("an earlier check found it bad")]
    KnownBad,
}

/// The limit a write would have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FullLimit {
    /// The contribution limit set by the user.
    #[error("the {0} bytes this computer contributes are used; delete files or raise the contribution")]
    Contribution(u64),
    /// The disk's reserve set by the user.
    #[error("the disk has less than its reserve of {0} bytes free; free some space or lower the reserve")]
    Reserve(u64),
    /// The disk itself.
    #[error("the disk is full; free some space")]
    Disk,
}
