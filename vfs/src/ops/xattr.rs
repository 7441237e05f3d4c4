//! Extended attributes, and the few that the drive answers itself.

use crate::core::{Core, now};
use crate::people::version_text;
use crate::{Drive, Error, Ino, Kind, XattrMode};

/// Longest value, bytes (Linux's `XATTR_SIZE_MAX`).
const VALUE_MAX_BYTES: usize = 64 << 10;
/// Longest name, bytes (Linux's `XATTR_NAME_MAX`).
const NAME_MAX_BYTES: usize = 255;
/// Bytes of all names of one inode (Linux's `XATTR_LIST_MAX`).
const NAMES_MAX_BYTES: usize = 64 << 10;
/// Names that the drive answers itself begin so; they cannot be set and are not listed.
const VIRTUAL: &[u8] = b"user.peerdrive.";

impl Drive {
    /// An extended attribute; `user.peerdrive.version`, `.state` and `.copies` tell of the file's content.
    ///
    /// # Errors
    /// [`Error::NoAttribute`].
    pub fn get_xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>, Error> {
        let core = &self.core;
        if let Some(question) = name.strip_prefix(VIRTUAL) {
            return core.virtual_xattr(ino, question);
        }
        let found = core.ledger.read().xattr(ino, name).map_err(|error| core.ledger_error(&error))?;
        found.ok_or(Error::NoAttribute)
    }

    /// The names of all that are kept.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list_xattr(&self, ino: Ino) -> Result<Vec<Vec<u8>>, Error> {
        let core = &self.core;
        core.ledger.read().xattrs(ino).map_err(|error| core.ledger_error(&error))
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// [`Error::Exists`] or [`Error::NoAttribute`] as `mode` asks, [`Error::TooLarge`], [`Error::Unsupported`] outside the
    /// namespaces `user.`, `trusted.` and `security.`.
    pub fn set_xattr(&self, ino: Ino, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Error> {
        let core = &self.core;
        core.check_xattr(ino, name)?;
        if value.len() > VALUE_MAX_BYTES {
            return Err(Error::TooLarge);
        }
        core.has_room(value.len() as u64)?;
        let mut ledger = core.ledger.write();
        let wrong = |error| core.ledger_error(&error);
        let there = ledger.xattr(ino, name).map_err(wrong)?.is_some();
        match mode {
            XattrMode::Create if there => return Err(Error::Exists),
            XattrMode::Replace if !there => return Err(Error::NoAttribute),
            _ => {}
        }
        if !there {
            let names = ledger.xattrs(ino).map_err(wrong)?;
            let used: usize = names.iter().map(|name| name.len() + 1).sum();
            if used + name.len() + 1 > NAMES_MAX_BYTES {
                return Err(Error::NoSpace);
            }
        }
        ledger.set_xattr(now(), ino, name, value).map_err(wrong)?;
        drop(ledger);
        core.committer.wake();
        Ok(())
    }

    /// Takes an extended attribute away.
    ///
    /// # Errors
    /// [`Error::NoAttribute`].
    pub fn remove_xattr(&self, ino: Ino, name: &[u8]) -> Result<(), Error> {
        let core = &self.core;
        core.check_xattr(ino, name)?;
        core.changeable()?;
        let mut ledger = core.ledger.write();
        let wrong = |error| core.ledger_error(&error);
        if ledger.xattr(ino, name).map_err(wrong)?.is_none() {
            return Err(Error::NoAttribute);
        }
        ledger.remove_xattr(now(), ino, name).map_err(wrong)?;
        drop(ledger);
        core.committer.wake();
        Ok(())
    }
}

impl Core {
    fn check_xattr(&self, ino: Ino, name: &[u8]) -> Result<(), Error> {
        if name.starts_with(VIRTUAL) {
            return Err(Error::NotPermitted);
        }
        let known =
            [b"user.".as_slice(), b"trusted.", b"security."].iter().any(|space| name.starts_with(space));
        if !known {
            return Err(Error::Unsupported);
        }
        if name.len() > NAME_MAX_BYTES || name.contains(&0) {
            return Err(Error::Invalid);
        }
        match self.inode(ino)?.kind {
            // What every Linux file system says: `user.` is for files and directories.
            Kind::File | Kind::Directory => Ok(()),
            _ if name.starts_with(b"user.") => Err(Error::NotPermitted),
            _ => Ok(()),
        }
    }

    fn virtual_xattr(&self, ino: Ino, question: &[u8]) -> Result<Vec<u8>, Error> {
        let inode = self.inode(ino)?;
        let unsettled = self.nodes.get(ino).is_some_and(|node| node.lock().dirty.is_some());
        let answer = match question {
            b"version" => match inode.head {
                Some(head) => version_text::to_text(head.version),
                None => return Err(Error::NoAttribute),
            },
            b"state" if unsettled => "unsettled".into(),
            b"state" => "only-here".into(),
            b"copies" => "1".into(),
            _ => return Err(Error::NoAttribute),
        };
        Ok(answer.into_bytes())
    }
}
