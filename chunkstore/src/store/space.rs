//! The limits: bytes of packs, and bytes of the disk left to others. Checked before a record gets its place.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::report::Limits;
use crate::disk::Disk;
use crate::error::{FullLimit, StoreError};
use crate::pack::MAX_PACK_BYTES;

/// The system is asked for the free space after this many bytes of our own writes.
const PROBE_EVERY_BYTES: u64 = 8 << 20;
/// And after this time, where a write is only looked at before it is taken in.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// This share of the contribution is kept for compaction's copies, and no pack grows beyond it (both up to
/// [`MAX_PACK_BYTES`]): without room to copy what lives in one pack, a full store could not free its dead bytes.
const COMPACTION_SHARE: u64 = 16;
/// Packs of the smallest contributions, bytes.
const MIN_SEALED_PACK_BYTES: u64 = 8 << 20;

/// Who wants room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A new chunk.
    Store,
    /// A copy that will free more than it takes.
    Compact,
}

pub(super) struct Space {
    limits: Mutex<Limits>,
    pack_bytes: AtomicU64,
    probe: Mutex<Probe>,
}

/// What the system said last, and what was written since.
#[derive(Default)]
struct Probe {
    free_bytes: u64,
    since_bytes: u64,
    is_valid: bool,
    at: Option<Instant>,
}

impl Probe {
    /// Asks the system.
    fn renew(&mut self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let space = disk.space(dir)?;
        *self =
            Self { free_bytes: space.free_bytes, since_bytes: 0, is_valid: true, at: Some(Instant::now()) };
        Ok(())
    }

    fn is_fresh(&self) -> bool {
        self.is_valid
            && self.since_bytes < PROBE_EVERY_BYTES
            && self.at.is_some_and(|at| at.elapsed() < PROBE_EVERY)
    }

    fn left_bytes(&self) -> u64 {
        self.free_bytes.saturating_sub(self.since_bytes)
    }
}

impl Space {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits: Mutex::new(limits), pack_bytes: AtomicU64::new(0), probe: Mutex::default() }
    }

    pub(super) fn limits(&self) -> Limits {
        *self.limits.lock()
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        *self.limits.lock() = limits;
    }

    /// Where a pack is sealed, bytes.
    pub(super) fn seal_packs_at(&self) -> u32 {
        let share = self.limits().contribute_bytes / COMPACTION_SHARE;
        u32::try_from(share.max(MIN_SEALED_PACK_BYTES))
            .map_or(MAX_PACK_BYTES, |share| share.min(MAX_PACK_BYTES))
    }

    pub(super) fn pack_bytes(&self) -> u64 {
        self.pack_bytes.load(Ordering::Relaxed)
    }

    /// Packs were found at the start, or grew.
    pub(super) fn grew(&self, bytes: u64) {
        self.pack_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A pack was removed or cut.
    pub(super) fn shrank(&self, bytes: u64) {
        self.pack_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.probe.lock().is_valid = false;
    }

    /// Takes room for `bytes`, or says which limit forbids it. Callers serialise.
    pub(super) fn take(
        &self,
        bytes: u64,
        purpose: Purpose,
        disk: &dyn Disk,
        dir: &Path,
    ) -> Result<(), StoreError> {
        let limits = self.limits();
        let full = |limit| Err(StoreError::Full { needed_bytes: bytes, limit });
        if self.pack_bytes().saturating_add(bytes) > ceiling(&limits, purpose) {
            return full(FullLimit::Contribution(limits.contribute_bytes));
        }
        let mut probe = self.probe.lock();
        let fits = |probe: &Probe| probe.left_bytes() >= bytes.saturating_add(limits.reserve_bytes);
        if !probe.is_valid || probe.since_bytes >= PROBE_EVERY_BYTES || !fits(&probe) {
            probe.renew(disk, dir).map_err(|error| StoreError::io("cannot size", dir, error))?;
        }
        if !fits(&probe) {
            return full(match limits.reserve_bytes {
                0 => FullLimit::Disk,
                reserve => FullLimit::Reserve(reserve),
            });
        }
        probe.since_bytes += bytes;
        self.grew(bytes);
        Ok(())
    }

    /// Bytes new chunks may still take; 0 if the system does not say.
    pub(super) fn can_store_bytes(&self, disk: &dyn Disk, dir: &Path) -> u64 {
        let limits = self.limits();
        let mut probe = self.probe.lock();
        let free = probe.renew(disk, dir).map_or(0, |()| probe.left_bytes());
        self.own_bytes(&limits).min(free.saturating_sub(limits.reserve_bytes))
    }

    /// Whether so many bytes of new chunks can be stored, by what the system said within the last second.
    pub(super) fn has_room(&self, bytes: u64, disk: &dyn Disk, dir: &Path) -> bool {
        let limits = self.limits();
        if self.own_bytes(&limits) < bytes {
            return false;
        }
        let needed = bytes.saturating_add(limits.reserve_bytes);
        let mut probe = self.probe.lock();
        if probe.is_fresh() && probe.left_bytes() >= needed {
            return true;
        }
        probe.renew(disk, dir).is_ok_and(|()| probe.left_bytes() >= needed)
    }

    fn own_bytes(&self, limits: &Limits) -> u64 {
        ceiling(limits, Purpose::Store).saturating_sub(self.pack_bytes())
    }
}

fn ceiling(limits: &Limits, purpose: Purpose) -> u64 {
    let all = limits.contribute_bytes;
    match purpose {
        Purpose::Compact => all,
        Purpose::Store => all - (all / COMPACTION_SHARE).min(u64::from(MAX_PACK_BYTES)),
    }
}
