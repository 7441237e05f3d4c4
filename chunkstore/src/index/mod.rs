//! The index: where each chunk lies and what is known of it. A cache of the packs: losing it costs a scan.
//!
//! ```text
//!  lookup ──▶ active layer ──▶ frozen layer ──▶ index.redb
//!  change ──▶ active layer ──freeze──▶ frozen layer ──one durable transaction──▶ index.redb
//! ```
//!
//! The database says up to which position of the packs it is complete (`valid_to`), and names no record that is
//! not flushed. What lies behind that position is walked at the next start. Both layers are bounded by the store,
//! which checkpoints in time.

mod layer;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable};

use crate::disk::{DatabaseFile, Disk};
use crate::error::StoreError;
use crate::ids::{ChunkId, Fingerprint, ID_BYTES};
use crate::pack::{Location, Position};
use layer::Layer;
use tables::{CHUNKS, DAMAGED, FORMAT, INDEX_VERSION, META, PACKS, PARTITION_SUMS, PRINTS, VALID_TO};

const FILE_NAME: &str = "index.redb";
/// The kernel's page cache does the rest.
const DATABASE_CACHE_BYTES: usize = 4 << 20;

/// What is remembered about one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) place: Location,
    pub(crate) state: ChunkState,
}

/// State bits of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkState(pub u32);

impl ChunkState {
    /// Placement names this computer as a host of it.
    pub const PLACED: Self = Self(1);
    /// The user wants it here.
    pub const PINNED: Self = Self(1 << 1);
    /// Here only because it was read: may be given up when room is needed.
    pub const CACHED: Self = Self(1 << 2);
    /// Not known to be on enough hosts: must not be given up.
    pub const UNREPLICATED: Self = Self(1 << 3);
    /// Its bytes did not verify: it is not served, and the next copy that comes along replaces it.
    pub const DAMAGED: Self = Self(1 << 4);

    /// Whether all these bits are set.
    #[must_use]
    pub const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// With these bits as well.
    #[must_use]
    pub const fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }

    /// Without these bits.
    #[must_use]
    pub const fn without(self, bits: Self) -> Self {
        Self(self.0 & !bits.0)
    }
}

/// Order-free fingerprint of the ids in one partition: two hosts with equal sums hold the same chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionSum {
    /// Sum of the ids as 256-bit little-endian numbers, wrapping.
    pub sum: [u8; ID_BYTES],
    /// How many there are.
    pub count: u64,
}

impl PartitionSum {
    fn add(&mut self, id: &ChunkId) {
        self.combine(id, |left, right, carry| {
            let (sum, first) = left.overflowing_add(right);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (sum, first || second)
        });
        self.count += 1;
    }

    fn subtract(&mut self, id: &ChunkId) {
        self.combine(id, |left, right, borrow| {
            let (rest, first) = left.overflowing_sub(right);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (rest, first || second)
        });
        self.count = self.count.saturating_sub(1);
    }

    fn combine(&mut self, id: &ChunkId, step: impl Fn(u64, u64, bool) -> (u64, bool)) {
        let mut carry = false;
        let (ours, _) = self.sum.as_chunks_mut::<8>();
        let (theirs, _) = id.0.as_chunks::<8>();
        for (left, right) in ours.iter_mut().zip(theirs) {
            let (word, over) = step(u64::from_le_bytes(*left), u64::from_le_bytes(*right), carry);
            *left = word.to_le_bytes();
            carry = over;
        }
    }
}

/// Size of a pack and of what lives in it, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackUse {
    pub(crate) bytes: u64,
    pub(crate) live_bytes: u64,
}

impl PackUse {
    pub(crate) fn is_mostly_dead(&self) -> bool {
        self.live_bytes * 2 < self.bytes
    }
}

/// See the module.
pub(crate) struct Index {
    database: Database,
    layers: RwLock<Layers>,
    /// Tables of the newest committed state, replaced after each checkpoint.
    committed: RwLock<Arc<Committed>>,
}

#[derive(Default)]
struct Layers {
    active: Layer,
    frozen: Option<Arc<Layer>>,
}

struct Committed {
    chunks: ReadOnlyTable<[u8; ID_BYTES], [u8; 24]>,
    prints: ReadOnlyTable<[u8; ID_BYTES], [u8; ID_BYTES]>,
}

impl Index {
    /// Opens the index in `dir`; one that cannot be used is replaced by an empty one that is valid to nowhere.
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        match Self::open_existing(disk, &path) {
            Ok(index) => Ok(index),
            Err(error @ StoreError::NewerFormat { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "the chunk index cannot be used and is built anew from the packs");
                Self::create_empty(disk, dir)
            }
        }
    }

    /// Replaces the index by an empty one.
    pub(crate) fn create_empty(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let gone = disk.exists(&path).and_then(|exists| if exists { disk.remove(&path) } else { Ok(()) });
        gone.map_err(|error| StoreError::io("cannot remove", &path, error))?;
        Self::open_existing(disk, &path)
    }

    fn open_existing(disk: &Arc<dyn Disk>, path: &Path) -> Result<Self, StoreError> {
        let file = DatabaseFile::open(disk, path, None)
            .map_err(|error| StoreError::io("cannot open", path, error))?;
        let mut builder = Database::builder();
        let database = builder
            .set_cache_size(DATABASE_CACHE_BYTES)
            .create_with_backend(file)
            .map_err(StoreError::index)?;
        prepare_tables(&database, path)?;
        let committed = RwLock::new(Arc::new(Committed::of(&database)?));
        Ok(Self { database, layers: RwLock::default(), committed })
    }

    /// Up to where the database knows the packs; `None` if it was never complete.
    pub(crate) fn valid_to(&self) -> Result<Option<Position>, StoreError> {
        let read = self.database.begin_read().map_err(StoreError::index)?;
        let meta = read.open_table(META).map_err(StoreError::index)?;
        let row = meta.get(VALID_TO).map_err(StoreError::index)?;
        Ok(row.and_then(|row| tables::row_position(row.value())))
    }

    /// How many chunks were known to be damaged at the last checkpoint.
    pub(crate) fn damaged_chunks(&self) -> Result<u64, StoreError> {
        let read = self.database.begin_read().map_err(StoreError::index)?;
        let meta = read.open_table(META).map_err(StoreError::index)?;
        count_in(&meta, DAMAGED)
    }

    /// The packs as of the last checkpoint.
    pub(crate) fn packs(&self) -> Result<BTreeMap<u64, PackUse>, StoreError> {
        let read = self.database.begin_read().map_err(StoreError::index)?;
        let table = read.open_table(PACKS).map_err(StoreError::index)?;
        let mut packs = BTreeMap::new();
        for row in table.iter().map_err(StoreError::index)? {
            let (pack, row) = row.map_err(StoreError::index)?;
            let (bytes, live_bytes) = tables::row_pack(&row.value());
            packs.insert(pack.value(), PackUse { bytes, live_bytes });
        }
        Ok(packs)
    }

    /// The sums of all partitions that hold chunks, as of the last checkpoint.
    pub(crate) fn partition_sums(&self) -> Result<BTreeMap<u16, PartitionSum>, StoreError> {
        let read = self.database.begin_read().map_err(StoreError::index)?;
        let table = read.open_table(PARTITION_SUMS).map_err(StoreError::index)?;
        let mut sums = BTreeMap::new();
        for row in table.iter().map_err(StoreError::index)? {
            let (partition, row) = row.map_err(StoreError::index)?;
            sums.insert(partition.value(), tables::row_sum(&row.value()));
        }
        Ok(sums)
    }

    /// What is known of a chunk.
    pub(crate) fn get(&self, id: &ChunkId) -> Result<Option<Entry>, StoreError> {
        let committed = {
            let layers = self.layers.read();
            let recent = [Some(&layers.active), layers.frozen.as_deref()];
            if let Some(known) = recent.into_iter().flatten().find_map(|layer| layer.chunks.get(id)) {
                return Ok(*known);
            }
            // Taken under the layers' lock: a checkpoint replaces it before it drops the frozen layer.
            Arc::clone(&self.committed.read())
        };
        let row = committed.chunks.get(&id.0).map_err(StoreError::index)?;
        Ok(row.map(|row| tables::row_entry(&row.value())))
    }

    /// The chunk last stored for this fingerprint; it may be gone since.
    pub(crate) fn print(&self, print: &Fingerprint) -> Result<Option<ChunkId>, StoreError> {
        let committed = {
            let layers = self.layers.read();
            let recent = [Some(&layers.active), layers.frozen.as_deref()];
            if let Some(known) = recent.into_iter().flatten().find_map(|layer| layer.prints.get(print)) {
                return Ok(Some(*known));
            }
            Arc::clone(&self.committed.read())
        };
        let row = committed.prints.get(&print.0).map_err(StoreError::index)?;
        Ok(row.map(|row| ChunkId(row.value())))
    }

    /// Notes a chunk's new entry, or that it is given up.
    pub(crate) fn set(&self, id: ChunkId, entry: Option<Entry>) {
        self.layers.write().active.chunks.insert(id, entry);
    }

    /// Notes which chunk a fingerprint stands for.
    pub(crate) fn learn(&self, print: Fingerprint, id: ChunkId) {
        self.layers.write().active.prints.insert(print, id);
    }

    /// Changes not yet frozen, chunks.
    pub(crate) fn pending(&self) -> usize {
        self.layers.read().active.len()
    }

    /// Sets the changes so far aside for [`Index::write`]. Only one layer is frozen at a time: the caller
    /// serialises checkpoints. A layer whose write failed stays, and new changes go on top of it.
    pub(crate) fn freeze(&self) {
        let mut layers = self.layers.write();
        if layers.frozen.is_none() {
            layers.frozen = Some(Arc::new(std::mem::take(&mut layers.active)));
        }
    }

    /// Commits the frozen layer durably, claims completeness up to `valid_to`, and notes pack sizes (`None`:
    /// removed). All records of the layer and all before `valid_to` must be flushed.
    pub(crate) fn write(
        &self,
        valid_to: Option<Position>,
        sizes: &BTreeMap<u64, Option<u64>>,
    ) -> Result<(), StoreError> {
        let frozen = self.layers.read().frozen.clone().unwrap_or_default();
        let mut write = self.database.begin_write().map_err(StoreError::index)?;
        // Costs a second sync and makes the start after a crash fast.
        write.set_quick_repair(true);
        write_layer(&write, &frozen, valid_to, sizes)?;
        write.commit().map_err(StoreError::index)?;
        let committed = Arc::new(Committed::of(&self.database)?);
        let mut layers = self.layers.write();
        *self.committed.write() = committed;
        layers.frozen = None;
        Ok(())
    }

    /// Calls `visit` for every chunk of the last checkpoint whose id is at or behind `from`, in order of ids, until
    /// it gives false. Changes since are not seen: combine with [`Index::get`].
    pub(crate) fn walk(
        &self,
        from: ChunkId,
        visit: &mut dyn FnMut(ChunkId, Entry) -> bool,
    ) -> Result<(), StoreError> {
        let committed = Arc::clone(&self.committed.read());
        for row in committed.chunks.range(from.0..).map_err(StoreError::index)? {
            let (id, row) = row.map_err(StoreError::index)?;
            if !visit(ChunkId(id.value()), tables::row_entry(&row.value())) {
                break;
            }
        }
        Ok(())
    }

    /// Forgets fingerprints of chunks that are gone, a bounded number of rows in each transaction.
    pub(crate) fn forget_stale_prints(&self) -> Result<(), StoreError> {
        const ROWS_AT_A_TIME: usize = 8192;
        let mut from = [0; ID_BYTES];
        loop {
            let committed = Arc::clone(&self.committed.read());
            let (mut stale, mut seen, mut last) = (Vec::new(), 0, None);
            for row in committed.prints.range(from..).map_err(StoreError::index)?.take(ROWS_AT_A_TIME) {
                let (print, id) = row.map_err(StoreError::index)?;
                (seen, last) = (seen + 1, Some(print.value()));
                if self.get(&ChunkId(id.value()))?.is_none() {
                    stale.push(print.value());
                }
            }
            drop(committed);
            self.remove_prints(&stale)?;
            match last {
                Some(last) if seen == ROWS_AT_A_TIME => from = last,
                _ => return Ok(()),
            }
        }
    }

    fn remove_prints(&self, stale: &[[u8; ID_BYTES]]) -> Result<(), StoreError> {
        if stale.is_empty() {
            return Ok(());
        }
        let write = self.database.begin_write().map_err(StoreError::index)?;
        {
            let mut prints = write.open_table(PRINTS).map_err(StoreError::index)?;
            for print in stale {
                prints.remove(print).map_err(StoreError::index)?;
            }
        }
        write.commit().map_err(StoreError::index)?;
        *self.committed.write() = Arc::new(Committed::of(&self.database)?);
        Ok(())
    }
}

impl Committed {
    fn of(database: &Database) -> Result<Self, StoreError> {
        let read = database.begin_read().map_err(StoreError::index)?;
        Ok(Self {
            chunks: read.open_table(CHUNKS).map_err(StoreError::index)?,
            prints: read.open_table(PRINTS).map_err(StoreError::index)?,
        })
    }
}

/// Makes the tables of a new index; refuses one of a newer version before it is touched.
fn prepare_tables(database: &Database, path: &Path) -> Result<(), StoreError> {
    let read = database.begin_read().map_err(StoreError::index)?;
    let found = match read.open_table(META) {
        Ok(meta) => {
            let row = meta.get(FORMAT).map_err(StoreError::index)?;
            row.and_then(|row| row.value().try_into().ok().map(u32::from_le_bytes))
        }
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(StoreError::index(error)),
    };
    match found {
        Some(found) if found > INDEX_VERSION => {
            return Err(StoreError::NewerFormat { path: path.to_owned(), found, known: INDEX_VERSION });
        }
        Some(_) => return Ok(()),
        None => {}
    }
    let write = database.begin_write().map_err(StoreError::index)?;
    {
        let mut meta = write.open_table(META).map_err(StoreError::index)?;
        meta.insert(FORMAT, &INDEX_VERSION.to_le_bytes()[..]).map_err(StoreError::index)?;
        write.open_table(CHUNKS).map_err(StoreError::index)?;
        write.open_table(PRINTS).map_err(StoreError::index)?;
        write.open_table(PARTITION_SUMS).map_err(StoreError::index)?;
        write.open_table(PACKS).map_err(StoreError::index)?;
    }
    write.commit().map_err(StoreError::index)
}

fn count_in(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
) -> Result<u64, StoreError> {
    let row = meta.get(name).map_err(StoreError::index)?;
    Ok(row.and_then(|row| row.value().try_into().ok().map(u64::from_le_bytes)).unwrap_or(0))
}

fn write_layer(
    write: &redb::WriteTransaction,
    layer: &Layer,
    valid_to: Option<Position>,
    sizes: &BTreeMap<u64, Option<u64>>,
) -> Result<(), StoreError> {
    let mut sums: HashMap<u16, Vec<(ChunkId, bool)>> = HashMap::new();
    let mut live: BTreeMap<u64, i64> = BTreeMap::new();
    let mut damaged = 0_i64;
    let mut chunks = write.open_table(CHUNKS).map_err(StoreError::index)?;
    let mut sorted: Vec<_> = layer.chunks.iter().collect();
    sorted.sort_unstable_by_key(|(id, _)| **id);
    for (id, entry) in sorted {
        let old = match entry {
            Some(entry) => chunks.insert(&id.0, &tables::entry_row(entry)),
            None => chunks.remove(&id.0),
        };
        let old = old.map_err(StoreError::index)?.map(|row| tables::row_entry(&row.value()));
        for (entry, sign) in [(old.as_ref(), -1), (entry.as_ref(), 1)] {
            if let Some(entry) = entry {
                *live.entry(entry.place.at.pack).or_default() += sign * entry.place.record_bytes() as i64;
                damaged += sign * i64::from(entry.state.has(ChunkState::DAMAGED));
            }
        }
        if old.is_some() != entry.is_some() {
            sums.entry(id.partition()).or_default().push((*id, entry.is_some()));
        }
    }
    let mut prints = write.open_table(PRINTS).map_err(StoreError::index)?;
    for (print, id) in &layer.prints {
        prints.insert(&print.0, &id.0).map_err(StoreError::index)?;
    }
    write_sums(write, &sums)?;
    write_packs(write, &live, sizes)?;
    let mut meta = write.open_table(META).map_err(StoreError::index)?;
    let damaged = count_in(&meta, DAMAGED)?.saturating_add_signed(damaged);
    meta.insert(DAMAGED, &damaged.to_le_bytes()[..]).map_err(StoreError::index)?;
    if let Some(at) = valid_to {
        meta.insert(VALID_TO, &tables::position_row(at)[..]).map_err(StoreError::index)?;
    }
    Ok(())
}

fn write_sums(
    write: &redb::WriteTransaction,
    changes: &HashMap<u16, Vec<(ChunkId, bool)>>,
) -> Result<(), StoreError> {
    let mut table = write.open_table(PARTITION_SUMS).map_err(StoreError::index)?;
    for (partition, changes) in changes {
        let row = table.get(partition).map_err(StoreError::index)?.map(|row| tables::row_sum(&row.value()));
        let mut sum = row.unwrap_or_default();
        for (id, is_new) in changes {
            if *is_new { sum.add(id) } else { sum.subtract(id) }
        }
        table.insert(partition, &tables::sum_row(&sum)).map_err(StoreError::index)?;
    }
    Ok(())
}

fn write_packs(
    write: &redb::WriteTransaction,
    live: &BTreeMap<u64, i64>,
    sizes: &BTreeMap<u64, Option<u64>>,
) -> Result<(), StoreError> {
    let mut table = write.open_table(PACKS).map_err(StoreError::index)?;
    let touched: std::collections::BTreeSet<u64> = live.keys().chain(sizes.keys()).copied().collect();
    for pack in touched {
        let row = table.get(pack).map_err(StoreError::index)?.map(|row| tables::row_pack(&row.value()));
        let (bytes, live_bytes) = row.unwrap_or_default();
        let live_bytes = live_bytes.saturating_add_signed(live.get(&pack).copied().unwrap_or(0));
        match sizes.get(&pack) {
            Some(None) => drop(table.remove(pack).map_err(StoreError::index)?),
            size => {
                let bytes = size.copied().flatten().unwrap_or(bytes);
                table.insert(pack, &tables::pack_row(bytes, live_bytes)).map_err(StoreError::index)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;
    use crate::testing::noise;

    fn id(seed: u64) -> ChunkId {
        ChunkId::of(&noise(seed, 8))
    }

    fn entry(pack: u64, offset: u32) -> Entry {
        let place = Location { at: Position { pack, offset }, len: 56 };
        Entry { place, state: ChunkState::UNREPLICATED }
    }

    fn disk() -> Arc<dyn Disk> {
        Arc::new(MemoryDisk::new())
    }

    fn checkpoint(index: &Index, offset: u32) {
        index.freeze();
        index.write(Some(Position { pack: 1, offset }), &BTreeMap::from([(1, Some(1000))])).unwrap();
    }

    #[test]
    fn changes_are_seen_at_once_and_after_checkpoints_and_restarts() {
        let disk = disk();
        let index = Index::open(&disk, Path::new("d")).unwrap();
        assert_eq!(index.valid_to().unwrap(), None);
        index.set(id(1), Some(entry(1, 32)));
        index.learn(Fingerprint([1; 32]), id(1));
        assert_eq!(index.get(&id(1)).unwrap(), Some(entry(1, 32)));
        index.freeze();
        index.set(id(2), Some(entry(1, 132)));
        assert_eq!(index.get(&id(1)).unwrap(), Some(entry(1, 32)));
        index.write(Some(Position { pack: 1, offset: 132 }), &BTreeMap::new()).unwrap();
        assert_eq!(index.get(&id(2)).unwrap(), Some(entry(1, 132)));
        drop(index);
        let index = Index::open(&disk, Path::new("d")).unwrap();
        assert_eq!(index.valid_to().unwrap(), Some(Position { pack: 1, offset: 132 }));
        assert_eq!(index.get(&id(1)).unwrap(), Some(entry(1, 32)));
        assert_eq!(index.print(&Fingerprint([1; 32])).unwrap(), Some(id(1)));
        assert_eq!(index.get(&id(2)).unwrap(), None);
    }

    #[test]
    fn sums_and_packs_follow_the_chunks() {
        let disk = disk();
        let index = Index::open(&disk, Path::new("d")).unwrap();
        for seed in 0..50 {
            index.set(id(seed), Some(entry(1, 32 + 100 * seed as u32)));
        }
        checkpoint(&index, 5032);
        for seed in 10..50 {
            index.set(id(seed), None);
        }
        index.set(id(9), Some(entry(2, 32)));
        checkpoint(&index, 5032);
        let mut expected: BTreeMap<u16, PartitionSum> = BTreeMap::new();
        for seed in 0..10 {
            expected.entry(id(seed).partition()).or_default().add(&id(seed));
        }
        let mut sums = index.partition_sums().unwrap();
        sums.retain(|_, sum| *sum != PartitionSum::default());
        assert_eq!(sums, expected);
        let packs = index.packs().unwrap();
        assert_eq!(packs[&1], PackUse { bytes: 1000, live_bytes: 900 });
        assert_eq!(packs[&2], PackUse { bytes: 0, live_bytes: 100 });
    }

    #[test]
    fn a_partition_sum_does_not_depend_on_the_order() {
        let (mut forward, mut backward) = (PartitionSum::default(), PartitionSum::default());
        (0..20).for_each(|seed| forward.add(&id(seed)));
        (0..20).rev().for_each(|seed| backward.add(&id(seed)));
        assert_eq!(forward, backward);
        (0..20).for_each(|seed| forward.subtract(&id(seed)));
        assert_eq!(forward, PartitionSum::default());
    }

    #[test]
    fn fingerprints_of_gone_chunks_are_forgotten() {
        let index = Index::open(&disk(), Path::new("d")).unwrap();
        for seed in 0..10_u8 {
            index.set(id(u64::from(seed)), Some(entry(1, 32)));
            index.learn(Fingerprint([seed; 32]), id(u64::from(seed)));
        }
        checkpoint(&index, 32);
        index.set(id(3), None);
        index.forget_stale_prints().unwrap();
        assert_eq!(index.print(&Fingerprint([3; 32])).unwrap(), None);
        assert_eq!(index.print(&Fingerprint([4; 32])).unwrap(), Some(id(4)));
    }

    #[test]
    fn a_newer_index_is_refused_and_a_broken_one_replaced() {
        let disk = disk();
        let index = Index::open(&disk, Path::new("d")).unwrap();
        index.set(id(1), Some(entry(1, 32)));
        checkpoint(&index, 132);
        let write = index.database.begin_write().unwrap();
        write.open_table(META).unwrap().insert(FORMAT, &2_u32.to_le_bytes()[..]).unwrap();
        write.commit().unwrap();
        drop(index);
        let refused = Index::open(&disk, Path::new("d"));
        assert!(matches!(refused, Err(StoreError::NewerFormat { found: 2, .. })));
        let file = disk.open(Path::new("d/index.redb"), crate::disk::Open::ReadWrite).unwrap();
        file.write_at(0, &noise(1, 4096)).unwrap();
        let index = Index::open(&disk, Path::new("d")).unwrap();
        assert_eq!((index.valid_to().unwrap(), index.get(&id(1)).unwrap()), (None, None));
    }
}
