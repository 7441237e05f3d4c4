//! A row of the versions table: one version of one file that is not, or not wholly, in the inode's row.

use crate::content::Content;
use crate::identity::DeviceTag;
use crate::node::Ino;
use crate::stamp::{Stamp, Time, VersionId};
use crate::wire::{Reader, WireError, Writer};

const FORMAT: u8 = 1;
/// Most versions one version can replace.
pub(crate) const PARENTS_MAX: usize = 1024;

/// What is kept of a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct VersionRow {
    /// Greatest stamp of the versions known to replace it; `None` for a head.
    pub(crate) replaced: Option<Stamp>,
    /// What arrived of it; `None` while only its successor has.
    pub(crate) body: Option<VersionBody>,
}

/// The version itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionBody {
    pub(crate) parents: Vec<VersionId>,
    pub(crate) size: u64,
    pub(crate) mtime: Time,
    pub(crate) content: Content,
}

pub(crate) fn version_key(ino: Ino, version: VersionId) -> Vec<u8> {
    let mut key = Vec::with_capacity(24);
    key.extend_from_slice(&ino.to_be_bytes());
    key.extend_from_slice(&version.0.clock.to_be_bytes());
    key.extend_from_slice(&version.0.device.0.to_be_bytes());
    key
}

/// The version a key of the table names.
pub(crate) fn version_of_key(key: &[u8]) -> Option<VersionId> {
    let (clock, device) = key.get(8..24)?.split_first_chunk::<8>()?;
    let device = device.first_chunk::<8>()?;
    Some(VersionId(Stamp {
        clock: u64::from_be_bytes(*clock),
        device: DeviceTag(u64::from_be_bytes(*device)),
    }))
}

impl VersionRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(128);
        w.byte(FORMAT);
        w.byte(u8::from(self.replaced.is_some()) | u8::from(self.body.is_some()) << 1);
        if let Some(stamp) = self.replaced {
            write_stamp(stamp, &mut w);
        }
        if let Some(body) = &self.body {
            w.unsigned(body.parents.len() as u64);
            body.parents.iter().for_each(|id| write_stamp(id.0, &mut w));
            w.unsigned(body.size);
            w.signed(body.mtime.secs);
            w.unsigned(u64::from(body.mtime.nanos));
            body.content.write(&mut w);
        }
        w.out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let found = r.byte()?;
        if found != FORMAT {
            return Err(WireError::Newer { found, known: FORMAT });
        }
        let flags = r.byte()?;
        let replaced = if flags & 1 != 0 { Some(read_stamp(&mut r)?) } else { None };
        let body = if flags & 2 != 0 { Some(VersionBody::read(&mut r)?) } else { None };
        r.finish()?;
        Ok(Self { replaced, body })
    }
}

impl VersionBody {
    /// Of a version of which all is known but the content, because its file was deleted long ago.
    pub(crate) fn given_up(parents: Vec<VersionId>, size: u64, mtime: Time) -> Self {
        Self { parents, size, mtime, content: Content::Inline(Vec::new()) }
    }

    /// Whether it is such a one: there are fewer bytes than it has.
    pub(crate) fn is_given_up(&self) -> bool {
        self.size > 0 && self.content == Content::Inline(Vec::new())
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.count(PARENTS_MAX)?;
        let parents = (0..count).map(|_| read_stamp(r).map(VersionId)).collect::<Result<_, _>>()?;
        let size = r.unsigned()?;
        let mtime = Time { secs: r.signed()?, nanos: r.unsigned32()? };
        Ok(Self { parents, size, mtime, content: Content::read(r)? })
    }
}

fn write_stamp(stamp: Stamp, w: &mut Writer) {
    w.fixed64(stamp.clock);
    w.fixed64(stamp.device.0);
}

fn read_stamp(r: &mut Reader<'_>) -> Result<Stamp, WireError> {
    Ok(Stamp { clock: r.fixed64()?, device: DeviceTag(r.fixed64()?) })
}
