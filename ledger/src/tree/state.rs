//! The tree's rows in memory and on disk behind one door, with the counters that go with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Claim, InodeRow, VersionRow, decode_slot, encode_slot, slot_key, version_key};
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::node::{Ino, InodeId, Kind, ROOT, Stats};
use crate::stamp::{Clock, Time, VersionId};
use crate::store::{Backing, Layers, Table};
use crate::wire::{Reader, WireError, Writer};

const COUNTERS_KEY: &[u8] = b"counters";
const COUNTERS_FORMAT: u8 = 1;
/// Names in [`Table::Contested`] that begin so are directories that fell back.
const FALLEN: u8 = b'f';

/// What an inode adds to the counts of the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    file: bool,
    directory: bool,
    bytes: u64,
    conflicts: u64,
}

impl Share {
    fn of(row: &InodeRow) -> Self {
        match row.kind() {
            Some(kind) if row.is_alive() => Self {
                file: kind != Kind::Directory,
                directory: kind == Kind::Directory,
                bytes: row.size(),
                conflicts: row.others.len() as u64 + u64::from(row.shadowed),
            },
            _ => Self::default(),
        }
    }
}

/// The rows, and what is changing of them.
pub(crate) struct State {
    pub(crate) layers: Layers,
    pub(crate) own: DeviceTag,
    pub(crate) clock: Clock,
    pub(crate) stats: Stats,
    /// The wall time of the operation under way.
    pub(crate) wall: Time,
    /// Inodes whose registers changed since the tree was last derived.
    pub(crate) dirty: Vec<Ino>,
    /// Directories that stand elsewhere than their register says, because that would close a loop.
    pub(crate) fallen: BTreeSet<Ino>,
    /// Slots that changed since this was last taken, for whoever tells caches.
    pub(crate) changed_slots: Vec<(Ino, Vec<u8>)>,
    /// Key of a slot that was just looked up and is empty: saves looking again.
    pub(crate) known_empty: Option<Vec<u8>>,
    next: u64,
    // Somebody named an inode of this device that it never made; such numbers are passed over.
    mentioned: bool,
    touched: BTreeMap<Ino, Share>,
}

impl State {
    /// The tree in `backing`; an empty one has no root yet.
    pub(crate) fn open(backing: Arc<dyn Backing>, own: DeviceTag) -> Result<Self, LedgerError> {
        let mut state = Self {
            layers: Layers::over(backing, own),
            own,
            clock: Clock::default(),
            stats: Stats::default(),
            wall: Time::default(),
            dirty: Vec::new(),
            fallen: BTreeSet::new(),
            changed_slots: Vec::new(),
            known_empty: None,
            next: ROOT + 1,
            mentioned: false,
            touched: BTreeMap::new(),
        };
        if let Some(bytes) = state.layers.get(Table::Meta, COUNTERS_KEY)? {
            state.read_counters(&bytes)?;
        }
        let own_ids = own.0.to_be_bytes();
        let mut mentioned = false;
        state.layers.scan(Table::Ids, &own_ids, prefix_end(&own_ids).as_deref(), &mut |_, _| {
            mentioned = true;
            false
        })?;
        state.mentioned = mentioned;
        let mut fallen = BTreeSet::new();
        state.layers.scan(Table::Contested, &[FALLEN], Some(&[FALLEN + 1]), &mut |key, _| {
            fallen.extend(key.get(1..).and_then(|ino| ino.first_chunk().copied()).map(u64::from_be_bytes));
            true
        })?;
        state.fallen = fallen;
        Ok(state)
    }

    fn read_counters(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut r = Reader::new(bytes);
        let found = r.byte()?;
        if found != COUNTERS_FORMAT {
            return Err(WireError::Newer { found, known: COUNTERS_FORMAT });
        }
        self.next = r.unsigned()?;
        self.clock = Clock::after(r.unsigned()?);
        self.stats = Stats {
            files: r.unsigned()?,
            directories: r.unsigned()?,
            bytes: r.unsigned()?,
            conflicts: r.unsigned()?,
            transactions: r.unsigned()?,
        };
        r.finish()
    }

    /// Puts the counters among the changes, so that a batch carries them.
    pub(crate) fn save_counters(&mut self) {
        let mut w = Writer::with_capacity(64);
        w.byte(COUNTERS_FORMAT);
        w.unsigned(self.next);
        w.unsigned(self.clock.last());
        for count in [
            self.stats.files,
            self.stats.directories,
            self.stats.bytes,
            self.stats.conflicts,
            self.stats.transactions,
        ] {
            w.unsigned(count);
        }
        self.layers.put(Table::Meta, COUNTERS_KEY.to_vec(), w.out);
    }

    /// All numbers of inodes and links that were allotted are less.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    /// The next number of an inode or a link.
    pub(crate) fn allot(&mut self) -> Result<u64, LedgerError> {
        loop {
            let number = self.next;
            self.next += 1;
            let id = InodeId { device: self.own, number };
            if !self.mentioned || self.layers.get(Table::Ids, &id_key(id))?.is_none() {
                return Ok(number);
            }
        }
    }

    /// Whether `number` is the one allotted last, so that nothing can be known under it yet.
    pub(crate) fn is_fresh(&self, number: u64) -> bool {
        number + 1 == self.next && !self.layers.active.inodes.contains_key(&number)
    }

    pub(crate) fn row(&self, ino: Ino) -> Result<Option<Arc<InodeRow>>, LedgerError> {
        if let Some(row) = self.layers.inode_in_layers(ino) {
            return Ok(Some(Arc::clone(row)));
        }
        let bytes = self.layers.backing.get(Table::Inodes, &ino.to_be_bytes())?;
        bytes.map(|bytes| Ok(Arc::new(InodeRow::decode(&bytes, ino, self.own)?))).transpose()
    }

    /// The row of an inode that is known to exist.
    pub(crate) fn known_row(&self, ino: Ino) -> Result<Arc<InodeRow>, LedgerError> {
        self.row(ino)?.ok_or(LedgerError::Damaged(WireError::Malformed("a row that others name is missing")))
    }

    /// The row of an inode that is known to exist, to change it.
    pub(crate) fn row_mut(&mut self, ino: Ino) -> Result<&mut InodeRow, LedgerError> {
        self.activate(ino)?;
        let row = self.layers.active.inodes.get_mut(&ino).expect("the row was put there above");
        self.touched.entry(ino).or_insert_with(|| Share::of(row));
        Ok(Arc::make_mut(row))
    }

    /// The same, to change its times, on which no count depends: nothing is remembered until counts are settled next, which reading
    /// alone never asks for.
    pub(crate) fn times_mut(&mut self, ino: Ino) -> Result<&mut InodeRow, LedgerError> {
        self.activate(ino)?;
        let row = self.layers.active.inodes.get_mut(&ino).expect("the row was put there above");
        Ok(Arc::make_mut(row))
    }

    fn activate(&mut self, ino: Ino) -> Result<(), LedgerError> {
        if !self.layers.active.inodes.contains_key(&ino) {
            let row = self.known_row(ino)?;
            self.layers.active.inodes.insert(ino, row);
        }
        Ok(())
    }

    /// Inodes whose share of the counts is not settled.
    #[cfg(test)]
    pub(crate) fn unsettled(&self) -> usize {
        self.touched.len()
    }

    pub(crate) fn insert_row(&mut self, ino: Ino, row: InodeRow) {
        self.touched.entry(ino).or_default();
        self.layers.active.inodes.insert(ino, Arc::new(row));
    }

    /// Brings the counts up to date with the rows that changed; tells which did.
    pub(crate) fn settle_counts(&mut self) -> Vec<Ino> {
        let touched = std::mem::take(&mut self.touched);
        for (ino, before) in &touched {
            let Some(row) = self.layers.active.inodes.get(ino) else { continue };
            let after = Share::of(row);
            let swap = |count: &mut u64, before: u64, after: u64| {
                *count = count.wrapping_sub(before).wrapping_add(after);
            };
            swap(&mut self.stats.files, before.file.into(), after.file.into());
            swap(&mut self.stats.directories, before.directory.into(), after.directory.into());
            swap(&mut self.stats.bytes, before.bytes, after.bytes);
            swap(&mut self.stats.conflicts, before.conflicts, after.conflicts);
        }
        touched.into_keys().collect()
    }

    /// The number here of an inode or link that all devices know as `id`.
    pub(crate) fn ino_of(&self, id: InodeId) -> Result<Option<Ino>, LedgerError> {
        if id == InodeId::ROOT {
            return Ok(Some(ROOT));
        }
        if id.device == self.own
            && let Some(row) = self.row(id.number)?
            && row.id == id
        {
            return Ok(Some(id.number));
        }
        let ino = self.layers.get(Table::Ids, &id_key(id))?;
        Ok(ino.and_then(|ino| ino.first_chunk().copied()).map(u64::from_be_bytes))
    }

    /// The same, giving it a number and an empty row if it has none yet.
    pub(crate) fn resolve(&mut self, id: InodeId) -> Result<Ino, LedgerError> {
        if let Some(ino) = self.ino_of(id)? {
            return Ok(ino);
        }
        let ino = self.allot()?;
        self.mentioned |= id.device == self.own;
        self.layers.put(Table::Ids, id_key(id), ino.to_be_bytes().to_vec());
        self.insert_row(ino, InodeRow::unborn(id));
        Ok(ino)
    }

    pub(crate) fn slot(&self, dir: Ino, name: &[u8]) -> Result<Vec<Claim>, LedgerError> {
        self.slot_at(&slot_key(dir, name))
    }

    pub(crate) fn slot_at(&self, key: &[u8]) -> Result<Vec<Claim>, LedgerError> {
        match self.layers.get(Table::Children, key)? {
            Some(bytes) => Ok(decode_slot(&bytes)?),
            None => Ok(Vec::new()),
        }
    }

    pub(crate) fn put_slot(&mut self, key: Vec<u8>, claims: &[Claim]) {
        if claims.is_empty() {
            self.layers.delete(Table::Children, key);
        } else {
            self.layers.put(Table::Children, key, encode_slot(claims));
        }
    }

    /// The directory in which the entries of `dir` show: itself, unless it shares its name with a senior one.
    pub(crate) fn canonical(&self, dir: Ino) -> Result<Ino, LedgerError> {
        Ok(self.row(dir)?.and_then(|row| row.alias).unwrap_or(dir))
    }

    pub(crate) fn version(&self, ino: Ino, id: VersionId) -> Result<Option<VersionRow>, LedgerError> {
        let bytes = self.layers.get(Table::Versions, &version_key(ino, id))?;
        bytes.map(|bytes| Ok(VersionRow::decode(&bytes)?)).transpose()
    }

    pub(crate) fn put_version(&mut self, ino: Ino, id: VersionId, row: &VersionRow) {
        self.layers.put(Table::Versions, version_key(ino, id), row.encode());
    }

    /// Marks a directory as fallen back or not, in memory and on disk.
    pub(crate) fn set_fallen(&mut self, ino: Ino, fallen: bool) {
        let key = [&[FALLEN][..], &ino.to_be_bytes()].concat();
        if fallen && self.fallen.insert(ino) {
            self.layers.put(Table::Contested, key, Vec::new());
        } else if !fallen && self.fallen.remove(&ino) {
            self.layers.delete(Table::Contested, key);
        }
    }
}

fn id_key(id: InodeId) -> Vec<u8> {
    let mut key = id.device.0.to_be_bytes().to_vec();
    key.extend_from_slice(&id.number.to_be_bytes());
    key
}

/// The first key after all that begin with `prefix`; `None` when there is none.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
