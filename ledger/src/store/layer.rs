//! Changes that are not in the backing yet.
//!
//! ```text
//!   reads →  active  →  keeping  →  kept  →  frozen  →  backing
//!            (being     (on its     (in a    (being
//!            changed)   way into    journal) written)
//!                       a journal)
//! ```
//!
//! A journal makes changes durable before the backing has them; without one, the two in the middle stay empty.
//!
//! Inode rows are kept decoded here, because one operation changes the same few of them several times; they become
//! bytes only when the layer is written, on the committer's thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Backing, EachChange, Glance, StoreError, Table};
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

    pub(crate) fn touches_only(&self, tables: &[Table]) -> bool {
        let mut others = Table::ALL.into_iter().filter(|table| !tables.contains(table));
        self.inodes.is_empty() && others.all(|table| self.tables[table as usize].is_empty())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.inodes.len() * ROW_OVERHEAD_BYTES
    }

    /// Counts bytes held by rows beyond their fixed part.
    pub(crate) fn weigh(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        let cost = key.len() + CHANGE_OVERHEAD_BYTES;
        self.bytes += cost + value.as_ref().map_or(0, Vec::len);
        if let Some(old) = self.tables[table as usize].insert(key, value) {
            self.bytes -= cost + old.map_or(0, |old| old.len());
        }
    }

    /// Puts newer changes over these.
    pub(crate) fn absorb(&mut self, newer: Self) {
        if self.is_empty() {
            *self = newer;
            return;
        }
        // What rows weigh beyond their fixed part is in nobody's row: it is counted on, too high where both have a row.
        self.bytes += newer.bytes;
        self.inodes.extend(newer.inodes);
        for (table, changes) in Table::ALL.into_iter().zip(newer.tables) {
            for (key, value) in changes {
                self.bytes -= key.len() + value.as_ref().map_or(0, Vec::len) + CHANGE_OVERHEAD_BYTES;
                self.put(table, key, value);
            }
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.tables[table as usize].get(key)
    }

    fn copy(&self) -> Self {
        Self { own: self.own, inodes: self.inodes.clone(), tables: self.tables.clone(), bytes: self.bytes }
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

/// All that is read through: the layers and the backing.
pub(crate) struct Layers {
    pub(crate) backing: Arc<dyn Backing>,
    own: DeviceTag,
    pub(crate) active: Layer,
    keeping: Option<Arc<Layer>>,
    kept: Option<Arc<Layer>>,
    frozen: Option<Arc<Layer>>,
}

impl Layers {
    pub(crate) fn over(backing: Arc<dyn Backing>, own: DeviceTag) -> Self {
        Self { backing, own, active: Layer::of(own), keeping: None, kept: None, frozen: None }
    }

    /// The layers over the backing, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Layer> {
        let older = [&self.keeping, &self.kept, &self.frozen];
        std::iter::once(&self.active).chain(older.into_iter().filter_map(|layer| layer.as_deref()))
    }

    /// Whether a batch is on its way into a journal or the backing.
    pub(crate) fn is_keeping(&self) -> bool {
        self.keeping.is_some()
    }

    /// Whether a batch is on its way into the backing.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Whether a journal holds what the backing is not even being given.
    pub(crate) fn has_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Bytes that the next batch for the backing holds so far.
    pub(crate) fn unfrozen_bytes(&self) -> usize {
        self.active.bytes() + self.kept.as_ref().map_or(0, |kept| kept.bytes())
    }

    /// Moves the active changes out of the way, to be kept in a journal.
    pub(crate) fn keep(&mut self) -> Arc<Layer> {
        debug_assert!(self.keeping.is_none(), "one batch goes into the journal at a time");
        let layer = Arc::new(std::mem::replace(&mut self.active, Layer::of(self.own)));
        self.keeping.insert(layer).clone()
    }

    /// The journal has what was moved out of the way last.
    pub(crate) fn kept(&mut self) {
        if let Some(newer) = self.keeping.take() {
            let newer = sole(newer);
            let mut kept = self.kept.take().map_or_else(|| Layer::of(self.own), sole);
            kept.absorb(newer);
            self.kept = Some(Arc::new(kept));
        }
    }

    /// Moves all changes, kept or not, out of the way to be written to the backing.
    pub(crate) fn freeze(&mut self) -> Arc<Layer> {
        debug_assert!(self.frozen.is_none() && self.keeping.is_none(), "one batch is written at a time");
        let mut layer = self.kept.take().map_or_else(|| Layer::of(self.own), sole);
        layer.absorb(std::mem::replace(&mut self.active, Layer::of(self.own)));
        self.frozen.insert(Arc::new(layer)).clone()
    }

    /// The same for what a journal has alone, with one row more.
    pub(crate) fn freeze_kept(&mut self, extra: Option<(Table, Vec<u8>, Vec<u8>)>) -> Option<Arc<Layer>> {
        debug_assert!(self.frozen.is_none() && self.keeping.is_none(), "one batch is written at a time");
        let mut layer = sole(self.kept.take()?);
        if let Some((table, key, value)) = extra {
            layer.put(table, key, Some(value));
        }
        Some(self.frozen.insert(Arc::new(layer)).clone())
    }

    /// The backing has this batch, if it is the frozen one. True if so.
    pub(crate) fn thaw(&mut self, batch: &Arc<Layer>) -> bool {
        let is_it = self.frozen.as_ref().is_some_and(|frozen| Arc::ptr_eq(frozen, batch));
        if is_it {
            self.frozen = None;
        }
        is_it
    }

    /// A changed inode row that is not in the backing yet.
    pub(crate) fn inode_in_layers(&self, ino: Ino) -> Option<&Arc<InodeRow>> {
        self.newest_first().find_map(|layer| layer.inodes.get(&ino))
    }

    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let change = self.newest_first().find_map(|layer| layer.get(table, key));
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
        self.scan_some(table, from, to, &mut |_| Glance::Take, f)
    }

    /// The same for those rows alone that `glance` takes; the backing verifies no others.
    pub(crate) fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        glance: &mut dyn FnMut(&[u8]) -> Glance,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        debug_assert!(table != Table::Inodes, "inode rows are read decoded");
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let both = RefCell::new(Both { over: Merged::of(self, table, from, to), f, go: true });
        self.backing.scan_some(
            table,
            from,
            to,
            &mut |key| {
                let mut both = both.borrow_mut();
                if both.catch_up(key, glance) {
                    return if both.go { Glance::Pass } else { Glance::Stop };
                }
                let told = glance(key);
                both.go &= told != Glance::Stop;
                told
            },
            &mut |key, value| {
                let both = &mut *both.borrow_mut();
                both.go = (both.f)(key, value);
                both.go
            },
        )?;
        let mut both = both.into_inner();
        while both.go && both.over.peek().is_some() {
            both.emit(glance);
        }
        Ok(())
    }
}

/// The layers' changes as they are put between the rows of the backing.
struct Both<'a, 'f> {
    over: Merged<'a>,
    f: &'f mut dyn FnMut(&[u8], &[u8]) -> bool,
    go: bool,
}

impl Both<'_, '_> {
    /// Tells what the layers have up to this key; true if this row of the backing is not to be told, for one of them is or none is wanted.
    fn catch_up(&mut self, key: &[u8], glance: &mut dyn FnMut(&[u8]) -> Glance) -> bool {
        while self.go {
            match self.over.peek() {
                Some(next) if next < key => self.emit(glance),
                Some(next) if next == key => {
                    self.emit(glance);
                    return true;
                }
                _ => return false,
            }
        }
        true
    }

    fn emit(&mut self, glance: &mut dyn FnMut(&[u8]) -> Glance) {
        let Some((key, Some(value))) = self.over.next() else { return };
        self.go = match glance(key) {
            Glance::Pass => true,
            Glance::Take => (self.f)(key, value),
            Glance::Stop => false,
        };
    }
}

type LayerRange<'a> = std::iter::Peekable<std::collections::btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>>;

/// A layer that nobody else holds any more, or a copy of it.
fn sole(layer: Arc<Layer>) -> Layer {
    Arc::try_unwrap(layer).unwrap_or_else(|shared| shared.copy())
}

/// The most layers that can lie over the backing.
const LAYERS: usize = 4;

/// The changes of all layers in one order, the newest one's where several have a key.
struct Merged<'a> {
    newest_first: [Option<LayerRange<'a>>; LAYERS],
    /// The least key that is left: looked at for each row of the backing.
    least: Option<&'a [u8]>,
}

impl<'a> Merged<'a> {
    fn of(layers: &'a Layers, table: Table, from: &[u8], to: Option<&[u8]>) -> Self {
        let to = to.map_or(Bound::Unbounded, Bound::Excluded);
        let mut newest_first = [const { None }; LAYERS];
        for (range, layer) in newest_first.iter_mut().zip(layers.newest_first()) {
            *range =
                Some(layer.tables[table as usize].range::<[u8], _>((Bound::Included(from), to)).peekable());
        }
        let mut merged = Self { newest_first, least: None };
        merged.find_least();
        merged
    }

    fn peek(&self) -> Option<&'a [u8]> {
        self.least
    }

    fn find_least(&mut self) {
        let next = |range: &mut LayerRange<'a>| range.peek().map(|(key, _)| key.as_slice());
        self.least = self.newest_first.iter_mut().flatten().filter_map(next).min();
    }

    /// The next change, without a value if it deletes.
    fn next(&mut self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let key = self.least?;
        let mut newest = None;
        for range in self.newest_first.iter_mut().flatten() {
            let change = range.next_if(|(k, _)| k.as_slice() == key);
            newest = newest.or(change);
        }
        self.find_least();
        newest.map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
}
