//! Folders.

use crate::{Attr, Change, Drive, Error, Ino, Kind, NewNode};

impl Drive {
    /// Makes a folder; what lies above it is made as well.
    ///
    /// # Errors
    /// [`Error::Exists`] when something has this name, and what [`Drive::make_node`] answers.
    pub fn make_folder(&self, path: &[u8]) -> Result<Attr, Error> {
        let above = self.directories_of(path)?;
        let (_, name) = self.place(path)?;
        let made = self.make_directory(above, name)?;
        self.core.changes.wait_until_handled();
        Ok(made)
    }

    /// The directory of a path, made again where it is missing.
    pub(crate) fn directories_of(&self, path: &[u8]) -> Result<Ino, Error> {
        let mut parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        parts.next_back();
        let mut dir = crate::ROOT;
        for name in parts {
            dir = match self.lookup(dir, name) {
                Ok(attr) => attr.ino,
                Err(Error::NotFound) => match self.make_directory(dir, name) {
                    // Somebody else was faster.
                    Err(Error::Exists) => self.lookup(dir, name)?.ino,
                    made => made?.ino,
                },
                Err(error) => return Err(error),
            };
        }
        Ok(dir)
    }

    /// A directory as its parent is, and told.
    pub(super) fn make_directory(&self, dir: Ino, name: &[u8]) -> Result<Attr, Error> {
        let made = self.make_node(dir, name, self.node_like(dir, Kind::Directory)?)?;
        self.core.changes.tell(&Change::Entry { dir, name: name.to_vec() });
        self.core.changes.tell(&Change::Attributes(dir));
        Ok(made)
    }

    /// What is made without a caller's ids and mode has those of its directory; files run nothing.
    pub(super) fn node_like(&self, dir: Ino, kind: Kind) -> Result<NewNode<'static>, Error> {
        let above = self.core.inode(dir)?;
        let mode = if kind == Kind::Directory { above.mode } else { above.mode & 0o666 };
        Ok(NewNode { kind, mode, uid: above.uid, gid: above.gid, rdev: 0, target: b"" })
    }
}
