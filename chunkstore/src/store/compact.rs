//! Freeing the bytes of chunks given up: packs that are mostly dead are copied on and removed.
//!
//! ```text
//!  walk the pack ─▶ verify what lives ─▶ append a copy ─▶ index layer points to the copy
//!  nothing lives there any more ─▶ flush the copies ─▶ durable index without the pack ─▶ remove the file
//! ```
//!
//! A crash before the durable index leaves the old pack in use and the copies as dead bytes; a crash after it leaves
//! a pack no entry points to, which the next start takes up as dead. A pack in which something lives that cannot be
//! copied, because it does not verify, stays.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::append::Claim;
use super::report::CompactReport;
use super::space::Purpose;
use super::{ChunkStore, Inner};
use crate::error::StoreError;
use crate::index::{ChunkState, Entry, PackUse};
use crate::pack::{FoundRecord, PACK_HEADER_BYTES, RECORD_HEADER_BYTES, Scan, Verify};

/// Dead bytes for which the pack that is appended to is ended early.
const MIN_DEAD_TAIL_BYTES: u64 = 1 << 20;

impl ChunkStore {
    /// Rewrites packs of which more than half is dead, the deadest first, until about `budget_bytes` of living
    /// records were copied; packs that are wholly dead cost no budget. One compaction runs at a time.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room for a copy, [`StoreError::Failed`], or what the disk says. Packs
    /// removed until then stay removed.
    pub fn compact(&self, budget_bytes: u64) -> Result<CompactReport, StoreError> {
        self.inner.compact(budget_bytes)
    }
}

impl Inner {
    pub(super) fn compact(&self, budget_bytes: u64) -> Result<CompactReport, StoreError> {
        let mut stuck = self.compacting.lock();
        let mut report = CompactReport::default();
        self.seal_dead_tail()?;
        for (pack, used) in self.mostly_dead(&stuck) {
            self.latch.check()?;
            if report.copied_bytes >= budget_bytes && used.live_bytes > 0 {
                report.more_to_do = true;
                break;
            }
            report.copied_bytes += self.copy_living(pack, &used)?;
            if self.remove_if_dead(pack)? {
                report.removed_packs += 1;
                report.removed_bytes += used.bytes;
            } else {
                stuck.insert(pack);
            }
        }
        Ok(report)
    }

    /// The pack appended to can only be emptied once it is ended.
    fn seal_dead_tail(&self) -> Result<(), StoreError> {
        let Some(pack) = self.appender.open_pack() else { return Ok(()) };
        let used = self.packs.lock().get(&pack).copied().unwrap_or_default();
        if used.is_mostly_dead() && used.bytes - used.live_bytes >= MIN_DEAD_TAIL_BYTES {
            self.appender.seal(pack);
            self.flush()?;
            self.appender.flushed(self.flusher.reached(), &[]);
        }
        Ok(())
    }

    /// Packs worth rewriting, the deadest first.
    fn mostly_dead(&self, stuck: &HashSet<u64>) -> Vec<(u64, PackUse)> {
        let packs: Vec<_> = self.packs.lock().iter().map(|(pack, used)| (*pack, *used)).collect();
        let mut dead: Vec<_> = packs
            .into_iter()
            .filter(|(pack, used)| used.is_mostly_dead() && !stuck.contains(pack))
            .filter(|(pack, _)| !self.appender.is_in_use(*pack))
            .collect();
        dead.sort_by_key(|(_, used)| used.live_bytes.saturating_mul(1000) / used.bytes.max(1));
        dead
    }

    /// Copies what lives in a pack to the end of the packs; returns the bytes of the copies.
    fn copy_living(&self, pack: u64, used: &PackUse) -> Result<u64, StoreError> {
        let failed = |error| StoreError::io("cannot read", self.folder.path(pack), error);
        let file = self.folder.file(pack).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        // Where nothing should live the headers are enough to see that it is so.
        let verify = if used.live_bytes > 0 { Verify::All } else { Verify::Searched };
        let (mut copied, mut outcome) = (0, Ok(()));
        Scan::new(&*file, len, verify).run(PACK_HEADER_BYTES as u64, &mut |found, ciphertext| match self
            .copy_one(pack, found, ciphertext)
        {
            Ok(bytes) => {
                copied += bytes;
                ControlFlow::Continue(())
            }
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        });
        outcome.map(|()| copied)
    }

    fn copy_one(&self, pack: u64, found: &FoundRecord, ciphertext: &[u8]) -> Result<u64, StoreError> {
        let place = found.location(pack);
        let mut claim: Claim<'_> = self.appender.claim(found.id);
        let Some(entry) = self.index.get(&found.id)?.filter(|entry| entry.place == place) else {
            return Ok(0);
        };
        match found.is_whole {
            Some(true) => {}
            Some(false) => {
                drop(claim);
                return self.mark_damaged(found.id, place).map(|()| 0);
            }
            None => return Ok(0),
        }
        let mut record = vec![0; RECORD_HEADER_BYTES];
        record.extend_from_slice(ciphertext);
        let copy = claim.append(self, &mut record, Purpose::Compact)?;
        let _alone = self.gate.write();
        // It may have been given up meanwhile; then the copy is dead too.
        if let Some(now) = self.index.get(&found.id)?.filter(|now| now.place == place) {
            let state = now.state.without(ChunkState::DAMAGED);
            self.set_entry(found.id, Some(Entry { place: copy, state }))?;
        }
        Ok(entry.place.record_bytes())
    }

    /// Removes a pack in which nothing lives. False if something does.
    fn remove_if_dead(&self, pack: u64) -> Result<bool, StoreError> {
        let used = self.packs.lock().get(&pack).copied().unwrap_or_default();
        if used.live_bytes > 0 || self.has_entry_in(pack)? {
            tracing::warn!(pack, used.live_bytes, "a pack stays because something in it cannot be copied");
            return Ok(false);
        }
        self.packs.lock().remove(&pack);
        self.checkpointing.lock().push(pack);
        self.checkpoint()?;
        self.folder.remove(pack).map_err(|error| {
            self.latch.close(StoreError::io("cannot remove", self.folder.path(pack), error))
        })?;
        self.space.shrank(used.bytes);
        Ok(true)
    }

    /// The last look before bytes are deleted goes to the records and the index, not to a counter.
    fn has_entry_in(&self, pack: u64) -> Result<bool, StoreError> {
        let failed = |error| StoreError::io("cannot read", self.folder.path(pack), error);
        let file = self.folder.file(pack).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let mut outcome = Ok(false);
        Scan::new(&*file, len, Verify::Searched).run(PACK_HEADER_BYTES as u64, &mut |found, _| {
            outcome = self
                .index
                .get(&found.id)
                .map(|entry| entry.is_some_and(|entry| entry.place == found.location(pack)));
            if matches!(outcome, Ok(false)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome
    }
}
