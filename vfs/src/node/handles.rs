//! Open files and directories by handle number.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use super::Node;
use crate::fetch_ahead::Ahead;
use crate::{Error, Handle, Ino, OpenFlags};

/// An open file.
pub(crate) struct OpenFile {
    /// Its inode.
    pub(crate) node: Arc<Node>,
    /// How it was opened.
    pub(crate) flags: OpenFlags,
    /// Where the last read ended, to notice a sequential reader. Bytes.
    pub(crate) read_end: AtomicU64,
    /// What was fetched ahead of him.
    pub(crate) ahead: Ahead,
    /// Which of the versions seen since the inode came into use it reads: see [`crate::remote::Elsewhere`].
    pub(crate) generation: u64,
    /// Its access time was looked at already.
    pub(crate) atime_done: AtomicBool,
}

/// All handles.
#[derive(Default)]
pub(crate) struct Handles {
    next: AtomicU64,
    files: RwLock<HashMap<u64, Arc<OpenFile>>>,
    directories: RwLock<HashMap<u64, Ino>>,
}

impl Handles {
    /// A handle for an open file.
    pub(crate) fn add_file(&self, node: Arc<Node>, flags: OpenFlags, generation: u64) -> Handle {
        let file = OpenFile {
            node,
            flags,
            read_end: AtomicU64::new(0),
            ahead: Ahead::default(),
            generation,
            atime_done: AtomicBool::new(false),
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        self.files.write().insert(number, Arc::new(file));
        Handle(number)
    }

    /// The file of a handle.
    pub(crate) fn file(&self, handle: Handle) -> Result<Arc<OpenFile>, Error> {
        self.files.read().get(&handle.0).cloned().ok_or(Error::BadHandle)
    }

    /// Closes a file's handle.
    pub(crate) fn remove_file(&self, handle: Handle) -> Option<Arc<OpenFile>> {
        self.files.write().remove(&handle.0)
    }

    /// No file is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.files.read().is_empty()
    }

    /// A handle for an open directory.
    pub(crate) fn add_directory(&self, ino: Ino) -> Handle {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        self.directories.write().insert(number, ino);
        Handle(number)
    }

    /// The directory of a handle.
    pub(crate) fn directory(&self, handle: Handle) -> Result<Ino, Error> {
        self.directories.read().get(&handle.0).copied().ok_or(Error::BadHandle)
    }

    /// Closes a directory's handle.
    pub(crate) fn remove_directory(&self, handle: Handle) {
        self.directories.write().remove(&handle.0);
    }
}
