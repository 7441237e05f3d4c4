//! Listing directories.

use ledger::Entry;

use crate::core::Core;
use crate::{DirItem, Drive, Error, Handle, Ino, Kind, ROOT};

/// Names fetched from the tree at once.
const LIST_STEP_ENTRIES: usize = 128;
/// Position behind `.`; names of the tree come behind [`PARENT_COOKIE`].
const SELF_COOKIE: u64 = 1;
/// Position behind `..`.
const PARENT_COOKIE: u64 = 2;

impl Drive {
    /// Opens a directory for listing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`].
    pub fn open_dir(&self, ino: Ino) -> Result<Handle, Error> {
        match self.core.inode(ino)?.kind {
            Kind::Directory => Ok(self.core.handles.add_directory(ino)),
            _ => Err(Error::NotDirectory),
        }
    }

    /// Closes a directory.
    pub fn release_dir(&self, handle: Handle) {
        self.core.handles.remove_directory(handle);
    }

    /// Lists names behind `after_cookie` (0 to begin), `.` and `..` first, until `each` answers false: that name was not taken.
    /// Positions stay good while names come and go.
    ///
    /// # Errors
    /// [`Error::BadHandle`], [`Error::Io`].
    pub fn read_dir(
        &self,
        handle: Handle,
        after_cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirItem<'_>) -> bool,
    ) -> Result<(), Error> {
        let core = &self.core;
        let dir = core.handles.directory(handle)?;
        if !core.dots(dir, after_cookie, with_attr, each)? {
            return Ok(());
        }
        let mut after = after_cookie.max(PARENT_COOKIE) - PARENT_COOKIE;
        let mut entries: Vec<Entry> = Vec::with_capacity(LIST_STEP_ENTRIES);
        loop {
            entries.clear();
            core.ledger
                .read()
                .list(dir, after, LIST_STEP_ENTRIES, &mut entries)
                .map_err(|error| core.ledger_error(&error))?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.cookie;
            for entry in &entries {
                let attr = if with_attr {
                    match self.attr(entry.ino) {
                        Ok(attr) => Some(attr),
                        // Removed since it was listed.
                        Err(Error::NotFound) => continue,
                        Err(error) => return Err(error),
                    }
                } else {
                    None
                };
                let cookie = entry.cookie + PARENT_COOKIE;
                let item = DirItem { ino: entry.ino, kind: entry.kind, name: &entry.name, cookie, attr };
                if !each(item) {
                    return Ok(());
                }
            }
        }
    }
}

impl Core {
    /// The two names every directory has; false when the reader is full.
    fn dots(
        &self,
        dir: Ino,
        after_cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirItem<'_>) -> bool,
    ) -> Result<bool, Error> {
        let above = || -> Result<Ino, Error> {
            let above = self.ledger.read().parents(dir).map_err(|error| self.ledger_error(&error))?;
            Ok(above.first().map_or(ROOT, |(parent, _)| *parent))
        };
        for (cookie, name) in [(SELF_COOKIE, b".".as_slice()), (PARENT_COOKIE, b"..".as_slice())] {
            if after_cookie >= cookie {
                continue;
            }
            let ino = if cookie == SELF_COOKIE { dir } else { above()? };
            let attr = if with_attr { Some(self.show(ino)?) } else { None };
            if !each(DirItem { ino, kind: Kind::Directory, name, cookie, attr }) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
