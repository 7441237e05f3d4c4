//! What happens to an index that turns out to be broken: it is no loss, but it must not be met again.
//!
//! redb verifies its pages when it repairs, not when it reads. Where a page holds what redb never wrote there (the disk lost a write),
//! it ends in a panic or reads on in what is there. Neither can serve wrong bytes: a chunk found at the wrong place does not hash to
//! its id. Here a panic becomes an error, and the file is removed, so that the next start builds the index from the packs.

use std::ops::Deref;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::Database;

use crate::disk::Disk;
use crate::error::StoreError;

pub(super) struct Breakage {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    found: AtomicBool,
    distrusted: AtomicBool,
}

impl Breakage {
    pub(super) fn of(disk: &Arc<dyn Disk>, path: &Path) -> Self {
        Self {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            found: AtomicBool::new(false),
            distrusted: AtomicBool::new(false),
        }
    }

    /// The index is to be built anew at the next start.
    pub(super) fn distrust(&self) {
        self.distrusted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_distrusted(&self) -> bool {
        self.distrusted.load(Ordering::Relaxed)
    }

    /// Runs a piece of work on the database.
    pub(super) fn watch<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        unless_broken(work).inspect_err(|error| {
            if matches!(error, StoreError::Index(redb::Error::Corrupted(_))) {
                self.give_up();
            }
        })
    }

    fn give_up(&self) {
        if self.found.swap(true, Ordering::Relaxed) {
            return;
        }
        match self.disk.remove(&self.path) {
            Ok(()) => tracing::error!("the chunk index is broken; the next start builds it from the packs"),
            Err(error) => {
                tracing::error!(%error, path = %self.path.display(), "remove the broken chunk index");
            }
        }
    }
}

/// A database that may be closed after a panic inside it: closing it panics again.
pub(super) struct Owned(Option<Database>);

impl Owned {
    pub(super) const fn of(database: Database) -> Self {
        Self(Some(database))
    }
}

impl Deref for Owned {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("it is only taken out when it is dropped")
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let database = self.0.take();
        // What was broken was told when it was met.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

/// A panic of the database becomes an error.
pub(super) fn unless_broken<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let why = "a page of it is not what was written there".to_owned();
        Err(StoreError::index(redb::Error::Corrupted(why)))
    })
}
