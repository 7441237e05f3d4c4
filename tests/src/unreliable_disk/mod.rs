//! A disk that loses its power, or breaks, when it is told to.
//!
//! A FUSE file system in memory, to lie under a daemon's data folder. What is written is there for who reads it, and is on
//! the disk only when the file is synced; a name is when its folder is. At a [cut](UnreliableDisk::cut) each 4 KiB block,
//! length and name that was not synced is kept or lost by chance: in any order, as a disk's own cache may have it.

mod adapter;
mod file;
mod folder;
mod platter;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fuser::{BackgroundSession, Config, MountOption};
use parking_lot::Mutex;

use adapter::Adapter;
use platter::Platter;

use crate::Dice;

/// Threads that answer the kernel.
const THREADS: usize = 2;

/// The disk, mounted until it is dropped.
pub struct UnreliableDisk {
    path: PathBuf,
    inside: Arc<Inside>,
    session: Option<BackgroundSession>,
}

/// What the adapter works on.
#[derive(Default)]
struct Inside {
    platter: Mutex<Platter>,
    /// Everything that changes something fails from now on.
    fails_changes: AtomicBool,
    /// So does reading files.
    fails_reads: AtomicBool,
    /// Changes refused so far.
    refused: AtomicU64,
}

/// What of the unsynced state was kept at a cut, and what was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Unsynced blocks that are there.
    pub blocks_kept: u64,
    /// Unsynced blocks that are not.
    pub blocks_lost: u64,
    /// Unsynced changes of names that are there.
    pub names_kept: u64,
    /// Unsynced changes of names that are not.
    pub names_lost: u64,
}

impl UnreliableDisk {
    /// Mounts an empty one.
    ///
    /// # Panics
    /// When it cannot be mounted: it needs root, or `fusermount3`.
    #[must_use]
    pub fn mount(path: &Path) -> Self {
        let inside = Arc::<Inside>::default();
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("unreliable".into()), MountOption::NoAtime];
        config.n_threads = Some(THREADS);
        config.clone_fd = true;
        let session = fuser::spawn_mount(Adapter { inside: Arc::clone(&inside) }, path, &config)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path: path.to_owned(), inside, session: Some(session) }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The power goes, and comes back: nobody may have a file open there.
    pub fn cut(&self, dice: &mut Dice) -> Cut {
        self.inside.platter.lock().cut(dice)
    }

    /// From now on whatever changes something is answered with EIO, syncs too.
    pub fn fail_changes(&self) {
        self.inside.fails_changes.store(true, Ordering::SeqCst);
    }

    /// From now on reading files is answered with EIO.
    pub fn fail_reads(&self) {
        self.inside.fails_reads.store(true, Ordering::SeqCst);
    }

    /// It works again.
    pub fn mend(&self) {
        self.inside.fails_changes.store(false, Ordering::SeqCst);
        self.inside.fails_reads.store(false, Ordering::SeqCst);
    }

    /// How many changes were answered with EIO.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.inside.refused.load(Ordering::SeqCst)
    }
}

impl Drop for UnreliableDisk {
    fn drop(&mut self) {
        // Lazily: whatever is still open there must not keep the test's end.
        crate::daemon::unmount(&self.path);
        if let Some(session) = self.session.take() {
            // A failure shows itself when the folder is deleted.
            let _ = session.umount_and_join();
        }
    }
}
