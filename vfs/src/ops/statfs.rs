//! Room on the drive.

use super::NAME_MAX_BYTES;
use crate::{Drive, Error, StatFs};

/// Unit of the counts, bytes.
const BLOCK_BYTES: u32 = 4096;
/// Tree bytes that a small file takes at most; tells how many more there can be.
const TREE_BYTES_PER_FILE: u64 = 1024;

impl Drive {
    /// What the drive holds and what can still be stored here (promise 10).
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn stat_fs(&self) -> Result<StatFs, Error> {
        let core = &self.core;
        let stats = core.ledger.read().stats();
        let usage = core.store.usage();
        let free = usage.can_store_bytes / u64::from(BLOCK_BYTES);
        Ok(StatFs {
            block_bytes: BLOCK_BYTES,
            blocks: usage.pack_bytes / u64::from(BLOCK_BYTES) + free,
            free,
            available: free,
            files: stats.files + stats.directories + usage.can_store_bytes / TREE_BYTES_PER_FILE,
            free_files: usage.can_store_bytes / TREE_BYTES_PER_FILE,
            name_max: u32::try_from(NAME_MAX_BYTES).expect("a short length"),
        })
    }
}
