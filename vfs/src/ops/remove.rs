//! Names that go.

use ledger::Ledger;

use super::lookup::check_name;
use crate::core::{Core, now};
use crate::{Drive, Error, Ino, Kind};

impl Drive {
    /// Takes a name of anything but a directory away; the content stays until the last handle is closed, and in the history.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsDirectory`].
    pub fn unlink(&self, dir: Ino, name: &[u8]) -> Result<(), Error> {
        self.core.remove(
            dir,
            name,
            |kind| if kind == Kind::Directory { Err(Error::IsDirectory) } else { Ok(()) },
        )
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`], [`Error::NotEmpty`].
    pub fn remove_dir(&self, dir: Ino, name: &[u8]) -> Result<(), Error> {
        self.core.remove(
            dir,
            name,
            |kind| if kind == Kind::Directory { Ok(()) } else { Err(Error::NotDirectory) },
        )
    }
}

impl Core {
    fn remove(
        &self,
        dir: Ino,
        name: &[u8],
        allowed: impl FnOnce(Kind) -> Result<(), Error>,
    ) -> Result<(), Error> {
        check_name(name)?;
        self.changeable()?;
        let (gone, uncommitted) = {
            let mut ledger = self.ledger.write();
            let wrong = |error| self.ledger_error(&error);
            let Some(entry) = ledger.lookup(dir, name).map_err(wrong)? else {
                return Err(self.missing_in(&ledger, dir));
            };
            allowed(entry.kind)?;
            self.check_empty(&ledger, entry.ino, entry.kind)?;
            let gone = ledger.unlink(now(), dir, name).map_err(wrong)?;
            if gone.nlink_left == 0 {
                // In the same batch: rows of a file without a name bring it back at a start, as after a delete elsewhere.
                self.drop_dirty_rows(&mut ledger, gone.ino)?;
            }
            (gone, ledger.uncommitted_bytes())
        };
        if gone.nlink_left == 0 {
            self.let_go(gone.ino);
        }
        self.committer.wake();
        self.throttle(uncommitted);
        Ok(())
    }

    /// Refuses a directory with names in it.
    pub(crate) fn check_empty(&self, ledger: &Ledger, ino: Ino, kind: Kind) -> Result<(), Error> {
        if kind != Kind::Directory {
            return Ok(());
        }
        let mut first = Vec::new();
        ledger.list(ino, 0, 1, &mut first).map_err(|error| self.ledger_error(&error))?;
        if first.is_empty() { Ok(()) } else { Err(Error::NotEmpty) }
    }

    /// The last name of an inode is gone: what was not settled of it is not wanted, unless it is still open.
    pub(crate) fn let_go(&self, ino: Ino) {
        let Some(node) = self.nodes.get(ino) else { return };
        let mut state = node.lock();
        state.rows_stale = true;
        if state.opens == 0
            && let Err(error) = self.forget_changes(ino, &mut state)
        {
            tracing::warn!(ino, %error, "a deleted file's unsettled rows stay until the next start");
        }
        self.nodes.release(&node, state);
    }
}
