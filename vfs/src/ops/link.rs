//! Hard links.

use super::lookup::check_name;
use crate::core::now;
use crate::{Attr, Drive, Error, Ino, Kind};

/// Names one inode can have; what the common file systems allow.
const LINKS_MAX: u32 = 65_000;

impl Drive {
    /// Gives an inode another name.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] for a directory, [`Error::Exists`], [`Error::NotFound`] when the inode was deleted, [`Error::TooManyLinks`].
    pub fn link(&self, ino: Ino, dir: Ino, name: &[u8]) -> Result<Attr, Error> {
        let core = &self.core;
        check_name(name)?;
        core.has_room(0)?;
        let uncommitted = {
            let mut ledger = core.ledger.write();
            let wrong = |error| core.ledger_error(&error);
            core.open_directory(&ledger, dir)?;
            let inode = ledger.inode(ino).map_err(wrong)?.ok_or(Error::NotFound)?;
            match inode.kind {
                Kind::Directory => return Err(Error::NotPermitted),
                _ if inode.nlink == 0 => return Err(Error::NotFound),
                _ if inode.nlink >= LINKS_MAX => return Err(Error::TooManyLinks),
                _ => {}
            }
            if ledger.lookup(dir, name).map_err(wrong)?.is_some() {
                return Err(Error::Exists);
            }
            ledger.link(now(), ino, dir, name).map_err(wrong)?;
            ledger.uncommitted_bytes()
        };
        core.committer.wake();
        core.throttle(uncommitted);
        core.show(ino)
    }
}
