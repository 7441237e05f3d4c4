//! New inodes.

use ledger::{Inode, Ledger, NewNode as LedgerNode};

use super::lookup::check_name;
use crate::core::{Core, now};
use crate::{Attr, Drive, Error, Ino, Kind, NewNode, OpenFlags, Opened};

const SET_GROUP_ID: u32 = 0o2000;
/// Longest target of a symlink, bytes (Linux's `PATH_MAX`, its final NUL not counted).
const TARGET_MAX_BYTES: usize = 4095;

impl Drive {
    /// Makes a directory, symlink, fifo, socket, device node or empty file.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotFound`] when the directory is gone, [`Error::NoSpace`], [`Error::ReadOnly`].
    pub fn make_node(&self, dir: Ino, name: &[u8], node: NewNode<'_>) -> Result<Attr, Error> {
        let inode = self.core.make(dir, name, node)?;
        self.core.show(inode.ino)
    }

    /// Makes a file and opens it.
    ///
    /// # Errors
    /// As [`Drive::make_node`].
    pub fn create(
        &self,
        dir: Ino,
        name: &[u8],
        node: NewNode<'_>,
        flags: OpenFlags,
    ) -> Result<(Attr, Opened), Error> {
        let inode = self.core.make(dir, name, NewNode { kind: Kind::File, ..node })?;
        let opened = self.core.open_new(inode.ino, flags);
        match self.core.show(inode.ino) {
            Ok(attr) => Ok((attr, opened)),
            Err(error) => {
                self.release(opened.handle);
                Err(error)
            }
        }
    }
}

impl Core {
    fn make(&self, dir: Ino, name: &[u8], node: NewNode<'_>) -> Result<Inode, Error> {
        check_name(name)?;
        if node.kind == Kind::Symlink && node.target.is_empty() {
            return Err(Error::NotFound);
        }
        if node.target.len() > TARGET_MAX_BYTES {
            return Err(Error::NameTooLong);
        }
        self.has_room(0)?;
        let (made, uncommitted) = {
            let mut ledger = self.ledger.write();
            let parent = self.open_directory(&ledger, dir)?;
            if ledger.lookup(dir, name).map_err(|error| self.ledger_error(&error))?.is_some() {
                return Err(Error::Exists);
            }
            let new = inherit(&parent, node);
            let made =
                ledger.create_node(now(), dir, name, new).map_err(|error| self.ledger_error(&error))?;
            (made, ledger.uncommitted_bytes())
        };
        self.committer.wake();
        self.throttle(uncommitted);
        Ok(made)
    }

    /// The directory, if it can take names: it is one, and was not removed.
    pub(crate) fn open_directory(&self, ledger: &Ledger, dir: Ino) -> Result<Inode, Error> {
        match ledger.inode(dir).map_err(|error| self.ledger_error(&error))? {
            Some(inode) if inode.kind != Kind::Directory => Err(Error::NotDirectory),
            Some(inode) if inode.nlink > 0 => Ok(inode),
            _ => Err(Error::NotFound),
        }
    }
}

/// A set-group-id directory gives its group to what is made in it, and directories the bit as well.
fn inherit<'a>(parent: &Inode, node: NewNode<'a>) -> LedgerNode<'a> {
    let inherits = parent.mode & SET_GROUP_ID != 0;
    let bit = if inherits && node.kind == Kind::Directory { SET_GROUP_ID } else { 0 };
    LedgerNode {
        kind: node.kind,
        mode: (node.mode & 0o7777) | bit,
        uid: node.uid,
        gid: if inherits { parent.gid } else { node.gid },
        rdev: u64::from(node.rdev),
        target: node.target,
    }
}
