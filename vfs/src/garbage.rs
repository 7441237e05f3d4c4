//! Garbage: which chunks no retained version names any more.
//!
//! A sweep is begun in the store first; from then on whatever is put counts as live. Then every retained version, every open file
//! and everything that is published or shared meanwhile is marked. Anything that cannot be read stops the sweep: then nothing is
//! dropped.
//!
//! One thing may be elsewhere without harm: the pages of long lists, once there are other computers. What such a page names is not
//! known, so the sweep then gives up only what nobody but this computer has a claim to and others hold already: no chunk that came
//! from others (placed, pinned or cached) and none that is not on enough hosts. The pages are asked for, so that a later sweep can do
//! the rest. Without a group a page that is not here stops the sweep.

use std::collections::HashSet;

use chunkstore::{ChunkId, ChunkState};
use ledger::Cursor;
use parking_lot::Mutex;

use crate::Error;
use crate::content::manifest::{Manifest, each_chunk};
use crate::content::overlay::Source;
use crate::core::Core;

/// Chunks noted while a sweep runs; with more the sweep is given up.
const NOTES_MAX_CHUNKS: usize = 1 << 17;
/// Inodes marked under one hold of the ledger's lock.
const MARK_STEP_INODES: usize = 512;
/// Pages asked for after a sweep that lacked them.
const PAGES_WISHED_MAX: usize = 64;
/// What a sweep that could not look up everything leaves alone.
const CLAIMED: ChunkState = ChunkState(
    ChunkState::PLACED.0 | ChunkState::PINNED.0 | ChunkState::CACHED.0 | ChunkState::UNREPLICATED.0,
);
/// Bytes of packs rewritten after one sweep.
const COMPACT_BUDGET_BYTES: u64 = 256 << 20;

/// What became live while a sweep runs.
#[derive(Default)]
pub(crate) struct LiveSweep {
    notes: Mutex<Option<Notes>>,
}

#[derive(Default)]
struct Notes {
    chunks: Vec<ChunkId>,
    /// Something live could not be noted: nothing may be dropped.
    incomplete: bool,
}

impl LiveSweep {
    /// If a sweep runs, notes what `list` names; it answers false when it could not name all.
    pub(crate) fn note(&self, list: impl FnOnce(&mut dyn FnMut(&ChunkId)) -> bool) {
        let mut notes = self.notes.lock();
        let Some(notes) = notes.as_mut() else { return };
        let complete = list(&mut |id| {
            if notes.chunks.len() < NOTES_MAX_CHUNKS {
                notes.chunks.push(*id);
            } else {
                notes.incomplete = true;
            }
        });
        notes.incomplete |= !complete;
    }

    fn begin(&self) {
        *self.notes.lock() = Some(Notes::default());
    }

    /// What was noted so far.
    fn take(&self) -> Result<Vec<ChunkId>, Error> {
        let mut notes = self.notes.lock();
        let notes = notes.as_mut().ok_or(Error::Io)?;
        if notes.incomplete { Err(Error::Io) } else { Ok(std::mem::take(&mut notes.chunks)) }
    }

    fn end(&self) {
        *self.notes.lock() = None;
    }
}

impl crate::Drive {
    /// Which of these chunks a kept version names, or a file that is open. All of them when that cannot be known, since pages of long lists are elsewhere.
    ///
    /// # Errors
    /// [`Error::Io`] when the tree cannot be read.
    pub fn named_chunks(&self, ids: &[ChunkId]) -> Result<Vec<ChunkId>, Error> {
        let asked: HashSet<&ChunkId> = ids.iter().collect();
        let mut named = HashSet::new();
        let mut note = |id: &ChunkId| {
            if asked.contains(id) {
                named.insert(*id);
            }
        };
        let mut lacking = self.core.mark_versions(&mut note)?;
        lacking.extend(self.core.mark_open_files(&mut note)?);
        let unknown = !lacking.is_empty();
        Ok(ids.iter().filter(|id| unknown || named.contains(*id)).copied().collect())
    }
}

impl Core {
    /// Drops chunks that nothing names and rewrites packs that are mostly dead. False: files were being settled, ask again later.
    pub(crate) fn collect_garbage(&self) -> Result<bool, Error> {
        self.sweep.begin();
        let outcome = self.sweep_once();
        self.sweep.end();
        outcome
    }

    fn sweep_once(&self) -> Result<bool, Error> {
        let mut sweep = self.store.begin_sweep();
        // A chunk that was put before and is not in its file yet is named by nothing: only begin when there is none.
        if !self.settler.is_idle() || self.pool.pending_bytes() > 0 {
            return Ok(false);
        }
        let mut mark = |id: &ChunkId| sweep.mark(id);
        let mut lacking = self.mark_versions(&mut mark)?;
        lacking.extend(self.mark_open_files(&mut mark)?);
        // What the tree still says on disk must survive a crash: commit, then mark what came meanwhile.
        self.commit()?;
        for id in self.sweep.take()? {
            sweep.mark(&id);
        }
        if !lacking.is_empty() {
            tracing::info!(pages = lacking.len(), "a sweep lacks pages and gives up little");
            sweep.spare(CLAIMED);
            lacking.into_iter().for_each(|page| self.wish_for(page));
        }
        let report = sweep.finish_with_grace(self.settings.care_every);
        let report = report.map_err(|error| crate::content::store_error(&error))?;
        let compacted =
            self.store.compact(COMPACT_BUDGET_BYTES).map_err(|error| crate::content::store_error(&error))?;
        tracing::info!(?report, ?compacted, "swept");
        Ok(true)
    }

    /// Answers pages that are not here, up to [`PAGES_WISHED_MAX`] of them.
    fn mark_versions(&self, mark: &mut dyn FnMut(&ChunkId)) -> Result<Vec<ChunkId>, Error> {
        let mut lacking = Vec::new();
        let mut cursor = Cursor::default();
        loop {
            let mut contents = Vec::new();
            let next = self
                .ledger
                .read()
                .for_each_live_content(cursor, MARK_STEP_INODES, &mut |content| {
                    contents.push(content.clone());
                })
                .map_err(|error| self.ledger_error(&error))?;
            for content in &contents {
                self.tolerate(each_chunk(&self.store, content, mark), &mut lacking)?;
            }
            match next {
                Some(next) => cursor = next,
                None => return Ok(lacking),
            }
        }
    }

    /// A page that is elsewhere is noted; the rest of its content was walked.
    fn tolerate(&self, walked: Result<(), Error>, lacking: &mut Vec<ChunkId>) -> Result<(), Error> {
        match walked {
            Err(Error::Missing(page)) if self.fetcher.has_group() => {
                if lacking.len() < PAGES_WISHED_MAX {
                    lacking.push(page);
                }
                Ok(())
            }
            Err(Error::Missing(_)) => Err(Error::Io),
            walked => walked,
        }
    }

    fn mark_open_files(&self, mark: &mut dyn FnMut(&ChunkId)) -> Result<Vec<ChunkId>, Error> {
        let mut lacking = Vec::new();
        for node in self.nodes.all() {
            let state = node.lock();
            let Some(content) = &state.content else { continue };
            for (_, segment) in content.overlay.iter() {
                if let Source::Chunk { chunk, .. } = &segment.source {
                    mark(&chunk.id);
                }
            }
            self.tolerate(self.mark_base(&content.base, mark), &mut lacking)?;
        }
        Ok(lacking)
    }

    fn mark_base(&self, base: &Manifest, mark: &mut dyn FnMut(&ChunkId)) -> Result<(), Error> {
        base.pages().iter().for_each(|page| mark(&page.chunk.id));
        let (mut at, mut lacking) = (0, Ok(()));
        while base.inline().is_none() {
            match base.piece_at(&self.store, at) {
                Ok(Some(piece)) => {
                    piece.chunk.iter().for_each(|chunk| mark(&chunk.id));
                    at = piece.end();
                }
                Ok(None) => break,
                Err(Error::Missing(id)) => {
                    lacking = Err(Error::Missing(id));
                    at = base.page_end(at).ok_or(Error::Io)?;
                }
                Err(error) => return Err(error),
            }
        }
        lacking
    }
}
