//! A set of changed rows on its way to a disk.
//!
//! As bytes, for a journal; the journal checks that they are whole and of whom:
//!
//! ```text
//! batch  = format (1) ‖ change*
//! change = table (1) ‖ key (length, bytes) ‖ 0                       deleted
//!        | table (1) ‖ key (length, bytes) ‖ 1 ‖ value (length, bytes)
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Layer, Table};
use crate::identity::DeviceTag;
use crate::ledger::{FrontierRow, local_key};
use crate::node::LocalSpace;
use crate::wire::{Reader, WireError, Writer};

const FORMAT: u8 = 1;

/// What is told of each change: table, key and value (none: deleted).
pub type EachChange<'a> = dyn FnMut(Table, &[u8], Option<&[u8]>) + 'a;

/// A set of changes that reaches the disk whole or not at all. A cheap handle.
#[derive(Clone)]
pub struct Batch {
    pub(crate) layer: Arc<Layer>,
    /// How far each log goes when this is on disk.
    pub(crate) frontier: BTreeMap<DeviceTag, FrontierRow>,
}

impl Batch {
    pub(crate) fn of(layer: Arc<Layer>) -> Self {
        Self { layer, frontier: BTreeMap::new() }
    }

    /// Calls `f` with each changed row, by table and key in rising order; `None` deletes.
    pub fn for_each(&self, f: &mut EachChange<'_>) {
        self.layer.for_each_change(f);
    }

    /// Rough size in memory, bytes.
    pub fn bytes(&self) -> usize {
        self.layer.bytes()
    }

    /// Whether it holds nothing but rows of this device's own: then it names no chunk.
    pub fn is_local(&self) -> bool {
        self.layer.touches_only(&[Table::Local, Table::Meta])
    }

    /// The changes as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.bytes() + 1);
        w.byte(FORMAT);
        self.for_each(&mut |table, key, value| {
            w.byte(table as u8);
            w.bytes(key);
            w.byte(value.is_some().into());
            if let Some(value) = value {
                w.bytes(value);
            }
        });
        w.out
    }

    /// The changes of [`Batch::encode`], to be written to a backing. Never panics, and takes no more memory than a few times the
    /// input.
    ///
    /// # Errors
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        // Rows are bytes here, so whose inodes they are does not matter.
        let mut layer = Layer::of(DeviceTag(0));
        decode_into(&mut layer, bytes)?;
        Ok(Self::of(Arc::new(layer)))
    }
}

impl Batch {
    /// What several batches of [`Batch::encode`] come to, one after the other, with one row of this device's own beside them.
    ///
    /// # Errors
    /// [`WireError`] if one is not such a batch.
    pub fn replayed(
        batches: &[Vec<u8>],
        space: LocalSpace,
        key: &[u8],
        value: &[u8],
    ) -> Result<Self, WireError> {
        let mut all = Layer::of(DeviceTag(0));
        for batch in batches {
            decode_into(&mut all, batch)?;
        }
        all.put(Table::Local, local_key(space, key), Some(value.to_vec()));
        Ok(Self::of(Arc::new(all)))
    }
}

fn decode_into(layer: &mut Layer, bytes: &[u8]) -> Result<(), WireError> {
    let mut r = Reader::new(bytes);
    let found = r.byte()?;
    if found > FORMAT {
        return Err(WireError::Newer { found, known: FORMAT });
    }
    if found != FORMAT {
        return Err(WireError::Malformed("no batch of changes"));
    }
    while !r.is_empty() {
        let number = usize::from(r.byte()?);
        let table = *Table::ALL.get(number).ok_or(WireError::Malformed("no such table"))?;
        let key = r.bytes(bytes.len())?.to_vec();
        let value = match r.byte()? {
            0 => None,
            1 => Some(r.bytes(bytes.len())?.to_vec()),
            _ => return Err(WireError::Malformed("neither changed nor deleted")),
        };
        layer.put(table, key, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Batch {
        let mut layer = Layer::of(DeviceTag(1));
        layer.put(Table::Local, b"key".to_vec(), Some(b"value".to_vec()));
        layer.put(Table::Meta, b"gone".to_vec(), None);
        Batch::of(Arc::new(layer))
    }

    fn rows(batch: &Batch) -> Vec<(Table, Vec<u8>, Option<Vec<u8>>)> {
        let mut rows = Vec::new();
        batch.for_each(&mut |table, key, value| {
            rows.push((table, key.to_vec(), value.map(<[u8]>::to_vec)));
        });
        rows
    }

    #[test]
    fn the_bytes_of_a_batch_are_what_they_were() {
        let bytes = sample().encode();
        assert_eq!(bytes, b"\x01\x00\x04gone\x00\x0a\x03key\x01\x05value");
        assert_eq!(rows(&Batch::decode(&bytes).unwrap()), rows(&sample()));
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            let cut = Batch::decode(&bytes[..end]);
            // Between two changes it is a shorter batch; the journal's own check guards its length.
            assert!(cut.is_err() || [1, 8].contains(&end), "{end}");
        }
        let newer = Batch::decode(&[2]).map(drop);
        assert_eq!(newer, Err(WireError::Newer { found: 2, known: 1 }));
        assert!(Batch::decode(&[1, 11, 0, 0]).is_err() && Batch::decode(&[1, 0, 0, 2]).is_err());
    }
}
