//! Changes that are not in the backing yet.
//!
//! ```text
//!   reads →  active  →  frozen  →  backing
//!            (being     (being
//!            changed)    written)
//! ```
//!
//! Inode rows are kept decoded here, because one operation changes the same few of them several times; they become
//! bytes only when the layer is written, on the committer's thread.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Backing, EachChange, StoreError, Table};
use crate::identity::DeviceTag;
use crate::node::Ino;
use crate::tree::InodeRow;

type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A rough cost of one change in memory beside its key and value, bytes.
const CHANGE_OVERHEAD_BYTES: usize = 64;
/// The same for a decoded inode row.
const ROW_OVERHEAD_BYTES: usize = 400;

/// One layer of changes.
pub(crate) struct Layer {
    own: DeviceTag,
    pub(crate) inodes: BTreeMap<Ino, Arc<InodeRow>>,
    tables: [Changes; Table::ALL.len()],
    bytes: usize,
}

impl Layer {
    /// An empty layer of the device `own`.
    pub(crate) fn of(own: DeviceTag) -> Self {
        Self { own, inodes: BTreeMap::new(), tables: Default::default(), bytes: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inodes.is_empty() && self.tables.iter().all(BTreeMap::is_empty)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.inodes.len() * ROW_OVERHEAD_BYTES
    }

    /// Counts bytes held by rows beyond their fixed part.
    pub(crate) fn weigh(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len) + CHANGE_OVERHEAD_BYTES;
        self.tables[table as usize].insert(key, value);
    }

    fn get(&self, table: Table, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.tables[table as usize].get(key)
    }

    pub(crate) fn for_each_change(&self, f: &mut EachChange<'_>) {
        for table in Table::ALL {
            if table == Table::Inodes {
                for (ino, row) in &self.inodes {
                    f(table, &ino.to_be_bytes(), Some(&row.encode(*ino, self.own)));
                }
            }
            for (key, value) in &self.tables[table as usize] {
                f(table, key, value.as_deref());
            }
        }
    }
}

/// All that is read through: the two layers and the backing.
pub(crate) struct Layers {
    pub(crate) backing: Arc<dyn Backing>,
    pub(crate) active: Layer,
    pub(crate) frozen: Option<Arc<Layer>>,
}

impl Layers {
    pub(crate) fn over(backing: Arc<dyn Backing>, own: DeviceTag) -> Self {
        Self { backing, active: Layer::of(own), frozen: None }
    }

    /// A changed inode row that is not in the backing yet.
    pub(crate) fn inode_in_layers(&self, ino: Ino) -> Option<&Arc<InodeRow>> {
        self.active.inodes.get(&ino).or_else(|| self.frozen.as_ref()?.inodes.get(&ino))
    }

    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let change = self.active.get(table, key).or_else(|| self.frozen.as_ref()?.get(table, key));
        match change {
            Some(change) => Ok(change.clone()),
            None => self.backing.get(table, key),
        }
    }

    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.active.put(table, key, Some(value));
    }

    pub(crate) fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.active.put(table, key, None);
    }

    /// Calls `f` with each row from `from` up to but without `to`, until it answers `false`. Not for inode rows.
    pub(crate) fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        debug_assert!(table != Table::Inodes, "inode rows are read decoded");
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let mut over = Merged::of(self, table, from, to);
        let mut go = true;
        self.backing.scan(table, from, to, &mut |key, value| {
            while go && over.peek().is_some_and(|next| next < key) {
                go = over.emit(f);
            }
            if go && over.peek() == Some(key) {
                go = over.emit(f);
            } else if go {
                go = f(key, value);
            }
            go
        })?;
        while go && over.peek().is_some() {
            go = over.emit(f);
        }
        Ok(())
    }
}

type LayerRange<'a> = std::iter::Peekable<std::collections::btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>>;

/// The changes of both layers in one order, the active one's first where both have a key.
struct Merged<'a> {
    active: LayerRange<'a>,
    frozen: Option<LayerRange<'a>>,
}

impl<'a> Merged<'a> {
    fn of(layers: &'a Layers, table: Table, from: &[u8], to: Option<&[u8]>) -> Self {
        let to = to.map_or(Bound::Unbounded, Bound::Excluded);
        let range = |layer: &'a Layer| {
            layer.tables[table as usize].range::<[u8], _>((Bound::Included(from), to)).peekable()
        };
        Self { active: range(&layers.active), frozen: layers.frozen.as_deref().map(range) }
    }

    fn peek(&mut self) -> Option<&'a [u8]> {
        let active = self.active.peek().map(|(key, _)| key.as_slice());
        let frozen = self.frozen.as_mut().and_then(|it| it.peek().map(|(key, _)| key.as_slice()));
        match (active, frozen) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    // Hands the next change to `f` (a deletion is skipped) and moves on; answers whether to continue.
    fn emit(&mut self, f: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> bool {
        let Some(key) = self.peek() else { return true };
        let from_frozen = self.frozen.as_mut().and_then(|it| it.next_if(|(k, _)| k.as_slice() == key));
        let change = self.active.next_if(|(k, _)| k.as_slice() == key).or(from_frozen);
        match change {
            Some((key, Some(value))) => f(key, value),
            _ => true,
        }
    }
}
