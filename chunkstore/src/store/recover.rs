//! Opening: what lies on disk becomes the state of the store.
//!
//! The index says up to which position it is complete; packs before that are taken as it says, the rest is walked.
//! Each case after a crash:
//!
//! - *A tail is torn*: whole records count, the rest is cut off the last pack, so that new records follow whole ones.
//! - *A pack exists that the index does not know*, before the position: compaction died between the durable index
//!   and the removal. What the index knows nowhere else is taken up, as garbage or as rescue; nothing is deleted.
//! - *A new pack has no valid header and no whole record*: its creation died. It is removed.
//! - *The index is missing, broken, or names a pack that is gone*: it is rebuilt from all packs. Fingerprints cannot
//!   be (they need plaintext): the same content, put again, seals to the same id, is found, and is learned again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::{Mutex, RwLock};

use super::append::Appender;
use super::background::Bell;
use super::behind::Behind;
use super::cache::PlainCache;
use super::evict::Uses;
use super::flush::Flusher;
use super::fresh::FreshQueue;
use super::latch::Latch;
use super::put::MAX_UNFLUSHED_PACKS;
use super::report::Limits;
use super::space::Space;
use super::{Counts, Inner};
use crate::disk::{Disk, DiskFile};
use crate::error::StoreError;
use crate::index::{ChunkState, Entry, Index, PackUse};
use crate::pack::{
    FoundRecord, MAX_PACK_BYTES, PACK_HEADER_BYTES, PACK_VERSION, PackFolder, PackHeaderError, Position,
    Scan, Verify, decode_pack_header,
};

/// Entries a rebuild keeps in memory before it writes them.
const REBUILD_BATCH_ENTRIES: usize = 32 << 10;

pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path, limits: Limits) -> Result<Inner, StoreError> {
    make_folder(&*disk, dir)?;
    let folder = PackFolder::open(Arc::clone(&disk), dir.join("packs"))?;
    let on_disk = folder.list()?;
    let mut index = Index::open(&disk, dir)?;
    let mut valid_to = index.valid_to()?;
    let known = index.packs()?;
    let is_gone = |(pack, used): (&u64, &PackUse)| used.live_bytes > 0 && !on_disk.contains(pack);
    if known.iter().any(is_gone) {
        tracing::warn!("the chunk index names packs that are not on disk and is rebuilt");
        valid_to = None;
    }
    if valid_to.is_none() && !on_disk.is_empty() {
        tracing::warn!(packs = on_disk.len(), "building the chunk index from the packs");
    }
    if valid_to.is_none() && !known.is_empty() {
        let progress = index.progress();
        drop(index);
        index = Index::create_empty(&disk, dir)?;
        progress.iter().for_each(|(owner, to)| index.note_progress(owner, *to));
    }
    let inner = Inner {
        dir: dir.to_owned(),
        folder,
        appender: Appender::default(),
        flusher: Flusher::default(),
        space: Space::new(limits),
        latch: Latch::default(),
        scratches: Mutex::default(),
        cache: PlainCache::new(limits.cache_bytes),
        behind: Behind::default(),
        packs: Mutex::default(),
        counts: Counts::default(),
        gate: RwLock::default(),
        checkpointing: Mutex::default(),
        compacting: Mutex::default(),
        bell: Arc::new(Bell::default()),
        fresh: FreshQueue::default(),
        uses: Uses::default(),
        dooming: Mutex::default(),
        index,
        disk,
    };
    let mut recovery =
        Recovery { inner: &inner, on_disk, valid_to: valid_to.unwrap_or_default(), last: None };
    recovery.take_known(if valid_to.is_some() { known } else { BTreeMap::new() })?;
    recovery.walk_unknown()?;
    recovery.resume();
    if valid_to.is_none() {
        inner.checkpoint()?;
    }
    Ok(inner)
}

fn make_folder(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("cannot make folder", dir, error);
    if disk.exists(dir).map_err(failed)? {
        return Ok(());
    }
    disk.create_dir_all(&dir.join("packs")).map_err(failed)?;
    disk.sync_dir(dir).map_err(failed)?;
    match dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => disk.sync_dir(parent).map_err(failed),
        None => Ok(()),
    }
}

struct Recovery<'a> {
    inner: &'a Inner,
    on_disk: BTreeSet<u64>,
    /// The index is complete before this.
    valid_to: Position,
    /// The last pack, if more can be appended to it.
    last: Option<(u64, Arc<dyn DiskFile>, u32)>,
}

/// How a pack is walked.
struct Walk {
    pack: u64,
    file: Arc<dyn DiskFile>,
    len: u64,
    start: u64,
    has_header: bool,
    verify: Verify,
}

impl Recovery<'_> {
    /// Takes over what the index counts.
    fn take_known(&self, known: BTreeMap<u64, PackUse>) -> Result<(), StoreError> {
        let inner = self.inner;
        let (present, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            known.into_iter().partition(|(pack, _)| self.on_disk.contains(pack));
        inner.checkpointing.lock().extend(gone.into_keys());
        let chunks = inner.index.partition_sums()?.values().map(|sum| sum.count).sum();
        inner.counts.chunks.store(chunks, Ordering::Relaxed);
        inner.counts.live_bytes.store(present.values().map(|used| used.live_bytes).sum(), Ordering::Relaxed);
        inner.counts.damaged_chunks.store(inner.index.damaged_chunks()?, Ordering::Relaxed);
        inner.counts.cached_bytes.store(inner.index.cached_bytes()?, Ordering::Relaxed);
        *inner.packs.lock() = present;
        Ok(())
    }

    fn walk_unknown(&mut self) -> Result<(), StoreError> {
        let known: BTreeSet<u64> = self.inner.packs.lock().keys().copied().collect();
        let unknown: Vec<u64> = self
            .on_disk
            .iter()
            .copied()
            .filter(|pack| *pack >= self.valid_to.pack || !known.contains(pack))
            .collect();
        let newest = self.on_disk.iter().rev().nth(MAX_UNFLUSHED_PACKS).copied().unwrap_or(0);
        for pack in unknown {
            match self.prepare(pack, newest) {
                Ok(walk) => self.walk(&walk)?,
                Err(StoreError::Io { source, path, .. }) if source.kind() == ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), "no file is where a pack should be");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Packs older than the newest few were flushed before those were begun: their headers suffice.
    fn prepare(&self, pack: u64, newest: u64) -> Result<Walk, StoreError> {
        let path = self.inner.folder.path(pack);
        let failed = |error| StoreError::io("cannot read", &path, error);
        let file = self.inner.folder.file(pack).map_err(failed)?;
        let len = file.len().map_err(failed)?.min(u64::from(u32::MAX));
        let mut header = [0; PACK_HEADER_BYTES];
        let decoded = match file.read_at(0, &mut header) {
            Ok(()) => decode_pack_header(&header),
            Err(_) => Err(PackHeaderError::Malformed),
        };
        if let Err(PackHeaderError::Newer(found)) = decoded {
            return Err(StoreError::NewerFormat { path, found, known: PACK_VERSION });
        }
        let has_header = decoded.is_ok();
        let start = if pack == self.valid_to.pack {
            u64::from(self.valid_to.offset).max(PACK_HEADER_BYTES as u64)
        } else if has_header {
            PACK_HEADER_BYTES as u64
        } else {
            0
        };
        let verify = if pack >= newest { Verify::All } else { Verify::Searched };
        Ok(Walk { pack, file, len, start, has_header, verify })
    }

    fn walk(&mut self, walk: &Walk) -> Result<(), StoreError> {
        // First, so that nothing is taken up, and named by the index, that is not durable.
        self.change(walk, |file| file.sync_data())?;
        let (mut records, mut outcome) = (0_u64, Ok(()));
        let end = Scan::new(&*walk.file, walk.len, walk.verify).run(walk.start, &mut |found, _| {
            records += u64::from(found.is_whole != Some(false));
            outcome = self.adopt(walk.pack, found);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome?;
        let is_tail = walk.pack >= self.valid_to.pack && self.on_disk.last() == Some(&walk.pack);
        let is_shrunk = walk.len < walk.start;
        let mut len = walk.len;
        if records > 0 {
            tracing::info!(pack = walk.pack, records, "took up records the index did not know");
        }
        if !walk.has_header && records == 0 && walk.pack > self.valid_to.pack && !end.unreadable {
            tracing::warn!(pack = walk.pack, "removed a pack whose creation was interrupted");
            let removed = self.inner.folder.remove(walk.pack);
            return removed
                .map_err(|error| StoreError::io("cannot remove", self.inner.folder.path(walk.pack), error));
        }
        if is_tail && end.valid_end < len && !end.unreadable && walk.has_header {
            tracing::warn!(pack = walk.pack, bytes = len - end.valid_end, "cut off a torn tail");
            len = end.valid_end;
            self.change(walk, |file| file.set_len(len).and_then(|()| file.sync_data()))?;
        }
        self.inner
            .folder
            .sync_name(walk.pack)
            .map_err(|error| StoreError::io("cannot flush", self.inner.folder.path(walk.pack), error))?;
        self.inner.packs.lock().entry(walk.pack).or_default().bytes = len;
        let has_room = len + (PACK_HEADER_BYTES as u64) < u64::from(MAX_PACK_BYTES);
        if is_tail && walk.has_header && !is_shrunk && !end.unreadable && has_room {
            self.last = Some((walk.pack, Arc::clone(&walk.file), len as u32));
        }
        Ok(())
    }

    fn change(
        &self,
        walk: &Walk,
        change: impl FnOnce(&dyn DiskFile) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        change(&*walk.file)
            .map_err(|error| StoreError::io("cannot mend", self.inner.folder.path(walk.pack), error))
    }

    /// Puts a record into the index: behind the valid position the later one wins, before it the known one.
    fn adopt(&self, pack: u64, found: &FoundRecord) -> Result<(), StoreError> {
        let inner = self.inner;
        let place = found.location(pack);
        let old = inner.index.get(&found.id)?;
        let is_known = match &old {
            Some(old) => old.place == place || pack < self.valid_to.pack,
            None => false,
        };
        if is_known || found.is_whole == Some(false) {
            return Ok(());
        }
        let state = old.map_or(ChunkState::UNREPLICATED, |old| old.state.without(ChunkState::DAMAGED));
        inner.set_entry(found.id, Some(Entry { place, state }))?;
        if inner.index.pending() >= REBUILD_BATCH_ENTRIES {
            inner.index.freeze();
            inner.index.write(None, &BTreeMap::new())?;
        }
        Ok(())
    }

    fn resume(&mut self) {
        let inner = self.inner;
        let packs = inner.packs.lock();
        inner.space.grew(packs.values().map(|used| used.bytes).sum());
        let last =
            packs.last_key_value().map(|(pack, used)| Position { pack: *pack, offset: used.bytes as u32 });
        let end = last.unwrap_or_default().max(self.valid_to);
        let newest = self.on_disk.last().copied().unwrap_or(0).max(end.pack);
        inner.flusher.resume(end);
        inner.appender.resume(newest + 1, self.last.take(), end);
    }
}
