//! Edits into registers. Commutative, associative, idempotent: everything here is "the greater stamp wins", or a set
//! that grows.

use crate::edit::{Edit, Spot, Stamped};
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::node::{EntryId, Ino, InodeId, ROOT};
use crate::stamp::{Stamp, Time};
use crate::store::Table;
use crate::tree::{Born, InodeRow, Link, Place, State, VersionBody, grave_key};
use crate::wire::{Reader, WireError, Writer};

impl State {
    /// Takes an edit into the registers. [`State::derive`] must follow before anything is read.
    pub(crate) fn apply(&mut self, stamped: Stamped) -> Result<(), LedgerError> {
        let stamp = stamped.stamp;
        match stamped.edit {
            Edit::Create { number, at, kind, mode, uid, gid, rdev, target, time } => {
                let id = InodeId { device: stamp.device, number };
                let born = Born { stamp, kind, rdev, target, time };
                self.create(id, born, mode, (uid, gid), at)
            }
            Edit::Link { number, inode, at, time } => {
                let entry = InodeId { device: stamp.device, number };
                let ino = self.resolve(inode)?;
                let parent = self.enter(&at, stamp, time)?;
                self.place(ino, entry, Place::standing(parent, at.name, stamp))
            }
            Edit::Move { entry, inode, from, to, time } => {
                let ino = self.resolve(inode)?;
                let old = self.enter(&from, stamp, time)?;
                let parent = self.enter(&to, stamp, time)?;
                let origin = Some((old, from.name));
                self.place(ino, entry, Place { origin, ..Place::standing(parent, to.name, stamp) })
            }
            Edit::Delete { entry, inode, at, seen, time } => {
                let ino = self.resolve(inode)?;
                let parent = self.enter(&at, stamp, time)?;
                self.place(
                    ino,
                    entry,
                    Place { deleted: true, seen, ..Place::standing(parent, at.name, stamp) },
                )
            }
            Edit::Attributes { inode, mode, owner, mtime } => {
                let ino = self.resolve(inode)?;
                let wall = self.wall;
                let row = self.row_mut(ino)?;
                mode.map(|mode| row.mode.set(mode, stamp));
                owner.map(|owner| row.owner.set(owner, stamp));
                mtime.map(|mtime| row.mtime.set(mtime, stamp));
                row.ctime = wall;
                Ok(())
            }
            Edit::Xattr { inode, name, value } => {
                let ino = self.resolve(inode)?;
                self.set_xattr_register(ino, &name, value.as_deref(), stamp)
            }
            Edit::Publish { inode, parents, size, mtime, content } => {
                let ino = self.resolve(inode)?;
                if ino == ROOT {
                    return Ok(());
                }
                self.add_version(ino, stamp, VersionBody { parents, size, mtime, content })
            }
            Edit::Passed { inode, replaced } => {
                let ino = self.resolve(inode)?;
                if ino == ROOT {
                    return Ok(());
                }
                self.pass_version(ino, stamp, &replaced)
            }
            // The roster is not part of the tree.
            Edit::Roster(_) => Ok(()),
        }
    }

    fn create(
        &mut self,
        id: InodeId,
        born: Born,
        mode: u32,
        owner: (u32, u32),
        at: Spot,
    ) -> Result<(), LedgerError> {
        let (stamp, time, wall) = (born.stamp, born.time, self.wall);
        let ino = self.resolve_new(id)?;
        let parent = self.enter(&at, stamp, time)?;
        let row = self.row_mut(ino)?;
        if row.born.is_some() {
            return Ok(());
        }
        row.born = Some(born);
        row.mode.set(mode, stamp);
        row.owner.set(owner, stamp);
        row.mtime.set(time, stamp);
        row.atime = time;
        row.ctime = wall;
        // Even if its place is known already, from edits that came before: only now can it show.
        self.dirty.push(ino);
        self.place(ino, id, Place::standing(parent, at.name, stamp))
    }

    // The number of an inode that is being made: on its own device that is the number in its id.
    fn resolve_new(&mut self, id: InodeId) -> Result<Ino, LedgerError> {
        if id.device == self.own && (self.is_fresh(id.number) || self.row(id.number)?.is_none()) {
            self.insert_row(id.number, InodeRow::unborn(id));
            return Ok(id.number);
        }
        self.resolve(id)
    }

    // An entry of this directory changes: so does the directory's modification time.
    fn enter(&mut self, spot: &Spot, stamp: Stamp, time: Time) -> Result<Ino, LedgerError> {
        let parent = self.resolve(spot.parent)?;
        let wall = self.wall;
        let row = self.row_mut(parent)?;
        row.mtime.set(time, stamp);
        row.ctime = wall;
        Ok(parent)
    }

    fn place(&mut self, ino: Ino, entry: EntryId, mut place: Place) -> Result<(), LedgerError> {
        let wall = self.wall;
        if ino == ROOT {
            // It has no name and cannot be given one.
            return Ok(());
        }
        let row = self.row_mut(ino)?;
        if !row.is_dir() && row.born.is_some() {
            // Only directories can close a loop and need to know the way back.
            place.origin = None;
        }
        row.ctime = wall;
        let known = row.links.iter_mut().find(|link| link.entry == entry);
        let mut risen = None;
        match known {
            None => row.links.push(Link::new(entry, place)),
            Some(link) if place.stamp > link.place.stamp => {
                if link.place.deleted {
                    risen = Some(grave_key(link.place.parent, &link.place.name, link.place.stamp));
                }
                link.replace(place);
            }
            Some(_) => return Ok(()),
        }
        if let Some(grave) = risen {
            self.layers.delete(Table::Graves, grave);
        }
        self.dirty.push(ino);
        Ok(())
    }

    fn set_xattr_register(
        &mut self,
        ino: Ino,
        name: &[u8],
        value: Option<&[u8]>,
        stamp: Stamp,
    ) -> Result<(), LedgerError> {
        let key = xattr_key(ino, name);
        let old = self.layers.get(Table::Xattrs, &key)?.map(|row| decode_xattr(&row)).transpose()?;
        let (old_stamp, old_value) = old.unwrap_or_default();
        if stamp <= old_stamp {
            return Ok(());
        }
        let (was, is) = (u32::from(old_value.is_some()), u32::from(value.is_some()));
        self.layers.put(Table::Xattrs, key, encode_xattr(stamp, value));
        let wall = self.wall;
        let row = self.row_mut(ino)?;
        row.xattrs = (row.xattrs + is).saturating_sub(was);
        row.ctime = wall;
        Ok(())
    }
}

impl Place {
    fn standing(parent: Ino, name: Vec<u8>, stamp: Stamp) -> Self {
        Self { parent, name, deleted: false, stamp, origin: None, seen: Vec::new() }
    }
}

pub(crate) fn xattr_key(ino: Ino, name: &[u8]) -> Vec<u8> {
    [&ino.to_be_bytes(), name].concat()
}

fn encode_xattr(stamp: Stamp, value: Option<&[u8]>) -> Vec<u8> {
    let mut w = Writer::with_capacity(20 + value.map_or(0, <[u8]>::len));
    w.fixed64(stamp.clock);
    w.fixed64(stamp.device.0);
    w.byte(u8::from(value.is_some()));
    w.raw(value.unwrap_or_default());
    w.out
}

/// Stamp and value (none: removed) of an extended attribute's row.
pub(crate) fn decode_xattr(row: &[u8]) -> Result<(Stamp, Option<Vec<u8>>), WireError> {
    let mut r = Reader::new(row);
    let stamp = Stamp { clock: r.fixed64()?, device: DeviceTag(r.fixed64()?) };
    let set = r.byte()? != 0;
    Ok((stamp, set.then(|| row[17..].to_vec())))
}
