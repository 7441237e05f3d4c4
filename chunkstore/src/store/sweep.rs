//! Giving up chunks nobody names any more: mark what lives, give up the rest.
//!
//! The filter of living chunks is a Bloom filter, so memory is bounded and the error is on the safe side: a false
//! positive keeps garbage until the next sweep. Everything stored or found stored after the sweep began counts as
//! living. Giving up means that the index forgets the chunk; compaction frees the bytes later. After a rebuild of
//! the index the forgotten chunks of packs not yet compacted are back, as garbage for the next sweep.
//!
//! A chunk that other computers placed here may arrive before the transaction that names it. So an unmarked placed chunk is only
//! doomed, and given up by a sweep at least a grace later that finds it unmarked still. All doomed chunks share one moment: a new
//! epoch begins when the last one is over, and at a start the moment is not known, so that the grace begins anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::report::SweepReport;
use super::{ChunkStore, Inner};
use crate::error::StoreError;
use crate::ids::ChunkId;
use crate::index::{ChunkState, Entry};

/// Most memory the filter takes: good for 27 million chunks at one false positive in a hundred.
const MAX_FILTER_BYTES: u64 = 32 << 20;
const MIN_FILTER_BYTES: u64 = 64 << 10;
const BITS_PER_CHUNK: u64 = 12;
const HASHES: usize = 7;
/// Chunks given up under one hold of the gate.
const BATCH_CHUNKS: usize = 4096;
/// How long a placed chunk stays that nothing names, at least.
const PLACED_GRACE: Duration = Duration::from_secs(3600);

/// When the doomed chunks were doomed; not known before the first sweep since the start.
#[derive(Default)]
pub(super) struct DoomEpoch(Option<Instant>);

/// What this sweep does with unmarked placed chunks.
#[derive(Clone, Copy)]
struct Dooming {
    may_doom: bool,
    may_give_up: bool,
}

impl DoomEpoch {
    fn begin_sweep(&mut self, grace: Duration) -> Dooming {
        let is_over = self.0.is_some_and(|began| began.elapsed() >= grace);
        let may_doom = self.0.is_none() || is_over;
        if may_doom {
            self.0 = Some(Instant::now());
        }
        Dooming { may_doom, may_give_up: is_over }
    }
}

/// A sweep under way. Dropped without [`Sweep::finish`], it gives nothing up.
pub struct Sweep<'a> {
    inner: &'a Inner,
    filter: Arc<SweepFilter>,
    spared: ChunkState,
}

impl ChunkStore {
    /// Begins a sweep: from now on every chunk that is put, imported or found stored counts as living. A sweep
    /// begun earlier and not finished will refuse to finish.
    ///
    /// A chunk that was put before this call and is named nowhere yet (its file is still being settled) is known
    /// to the caller only: it must be marked like all that is named. The simple way is to let all pending
    /// publications finish after this call and to look up what is named only then.
    #[must_use]
    pub fn begin_sweep(&self) -> Sweep<'_> {
        let filter = Arc::new(SweepFilter::for_chunks(self.usage().chunks));
        *self.inner.gate.write() = Some(Arc::clone(&filter));
        Sweep { inner: &self.inner, filter, spared: ChunkState::default() }
    }
}

impl Sweep<'_> {
    /// This chunk lives.
    pub fn mark(&self, id: &ChunkId) {
        self.filter.mark(id);
    }

    /// Chunks with any of these bits stay, marked or not: for a caller that could not look up all that is named.
    pub fn spare(&mut self, any: ChunkState) {
        self.spared = any;
    }

    /// Gives up every chunk that was not marked. The caller must have marked all that is named anywhere.
    ///
    /// # Errors
    /// [`StoreError::SweepReplaced`] if another sweep was begun, else those of
    /// [`ChunkStore::checkpoint_index`]. What was given up until then stays so.
    pub fn finish(self) -> Result<SweepReport, StoreError> {
        self.finish_with_grace(PLACED_GRACE)
    }

    /// The same, with another grace for placed chunks that nothing names than an hour.
    ///
    /// # Errors
    /// Those of [`Sweep::finish`].
    pub fn finish_with_grace(self, grace: Duration) -> Result<SweepReport, StoreError> {
        let dooming = self.inner.dooming.lock().begin_sweep(grace);
        // All chunks older than the sweep are then in the database, where they are walked.
        self.inner.checkpoint()?;
        let mut report = SweepReport::default();
        let mut from = ChunkId([0; 32]);
        loop {
            let (unmarked, last) = self.next_unmarked(from, &mut report)?;
            self.give_up(&unmarked, dooming, &mut report)?;
            self.inner.keep_bounds()?;
            match last.and_then(next_id) {
                Some(next) => from = next,
                None => break,
            }
        }
        self.inner.checkpoint()?;
        self.inner.index.forget_stale_prints()?;
        Ok(report)
    }

    /// The next batch of unmarked chunks, and the last id looked at unless that was the last of all.
    fn next_unmarked(
        &self,
        from: ChunkId,
        report: &mut SweepReport,
    ) -> Result<(Vec<ChunkId>, Option<ChunkId>), StoreError> {
        let (mut unmarked, mut last) = (Vec::new(), None);
        self.inner.index.walk(from, &mut |id, _| {
            if self.filter.has(&id) {
                report.live_chunks += 1;
            } else {
                unmarked.push(id);
            }
            last = (unmarked.len() == BATCH_CHUNKS).then_some(id);
            last.is_none()
        })?;
        Ok((unmarked, last))
    }

    fn give_up(
        &self,
        unmarked: &[ChunkId],
        dooming: Dooming,
        report: &mut SweepReport,
    ) -> Result<(), StoreError> {
        let current = self.inner.gate.write();
        if !current.as_ref().is_some_and(|filter| Arc::ptr_eq(filter, &self.filter)) {
            return Err(StoreError::SweepReplaced);
        }
        for id in unmarked {
            let entry = self.inner.index.get(id)?;
            match entry.filter(|entry| !self.filter.has(id) && !entry.state.has_any(self.spared)) {
                Some(entry) if entry.state.has(ChunkState::PLACED) && !dooming.is_up(entry.state) => {
                    report.doomed_chunks += 1;
                    if dooming.may_doom && !entry.state.has(ChunkState::DOOMED) {
                        let state = entry.state.with(ChunkState::DOOMED);
                        self.inner.set_entry(*id, Some(Entry { state, ..entry }))?;
                    }
                }
                Some(entry) => {
                    report.dead_chunks += 1;
                    report.dead_bytes += entry.place.record_bytes();
                    self.inner.set_entry(*id, None)?;
                }
                None => report.live_chunks += u64::from(entry.is_some()),
            }
        }
        Ok(())
    }
}

impl Dooming {
    fn is_up(self, state: ChunkState) -> bool {
        self.may_give_up && state.has(ChunkState::DOOMED)
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        let mut current = self.inner.gate.write();
        if current.as_ref().is_some_and(|filter| Arc::ptr_eq(filter, &self.filter)) {
            *current = None;
        }
    }
}

fn next_id(id: ChunkId) -> Option<ChunkId> {
    let mut bytes = id.0;
    for byte in bytes.iter_mut().rev() {
        let (next, over) = byte.overflowing_add(1);
        *byte = next;
        if !over {
            return Some(ChunkId(bytes));
        }
    }
    None
}

/// A Bloom filter (B. Bloom, 1970). Ids are uniform already, so their own words serve as hashes.
pub(super) struct SweepFilter {
    words: Vec<AtomicU64>,
}

impl SweepFilter {
    fn for_chunks(chunks: u64) -> Self {
        let wanted = chunks.saturating_mul(BITS_PER_CHUNK) / 8;
        // A half more, for what is stored while the sweep is under way.
        let bytes = (wanted + wanted / 2).clamp(MIN_FILTER_BYTES, MAX_FILTER_BYTES);
        Self { words: (0..bytes / 8).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn mark(&self, id: &ChunkId) {
        for (word, bit) in self.places(id) {
            self.words[word].fetch_or(bit, Ordering::Relaxed);
        }
    }

    fn has(&self, id: &ChunkId) -> bool {
        self.places(id).all(|(word, bit)| self.words[word].load(Ordering::Relaxed) & bit != 0)
    }

    fn places(&self, id: &ChunkId) -> impl Iterator<Item = (usize, u64)> {
        let (hashes, _) = id.0.as_chunks::<4>();
        let bits = self.words.len() as u64 * 64;
        let places = (0..HASHES).map(move |index| u64::from(u32::from_le_bytes(hashes[index])) % bits);
        places.map(|place| ((place / 64) as usize, 1 << (place % 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    #[test]
    fn the_filter_forgets_nothing_and_errs_seldom() {
        let id = |seed: u64| ChunkId::of(&noise(seed, 8));
        let filter = SweepFilter::for_chunks(20_000);
        (0..20_000).for_each(|seed| filter.mark(&id(seed)));
        assert!((0..20_000).all(|seed| filter.has(&id(seed))));
        let wrong = (20_000..40_000).filter(|seed| filter.has(&id(*seed))).count();
        assert!(wrong < 200, "{wrong} of 20000");
        assert_eq!(SweepFilter::for_chunks(u64::MAX).words.len() as u64 * 8, MAX_FILTER_BYTES);
    }

    #[test]
    fn ids_are_followed_by_the_next() {
        let mut id = ChunkId([0; 32]);
        id.0[31] = 0xff;
        let mut next = ChunkId([0; 32]);
        next.0[30] = 1;
        assert_eq!(next_id(id), Some(next));
        assert_eq!(next_id(ChunkId([0xff; 32])), None);
    }
}
