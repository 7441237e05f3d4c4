//! Why the ledger refused something, and what to do about it.

use crate::store::StoreError;
use crate::transaction::TransactionError;
use crate::wire::WireError;

/// What a call on the ledger can fail with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// No such inode, entry, version or attribute.
    #[error("no such entry")]
    NotFound,
    /// The name is taken.
    #[error("the name exists already")]
    Exists,
    /// A directory was needed.
    #[error("not a directory")]
    NotDirectory,
    /// Something else than a directory was needed.
    #[error("is a directory")]
    IsDirectory,
    /// The directory still has names in it.
    #[error("the directory is not empty")]
    NotEmpty,
    /// The name is empty, too long, `.` or `..`, or has a slash or a NUL in it.
    #[error("not a possible name")]
    BadName,
    /// A value is longer than the format holds, or a content breaks its bounds. Split it.
    #[error("too large")]
    TooLarge,
    /// The directory would become its own ancestor.
    #[error("a directory cannot be moved into itself")]
    Loop,
    /// What was asked makes no sense for this kind of inode.
    #[error("not possible for this kind of inode")]
    WrongKind,
    /// The version's content is outside the history that is kept.
    #[error("this version is no longer kept")]
    Expired,
    /// A batch is still being written: thaw it first, then freeze again.
    #[error("the batch before is not written yet")]
    StillFrozen,
    /// A workspace is in this store already, or none is.
    #[error("{0}")]
    Setup(&'static str),
    /// An earlier failure left a change half made in memory; nothing more is committed. Open the ledger again.
    #[error("the tree takes no changes after a failure; open it again")]
    Poisoned,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row or an edit is damaged. Restore the database, or rebuild it from the logs on the hosts.
    #[error("a stored record is damaged: {0}")]
    Damaged(#[from] WireError),
    /// The roster refused a change.
    #[error(transparent)]
    Roster(#[from] crate::roster::RosterError),
    /// A logged transaction could not be opened.
    #[error("a logged transaction could not be read: {0}")]
    Log(#[from] TransactionError),
}
