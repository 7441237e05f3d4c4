//! Rows and where they are kept: tables of byte keys and values, written only in whole batches.

mod batch;
mod checked;
mod layer;
mod memory;
mod redb;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::batch::{Batch, EachChange};
pub use self::memory::MemoryBacking;
pub use self::redb::RedbBacking;
pub(crate) use layer::{Layer, Layers};

/// A table of rows. The numbers name the tables on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Format, counters, clock, frontier.
    Meta = 0,
    /// Inode number → inode row.
    Inodes = 1,
    /// (directory, name hash, name) → slot.
    Children = 2,
    /// Inode or entry id of another device → inode number.
    Ids = 3,
    /// (inode, version) → superseded and conflicting versions, and heads too long for the inode row.
    Versions = 4,
    /// (inode, name) → extended attribute.
    Xattrs = 5,
    /// (directory, name hash, name, stamp) → deleted link.
    Graves = 6,
    /// What needs looking at again when the merged tree changes.
    Contested = 7,
    /// (device, sequence) → sealed transaction.
    Log = 8,
    /// The roster's records.
    Roster = 9,
    /// Rows of this device alone.
    Local = 10,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 11] = [
        Self::Meta,
        Self::Inodes,
        Self::Children,
        Self::Ids,
        Self::Versions,
        Self::Xattrs,
        Self::Graves,
        Self::Contested,
        Self::Log,
        Self::Roster,
        Self::Local,
    ];
}

/// Why rows could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk failed. Nothing more is written until the store is opened again; check the disk.
    #[error("the tree's database failed: {0}; check the disk, then start again")]
    Failed(Arc<str>),
    /// An earlier write failed, so this one is refused: what is on disk is no longer known for sure.
    #[error("the tree's database failed before and takes no writes until it is opened again")]
    Latched,
    /// A row does not fit its check: the disk gave back something else than was written. Run the doctor; restore the database, or
    /// rebuild it from the logs on the hosts.
    #[error("a row of the tree's table {table:?} is damaged on the disk")]
    Damaged {
        /// Where.
        table: Table,
    },
    /// A page of the database holds what was never written there: the disk lost a write, or another file's page came back. Put a
    /// copy of the database back, or rebuild it from the logs on the hosts.
    #[error(
        "a page of the tree's database is not what was written there; check the disk and put a copy of the database back"
    )]
    Broken,
    /// Written by a newer version of this software. Update it.
    #[error("the tree's database has format {found}, this software knows up to {known}; update it")]
    Newer {
        /// The format found.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// Not a tree database, or opened with the wrong key.
    #[error("this is not a tree database, or the key does not fit")]
    Foreign,
}

/// What a walk over rows does with one, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// It is not wanted.
    Pass,
    /// It is wanted.
    Take,
    /// Neither this one nor any after it.
    Stop,
}

/// Where committed rows are kept.
pub trait Backing: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// The store failed.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Calls `f` with each row from `from` up to but without `to`, in rising order, until it answers `false`.
    ///
    /// # Errors
    /// The store failed.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.scan_some(table, from, to, &mut |_| Glance::Take, f)
    }

    /// The same for those rows alone that `glance` takes. Only they need fit their check: a key that nobody wants is looked at, not
    /// told.
    ///
    /// # Errors
    /// The store failed.
    fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        glance: &mut dyn FnMut(&[u8]) -> Glance,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError>;

    /// Writes a batch whole and durably. After the first failure every later call fails.
    ///
    /// # Errors
    /// The store failed, now or before.
    fn write(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Gives unused room back to the disk; slow. `false` when it cannot now.
    ///
    /// # Errors
    /// The store failed.
    fn compact(&self) -> Result<bool, StoreError>;

    /// Calls `f` with the key of each row from `from` on and whether the row fits its check, until it answers `false`.
    ///
    /// # Errors
    /// The store failed.
    fn check_rows(
        &self,
        table: Table,
        from: &[u8],
        f: &mut dyn FnMut(&[u8], bool) -> bool,
    ) -> Result<(), StoreError> {
        self.scan(table, from, None, &mut |key, _| f(key, true))
    }

    /// Reads all that is stored and compares it with the database's own sums: finds writes that the disk said it had done and lost.
    /// Slow, and everybody else waits. `false` when it cannot be done now.
    ///
    /// # Errors
    /// [`StoreError::Broken`]: nothing is written from then on; or the store failed.
    fn verify(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}
