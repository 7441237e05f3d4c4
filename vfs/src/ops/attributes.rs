//! Changing attributes.

use ledger::{AttributeChange, Now};

use super::write::FILE_MAX_BYTES;
use crate::core::{Core, now, wall_time};
use crate::node::State;
use crate::{Attr, AttrChange, Drive, Error, Handle, Ino, Kind, Ownership, Reply, Time, TimeChange};

impl Drive {
    /// Changes attributes; `handle` is the open file the call came through, if it did.
    pub fn set_attr(&self, ino: Ino, _handle: Option<Handle>, change: AttrChange, reply: Reply<Attr>) {
        self.core.answer(move |core| core.set_attr(ino, change), reply);
    }
}

impl Core {
    fn set_attr(&self, ino: Ino, change: AttrChange) -> Result<Attr, Error> {
        self.changeable()?;
        let inode = self.inode(ino)?;
        self.check_owner(change)?;
        if let Some(size) = change.size {
            match inode.kind {
                Kind::File if size > FILE_MAX_BYTES => return Err(Error::TooLarge),
                Kind::File => self.resize(ino, size)?,
                Kind::Directory => return Err(Error::IsDirectory),
                _ => return Err(Error::Invalid),
            }
        }
        let wall = wall_time();
        let mtime = change.mtime.map(|mtime| resolve(mtime, wall));
        let pending = match (inode.kind, self.nodes.get(ino)) {
            (Kind::File, Some(node)) => set_pending_mtime(&mut node.lock(), mtime, wall),
            _ => false,
        };
        let posix = self.settings.ownership == Ownership::Posix;
        let kept = AttributeChange {
            mode: change.mode.map(|mode| mode & 0o7777),
            uid: change.uid.filter(|_| posix),
            gid: change.gid.filter(|_| posix),
            mtime: mtime.filter(|_| !pending),
        };
        let mut ledger = self.ledger.write();
        let wrong = |error| self.ledger_error(&error);
        if kept.mode.is_some() || kept.uid.is_some() || kept.gid.is_some() || kept.mtime.is_some() {
            ledger.set_attributes(now(), ino, kept).map_err(wrong)?;
        }
        if let Some(atime) = change.atime {
            ledger.set_atime(ino, resolve(atime, wall)).map_err(wrong)?;
        }
        ledger.touch_ctime(Now { wall }, ino).map_err(wrong)?;
        drop(ledger);
        self.committer.wake();
        self.show(ino)
    }

    /// Where everything is shown as the mounting user's, it cannot be given away.
    fn check_owner(&self, change: AttrChange) -> Result<(), Error> {
        match self.settings.ownership {
            Ownership::MapTo { uid, gid }
                if change.uid.is_some_and(|new| new != uid) || change.gid.is_some_and(|new| new != gid) =>
            {
                Err(Error::NotPermitted)
            }
            _ => Ok(()),
        }
    }

    /// Sets a file's length.
    pub(crate) fn resize(&self, ino: Ino, size: u64) -> Result<(), Error> {
        self.nodes.with(ino, |node, state| {
            self.load(ino, state)?;
            let old = state.content().size;
            if old == size {
                state.touch(wall_time());
            } else {
                if size < old {
                    state.rows_stale |= state.persisted;
                }
                state.content().resize(size);
                state.touch(wall_time());
            }
            self.recount(state);
            self.changed(node, state);
            Ok(())
        })
    }
}

/// Unsettled changes carry their own times; true if the new time was put there.
fn set_pending_mtime(state: &mut State, mtime: Option<Time>, ctime: Time) -> bool {
    let Some(dirty) = &mut state.dirty else { return false };
    dirty.ctime = ctime;
    match mtime {
        Some(mtime) => {
            dirty.mtime = mtime;
            true
        }
        None => false,
    }
}

fn resolve(change: TimeChange, now: Time) -> Time {
    match change {
        TimeChange::Now => now,
        TimeChange::To(time) => time,
    }
}
