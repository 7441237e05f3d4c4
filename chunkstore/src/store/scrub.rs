//! Reading everything to find what has gone bad, before somebody needs it.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use super::report::{MAX_REPORTED_BAD_CHUNKS, Pace, ScrubProgress, ScrubReport};
use super::{ChunkStore, Inner};
use crate::error::StoreError;
use crate::ids::ChunkId;
use crate::index::{ChunkState, Entry};
use crate::pack::{
    FoundRecord, Location, PACK_HEADER_BYTES, RECORD_HEADER_BYTES, Scan, Verify, decode_record_header,
};

/// The caller is asked about the pace after this many bytes, and after each pack.
const STEP_BYTES: u64 = 1 << 20;
/// Ids looked at under one look through the index.
const HIDDEN_AT_ONCE: usize = 4096;

impl ChunkStore {
    /// Reads every pack in order and verifies every living chunk. Bad ones are marked (so the next good copy
    /// replaces them), counted and named in the report.
    ///
    /// `pace` is asked every MiB or so and decides; the scrub itself looks at no clock and sleeps only when told
    /// [`Pace::Wait`]. With `bytes_per_second` the progress says how much time should have passed at least.
    ///
    /// # Errors
    /// [`StoreError::Index`]; a pack that cannot be read is part of the report.
    pub fn scrub(
        &self,
        bytes_per_second: Option<u64>,
        pace: &mut dyn FnMut(&ScrubProgress) -> Pace,
    ) -> Result<ScrubReport, StoreError> {
        let packs: Vec<u64> = self.inner.packs.lock().keys().copied().collect();
        let mut scrub = Scrub::new(&self.inner, bytes_per_second, pace, self.inner.space.pack_bytes());
        scrub.run(&packs)?;
        Ok(scrub.report)
    }

    /// The same for one pack, the first behind `after`, so that a scrub may go on another day: its number, and what was found.
    /// `None`: there is none behind it.
    ///
    /// # Errors
    /// Those of [`ChunkStore::scrub`].
    pub fn scrub_pack_after(
        &self,
        after: Option<u64>,
        pace: &mut dyn FnMut(&ScrubProgress) -> Pace,
    ) -> Result<Option<(u64, ScrubReport)>, StoreError> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        let next = self.inner.packs.lock().range(behind).next().map(|(pack, used)| (*pack, used.bytes));
        let Some((pack, bytes)) = next else { return Ok(None) };
        let mut scrub = Scrub::new(&self.inner, None, pace, bytes);
        scrub.run(&[pack])?;
        Ok(Some((pack, scrub.report)))
    }
}

struct Scrub<'a> {
    inner: &'a Inner,
    bytes_per_second: Option<u64>,
    pace: &'a mut dyn FnMut(&ScrubProgress) -> Pace,
    progress: ScrubProgress,
    asked_at_bytes: u64,
    report: ScrubReport,
    /// Packs in which more lives than the walk met.
    incomplete: BTreeSet<u64>,
}

impl<'a> Scrub<'a> {
    fn new(
        inner: &'a Inner,
        bytes_per_second: Option<u64>,
        pace: &'a mut dyn FnMut(&ScrubProgress) -> Pace,
        total_bytes: u64,
    ) -> Self {
        let progress = ScrubProgress { total_bytes, ..ScrubProgress::default() };
        let (report, incomplete) = (ScrubReport::default(), BTreeSet::new());
        Self { inner, bytes_per_second, pace, progress, asked_at_bytes: 0, report, incomplete }
    }

    fn run(&mut self, packs: &[u64]) -> Result<(), StoreError> {
        let mut flow = ControlFlow::Continue(());
        for pack in packs {
            flow = self.walk(*pack)?;
            if flow.is_break() {
                break;
            }
        }
        if flow.is_continue() {
            self.check_hidden()?;
        }
        self.report.complete = flow.is_continue();
        self.report.checked_chunks = self.progress.checked_chunks;
        self.report.checked_bytes = self.progress.checked_bytes;
        Ok(())
    }

    fn walk(&mut self, pack: u64) -> Result<ControlFlow<()>, StoreError> {
        // Taken before the walk: what is stored meanwhile is not missed by the comparison below.
        let Some(used) = self.inner.packs.lock().get(&pack).copied() else {
            return Ok(ControlFlow::Continue(()));
        };
        let file = match self.inner.folder.file(pack).and_then(|file| Ok((file.len()?, file))) {
            Ok((len, file)) => Some((len.min(used.bytes), file)),
            Err(error) => {
                tracing::warn!(pack, %error, "cannot read a pack");
                None
            }
        };
        let (mut live_bytes, mut outcome) = (0, Ok(ControlFlow::Continue(())));
        if let Some((len, file)) = &file {
            Scan::new(&**file, *len, Verify::All).run(PACK_HEADER_BYTES as u64, &mut |found, _| {
                outcome = self.record(pack, found, &mut live_bytes);
                if matches!(outcome, Ok(ControlFlow::Continue(()))) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
        }
        if matches!(outcome, Ok(ControlFlow::Continue(()))) && live_bytes < used.live_bytes {
            self.incomplete.insert(pack);
        }
        Ok(if outcome?.is_break() { ControlFlow::Break(()) } else { self.ask() })
    }

    fn record(
        &mut self,
        pack: u64,
        found: &FoundRecord,
        live_bytes: &mut u64,
    ) -> Result<ControlFlow<()>, StoreError> {
        let place = found.location(pack);
        let entry = self.inner.index.get(&found.id)?;
        if entry.is_some_and(|entry| entry.place == place) {
            *live_bytes += place.record_bytes();
            self.progress.checked_chunks += 1;
            if found.is_whole != Some(true) {
                self.found_bad(found.id, place)?;
            } else if entry.is_some_and(|entry| entry.state.has(ChunkState::DAMAGED)) {
                // The disk could not read it for a while, and now it can.
                self.inner.mark_whole(found.id, place)?;
            }
        }
        self.progress.checked_bytes += place.record_bytes();
        let is_due = self.progress.checked_bytes - self.asked_at_bytes >= STEP_BYTES;
        Ok(if is_due { self.ask() } else { ControlFlow::Continue(()) })
    }

    /// Chunks whose record header is damaged or whose record is cut off are not met on the walk: the index names
    /// them. Behind a damaged header they can be read, but a rebuild of the index would lose them, so they count as
    /// bad and the next copy replaces them.
    fn check_hidden(&mut self) -> Result<(), StoreError> {
        if self.incomplete.is_empty() {
            return Ok(());
        }
        let incomplete = std::mem::take(&mut self.incomplete);
        // What was stored since the last checkpoint is missed as easily: the memory of the index is looked through, too.
        let lies_there = |_: &ChunkId, entry: &Entry| incomplete.contains(&entry.place.at.pack);
        let mut after = None;
        loop {
            let ids = self.inner.index.pick(after, HIDDEN_AT_ONCE, &lies_there)?;
            for id in &ids {
                let entry =
                    self.inner.index.get(id)?.filter(|entry| incomplete.contains(&entry.place.at.pack));
                if let Some(entry) = entry.filter(|entry| !self.is_good(*id, entry)) {
                    self.found_hidden(*id, entry.place)?;
                }
            }
            after = ids.last().copied();
            if ids.len() < HIDDEN_AT_ONCE {
                return Ok(());
            }
        }
    }

    fn found_hidden(&mut self, id: ChunkId, place: Location) -> Result<(), StoreError> {
        // Those the walk met are in the report already.
        let is_new = !self.report.bad.contains(&id);
        if is_new && self.inner.index.get(&id)?.is_some_and(|now| now.place == place) {
            self.progress.checked_chunks += 1;
            self.found_bad(id, place)?;
        }
        Ok(())
    }

    fn is_good(&self, id: ChunkId, entry: &Entry) -> bool {
        let mut header = [0; RECORD_HEADER_BYTES];
        let read = self.inner.folder.file(entry.place.at.pack);
        let read = read.and_then(|file| file.read_at(u64::from(entry.place.at.offset), &mut header));
        read.is_ok()
            && decode_record_header(&header).is_some_and(|found| found.id == id)
            && matches!(self.inner.read_place(&entry.place), Ok(Some(sealed)) if ChunkId::of(&sealed) == id)
    }

    fn found_bad(&mut self, id: ChunkId, place: Location) -> Result<(), StoreError> {
        let is_unreadable = self.inner.read_place(&place)?.is_none();
        let is_known = self.inner.index.get(&id)?.is_some_and(|entry| entry.state.has(ChunkState::DAMAGED));
        if !is_known {
            tracing::warn!(%id, pack = place.at.pack, offset = place.at.offset, "scrub found a damaged chunk");
            self.inner.mark_damaged(id, place)?;
        }
        self.report.bad_chunks += 1;
        self.report.unreadable_chunks += u64::from(is_unreadable);
        if self.report.bad.len() < MAX_REPORTED_BAD_CHUNKS {
            self.report.bad.push(id);
        }
        Ok(())
    }

    fn ask(&mut self) -> ControlFlow<()> {
        self.asked_at_bytes = self.progress.checked_bytes;
        if let Some(rate) = self.bytes_per_second {
            let nanos = u128::from(self.progress.checked_bytes) * 1_000_000_000 / u128::from(rate.max(1));
            self.progress.earliest = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
        match (self.pace)(&self.progress) {
            Pace::Continue => ControlFlow::Continue(()),
            Pace::Stop => ControlFlow::Break(()),
            Pace::Wait(time) => {
                thread::sleep(time);
                ControlFlow::Continue(())
            }
        }
    }
}
