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

mod broken;
mod commit;
mod layer;
mod partition;
mod state;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable};

use crate::disk::{DatabaseFile, Disk};
use crate::error::StoreError;
use crate::ids::{ChunkId, Fingerprint, ID_BYTES};
use crate::pack::{Location, Position};
use broken::{Breakage, Owned, unless_broken};
use commit::{count_in, prepare_tables, write_layer};
use layer::Layer;
pub use partition::PartitionSum;
pub use state::ChunkState;
use tables::{CACHED, CHUNKS, DAMAGED, META, PACKS, PARTITION_SUMS, PRINTS, VALID_TO};

const FILE_NAME: &str = "index.redb";
/// What lay in the index's place and was none. One such file is kept.
const ASIDE_NAME: &str = "index.redb.unusable";
/// The kernel's page cache does the rest.
const DATABASE_CACHE_BYTES: usize = 4 << 20;

/// What is remembered about one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) place: Location,
    pub(crate) state: ChunkState,
}

impl Entry {
    /// Bytes that giving it up for want of room would free.
    pub(crate) fn cached_bytes(&self) -> u64 {
        if self.state.is_evictable() { self.place.record_bytes() } else { 0 }
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
    database: Owned,
    layers: RwLock<Layers>,
    /// Tables of the newest committed state, replaced after each checkpoint.
    committed: RwLock<Arc<Committed>>,
    notes: Mutex<Notes>,
    breakage: Breakage,
}

/// How far the owners of chunks have come, by name. Not of the packs, so a rebuild of the index loses them.
#[derive(Default)]
struct Notes {
    progress: BTreeMap<String, u64>,
    unwritten: bool,
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
        match Self::open_existing(disk, &path).and_then(Self::looked_over) {
            Ok(index) => Ok(index),
            Err(error @ StoreError::NewerFormat { .. }) => Err(error),
            Err(error) => {
                let aside = dir.join(ASIDE_NAME);
                tracing::warn!(
                    %error,
                    kept_as = %aside.display(),
                    "the chunk index cannot be used and is built anew from the packs"
                );
                // Kept, for it may be something else that was put there by mistake.
                if disk.exists(&path).unwrap_or(false) {
                    disk.rename(&path, &aside)
                        .map_err(|error| StoreError::io("cannot move away", &path, error))?;
                }
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
        unless_broken(|| {
            let mut builder = Database::builder();
            let database = builder
                .set_cache_size(DATABASE_CACHE_BYTES)
                .create_with_backend(file)
                .map_err(StoreError::index)?;
            prepare_tables(&database, path)?;
            let committed = RwLock::new(Arc::new(Committed::of(&database)?));
            let notes = Mutex::new(Notes { progress: commit::read_progress(&database)?, unwritten: false });
            let breakage = Breakage::of(disk, path);
            let database = Owned::of(database);
            Ok(Self { database, layers: RwLock::default(), committed, notes, breakage })
        })
    }

    /// What every start reads of an index must be readable, or another is built.
    fn looked_over(self) -> Result<Self, StoreError> {
        unless_broken(|| {
            self.valid_to()?;
            self.packs()?;
            self.partition_sums()?;
            self.damaged_chunks().map(drop)
        })?;
        Ok(self)
    }

    /// How far an owner of chunks has come, as of the last checkpoint it told of.
    pub(crate) fn progress(&self) -> BTreeMap<String, u64> {
        self.notes.lock().progress.clone()
    }

    /// Notes how far an owner of chunks has come; never goes back.
    pub(crate) fn note_progress(&self, owner: &str, to: u64) {
        let mut notes = self.notes.lock();
        if notes.progress.get(owner).is_none_or(|known| *known < to) {
            notes.progress.insert(owner.to_owned(), to);
            notes.unwritten = true;
        }
    }

    /// Whether something was noted since the last checkpoint.
    pub(crate) fn has_new_notes(&self) -> bool {
        self.notes.lock().unwritten
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

    /// Bytes of evictable records at the last checkpoint.
    pub(crate) fn cached_bytes(&self) -> Result<u64, StoreError> {
        let read = self.database.begin_read().map_err(StoreError::index)?;
        let meta = read.open_table(META).map_err(StoreError::index)?;
        count_in(&meta, CACHED)
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
        self.breakage.watch(|| {
            let row = committed.chunks.get(&id.0).map_err(StoreError::index)?;
            Ok(row.map(|row| tables::row_entry(&row.value())))
        })
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
        self.breakage.watch(|| {
            let row = committed.prints.get(&print.0).map_err(StoreError::index)?;
            Ok(row.map(|row| ChunkId(row.value())))
        })
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
        let committed = self.breakage.watch(|| self.commit(&frozen, valid_to, sizes))?;
        let mut layers = self.layers.write();
        *self.committed.write() = committed;
        layers.frozen = None;
        Ok(())
    }

    /// From now on the index counts as complete to nowhere: the next start builds it from the packs.
    pub(crate) fn distrust(&self) -> Result<(), StoreError> {
        self.breakage.distrust();
        self.breakage.watch(|| {
            let write = self.database.begin_write().map_err(StoreError::index)?;
            write.open_table(META).map_err(StoreError::index)?.remove(VALID_TO).map_err(StoreError::index)?;
            write.commit().map_err(StoreError::index)
        })
    }

    fn commit(
        &self,
        frozen: &Layer,
        valid_to: Option<Position>,
        sizes: &BTreeMap<u64, Option<u64>>,
    ) -> Result<Arc<Committed>, StoreError> {
        let mut write = self.database.begin_write().map_err(StoreError::index)?;
        // Costs a second sync and makes the start after a crash fast.
        write.set_quick_repair(true);
        let valid_to = valid_to.filter(|_| !self.breakage.is_distrusted());
        write_layer(&write, frozen, valid_to, sizes)?;
        let noted = {
            let mut notes = self.notes.lock();
            std::mem::take(&mut notes.unwritten).then(|| notes.progress.clone())
        };
        commit::write_progress(&write, noted.unwrap_or_default())?;
        write.commit().map_err(StoreError::index)?;
        Ok(Arc::new(Committed::of(&self.database)?))
    }

    /// Calls `visit` for every chunk of the last checkpoint whose id is at or behind `from`, in order of ids, until
    /// it gives false. Changes since are not seen: combine with [`Index::get`].
    pub(crate) fn walk(
        &self,
        from: ChunkId,
        visit: &mut dyn FnMut(ChunkId, Entry) -> bool,
    ) -> Result<(), StoreError> {
        let committed = Arc::clone(&self.committed.read());
        self.breakage.watch(|| {
            for row in committed.chunks.range(from.0..).map_err(StoreError::index)? {
                let (id, row) = row.map_err(StoreError::index)?;
                if !visit(ChunkId(id.value()), tables::row_entry(&row.value())) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// At most `max` ids behind `after` whose entry `wanted` picks, in order; changes since the last checkpoint are seen.
    pub(crate) fn pick(
        &self,
        after: Option<ChunkId>,
        max: usize,
        wanted: &dyn Fn(&ChunkId, &Entry) -> bool,
    ) -> Result<Vec<ChunkId>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.pick_within((from, Bound::Unbounded), max, wanted)
    }

    /// The same for the ids of a range.
    pub(crate) fn pick_within(
        &self,
        range: (Bound<ChunkId>, Bound<ChunkId>),
        max: usize,
        wanted: &dyn Fn(&ChunkId, &Entry) -> bool,
    ) -> Result<Vec<ChunkId>, StoreError> {
        let first = match range.0 {
            Bound::Included(first) | Bound::Excluded(first) => first,
            Bound::Unbounded => ChunkId([0; ID_BYTES]),
        };
        let is_before_end = |id: &ChunkId| (Bound::Unbounded, range.1).contains(id);
        let mut picked = BTreeSet::new();
        {
            let layers = self.layers.read();
            let recent = [layers.frozen.as_deref(), Some(&layers.active)];
            for (id, _) in recent.into_iter().flatten().flat_map(|layer| &layer.chunks) {
                if range.contains(id) {
                    picked.insert(*id);
                }
            }
        }
        let mut rows = 0;
        self.walk(first, &mut |id, entry| {
            if range.contains(&id) && wanted(&id, &entry) {
                rows += usize::from(picked.insert(id));
            }
            rows < max && is_before_end(&id)
        })?;
        let mut found = Vec::new();
        for id in picked {
            // Looked up again: what was picked may have changed since the checkpoint.
            if found.len() < max && self.get(&id)?.is_some_and(|entry| wanted(&id, &entry)) {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// Forgets fingerprints of chunks that are gone, a bounded number of rows in each transaction.
    pub(crate) fn forget_stale_prints(&self) -> Result<(), StoreError> {
        self.breakage.watch(|| self.forget_prints())
    }

    fn forget_prints(&self) -> Result<(), StoreError> {
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

#[cfg(test)]
mod tests {
    use super::tables::FORMAT;
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
    fn progress_is_kept_and_never_goes_back() {
        let disk = disk();
        let index = Index::open(&disk, Path::new("d")).unwrap();
        index.note_progress("w", 7);
        index.note_progress("w", 5);
        index.note_progress("v", 0);
        assert!(index.has_new_notes());
        checkpoint(&index, 32);
        assert!(!index.has_new_notes());
        drop(index);
        let index = Index::open(&disk, Path::new("d")).unwrap();
        assert_eq!(index.progress(), BTreeMap::from([("v".to_owned(), 0), ("w".to_owned(), 7)]));
        drop(index);
        assert!(Index::create_empty(&disk, Path::new("d")).unwrap().progress().is_empty());
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
