//! The bytes of a transaction's edits, before they are compressed and sealed. `docs/formats/ledger.md` draws them.
//!
//! Devices are listed once and named by index; stamps are distances from the one before.

use super::{Again, Edit, Group, List, Spot, Stamped};
use crate::content::Content;
use crate::identity::DeviceTag;
use crate::node::{
    InodeId, Kind, NAME_MAX_BYTES, TARGET_MAX_BYTES, XATTR_NAME_MAX_BYTES, XATTR_VALUE_MAX_BYTES, is_name,
};
use crate::stamp::{Stamp, Time, VersionId};
use crate::tree::PARENTS_MAX;
use crate::wire::{Reader, WireError, Writer};

/// First byte of a list of edits that were just made.
const FORMAT_MADE: u8 = 1;
/// First byte of a list of edits that were made before.
const FORMAT_AGAIN: u8 = 2;
/// Most edits in one transaction.
pub(crate) const EDITS_IN_TRANSACTION: usize = 4096;
/// Most devices one list can name.
const DEVICES_MAX: usize = 65_536;
/// Most transactions that one edit was carried by, one after the other.
pub(crate) const CARRIERS_MAX: usize = 64;
/// Longest roster record, bytes.
const ROSTER_RECORD_MAX_BYTES: usize = 256 * 1024;

/// Checks that `bytes` are a list of edits. For fuzzing: it must answer, whatever the bytes.
///
/// # Errors
/// They are not, or of a newer format.
pub fn decode_edits(bytes: &[u8]) -> Result<usize, WireError> {
    decode_list(bytes, DeviceTag(7)).map(|list| list.edits().count())
}

struct Put {
    w: Writer,
    devices: Vec<DeviceTag>,
    clock: u64,
}

impl Put {
    fn device(&mut self, device: DeviceTag) {
        let index = self.devices.iter().position(|known| *known == device).unwrap_or_else(|| {
            self.devices.push(device);
            self.devices.len() - 1
        });
        self.w.unsigned(index as u64);
    }

    fn id(&mut self, id: InodeId) {
        self.device(id.device);
        self.w.unsigned(id.number);
    }

    fn spot(&mut self, spot: &Spot) {
        self.id(spot.parent);
        self.w.bytes(&spot.name);
    }

    fn time(&mut self, time: Time) {
        let near = Time::from_millis(self.clock >> 16);
        self.w.signed(time.secs.wrapping_sub(near.secs));
        self.w.unsigned(u64::from(time.nanos));
    }

    fn versions(&mut self, ids: &[VersionId]) {
        self.w.unsigned(ids.len() as u64);
        for id in ids {
            self.device(id.0.device);
            self.w.signed(self.clock.wrapping_sub(id.0.clock) as i64);
        }
    }

    fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Create { number, at, kind, mode, uid, gid, rdev, target, time } => {
                let special = *rdev != 0 || !target.is_empty();
                self.w.byte(*kind as u8 | u8::from(special) << 3);
                self.w.unsigned(*number);
                self.spot(at);
                self.w.unsigned(u64::from(*mode));
                self.w.unsigned(u64::from(*uid));
                self.w.unsigned(u64::from(*gid));
                self.time(*time);
                if special {
                    self.w.unsigned(*rdev);
                    self.w.bytes(target);
                }
            }
            Edit::Link { number, inode, at, time } => {
                self.w.byte(16);
                self.w.unsigned(*number);
                self.id(*inode);
                self.spot(at);
                self.time(*time);
            }
            Edit::Move { entry, inode, from, to, time } => {
                self.w.byte(17);
                self.id(*entry);
                self.id(*inode);
                self.spot(from);
                self.spot(to);
                self.time(*time);
            }
            Edit::Delete { entry, inode, at, seen, time } => {
                self.w.byte(18);
                self.id(*entry);
                self.id(*inode);
                self.spot(at);
                self.versions(seen);
                self.time(*time);
            }
            Edit::Attributes { inode, mode, owner, mtime } => {
                let set = u8::from(mode.is_some())
                    | u8::from(owner.is_some()) << 1
                    | u8::from(mtime.is_some()) << 2;
                self.w.byte(19);
                self.w.byte(set);
                self.id(*inode);
                mode.iter().for_each(|mode| self.w.unsigned(u64::from(*mode)));
                if let Some((uid, gid)) = owner {
                    self.w.unsigned(u64::from(*uid));
                    self.w.unsigned(u64::from(*gid));
                }
                mtime.iter().for_each(|mtime| self.time(*mtime));
            }
            Edit::Xattr { inode, name, value } => {
                self.w.byte(20 + u8::from(value.is_some()));
                self.id(*inode);
                self.w.bytes(name);
                value.iter().for_each(|value| self.w.bytes(value));
            }
            Edit::Publish { inode, parents, size, mtime, content } => {
                self.w.byte(22);
                self.id(*inode);
                self.versions(parents);
                self.w.unsigned(*size);
                self.time(*mtime);
                content.write(&mut self.w);
            }
            Edit::Roster(bytes) => {
                self.w.byte(23);
                self.w.bytes(bytes);
            }
            Edit::Passed { inode, replaced } => {
                self.w.byte(24);
                self.id(*inode);
                self.versions(replaced);
            }
        }
    }
}

impl Put {
    fn of(author: DeviceTag, bytes: usize) -> Self {
        Self { w: Writer::with_capacity(bytes), devices: vec![author, DeviceTag(0)], clock: 0 }
    }

    fn edits(&mut self, edits: &[Stamped]) {
        self.w.unsigned(edits.len() as u64);
        for Stamped { stamp, edit } in edits {
            self.w.unsigned(stamp.clock.wrapping_sub(self.clock));
            self.clock = stamp.clock;
            self.edit(edit);
        }
    }

    fn finish(self, format: u8) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.w.out.len() + 16 + self.devices.len() * 8);
        w.byte(format);
        w.unsigned(self.devices.len() as u64 - 2);
        self.devices[2..].iter().for_each(|device| w.fixed64(device.0));
        w.raw(&self.w.out);
        w.out
    }
}

/// The bytes of `edits`, all of one author, in the order of their stamps.
pub(crate) fn encode_list(edits: &[Stamped]) -> Vec<u8> {
    let author = edits.first().map(|edit| edit.stamp.device).unwrap_or(DeviceTag(0));
    let mut p = Put::of(author, edits.len() * 64);
    p.edits(edits);
    p.finish(FORMAT_MADE)
}

/// The bytes of edits of `author` that are issued again.
pub(crate) fn encode_again(again: &Again, author: DeviceTag) -> Vec<u8> {
    let mut p = Put::of(author, again.groups.len() * 64);
    p.w.unsigned(again.clock);
    p.w.unsigned(again.groups.len() as u64);
    for group in &again.groups {
        p.w.unsigned(group.carriers.len() as u64);
        let mut before = 0;
        for carrier in &group.carriers {
            p.w.unsigned(carrier - before);
            before = *carrier;
        }
        p.edits(&group.edits);
    }
    p.finish(FORMAT_AGAIN)
}

struct Take<'a> {
    r: Reader<'a>,
    devices: Vec<DeviceTag>,
    author: DeviceTag,
    clock: u64,
    left: usize,
}

/// The edits in `bytes`, of `author`.
pub(crate) fn decode_list(bytes: &[u8], author: DeviceTag) -> Result<List, WireError> {
    let mut r = Reader::new(bytes);
    let format = r.byte()?;
    if format > FORMAT_AGAIN {
        return Err(WireError::Newer { found: format, known: FORMAT_AGAIN });
    }
    let mut devices = vec![author, DeviceTag(0)];
    for _ in 0..r.count(DEVICES_MAX)? {
        devices.push(DeviceTag(r.fixed64()?));
    }
    let mut t = Take { r, devices, author, clock: 0, left: EDITS_IN_TRANSACTION };
    let list = match format {
        FORMAT_MADE => List::Made(t.edits()?),
        FORMAT_AGAIN => List::Again(t.again()?),
        _ => return Err(WireError::Malformed("list of edits")),
    };
    t.r.finish()?;
    Ok(list)
}

impl Take<'_> {
    fn edits(&mut self) -> Result<Vec<Stamped>, WireError> {
        let count = self.r.count(self.left)?;
        self.left -= count;
        (0..count).map(|_| self.stamped()).collect()
    }

    fn again(&mut self) -> Result<Again, WireError> {
        let clock = self.r.unsigned()?;
        let count = self.r.count(EDITS_IN_TRANSACTION)?;
        let groups = (0..count).map(|_| self.group()).collect::<Result<_, _>>()?;
        if self.clock > clock {
            return Err(WireError::Malformed("issued again before it was made"));
        }
        Ok(Again { clock, groups })
    }

    fn group(&mut self) -> Result<Group, WireError> {
        let mut carriers: Vec<u64> = Vec::new();
        for _ in 0..self.r.count(CARRIERS_MAX)? {
            let step = self.r.unsigned()?;
            let carrier = carriers.last().copied().unwrap_or(0).checked_add(step);
            carriers.push(carrier.filter(|_| step > 0).ok_or(WireError::Malformed("carriers"))?);
        }
        if carriers.is_empty() {
            return Err(WireError::Malformed("carriers"));
        }
        Ok(Group { carriers, edits: self.edits()? })
    }

    fn stamped(&mut self) -> Result<Stamped, WireError> {
        let step = self.r.unsigned()?;
        if step == 0 {
            return Err(WireError::Malformed("two edits of one stamp"));
        }
        self.clock = self.clock.checked_add(step).ok_or(WireError::Malformed("stamp out of range"))?;
        let stamp = Stamp { clock: self.clock, device: self.author };
        Ok(Stamped { stamp, edit: self.edit()? })
    }

    fn device(&mut self) -> Result<DeviceTag, WireError> {
        let index = usize::try_from(self.r.unsigned()?).unwrap_or(usize::MAX);
        self.devices.get(index).copied().ok_or(WireError::Malformed("device index"))
    }

    fn id(&mut self) -> Result<InodeId, WireError> {
        Ok(InodeId { device: self.device()?, number: self.r.unsigned()? })
    }

    fn spot(&mut self) -> Result<Spot, WireError> {
        let parent = self.id()?;
        let name = self.r.bytes(NAME_MAX_BYTES)?;
        if is_name(name) {
            Ok(Spot { parent, name: name.to_vec() })
        } else {
            Err(WireError::Malformed("name"))
        }
    }

    fn time(&mut self) -> Result<Time, WireError> {
        let near = Time::from_millis(self.clock >> 16);
        let secs = near.secs.wrapping_add(self.r.signed()?);
        let nanos = self.r.unsigned32()?;
        if nanos < 1_000_000_000 {
            Ok(Time { secs, nanos })
        } else {
            Err(WireError::Malformed("nanoseconds"))
        }
    }

    fn versions(&mut self) -> Result<Vec<VersionId>, WireError> {
        let count = self.r.count(PARENTS_MAX)?;
        let version = |t: &mut Self| {
            let device = t.device()?;
            let clock = t.clock.wrapping_sub(t.r.signed()? as u64);
            Ok(VersionId(Stamp { clock, device }))
        };
        (0..count).map(|_| version(self)).collect()
    }

    fn edit(&mut self) -> Result<Edit, WireError> {
        match self.r.byte()? {
            tag @ 1..=15 => self.create(tag),
            16 => Ok(Edit::Link {
                number: self.r.unsigned()?,
                inode: self.id()?,
                at: self.spot()?,
                time: self.time()?,
            }),
            17 => Ok(Edit::Move {
                entry: self.id()?,
                inode: self.id()?,
                from: self.spot()?,
                to: self.spot()?,
                time: self.time()?,
            }),
            18 => Ok(Edit::Delete {
                entry: self.id()?,
                inode: self.id()?,
                at: self.spot()?,
                seen: self.versions()?,
                time: self.time()?,
            }),
            19 => self.attributes(),
            tag @ (20 | 21) => {
                let inode = self.id()?;
                let name = self.r.bytes(XATTR_NAME_MAX_BYTES)?.to_vec();
                let value = match tag {
                    20 => None,
                    _ => Some(self.r.bytes(XATTR_VALUE_MAX_BYTES)?.to_vec()),
                };
                Ok(Edit::Xattr { inode, name, value })
            }
            22 => Ok(Edit::Publish {
                inode: self.id()?,
                parents: self.versions()?,
                size: self.r.unsigned()?,
                mtime: self.time()?,
                content: Content::read(&mut self.r)?,
            }),
            23 => Ok(Edit::Roster(self.r.bytes(ROSTER_RECORD_MAX_BYTES)?.to_vec())),
            24 => Ok(Edit::Passed { inode: self.id()?, replaced: self.versions()? }),
            _ => Err(WireError::Malformed("kind of edit")),
        }
    }

    fn create(&mut self, tag: u8) -> Result<Edit, WireError> {
        let kind = Kind::from_byte(tag & 7).ok_or(WireError::Malformed("kind"))?;
        let number = self.r.unsigned()?;
        let at = self.spot()?;
        let (mode, uid, gid) = (self.r.unsigned32()?, self.r.unsigned32()?, self.r.unsigned32()?);
        let time = self.time()?;
        let (rdev, target) = if tag & 8 != 0 {
            (self.r.unsigned()?, self.r.bytes(TARGET_MAX_BYTES)?.to_vec())
        } else {
            (0, Vec::new())
        };
        Ok(Edit::Create { number, at, kind, mode: mode & 0o7777, uid, gid, rdev, target, time })
    }

    fn attributes(&mut self) -> Result<Edit, WireError> {
        let set = self.r.byte()?;
        if set > 7 {
            return Err(WireError::Malformed("attributes"));
        }
        let inode = self.id()?;
        let mode = if set & 1 != 0 { Some(self.r.unsigned32()? & 0o7777) } else { None };
        let owner = if set & 2 != 0 { Some((self.r.unsigned32()?, self.r.unsigned32()?)) } else { None };
        let mtime = if set & 4 != 0 { Some(self.time()?) } else { None };
        Ok(Edit::Attributes { inode, mode, owner, mtime })
    }
}
