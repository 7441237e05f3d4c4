//! The one seam every disk access of the store passes.
//!
//! ```text
//!  packs, index, tree ──▶ dyn Disk ──┬─ OsDisk       the real one
//!                                    ├─ MemoryDisk   keeps written and durable apart; can lose its power
//!                                    └─ FaultyDisk   wraps another and breaks the operation it was told to
//!  redb ──▶ DatabaseFile (optionally AES-256-XTS) ──▶ dyn Disk
//!  fsync ─▶ JournalFile (sealed records) ──▶ dyn Disk
//! ```

mod database;
mod faulty;
pub mod journal;
mod memory;
mod os;
mod sectors;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use database::DatabaseFile;
pub use faulty::{Breaks, Fault, FaultKind, FaultPlan, FaultyDisk};
pub use journal::{JournalError, JournalFile, LastRecord, Replayed, TakenOver};
pub use memory::MemoryDisk;
pub use os::OsDisk;
pub use sectors::{SECTOR_BYTES, SectorKey};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    ReadWrite,
    /// For reading and writing; made if missing.
    Create,
    /// For reading and writing; it must not exist.
    CreateNew,
}

/// Room on the disk that holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Size of the file system, bytes.
    pub total_bytes: u64,
    /// Bytes this user may still write.
    pub free_bytes: u64,
}

/// A file system, as much of it as a store needs. All errors are the system's.
pub trait Disk: Send + Sync + Debug + 'static {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// Whether something has this name.
    ///
    /// # Errors
    /// What the system says.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// The names in a folder, in no order.
    ///
    /// # Errors
    /// What the system says; names that are not Unicode are left out, since none of ours are.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Renames a file, replacing what has the new name.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a folder durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Room on the disk that holds this path.
    ///
    /// # Errors
    /// What the system says.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;
}

/// An open file, read and written by position from any thread.
pub trait DiskFile: Send + Sync + Debug {
    /// Length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file is empty.
    ///
    /// # Errors
    /// What the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` from the bytes at `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before the buffer is full, else what the system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`, growing the file as needed.
    ///
    /// # Errors
    /// What the system says; part of the data may have been written.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Writes these pieces one behind the other at `offset`, as one `write_at` would. `read_again: false` says that they will hardly
    /// be read soon: the system need not keep them in memory.
    ///
    /// # Errors
    /// Those of [`DiskFile::write_at`].
    fn write_pieces_at(&self, offset: u64, pieces: &mut [IoSlice<'_>], read_again: bool) -> io::Result<()> {
        let _ = read_again;
        let joined = pieces.iter().map(|piece| &**piece).collect::<Vec<_>>().concat();
        self.write_at(offset, &joined)
    }

    /// Cuts the file, or grows it with zeros.
    ///
    /// # Errors
    /// What the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// What the system says. After an error the state of unsynced bytes is unknown.
    fn sync_data(&self) -> io::Result<()>;
}
