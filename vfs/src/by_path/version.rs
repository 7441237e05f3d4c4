//! The content of an earlier version, read without bringing it back.

use std::sync::Arc;

use bytes::Bytes;

use crate::content::manifest::Manifest;
use crate::content::view::{FileContent, gather};
use crate::core::Core;
use crate::people::{PeopleError, RestoreAt, shown, told};
use crate::{Drive, Error, Reply, Time, wait};

/// A version that is being read.
#[derive(Clone)]
pub struct VersionContent {
    content: Arc<FileContent>,
    /// Its length, bytes.
    pub size: u64,
    /// When it was written.
    pub time: Time,
}

impl Drive {
    /// The version of `path`, or of a deleted file that had this name, with this id of [`Drive::history`]. Not for threads that answer
    /// a kernel.
    ///
    /// # Errors
    /// There is no such version (any more), or what it consists of is on no computer that can be reached.
    pub fn open_version(&self, path: &[u8], id: &str) -> Result<VersionContent, PeopleError> {
        let version = self.find_state(path, &RestoreAt::Version(id.into()))?.version;
        let core = &self.core;
        let wrong = |error| told(&format!("version {id} of {} cannot be read", shown(path)), error);
        let kept = core.ledger.read().content_of(version.ino, version.id);
        let (size, content) = kept.map_err(|error| wrong(core.ledger_error(&error)))?;
        let load = move |core: &Core| {
            let base = Manifest::load(&core.store, &content)?;
            let content = Arc::new(FileContent::settled(Arc::new(base), size));
            Ok(VersionContent { content, size, time: version.time })
        };
        wait(|reply| core.answer(load, reply)).map_err(wrong)
    }

    /// Reads up to `len` bytes at `offset`; fewer at the end. What was pruned meanwhile is [`Error::Io`].
    pub fn read_version(&self, version: &VersionContent, offset: u64, len: u32, reply: Reply<Bytes>) {
        let content = Arc::clone(&version.content);
        let read = move |core: &Core| -> Result<Bytes, Error> {
            let end = offset.saturating_add(u64::from(len)).min(content.size);
            if offset >= end {
                return Ok(Bytes::new());
            }
            gather(&core.store, &content.plan(&core.store, offset, end)?)
        };
        self.core.answer(read, reply);
    }
}
