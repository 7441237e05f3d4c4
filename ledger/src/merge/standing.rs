//! What an edit that was taken in still says. An edit whose registers all have greater stamps says nothing: without it every
//! device comes to the same tree, because a join leaves out what is dominated.
//!
//! Births, the last place of a link (deleted or not) and the heads of deleted files are registers like any other: they stay.

use crate::edit::{Edit, Spot, Stamped};
use crate::error::LedgerError;
use crate::merge::{decode_xattr, xattr_key};
use crate::node::{EntryId, InodeId, ROOT};
use crate::stamp::{Stamp, VersionId};
use crate::store::Table;
use crate::tree::{InodeRow, State};

/// Whether an edit is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Some register has its value, or history keeps its content.
    Lives,
    /// Nothing has. `since`: clock of the latest edit that took a register from it, times of modification aside, which follow
    /// every other change.
    Superseded { since: u64 },
}

/// Registers, compared one after the other with the stamp of an edit that set them.
struct Look {
    stamp: Stamp,
    lives: bool,
    since: u64,
}

impl Look {
    fn at(&mut self, register: Stamp) {
        self.at_time(register);
        self.since = self.since.max(register.clock);
    }

    // Not greater means its own, or that it never arrived.
    fn at_time(&mut self, register: Stamp) {
        self.lives |= register <= self.stamp;
    }

    fn result(&self) -> Standing {
        if self.lives { Standing::Lives } else { Standing::Superseded { since: self.since } }
    }
}

impl State {
    /// How an edit that was taken in here stands. What cannot be told lives.
    pub(crate) fn standing(&self, stamped: &Stamped) -> Result<Standing, LedgerError> {
        let mut look = Look { stamp: stamped.stamp, lives: false, since: 0 };
        match &stamped.edit {
            Edit::Create { number, at, .. } => {
                let id = InodeId { device: stamped.stamp.device, number: *number };
                self.look_at_row(id, &mut look, |row, look| {
                    look.at(row.born.as_ref().map(|born| born.stamp).unwrap_or_default());
                })?;
                self.look_at_dir(at, &mut look)?;
            }
            Edit::Link { number, inode, at, .. } => {
                let entry = InodeId { device: stamped.stamp.device, number: *number };
                self.look_at_link(*inode, entry, &mut look)?;
                self.look_at_dir(at, &mut look)?;
            }
            Edit::Move { entry, inode, from, to, .. } => {
                self.look_at_link(*inode, *entry, &mut look)?;
                self.look_at_dir(from, &mut look)?;
                self.look_at_dir(to, &mut look)?;
            }
            Edit::Delete { entry, inode, at, .. } => {
                self.look_at_link(*inode, *entry, &mut look)?;
                self.look_at_dir(at, &mut look)?;
            }
            Edit::Attributes { inode, mode, owner, mtime } => {
                self.look_at_row(*inode, &mut look, |row, look| {
                    mode.iter().for_each(|_| look.at(row.mode.stamp));
                    owner.iter().for_each(|_| look.at(row.owner.stamp));
                    mtime.iter().for_each(|_| look.at_time(row.mtime.stamp));
                })?;
            }
            Edit::Xattr { inode, name, .. } => self.look_at_xattr(*inode, name, &mut look)?,
            Edit::Publish { inode, .. } => self.look_at_version(*inode, &mut look)?,
            // What it says is kept with the versions it names; who needs it still, the author knows.
            Edit::Passed { .. } => {}
            // The roster keeps every record, and who has only the logs reads them there.
            Edit::Roster(_) => look.lives = true,
        }
        Ok(look.result())
    }

    fn look_at_row(
        &self,
        id: InodeId,
        look: &mut Look,
        registers: impl FnOnce(&InodeRow, &mut Look),
    ) -> Result<(), LedgerError> {
        let row = self.ino_of(id)?.map(|ino| self.row(ino)).transpose()?.flatten();
        match row {
            Some(row) => registers(&row, look),
            None => look.lives = true,
        }
        Ok(())
    }

    fn look_at_dir(&self, spot: &Spot, look: &mut Look) -> Result<(), LedgerError> {
        self.look_at_row(spot.parent, look, |row, look| look.at_time(row.mtime.stamp))
    }

    fn look_at_link(&self, inode: InodeId, entry: EntryId, look: &mut Look) -> Result<(), LedgerError> {
        if inode == InodeId::ROOT {
            // It takes no name, so nothing was set.
            return Ok(());
        }
        self.look_at_row(inode, look, |row, look| {
            let link = row.links.iter().find(|link| link.entry == entry);
            look.at(link.map(|link| link.place.stamp).unwrap_or_default());
        })
    }

    fn look_at_xattr(&self, inode: InodeId, name: &[u8], look: &mut Look) -> Result<(), LedgerError> {
        let ino = self.ino_of(inode)?;
        let row = ino.map(|ino| self.layers.get(Table::Xattrs, &xattr_key(ino, name))).transpose()?.flatten();
        let stamp = row.map(|row| decode_xattr(&row)).transpose()?.map(|(stamp, _)| stamp);
        look.at(stamp.unwrap_or_default());
        Ok(())
    }

    // A version that was replaced lives as long as history keeps its content.
    fn look_at_version(&self, inode: InodeId, look: &mut Look) -> Result<(), LedgerError> {
        let id = VersionId(look.stamp);
        let Some(ino) = self.ino_of(inode)?.filter(|ino| *ino != ROOT) else {
            look.lives |= inode != InodeId::ROOT;
            return Ok(());
        };
        let kept = self.version(ino, id)?;
        look.lives |= kept.and_then(|version| version.body).is_some_and(|body| !body.is_given_up());
        self.look_at_row(inode, look, |row, look| {
            look.lives |= row.heads().any(|head| head == id);
            look.at_time(row.mtime.stamp);
        })
    }
}
