//! Names to inodes, inodes to attributes.

use ledger::Inode;

use crate::content::HOLE_MIN_BYTES;
use crate::content::manifest::data_bytes;
use crate::core::Core;
use crate::node::State;
use crate::{Attr, Drive, Error, Ino, Kind, Ownership};

/// Longest name, bytes (Linux's `NAME_MAX`).
pub(crate) const NAME_MAX_BYTES: usize = 255;
/// Bytes of a block in `st_blocks`.
const STAT_BLOCK_BYTES: u64 = 512;
/// What a directory shows as its size, whatever it holds. Bytes.
const DIRECTORY_BYTES: u64 = 4096;

impl Drive {
    /// What a name in a directory leads to.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`], [`Error::NameTooLong`].
    pub fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Attr, Error> {
        let core = &self.core;
        check_name(name)?;
        let ino = {
            let ledger = core.ledger.read();
            match ledger.lookup(dir, name).map_err(|error| core.ledger_error(&error))? {
                Some(entry) => entry.ino,
                None => return Err(core.missing_in(&ledger, dir)),
            }
        };
        core.show(ino)
    }

    /// The attributes of an inode.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn attr(&self, ino: Ino) -> Result<Attr, Error> {
        self.core.show(ino)
    }

    /// The target of a symlink.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else.
    pub fn read_link(&self, ino: Ino) -> Result<Vec<u8>, Error> {
        let inode = self.core.inode(ino)?;
        if inode.kind == Kind::Symlink { Ok(inode.target) } else { Err(Error::Invalid) }
    }

    /// The inode a path leads to, from the root and without following symlinks; empty parts are passed over.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`].
    pub fn resolve(&self, path: &[u8]) -> Result<Ino, Error> {
        path.split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .try_fold(crate::ROOT, |dir, name| self.lookup(dir, name).map(|attr| attr.ino))
    }
}

impl Core {
    /// The ledger's inode.
    pub(crate) fn inode(&self, ino: Ino) -> Result<Inode, Error> {
        let found = self.ledger.read().inode(ino).map_err(|error| self.ledger_error(&error))?;
        found.ok_or(Error::NotFound)
    }

    /// Why a name is not there: because it is not, or because the directory is none.
    pub(crate) fn missing_in(&self, ledger: &ledger::Ledger, dir: Ino) -> Error {
        match ledger.inode(dir) {
            Ok(Some(inode)) if inode.kind != Kind::Directory => Error::NotDirectory,
            Ok(_) => Error::NotFound,
            Err(error) => self.ledger_error(&error),
        }
    }

    /// An inode's attributes, unsettled changes included. Takes the node's lock, then the ledger's: call it with neither.
    ///
    /// The node comes first: what the settler publishes and lets go between two looks would be in neither of them, and a kernel
    /// would believe the old size for as long as it caches.
    pub(crate) fn show(&self, ino: Ino) -> Result<Attr, Error> {
        let node = self.nodes.get(ino);
        let state = node.as_ref().map(|node| node.lock());
        let ledger = self.ledger.read();
        let wrong = |error| self.ledger_error(&error);
        let inode = ledger.inode(ino).map_err(wrong)?.ok_or(Error::NotFound)?;
        let mut attr = self.settled_attr(&inode);
        let unsettled = state.as_ref().is_some_and(|state| overlay_attr(&mut attr, state));
        if !unsettled && inode.kind == Kind::File && attr.size >= HOLE_MIN_BYTES {
            let content = ledger.content(ino).map_err(wrong)?;
            let data = content.map_or(0, |(_, size, content)| data_bytes(&content, size));
            attr.blocks = data.div_ceil(STAT_BLOCK_BYTES);
        }
        Ok(attr)
    }

    fn settled_attr(&self, inode: &Inode) -> Attr {
        let (uid, gid) = match self.settings.ownership {
            Ownership::MapTo { uid, gid } => (uid, gid),
            Ownership::Posix => (inode.uid, inode.gid),
        };
        let size = match inode.kind {
            Kind::Directory => DIRECTORY_BYTES,
            Kind::Symlink => inode.target.len() as u64,
            // What another member says of a size is shown as far as a system call can say it.
            _ => inode.size.min(i64::MAX as u64),
        };
        Attr {
            ino: inode.ino,
            kind: inode.kind,
            mode: inode.mode,
            nlink: inode.nlink,
            uid,
            gid,
            rdev: u32::try_from(inode.rdev).unwrap_or(u32::MAX),
            size,
            blocks: size.div_ceil(STAT_BLOCK_BYTES),
            atime: inode.atime,
            mtime: inode.mtime,
            ctime: inode.ctime,
            crtime: inode.crtime,
        }
    }
}

/// Puts what is not settled over the ledger's attributes; false if all is settled.
fn overlay_attr(attr: &mut Attr, state: &State) -> bool {
    if let Some(dirty) = state.dirty {
        attr.mtime = dirty.mtime;
        attr.ctime = attr.ctime.max(dirty.ctime);
    }
    match &state.content {
        Some(content) if state.dirty.is_some() || state.opens > 0 => {
            attr.size = content.size;
            attr.blocks = content.data_bytes().div_ceil(STAT_BLOCK_BYTES);
            true
        }
        _ => {
            if let Some(size) = state.rows_unread {
                attr.size = size;
            }
            state.dirty.is_some()
        }
    }
}

/// Refuses what no directory can hold.
pub(crate) fn check_name(name: &[u8]) -> Result<(), Error> {
    match name {
        [] => Err(Error::NotFound),
        _ if name.len() > NAME_MAX_BYTES => Err(Error::NameTooLong),
        _ if name.contains(&b'/') || name.contains(&0) => Err(Error::Invalid),
        _ => Ok(()),
    }
}
