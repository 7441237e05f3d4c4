//! The truth of a PeerDrive workspace: who belongs to it, what was done to its tree, and the tree that comes of it.
//! Pure and deterministic: no clock, no randomness of its own, no paths, no sockets, no threads.
//!
//! ```text
//!  identity   keys   roster            who
//!        └──────┴──────┴─► transaction     what travels: one device's edits, sealed and signed
//!                              │
//!  stamp   content   node   edit           what is said: stamped changes of registers
//!                              │
//!                            merge         what it comes to: the same on every device
//!                              │
//!                 tree ──► store           where it is kept: rows, in memory first, written in batches
//!                              │
//!                          Ledger          what everybody calls
//!
//!  SealedLogs                              what a host without keys keeps instead
//! ```

mod content;
mod edit;
mod error;
pub mod identity;
pub mod keys;
mod ledger;
mod merge;
mod node;
mod outline;
mod ranges;
pub mod roster;
mod sealed_logs;
mod stamp;
mod store;
pub mod transaction;
mod tree;
mod wire;

#[cfg(test)]
mod tests;

pub use content::{
    ChunkRef, Content, INLINE_MAX_BYTES, PAGE_DEPTH_MAX, PAGES_IN_VERSION, PIECES_IN_VERSION, Page, Piece,
};
pub use edit::decode_edits;
pub use error::LedgerError;
pub use ledger::{
    Accepted, AcceptedAll, Action, Beyond, Changed, CleanReport, Cursor, DamagedRow, Frontier,
    HELD_BYTES_MAX, HELD_TRANSACTIONS_MAX, HeldReason, Ledger, LogLine, NameCursor, OutlineCounters,
    PruneReport, RecordsTaken, RefusedReason, RowCursor,
};
pub use node::{
    AttributeChange, Conflict, DeletedEntry, Entry, EntryId, Head, Ino, Inode, InodeId, Kind, LocalSpace,
    NAME_MAX_BYTES, NewNode, NewVersion, ROOT, Rename, Renamed, Stats, TARGET_MAX_BYTES, Unlinked,
    VersionInfo, XATTR_NAME_MAX_BYTES, XATTR_VALUE_MAX_BYTES, is_name,
};
pub use outline::{OUTLINE_MAX_BYTES, OutlineError, decode_outline};
pub use sealed_logs::{SealedLogs, UNCOMMITTED_MAX_BYTES};
pub use stamp::{CLOCK_AHEAD_MAX_MS, Now, Stamp, Time, VersionId};
pub use store::{Backing, Batch, EachChange, Glance, MemoryBacking, RedbBacking, StoreError, Table};
pub use tree::decode_inode_row;
pub use wire::WireError;
