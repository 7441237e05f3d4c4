//! A folder's entries, with what a person wants to know of each.

use ledger::Entry;

use crate::core::Core;
use crate::safety::{FileSafety, SafetyView};
use crate::{Attr, Drive, Error, Ino, Kind};

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name; of the root nothing.
    pub name: Vec<u8>,
    /// Its attributes.
    pub attr: Attr,
    /// Of a file: how safe it is.
    pub safety: Option<FileSafety>,
    /// It has versions that await a decision.
    pub conflict: bool,
    /// Of a folder: how many names are in it.
    pub entries: Option<u64>,
}

/// A part of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPage {
    /// In the order of the tree, which is none that people know.
    pub entries: Vec<Listed>,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
}

impl Drive {
    /// At least one and about `limit` entries of the folder at `path` behind `after` (0 to begin). Positions stay good while names
    /// come and go.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`], [`Error::Io`].
    pub fn list_folder(&self, path: &[u8], after: u64, limit: usize) -> Result<ListedPage, Error> {
        let core = &self.core;
        let dir = self.resolve(path)?;
        if core.inode(dir)?.kind != Kind::Directory {
            return Err(Error::NotDirectory);
        }
        let limit = limit.max(1);
        let mut names: Vec<Entry> = Vec::with_capacity(limit);
        core.ledger.read().list(dir, after, limit, &mut names).map_err(|error| core.ledger_error(&error))?;
        let next = names.last().filter(|_| names.len() >= limit).map(|last| last.cookie);
        let view = core.safety_view();
        let mut entries = Vec::with_capacity(names.len());
        for entry in names {
            match core.listed(&view, entry.ino, entry.name) {
                // Removed since it was listed.
                Err(Error::NotFound) => {}
                listed => entries.push(listed?),
            }
        }
        Ok(ListedPage { entries, next })
    }

    /// The same for one path.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`].
    pub fn listed(&self, path: &[u8]) -> Result<Listed, Error> {
        let ino = self.resolve(path)?;
        let name = self.place(path).map(|(_, name)| name.to_vec()).unwrap_or_default();
        self.core.listed(&self.core.safety_view(), ino, name)
    }
}

impl Core {
    pub(super) fn listed(&self, view: &SafetyView, ino: Ino, name: Vec<u8>) -> Result<Listed, Error> {
        let attr = self.show(ino)?;
        let inode = self.inode(ino)?;
        let unsettled = self.nodes.get(ino).is_some_and(|node| node.lock().dirty.is_some());
        let safety = view.of(inode.head.map(|head| head.version), unsettled);
        Ok(Listed {
            name,
            attr,
            safety: (inode.kind == Kind::File).then_some(safety),
            conflict: inode.conflicts > 0,
            entries: (inode.kind == Kind::Directory).then_some(inode.entries),
        })
    }
}
