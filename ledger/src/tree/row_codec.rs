//! The bytes of an inode row. `docs/formats/ledger.md` draws them.
//!
//! A plain file's row is about 60 bytes and its chunk: stamps are written as distances from the birth stamp, times as
//! distances from the birth time, and whatever is as it usually is costs one bit of the flags.

use std::sync::Arc;

use super::row::{Born, HeadRow, InodeRow, Link, Place, Register, Shown};
use crate::content::Content;
use crate::identity::DeviceTag;
use crate::node::{Ino, InodeId, Kind, NAME_MAX_BYTES, TARGET_MAX_BYTES};
use crate::stamp::{Stamp, Time, VersionId};
use crate::wire::{Reader, WireError, Writer};

/// First byte of every inode row.
const FORMAT: u8 = 1;
/// Most links, versions and the like in one row that is read.
const LIST_MAX: usize = 1 << 20;

const FOREIGN: u64 = 1 << 0;
const BORN: u64 = 1 << 1;
const SPECIAL: u64 = 1 << 2;
const MODE_OF_BIRTH: u64 = 1 << 3;
const OWNER_OF_BIRTH: u64 = 1 << 4;
const MTIME_OF_HEAD: u64 = 1 << 5;
const CTIME_IS_MTIME: u64 = 1 << 6;
const ATIME_OF_BIRTH: u64 = 1 << 7;
const FIRST_LINK_ONLY: u64 = 1 << 8;
const HEAD: u64 = 1 << 9;
const DIRECTORY: u64 = 1 << 10;
const RARE: u64 = 1 << 11;

/// Checks that `bytes` are an inode row. For fuzzing: it must answer, whatever the bytes.
///
/// # Errors
/// They are not, or of a newer format.
pub fn decode_inode_row(bytes: &[u8]) -> Result<(), WireError> {
    InodeRow::decode(bytes, 2, DeviceTag(1)).map(drop)
}

struct Put {
    w: Writer,
    base: u64,
    birth: Time,
    author: DeviceTag,
    own: DeviceTag,
}

impl Put {
    fn stamp(&mut self, stamp: Stamp) {
        self.w.signed(stamp.clock.wrapping_sub(self.base) as i64);
        if stamp.device == self.author {
            self.w.byte(0);
        } else if stamp.device == self.own {
            self.w.byte(1);
        } else {
            self.w.byte(2);
            self.w.fixed64(stamp.device.0);
        }
    }

    fn time(&mut self, time: Time) {
        self.w.signed(time.secs.wrapping_sub(self.birth.secs));
        self.w.unsigned(u64::from(time.nanos));
    }

    fn versions(&mut self, ids: &[VersionId]) {
        self.w.unsigned(ids.len() as u64);
        ids.iter().for_each(|id| self.stamp(id.0));
    }

    fn link(&mut self, link: &Link, id: InodeId) {
        let own_entry = link.entry == id;
        let elsewhere = matches!(link.shown, Shown::At(..));
        let counted_elsewhere = link.counted.is_some_and(|at| at != link.place.parent);
        let flags = u8::from(!own_entry)
            | u8::from(link.place.deleted) << 1
            | u8::from(link.place.origin.is_some()) << 2
            | u8::from(link.counted.is_some()) << 3
            | u8::from(counted_elsewhere) << 4
            | u8::from(link.shown != Shown::No) << 5
            | u8::from(elsewhere) << 6
            | u8::from(link.displaced) << 7;
        self.w.byte(flags);
        self.w.byte(link.fallback);
        if !own_entry {
            self.w.fixed64(link.entry.device.0);
            self.w.unsigned(link.entry.number);
        }
        self.stamp(link.place.stamp);
        self.spot(link.place.parent, &link.place.name);
        if link.place.deleted {
            self.versions(&link.place.seen);
        }
        if let Some((parent, name)) = &link.place.origin {
            self.spot(*parent, name);
        }
        if counted_elsewhere {
            self.w.unsigned(link.counted.unwrap_or(0));
        }
        if let Shown::At(parent, name) = &link.shown {
            self.spot(*parent, name);
        }
    }

    fn spot(&mut self, parent: Ino, name: &[u8]) {
        self.w.unsigned(parent);
        self.w.bytes(name);
    }
}

impl InodeRow {
    pub(crate) fn encode(&self, ino: Ino, own: DeviceTag) -> Vec<u8> {
        let birth = self.born.as_ref();
        let mut p = Put {
            w: Writer::with_capacity(192),
            base: birth.map_or(0, |born| born.stamp.clock),
            birth: birth.map(|born| born.time).unwrap_or_default(),
            author: self.id.device,
            own,
        };
        let flags = self.flags(ino, own);
        p.w.byte(FORMAT);
        p.w.unsigned(flags);
        if flags & FOREIGN != 0 {
            p.w.fixed64(self.id.device.0);
            p.w.unsigned(self.id.number);
        }
        if let Some(born) = birth {
            p.w.byte(born.kind as u8);
            p.w.fixed64(born.stamp.clock);
            p.w.signed(born.time.secs);
            p.w.unsigned(u64::from(born.time.nanos));
            if flags & SPECIAL != 0 {
                p.w.unsigned(born.rdev);
                p.w.bytes(&born.target);
            }
        }
        self.put_registers(&mut p, flags);
        self.put_links(&mut p, flags);
        if flags & DIRECTORY != 0 {
            p.w.unsigned(self.supports);
            p.w.unsigned(self.entries);
            p.w.unsigned(self.subdirs);
        }
        if flags & RARE != 0 {
            self.put_rare(&mut p);
        }
        p.w.out
    }

    fn flags(&self, ino: Ino, own: DeviceTag) -> u64 {
        let birth = self.born.as_ref().map(|born| born.stamp);
        let bit = |set: bool, flag: u64| if set { flag } else { 0 };
        let special = self.born.as_ref().is_some_and(|born| born.rdev != 0 || !born.target.is_empty());
        let mtime_of_head =
            self.head.as_ref().is_some_and(|head| self.mtime == Register::new(head.mtime, head.id.0));
        let rare = self.alias.is_some()
            || self.xattrs != 0
            || self.contested
            || self.shadowed != 0
            || self.expired
            || !self.others.is_empty();
        bit(self.id != InodeId { device: own, number: ino }, FOREIGN)
            | bit(birth.is_some(), BORN)
            | bit(special, SPECIAL)
            | bit(birth == Some(self.mode.stamp), MODE_OF_BIRTH)
            | bit(birth == Some(self.owner.stamp), OWNER_OF_BIRTH)
            | bit(mtime_of_head, MTIME_OF_HEAD)
            | bit(self.ctime == self.mtime.value, CTIME_IS_MTIME)
            | bit(self.born.as_ref().is_some_and(|born| born.time == self.atime), ATIME_OF_BIRTH)
            | bit(self.has_first_link_only(), FIRST_LINK_ONLY)
            | bit(self.head.is_some(), HEAD)
            | bit(self.supports != 0 || self.entries != 0 || self.subdirs != 0, DIRECTORY)
            | bit(rare, RARE)
    }

    fn has_first_link_only(&self) -> bool {
        let [link] = self.links.as_slice() else { return false };
        let Some(born) = &self.born else { return false };
        let place = &link.place;
        link.entry == self.id
            && place.stamp == born.stamp
            && !place.deleted
            && place.origin.is_none()
            && link.counted == Some(place.parent)
            && link.shown == Shown::AsPlaced
            && link.fallback == 0
            && !link.displaced
    }

    fn put_registers(&self, p: &mut Put, flags: u64) {
        p.w.unsigned(u64::from(self.mode.value));
        if flags & MODE_OF_BIRTH == 0 {
            p.stamp(self.mode.stamp);
        }
        p.w.unsigned(u64::from(self.owner.value.0));
        p.w.unsigned(u64::from(self.owner.value.1));
        if flags & OWNER_OF_BIRTH == 0 {
            p.stamp(self.owner.stamp);
        }
        if let Some(head) = &self.head {
            p.stamp(head.id.0);
            p.versions(&head.parents);
            p.w.unsigned(head.size);
            p.time(head.mtime);
            p.w.byte(u8::from(head.content.is_some()));
            if let Some(content) = &head.content {
                content.write(&mut p.w);
            }
        }
        if flags & MTIME_OF_HEAD == 0 {
            p.time(self.mtime.value);
            p.stamp(self.mtime.stamp);
        }
        if flags & CTIME_IS_MTIME == 0 {
            p.time(self.ctime);
        }
        if flags & ATIME_OF_BIRTH == 0 {
            p.time(self.atime);
        }
    }

    fn put_links(&self, p: &mut Put, flags: u64) {
        if flags & FIRST_LINK_ONLY != 0 {
            let place = &self.links[0].place;
            return p.spot(place.parent, &place.name);
        }
        p.w.unsigned(self.links.len() as u64);
        self.links.iter().for_each(|link| p.link(link, self.id));
    }

    fn put_rare(&self, p: &mut Put) {
        p.versions(&self.others);
        p.w.unsigned(self.alias.unwrap_or(0));
        p.w.unsigned(u64::from(self.xattrs));
        p.w.unsigned(u64::from(self.shadowed));
        p.w.byte(u8::from(self.contested) | u8::from(self.expired) << 1);
    }

    pub(crate) fn decode(bytes: &[u8], ino: Ino, own: DeviceTag) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let found = r.byte()?;
        if found != FORMAT {
            return Err(if found > FORMAT {
                WireError::Newer { found, known: FORMAT }
            } else {
                WireError::Malformed("inode row format")
            });
        }
        let flags = r.unsigned()?;
        if flags >= RARE << 1 {
            return Err(WireError::Malformed("inode row flags"));
        }
        let id = if flags & FOREIGN != 0 {
            InodeId { device: DeviceTag(r.fixed64()?), number: r.unsigned()? }
        } else {
            InodeId { device: own, number: ino }
        };
        let mut row = Self::unborn(id);
        if flags & BORN != 0 {
            row.born = Some(take_born(&mut r, id, flags)?);
        }
        let mut t = Take {
            base: row.born.as_ref().map_or(0, |born| born.stamp.clock),
            birth: row.born.as_ref().map(|born| born.time).unwrap_or_default(),
            author: id.device,
            own,
            r,
        };
        row.take_registers(&mut t, flags)?;
        row.take_links(&mut t, flags)?;
        if flags & DIRECTORY != 0 {
            row.supports = t.r.unsigned()?;
            row.entries = t.r.unsigned()?;
            row.subdirs = t.r.unsigned()?;
        }
        if flags & RARE != 0 {
            row.take_rare(&mut t)?;
        }
        t.r.finish()?;
        Ok(row)
    }

    fn take_registers(&mut self, t: &mut Take<'_>, flags: u64) -> Result<(), WireError> {
        let birth = self.born.as_ref().map(|born| born.stamp).unwrap_or_default();
        self.mode.value = t.r.unsigned32()?;
        self.mode.stamp = if flags & MODE_OF_BIRTH != 0 { birth } else { t.stamp()? };
        self.owner.value = (t.r.unsigned32()?, t.r.unsigned32()?);
        self.owner.stamp = if flags & OWNER_OF_BIRTH != 0 { birth } else { t.stamp()? };
        if flags & HEAD != 0 {
            let id = VersionId(t.stamp()?);
            let parents = t.versions()?;
            let size = t.r.unsigned()?;
            let mtime = t.time()?;
            let content = match t.r.byte()? {
                0 => None,
                _ => Some(Arc::new(Content::read(&mut t.r)?)),
            };
            self.head = Some(HeadRow { id, parents, size, mtime, content });
        }
        self.mtime = match &self.head {
            Some(head) if flags & MTIME_OF_HEAD != 0 => Register::new(head.mtime, head.id.0),
            _ if flags & MTIME_OF_HEAD != 0 => return Err(WireError::Malformed("time of no head")),
            _ => Register::new(t.time()?, t.stamp()?),
        };
        self.ctime = if flags & CTIME_IS_MTIME != 0 { self.mtime.value } else { t.time()? };
        self.atime = if flags & ATIME_OF_BIRTH != 0 { t.birth } else { t.time()? };
        Ok(())
    }

    fn take_links(&mut self, t: &mut Take<'_>, flags: u64) -> Result<(), WireError> {
        if flags & FIRST_LINK_ONLY != 0 {
            let stamp = self.born.as_ref().ok_or(WireError::Malformed("link of the unborn"))?.stamp;
            let (parent, name) = t.spot()?;
            let place = Place { parent, name, deleted: false, stamp, origin: None, seen: Vec::new() };
            let link = Link::new(self.id, place);
            self.links = vec![Link { counted: Some(parent), shown: Shown::AsPlaced, ..link }];
            return Ok(());
        }
        let count = t.r.count(LIST_MAX)?;
        self.links = (0..count).map(|_| t.link(self.id)).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn take_rare(&mut self, t: &mut Take<'_>) -> Result<(), WireError> {
        self.others = t.versions()?;
        self.alias = Some(t.r.unsigned()?).filter(|ino| *ino != 0);
        self.xattrs = t.r.unsigned32()?;
        self.shadowed = t.r.unsigned32()?;
        let bits = t.r.byte()?;
        self.contested = bits & 1 != 0;
        self.expired = bits & 2 != 0;
        Ok(())
    }
}

fn take_born(r: &mut Reader<'_>, id: InodeId, flags: u64) -> Result<Born, WireError> {
    let kind = Kind::from_byte(r.byte()?).ok_or(WireError::Malformed("kind"))?;
    let stamp = Stamp { clock: r.fixed64()?, device: id.device };
    let time = Time { secs: r.signed()?, nanos: r.unsigned32()? };
    let (rdev, target) = if flags & SPECIAL != 0 {
        (r.unsigned()?, r.bytes(TARGET_MAX_BYTES)?.to_vec())
    } else {
        (0, Vec::new())
    };
    Ok(Born { stamp, kind, rdev, target, time })
}

struct Take<'a> {
    r: Reader<'a>,
    base: u64,
    birth: Time,
    author: DeviceTag,
    own: DeviceTag,
}

impl Take<'_> {
    fn stamp(&mut self) -> Result<Stamp, WireError> {
        let clock = self.base.wrapping_add(self.r.signed()? as u64);
        let device = match self.r.byte()? {
            0 => self.author,
            1 => self.own,
            2 => DeviceTag(self.r.fixed64()?),
            _ => return Err(WireError::Malformed("stamp's device")),
        };
        Ok(Stamp { clock, device })
    }

    fn time(&mut self) -> Result<Time, WireError> {
        Ok(Time { secs: self.birth.secs.wrapping_add(self.r.signed()?), nanos: self.r.unsigned32()? })
    }

    fn versions(&mut self) -> Result<Vec<VersionId>, WireError> {
        let count = self.r.count(LIST_MAX)?;
        (0..count).map(|_| Ok(VersionId(self.stamp()?))).collect()
    }

    fn spot(&mut self) -> Result<(Ino, Vec<u8>), WireError> {
        Ok((self.r.unsigned()?, self.r.bytes(NAME_MAX_BYTES)?.to_vec()))
    }

    fn link(&mut self, id: InodeId) -> Result<Link, WireError> {
        let flags = self.r.byte()?;
        let bit = |n: u8| flags >> n & 1 != 0;
        let fallback = self.r.byte()?;
        let entry = if bit(0) {
            InodeId { device: DeviceTag(self.r.fixed64()?), number: self.r.unsigned()? }
        } else {
            id
        };
        let stamp = self.stamp()?;
        let (parent, name) = self.spot()?;
        let seen = if bit(1) { self.versions()? } else { Vec::new() };
        let origin = if bit(2) { Some(self.spot()?) } else { None };
        let counted = match (bit(3), bit(4)) {
            (_, true) => Some(self.r.unsigned()?),
            (true, false) => Some(parent),
            (false, false) => None,
        };
        let shown = match (bit(5), bit(6)) {
            (_, true) => self.spot().map(|(parent, name)| Shown::At(parent, name))?,
            (true, false) => Shown::AsPlaced,
            (false, false) => Shown::No,
        };
        let place = Place { parent, name, deleted: bit(1), stamp, origin, seen };
        Ok(Link { entry, place, counted, shown, fallback, displaced: bit(7) })
    }
}
