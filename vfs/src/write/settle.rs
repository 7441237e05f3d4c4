//! Settling: a file's unsettled changes become chunks, and the chunks a version.

use std::sync::Arc;

use chunkstore::Cutting;
use ledger::INLINE_MAX_BYTES;
use parking_lot::MutexGuard;

use super::recut::{self, Recut};
use crate::Error;
use crate::content::overlay::{Segment, Source};
use crate::content::store_error;
use crate::core::Core;
use crate::node::{Node, State};

/// Steps after which a file that keeps changing is settled without letting its writer in between.
const STEPS_WITH_PAUSES_MAX: usize = 64;
/// Settled rounds of overwriting inside a file after which it is cut at fixed blocks.
const ROUNDS_TO_FIXED: u8 = 2;
/// Separate overwrites in one round that tell the same at once.
const OVERWRITES_TO_FIXED: usize = 16;
/// A file smaller than this is cheap to cut either way. Bytes.
const FIXED_MIN_FILE_BYTES: u64 = 1 << 20;

impl Core {
    /// Settles a node: all it holds in memory is sealed and a version published. Blocks on the disk; not for adapters' threads.
    ///
    /// # Errors
    /// What the store or the ledger answered, [`Error::Missing`] where a chunk is on another computer; the changes stay in memory and
    /// can be tried again.
    pub(crate) fn settle(&self, node: &Arc<Node>) -> Result<(), Error> {
        let mut state = node.lock();
        state.queued = false;
        let outcome = self.settle_locked(node, &mut state);
        self.settled_elsewhere(node.ino, &mut state);
        match outcome {
            Ok(()) => state.starved = None,
            // Nothing is lost, and nobody is to blame for it.
            Err(Error::Missing(id)) => self.starve(node, &mut state, id),
            Err(Error::ReadOnly) if self.access.is_barred() => self.hold_back(node, &mut state),
            Err(error) => state.failure = Some(error),
        }
        self.recount(&mut state);
        self.nodes.release(node, state);
        outcome
    }

    fn settle_locked(&self, node: &Arc<Node>, state: &mut MutexGuard<'_, State>) -> Result<(), Error> {
        if state.dirty.is_none() {
            return Ok(());
        }
        if state.opens == 0 && self.is_given_up(node.ino, state)? {
            return self.forget_changes(node.ino, state);
        }
        // The others would refuse the version: it waits until this computer may write again.
        if self.access.is_barred() {
            return Err(Error::ReadOnly);
        }
        self.load(node.ino, state)?;
        self.choose_cutting(state);
        let (mut from, mut steps) = (0, 0);
        loop {
            node.sealed.wait_while(state, |state| state.seals_under_way > 0);
            // The lock was let go: the file may have been deleted and forgotten, or settled by somebody else.
            if state.dirty.is_none() {
                return Ok(());
            }
            self.load(node.ino, state)?;
            if state.content().size <= INLINE_MAX_BYTES as u64 {
                break;
            }
            let Some(start) = recut::next_loose(state.content(), &self.store, from)? else {
                if from == 0 {
                    break;
                }
                from = 0;
                continue;
            };
            from = self.settle_step(state, start)?;
            self.recount(state);
            steps += 1;
            if steps < STEPS_WITH_PAUSES_MAX {
                MutexGuard::bump(state);
            }
        }
        // The name may go until the very moment of publishing; asked before, it spares the work.
        if !self.is_given_up(node.ino, state)? && self.publish(node.ino, state)? {
            return Ok(());
        }
        if state.opens == 0 {
            return self.forget_changes(node.ino, state);
        }
        // An unlinked file that is still open keeps its chunks in the overlay: no version of it is wanted.
        state.dirty = None;
        Ok(())
    }

    /// Seals one window of a loose range and answers where to look on.
    fn settle_step(&self, state: &mut State, start: u64) -> Result<u64, Error> {
        let cutting = if state.fixed { Cutting::Fixed } else { Cutting::Content };
        let content = state.content();
        let Recut { start, bytes, cuts } = recut::recut(content, &self.store, &self.cutter, cutting, start)?;
        let mut at = 0;
        for len in cuts {
            let plain = &bytes[at..at + len];
            let chunk = self.store.put(&self.secret, plain).map_err(|error| store_error(&error))?;
            let segment = Segment { len: len as u64, source: Source::Chunk { chunk, skip: 0 } };
            content.overlay.put(start + at as u64, segment);
            at += len;
        }
        Ok(start + at as u64)
    }

    /// A file that keeps being overwritten inside is cut at fixed blocks, or each small write would seal a large chunk.
    fn choose_cutting(&self, state: &mut State) {
        let rounds = state.rounds_in_place;
        let content = state.content();
        let mut fixed = content.base.fixed();
        if !fixed && content.size >= FIXED_MIN_FILE_BYTES && content.base_limit == content.base.size() {
            let limit = content.base_limit;
            let inside = content
                .overlay
                .iter()
                .filter(|(start, segment)| {
                    start + segment.len <= limit && matches!(segment.source, Source::Memory(_))
                })
                .count();
            fixed =
                inside >= OVERWRITES_TO_FIXED || (inside > 0 && rounds.saturating_add(1) >= ROUNDS_TO_FIXED);
            if inside > 0 {
                state.rounds_in_place = rounds.saturating_add(1);
            }
        }
        state.fixed |= fixed;
    }

    /// The node's share of the write buffer, told anew.
    pub(crate) fn recount(&self, state: &mut State) {
        let bytes = match (&state.content, &state.dirty) {
            (Some(content), Some(_)) => {
                content.overlay.memory_bytes()
                    + super::buffer::NODE_OVERHEAD_BYTES
                    + 64 * content.overlay.len()
            }
            _ => 0,
        };
        let (settling, starved) = if state.starved.is_some() { (0, bytes) } else { (bytes, 0) };
        self.buffer.account_starved(std::mem::replace(&mut state.counted_starved_bytes, starved), starved);
        self.buffer.account(std::mem::replace(&mut state.counted_bytes, settling), settling);
    }
}
