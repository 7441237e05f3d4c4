//! Edits made on this device. Each is checked against the tree that shows, then takes the same way as anybody else's.

use std::sync::Arc;

use super::Ledger;
use super::read::{local_key, view};
use crate::edit::{Edit, Spot, Stamped};
use crate::error::LedgerError;
use crate::node::{
    AttributeChange, EntryId, Ino, Inode, InodeId, Kind, LocalSpace, NewNode, NewVersion, ROOT, Rename,
    Renamed, TARGET_MAX_BYTES, Unlinked, XATTR_NAME_MAX_BYTES, XATTR_VALUE_MAX_BYTES, is_name,
};
use crate::stamp::{Now, Stamp, Time, VersionId};
use crate::store::Table;
use crate::tree::{Claim, InodeRow, Link, slot_key};

/// What stands under a name: all that claim it, the one that shows first.
struct Group {
    kind: Kind,
    members: Vec<Claim>,
}

impl Group {
    fn top(&self) -> Ino {
        self.members[0].ino
    }
}

impl Ledger {
    /// Makes a node with its first name.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `BadName`, `Exists`, `TooLarge`, or the store failed.
    pub fn create_node(
        &mut self,
        now: Now,
        dir: Ino,
        name: &[u8],
        node: NewNode<'_>,
    ) -> Result<Inode, LedgerError> {
        self.begin(now)?;
        if node.target.len() > TARGET_MAX_BYTES {
            return Err(LedgerError::TooLarge);
        }
        let parent = self.free_spot(dir, name)?;
        let mut edits = self.firming(parent)?;
        let number = self.state.allot()?;
        edits.push(Edit::Create {
            number,
            at: self.spot(parent, name)?,
            kind: node.kind,
            mode: node.mode & 0o7777,
            uid: node.uid,
            gid: node.gid,
            rdev: node.rdev,
            target: node.target.to_vec(),
            time: now.wall,
        });
        self.perform(now, edits)?;
        let row = self.state.known_row(number)?;
        view(number, &row).ok_or(LedgerError::NotFound)
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory` (directories have one name), `NotDirectory`, `BadName`, `Exists`, or the store failed.
    pub fn link(&mut self, now: Now, ino: Ino, dir: Ino, name: &[u8]) -> Result<(), LedgerError> {
        self.begin(now)?;
        let row = self.born_row(ino)?;
        if row.is_dir() {
            return Err(LedgerError::IsDirectory);
        }
        if !row.is_alive() {
            return Err(LedgerError::NotFound);
        }
        let parent = self.free_spot(dir, name)?;
        let mut edits = self.firming(parent)?;
        let number = self.state.allot()?;
        edits.push(Edit::Link { number, inode: row.id, at: self.spot(parent, name)?, time: now.wall });
        // The link's number leads to its inode here, as any other device's would.
        self.perform(now, edits)?;
        Ok(())
    }

    /// Takes a name away; of a directory too, if it is empty.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, or the store failed.
    pub fn unlink(&mut self, now: Now, dir: Ino, name: &[u8]) -> Result<Unlinked, LedgerError> {
        self.begin(now)?;
        let parent = self.state.canonical(dir)?;
        let group = self.group(parent, name)?.ok_or(LedgerError::NotFound)?;
        let mut edits = self.firming(parent)?;
        self.deletion(now, &group, &mut edits)?;
        self.perform(now, edits)?;
        self.unlinked(group.top())
    }

    /// Moves what is under one name to another name.
    ///
    /// # Errors
    /// `NotFound`, `Loop`, `BadName`, `NotEmpty`, `IsDirectory`, `NotDirectory`, or the store failed.
    pub fn rename(
        &mut self,
        now: Now,
        from: (Ino, &[u8]),
        to: (Ino, &[u8]),
        how: Rename,
    ) -> Result<Renamed, LedgerError> {
        self.begin(now)?;
        if !is_name(to.1) {
            return Err(LedgerError::BadName);
        }
        let (from_dir, to_dir) = (self.living_dir(from.0)?, self.living_dir(to.0)?);
        let moving = self.group(from_dir, from.1)?.ok_or(LedgerError::NotFound)?;
        let there = self.group(to_dir, to.1)?;
        let ino = moving.top();
        self.check_no_loop(&moving, to_dir)?;
        let mut edits = self.firming(from_dir)?;
        if to_dir != from_dir {
            edits.extend(self.firming(to_dir)?);
        }
        let mut replaced = None;
        match (how, there) {
            (_, Some(there)) if there.top() == ino => return Ok(Renamed { ino, replaced: None }),
            (Rename::Replace, Some(there)) => {
                check_replaceable(&moving, &there)?;
                self.deletion(now, &there, &mut edits)?;
                replaced = Some(there.top());
            }
            (Rename::Exchange, Some(there)) => {
                self.check_no_loop(&there, from_dir)?;
                self.moving(now, &there, from_dir, from.1, &mut edits)?;
            }
            (Rename::Exchange, None) => return Err(LedgerError::NotFound),
            (Rename::Replace, None) => {}
        }
        self.moving(now, &moving, to_dir, to.1, &mut edits)?;
        self.perform(now, edits)?;
        let replaced = replaced.map(|ino| self.unlinked(ino)).transpose()?;
        Ok(Renamed { ino, replaced })
    }

    /// Sets attributes.
    ///
    /// # Errors
    /// `NotFound`, or the store failed.
    pub fn set_attributes(&mut self, now: Now, ino: Ino, change: AttributeChange) -> Result<(), LedgerError> {
        self.begin(now)?;
        let ino = self.state.canonical(ino)?;
        let row = self.born_row(ino)?;
        let (uid, gid) = row.owner.value;
        let owner = (change.uid.is_some() || change.gid.is_some())
            .then(|| (change.uid.unwrap_or(uid), change.gid.unwrap_or(gid)));
        let mode = change.mode.map(|mode| mode & 0o7777);
        if mode.is_none() && owner.is_none() && change.mtime.is_none() {
            return self.touch_ctime(now, ino);
        }
        self.perform(now, vec![Edit::Attributes { inode: row.id, mode, owner, mtime: change.mtime }])?;
        Ok(())
    }

    /// Sets the time of the last read, on this device only.
    ///
    /// # Errors
    /// `NotFound`, or the store failed.
    pub fn set_atime(&mut self, ino: Ino, atime: Time) -> Result<(), LedgerError> {
        self.check_usable()?;
        let ino = self.state.canonical(ino)?;
        self.born_row(ino)?;
        self.state.times_mut(ino)?.atime = atime;
        Ok(())
    }

    /// Sets the time of the last change of anything, on this device only.
    ///
    /// # Errors
    /// `NotFound`, or the store failed.
    pub fn touch_ctime(&mut self, now: Now, ino: Ino) -> Result<(), LedgerError> {
        self.check_usable()?;
        let ino = self.state.canonical(ino)?;
        self.born_row(ino)?;
        self.state.times_mut(ino)?.ctime = now.wall;
        Ok(())
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// `NotFound`, `TooLarge`, `BadName`, or the store failed.
    pub fn set_xattr(&mut self, now: Now, ino: Ino, name: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        self.begin(now)?;
        if name.is_empty() || name.len() > XATTR_NAME_MAX_BYTES {
            return Err(LedgerError::BadName);
        }
        if value.len() > XATTR_VALUE_MAX_BYTES {
            return Err(LedgerError::TooLarge);
        }
        let inode = self.born_row(ino)?.id;
        self.perform(now, vec![Edit::Xattr { inode, name: name.to_vec(), value: Some(value.to_vec()) }])?;
        Ok(())
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `NotFound`, or the store failed.
    pub fn remove_xattr(&mut self, now: Now, ino: Ino, name: &[u8]) -> Result<(), LedgerError> {
        self.begin(now)?;
        let inode = self.born_row(ino)?.id;
        if self.xattr(ino, name)?.is_none() {
            return Err(LedgerError::NotFound);
        }
        self.perform(now, vec![Edit::Xattr { inode, name: name.to_vec(), value: None }])?;
        Ok(())
    }

    /// Publishes a new version of a file. A file whose last name another device deleted meanwhile comes back with it;
    /// one that was unlinked here and is only held open must not be published.
    ///
    /// # Errors
    /// `NotFound`, `WrongKind`, `TooLarge`, or the store failed.
    pub fn publish(&mut self, now: Now, ino: Ino, version: NewVersion) -> Result<VersionId, LedgerError> {
        self.begin(now)?;
        let row = self.born_row(ino)?;
        let parents = version.base.into_iter().collect();
        self.publish_over(now, &row, parents, version)
    }

    pub(super) fn publish_over(
        &mut self,
        now: Now,
        row: &InodeRow,
        parents: Vec<VersionId>,
        version: NewVersion,
    ) -> Result<VersionId, LedgerError> {
        if row.kind() != Some(Kind::File) {
            return Err(LedgerError::WrongKind);
        }
        if !version.content.is_valid() {
            return Err(LedgerError::TooLarge);
        }
        let NewVersion { size, mtime, content, .. } = version;
        let stamp =
            self.perform(now, vec![Edit::Publish { inode: row.id, parents, size, mtime, content }])?;
        Ok(VersionId(stamp))
    }

    /// Brings a deleted file or directory back under a name.
    ///
    /// # Errors
    /// `NotFound`, `Exists` when it is not deleted or the name is taken, `Expired`, or the store failed.
    pub fn revive(&mut self, now: Now, ino: Ino, dir: Ino, name: &[u8]) -> Result<(), LedgerError> {
        self.begin(now)?;
        let row = self.born_row(ino)?;
        if row.is_alive() {
            return Err(LedgerError::Exists);
        }
        if row.expired {
            return Err(LedgerError::Expired);
        }
        let parent = self.free_spot(dir, name)?;
        let mut edits = self.firming(parent)?;
        let last = row.links.iter().max_by_key(|link| link.place.stamp).ok_or(LedgerError::NotFound)?;
        let from = Spot { parent: self.id_of(last.place.parent)?, name: last.place.name.clone() };
        let to = self.spot(parent, name)?;
        edits.push(Edit::Move { entry: last.entry, inode: row.id, from, to, time: now.wall });
        self.perform(now, edits)?;
        Ok(())
    }

    /// Sets a row of this device's own.
    ///
    /// # Errors
    /// The ledger failed before.
    pub fn local_put(&mut self, space: LocalSpace, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        self.check_usable()?;
        self.state.layers.put(Table::Local, local_key(space, key), value.to_vec());
        Ok(())
    }

    /// Deletes a row of this device's own.
    ///
    /// # Errors
    /// The ledger failed before.
    pub fn local_delete(&mut self, space: LocalSpace, key: &[u8]) -> Result<(), LedgerError> {
        self.check_usable()?;
        self.state.layers.delete(Table::Local, local_key(space, key));
        Ok(())
    }

    /// Deletes the files hidden behind `ino` under its names.
    pub(super) fn delete_hidden(&mut self, now: Now, ino: Ino) -> Result<(), LedgerError> {
        let mut edits = Vec::new();
        for (dir, name) in self.parents(ino)? {
            let Some(mut group) = self.group(dir, &name)? else { continue };
            group.members.retain(|claim| claim.ino != ino);
            if group.kind != Kind::Directory {
                self.deletion(now, &group, &mut edits)?;
            }
        }
        if !edits.is_empty() {
            self.perform(now, edits)?;
        }
        Ok(())
    }

    pub(super) fn begin(&mut self, now: Now) -> Result<(), LedgerError> {
        self.check_usable()?;
        self.state.wall = now.wall;
        self.state.changed_slots.clear();
        self.state.known_empty = None;
        Ok(())
    }

    /// Makes one operation of edits that were checked. Answers the stamp of the last. A failure from here on leaves
    /// the change half made, so the ledger then takes no more.
    pub(super) fn perform(&mut self, now: Now, edits: Vec<Edit>) -> Result<Stamp, LedgerError> {
        let result = self.try_perform(now, edits);
        self.poisoned |= result.is_err();
        result
    }

    fn try_perform(&mut self, now: Now, edits: Vec<Edit>) -> Result<Stamp, LedgerError> {
        self.operations.push(self.pending.len());
        let mut stamp = Stamp::default();
        for edit in edits {
            stamp = Stamp { clock: self.state.clock.tick(now), device: self.state.own };
            self.pending_bytes += edit.weight();
            let stamped = Stamped { stamp, edit };
            self.state.apply(stamped.clone())?;
            self.pending.push(stamped);
        }
        self.state.derive()?;
        self.state.settle_counts();
        Ok(stamp)
    }

    pub(super) fn born_row(&self, ino: Ino) -> Result<Arc<InodeRow>, LedgerError> {
        self.state.row(ino)?.filter(|row| row.born.is_some()).ok_or(LedgerError::NotFound)
    }

    fn id_of(&self, ino: Ino) -> Result<InodeId, LedgerError> {
        Ok(self.state.known_row(ino)?.id)
    }

    fn spot(&self, dir: Ino, name: &[u8]) -> Result<Spot, LedgerError> {
        Ok(Spot { parent: self.id_of(dir)?, name: name.to_vec() })
    }

    fn living_dir(&self, dir: Ino) -> Result<Ino, LedgerError> {
        let dir = self.state.canonical(dir)?;
        let row = self.born_row(dir)?;
        match (row.is_dir(), row.is_alive()) {
            (false, _) => Err(LedgerError::NotDirectory),
            (true, false) => Err(LedgerError::NotFound),
            (true, true) => Ok(dir),
        }
    }

    fn free_spot(&mut self, dir: Ino, name: &[u8]) -> Result<Ino, LedgerError> {
        if !is_name(name) {
            return Err(LedgerError::BadName);
        }
        let dir = self.living_dir(dir)?;
        let key = slot_key(dir, name);
        if !self.state.slot_at(&key)?.is_empty() {
            return Err(LedgerError::Exists);
        }
        self.state.known_empty = Some(key);
        Ok(dir)
    }

    // All directories of the name, or all files of it: what a person means by the name.
    fn group(&self, dir: Ino, name: &[u8]) -> Result<Option<Group>, LedgerError> {
        let mut members = self.state.slot(dir, name)?;
        let Some(kind) = members.first().map(|top| top.kind) else { return Ok(None) };
        members.retain(|claim| (claim.kind == Kind::Directory) == (kind == Kind::Directory));
        Ok(Some(Group { kind, members }))
    }

    // A directory that lives only through what is in it, or stands elsewhere than its register says, is set down where
    // it shows before anybody works in it: else it would vanish or jump under their hands.
    fn firming(&self, dir: Ino) -> Result<Vec<Edit>, LedgerError> {
        let row = self.state.known_row(dir)?;
        let Some(link) = row.own_link().filter(|link| link.place.deleted || link.fallback != 0) else {
            return Ok(Vec::new());
        };
        let Some((parent, name)) = link.shown_at() else { return Ok(Vec::new()) };
        let from = Spot { parent: self.id_of(link.place.parent)?, name: link.place.name.clone() };
        let to = Spot { parent: self.id_of(parent)?, name: name.to_vec() };
        Ok(vec![Edit::Move { entry: link.entry, inode: row.id, from, to, time: self.state.wall }])
    }

    fn deletion(&self, now: Now, group: &Group, edits: &mut Vec<Edit>) -> Result<(), LedgerError> {
        if group.kind == Kind::Directory {
            self.check_empty(group, edits)?;
        }
        for claim in &group.members {
            let (row, link) = self.claimed(claim)?;
            let at = Spot { parent: self.id_of(link.place.parent)?, name: link.place.name.clone() };
            let seen = row.heads().collect();
            edits.push(Edit::Delete { entry: link.entry, inode: row.id, at, seen, time: now.wall });
        }
        Ok(())
    }

    fn check_empty(&self, group: &Group, edits: &mut Vec<Edit>) -> Result<(), LedgerError> {
        if self.state.known_row(group.top())?.entries > 0 {
            return Err(LedgerError::NotEmpty);
        }
        // What fell back elsewhere still has its register here and would keep the directory alive.
        for fallen in &self.state.fallen {
            let row = self.state.known_row(*fallen)?;
            if row.links.iter().any(|link| group.members.iter().any(|claim| claim.ino == link.place.parent)) {
                edits.extend(self.firming(*fallen)?);
            }
        }
        Ok(())
    }

    fn moving(
        &self,
        now: Now,
        group: &Group,
        dir: Ino,
        name: &[u8],
        edits: &mut Vec<Edit>,
    ) -> Result<(), LedgerError> {
        for claim in &group.members {
            let (row, link) = self.claimed(claim)?;
            let (parent, old) = link.shown_at().ok_or(LedgerError::NotFound)?;
            edits.push(Edit::Move {
                entry: link.entry,
                inode: row.id,
                from: Spot { parent: self.id_of(parent)?, name: old.to_vec() },
                to: self.spot(dir, name)?,
                time: now.wall,
            });
        }
        Ok(())
    }

    fn claimed(&self, claim: &Claim) -> Result<(Arc<InodeRow>, Link), LedgerError> {
        let row = self.state.known_row(claim.ino)?;
        let entry: EntryId = claim.entry.unwrap_or(row.id);
        let link = row.links.iter().find(|link| link.entry == entry).cloned();
        Ok((row, link.ok_or(LedgerError::NotFound)?))
    }

    // Nothing may move into itself or below itself.
    fn check_no_loop(&self, group: &Group, into: Ino) -> Result<(), LedgerError> {
        if group.kind != Kind::Directory {
            return Ok(());
        }
        let mut at = into;
        while at != ROOT {
            if group.members.iter().any(|claim| claim.ino == at) {
                return Err(LedgerError::Loop);
            }
            let row = self.state.known_row(at)?;
            let Some((parent, _)) = row.own_link().and_then(Link::shown_at) else { break };
            at = self.state.canonical(parent)?;
        }
        Ok(())
    }

    fn unlinked(&self, ino: Ino) -> Result<Unlinked, LedgerError> {
        Ok(Unlinked { ino, nlink_left: self.state.known_row(ino)?.live_links() })
    }
}

fn check_replaceable(moving: &Group, there: &Group) -> Result<(), LedgerError> {
    match (moving.kind == Kind::Directory, there.kind == Kind::Directory) {
        (true, false) => Err(LedgerError::NotDirectory),
        (false, true) => Err(LedgerError::IsDirectory),
        _ => Ok(()),
    }
}
