//! One hash of all that merges and shows: equal wherever the same transactions arrived, in whatever order.

use blake3::Hasher;

use super::Ledger;
use crate::error::LedgerError;
use crate::merge::decode_xattr;
use crate::node::{Ino, Kind, ROOT};
use crate::stamp::{Stamp, Time};
use crate::store::Table;
use crate::tree::{InodeRow, Slots, decode_slot, name_of_key, prefix_end};

impl Ledger {
    /// Hash of the merged tree: names, kinds, attributes, extended attributes, heads and what is hidden behind names.
    /// Nothing of it depends on the device. Walks the whole tree.
    ///
    /// # Errors
    /// The store failed.
    pub fn digest(&self) -> Result<[u8; 32], LedgerError> {
        let mut hasher = Hasher::new();
        self.digest_inode(ROOT, &mut hasher)?;
        let mut open = vec![ROOT];
        while let Some(dir) = open.pop() {
            for (name, claims) in self.slots_for_digest(dir)? {
                put_bytes(&mut hasher, &name);
                for claim in &claims {
                    self.digest_inode(claim.ino, &mut hasher)?;
                }
                open.extend(claims.first().filter(|top| top.kind == Kind::Directory).map(|top| top.ino));
            }
            hasher.update(&[0xff]);
        }
        Ok(*hasher.finalize().as_bytes())
    }

    fn slots_for_digest(&self, dir: Ino) -> Result<Slots, LedgerError> {
        let from = dir.to_be_bytes();
        let mut slots = Vec::new();
        self.state.layers.scan(Table::Children, &from, prefix_end(&from).as_deref(), &mut |key, value| {
            let name = name_of_key(key).map(|(_, name)| name.to_vec()).unwrap_or_default();
            slots.push((name, decode_slot(value)));
            true
        })?;
        slots.into_iter().map(|(name, claims)| Ok((name, claims?))).collect()
    }

    fn digest_inode(&self, ino: Ino, hasher: &mut Hasher) -> Result<(), LedgerError> {
        let row = self.state.known_row(ino)?;
        put_row(hasher, &row);
        if row.xattrs == 0 {
            return Ok(());
        }
        let from = ino.to_be_bytes();
        let mut bad = None;
        self.state.layers.scan(Table::Xattrs, &from, prefix_end(&from).as_deref(), &mut |key, value| {
            match decode_xattr(value) {
                Ok((_, Some(value))) => {
                    put_bytes(hasher, &key[8..]);
                    put_bytes(hasher, &value);
                }
                Ok((_, None)) => {}
                Err(error) => bad = Some(error),
            }
            bad.is_none()
        })?;
        bad.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn put_row(hasher: &mut Hasher, row: &InodeRow) {
    hasher.update(&[row.kind().map_or(0, |kind| kind as u8)]);
    put(hasher, row.id.device.0);
    put(hasher, row.id.number);
    put(hasher, u64::from(row.mode.value));
    put(hasher, u64::from(row.owner.value.0));
    put(hasher, u64::from(row.owner.value.1));
    put_time(hasher, row.mtime.value);
    if let Some(born) = &row.born {
        put_time(hasher, born.time);
        put(hasher, born.rdev);
        put_bytes(hasher, &born.target);
    }
    put(hasher, row.size());
    put(hasher, u64::from(row.live_links()));
    row.heads().for_each(|head| put_stamp(hasher, head.0));
}

fn put(hasher: &mut Hasher, value: u64) {
    hasher.update(&value.to_be_bytes());
}

fn put_bytes(hasher: &mut Hasher, bytes: &[u8]) {
    put(hasher, bytes.len() as u64);
    hasher.update(bytes);
}

fn put_time(hasher: &mut Hasher, time: Time) {
    put(hasher, time.secs as u64);
    put(hasher, u64::from(time.nanos));
}

fn put_stamp(hasher: &mut Hasher, stamp: Stamp) {
    put(hasher, stamp.clock);
    put(hasher, stamp.device.0);
}
