//! Reading everything once to see that it is still what was written.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use chunkstore::{ChunkId, Pace, StoreError};
use crossbeam_channel::bounded;

use super::{PeopleError, ScrubProgress, ScrubReport, told};
use crate::content::manifest::each_chunk;
use crate::core::Core;
use crate::group::Urgency;
use crate::{Drive, Error, Ino, Kind};

/// Files named in a report at most.
const FILES_NAMED_MAX: usize = 1000;
/// Damaged chunks asked of other computers at a time.
const HEAL_STEP_CHUNKS: usize = 128;
/// Names looked at under one hold of the ledger's lock.
const STEP_ENTRIES: usize = 512;

impl Drive {
    /// Verifies every chunk held here, at most so many bytes a second, fetches good copies of what is damaged from other computers, and
    /// names the files that lose content by what remains. `progress` answers whether to go on.
    ///
    /// # Errors
    /// The store cannot be read at all.
    pub fn scrub(
        &self,
        bytes_per_second: Option<u64>,
        progress: &mut dyn FnMut(&ScrubProgress) -> bool,
    ) -> Result<ScrubReport, PeopleError> {
        let core = &self.core;
        let (mut stopped, mut last) = (false, ScrubProgress { done_bytes: 0, total_bytes: 0 });
        let began = Instant::now();
        let report = core
            .store
            .scrub(bytes_per_second, &mut |at| {
                last = ScrubProgress { done_bytes: at.checked_bytes, total_bytes: at.total_bytes };
                let go_on = progress(&last);
                stopped |= !go_on;
                match at.earliest.checked_sub(began.elapsed()) {
                    _ if !go_on => Pace::Stop,
                    Some(wait) => Pace::Wait(wait),
                    None => Pace::Continue,
                }
            })
            .map_err(|error| PeopleError(format!("the scrub failed: {error}")))?;
        let mut healed_chunks = 0;
        if !stopped {
            healed_chunks = core.heal(&mut || {
                stopped |= !progress(&last);
                !stopped
            })?;
        }
        let bad = core.still_damaged(&report.bad)?;
        let files = if bad.is_empty() {
            Vec::new()
        } else {
            core.files_with(&bad).map_err(|error| told("the damaged files cannot be named", error))?
        };
        Ok(ScrubReport {
            chunks: report.checked_chunks,
            bytes: report.checked_bytes,
            bad_chunks: report.bad_chunks,
            healed_chunks,
            files,
            stopped,
        })
    }
}

impl Core {
    /// Asks other computers for whatever is damaged here, and answers how much they had. Ends when a step brought nothing.
    fn heal(self: &Arc<Self>, go_on: &mut dyn FnMut() -> bool) -> Result<u64, PeopleError> {
        let unknown = |error: StoreError| PeopleError(format!("what is damaged cannot be told: {error}"));
        let (mut healed, mut after) = (0, None);
        while self.store.usage().damaged_chunks > 0 && self.fetcher.has_group() {
            let ids = self.store.damaged(after, HEAL_STEP_CHUNKS).map_err(unknown)?;
            after = ids.last().copied();
            let (told, answers) = bounded(HEAL_STEP_CHUNKS);
            for id in &ids {
                let told = told.clone();
                let waiter = move |_: &Arc<Self>, came: Result<(), _>| {
                    // It has room for all that were asked for.
                    let _ = told.send(came.is_ok());
                };
                self.fetcher.ask(self, *id, Urgency::Soon, Some(Box::new(waiter)));
            }
            drop(told);
            let came = answers.iter().filter(|came| *came).count() as u64;
            healed += came;
            if came == 0 || ids.len() < HEAL_STEP_CHUNKS || !go_on() {
                break;
            }
        }
        Ok(healed)
    }

    fn still_damaged(&self, ids: &[ChunkId]) -> Result<HashSet<ChunkId>, PeopleError> {
        let held = self.store.have(ids).map_err(|error| PeopleError(format!("the scrub failed: {error}")))?;
        Ok(ids.iter().zip(held).filter(|(_, held)| !held).map(|(id, _)| *id).collect())
    }

    /// The paths whose current version needs one of these chunks.
    pub(super) fn files_with(&self, chunks: &HashSet<ChunkId>) -> Result<Vec<Vec<u8>>, Error> {
        let mut paths = Vec::new();
        let mut open = vec![(crate::ROOT, Vec::new())];
        while let Some((dir, path)) = open.pop() {
            let mut after = 0;
            loop {
                let mut entries = Vec::new();
                self.ledger
                    .read()
                    .list(dir, after, STEP_ENTRIES, &mut entries)
                    .map_err(|error| self.ledger_error(&error))?;
                let Some(last) = entries.last() else { break };
                after = last.cookie;
                for entry in entries {
                    let path = [path.as_slice(), b"/", &entry.name].concat();
                    match entry.kind {
                        Kind::Directory => open.push((entry.ino, path)),
                        Kind::File if self.needs_one_of(entry.ino, chunks)? => paths.push(path),
                        _ => {}
                    }
                    if paths.len() == FILES_NAMED_MAX {
                        return Ok(paths);
                    }
                }
            }
        }
        Ok(paths)
    }

    fn needs_one_of(&self, ino: Ino, chunks: &HashSet<ChunkId>) -> Result<bool, Error> {
        let content = self.ledger.read().content(ino).map_err(|error| self.ledger_error(&error))?;
        let Some((_, _, content)) = content else { return Ok(false) };
        let mut hit = false;
        // A page that cannot be read any more is damage as well.
        let readable = each_chunk(&self.store, &content, &mut |id| hit |= chunks.contains(id));
        Ok(hit || readable.is_err())
    }
}
