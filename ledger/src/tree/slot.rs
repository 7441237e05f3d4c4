//! A directory's slot: all that claim one name in it, the one that shows first. Usually one.
//!
//! ```text
//! key    directory (8, big-endian) ‖ hash of the name (8) ‖ name
//! value  claim, claim …    claim = flags ‖ inode number [‖ entry id]
//! ```
//!
//! The hash makes the order of listings independent of names and is the cookie `readdir` continues from.

use crate::identity::DeviceTag;
use crate::node::{EntryId, Ino, Kind, NAME_MAX_BYTES};
use crate::stamp::Stamp;
use crate::wire::{Reader, WireError, Writer};

/// Cookies below this are left to the adapters, for `.` and `..`.
const FIRST_COOKIE: u64 = 16;

/// One link that wants a name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) ino: Ino,
    pub(crate) kind: Kind,
    /// `None` for the inode's first link.
    pub(crate) entry: Option<EntryId>,
    /// Stands here because a directory holds its own name.
    pub(crate) displaced: bool,
}

/// A directory's slots as they are walked: key and claims.
pub(crate) type Slots = Vec<(Vec<u8>, Vec<Claim>)>;

/// Position of a name in listings: 16..2^62.
pub(crate) fn cookie_of(name: &[u8]) -> u64 {
    let hash = blake3::hash(name);
    let mut head = [0; 8];
    head.copy_from_slice(&hash.as_bytes()[..8]);
    (u64::from_be_bytes(head) >> 2).max(FIRST_COOKIE)
}

pub(crate) fn slot_key(dir: Ino, name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(16 + name.len());
    key.extend_from_slice(&dir.to_be_bytes());
    key.extend_from_slice(&cookie_of(name).to_be_bytes());
    key.extend_from_slice(name);
    key
}

/// Key of a deleted link's row: a directory's are together, in the order of their names' hashes.
pub(crate) fn grave_key(dir: Ino, name: &[u8], stamp: Stamp) -> Vec<u8> {
    let mut key = slot_key(dir, name);
    key.push(0);
    key.extend_from_slice(&stamp.clock.to_be_bytes());
    key.extend_from_slice(&stamp.device.0.to_be_bytes());
    key
}

/// Cookie and name of a slot's key.
pub(crate) fn name_of_key(key: &[u8]) -> Option<(u64, &[u8])> {
    let (cookie, name) = key.get(8..)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*cookie), name))
}

pub(crate) fn encode_slot(claims: &[Claim]) -> Vec<u8> {
    let mut w = Writer::with_capacity(claims.len() * 8);
    for claim in claims {
        w.byte(claim.kind as u8 | u8::from(claim.entry.is_some()) << 4 | u8::from(claim.displaced) << 5);
        w.unsigned(claim.ino);
        if let Some(entry) = claim.entry {
            w.fixed64(entry.device.0);
            w.unsigned(entry.number);
        }
    }
    w.out
}

pub(crate) fn decode_slot(bytes: &[u8]) -> Result<Vec<Claim>, WireError> {
    let mut r = Reader::new(bytes);
    let mut claims = Vec::with_capacity(1);
    while !r.is_empty() {
        let flags = r.byte()?;
        let kind = Kind::from_byte(flags & 15).ok_or(WireError::Malformed("kind"))?;
        let ino = r.unsigned()?;
        let entry = if flags & 16 != 0 {
            Some(EntryId { device: DeviceTag(r.fixed64()?), number: r.unsigned()? })
        } else {
            None
        };
        claims.push(Claim { ino, kind, entry, displaced: flags & 32 != 0 });
    }
    Ok(claims)
}

/// The name a file shows under while a directory holds its own: the same on every device.
pub(crate) fn displaced_name(name: &[u8], entry: EntryId) -> Vec<u8> {
    let mut seed = entry.device.0.to_be_bytes().to_vec();
    seed.extend_from_slice(&entry.number.to_be_bytes());
    let hash = blake3::hash(&seed).to_hex();
    let suffix = format!(" (file {})", &hash.as_str()[..8]);
    let keep = name.len().min(NAME_MAX_BYTES - suffix.len());
    [&name[..keep], suffix.as_bytes()].concat()
}
