//! Names to inodes, inodes to attributes.

use ledger::Inode;

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
        let inode = {
            let ledger = core.ledger.read();
            let wrong = |error| core.ledger_error(&error);
            match ledger.lookup(dir, name).map_err(wrong)? {
                Some(entry) => ledger.inode(entry.ino).map_err(wrong)?.ok_or(Error::NotFound)?,
                None => return Err(core.missing_in(&ledger, dir)),
            }
        };
        Ok(core.show(&inode))
    }

    /// The attributes of an inode.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn attr(&self, ino: Ino) -> Result<Attr, Error> {
        Ok(self.core.show(&self.core.inode(ino)?))
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

    /// An inode's attributes, unsettled changes included. Takes the node's lock: never call it with the ledger's.
    pub(crate) fn show(&self, inode: &Inode) -> Attr {
        let mut attr = self.settled_attr(inode);
        if inode.kind == Kind::File
            && let Some(node) = self.nodes.get(inode.ino)
        {
            overlay_attr(&mut attr, &node.lock());
        }
        attr
    }

    fn settled_attr(&self, inode: &Inode) -> Attr {
        let (uid, gid) = match self.settings.ownership {
            Ownership::MapTo { uid, gid } => (uid, gid),
            Ownership::Posix => (inode.uid, inode.gid),
        };
        let size = match inode.kind {
            Kind::Directory => DIRECTORY_BYTES,
            Kind::Symlink => inode.target.len() as u64,
            _ => inode.size,
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

fn overlay_attr(attr: &mut Attr, state: &State) {
    if let (Some(content), true) = (&state.content, state.dirty.is_some() || state.opens > 0) {
        attr.size = content.size;
        attr.blocks = attr.size.div_ceil(STAT_BLOCK_BYTES);
    }
    if let Some(dirty) = state.dirty {
        attr.mtime = dirty.mtime;
        attr.ctime = attr.ctime.max(dirty.ctime);
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
