//! Chunks that lack copies and that this device could not read: its own copy does not count until it can be read again.
//!
//! ```text
//!  read for a peer fails, Job::Damaged ─► noted: not safe ─► read again now and then ─┬─ can be read: counts
//!                                                                       └─ given up: nothing to copy
//! ```

use std::collections::BTreeSet;

use chunkstore::ChunkId;

use super::Node;
use super::jobs::Waiting;
use crate::input::Millis;
use crate::output::{Job, JobResult, Priority};

/// A damaged chunk is mended by a scrub or by a fetch, neither of which is told here.
const LOOK_EVERY_MS: Millis = 5_000;
/// Reads in one look.
const LOOK_MAX_CHUNKS: usize = 16;

/// Positions in the outbox of chunks that could not be read.
#[derive(Default)]
pub(super) struct Unreadable {
    positions: BTreeSet<u64>,
    /// Where the next look begins.
    from: u64,
    looking: usize,
    look_at: Millis,
}

impl Unreadable {
    pub(super) fn contains(&self, position: u64) -> bool {
        self.positions.contains(&position)
    }

    pub(super) fn remove(&mut self, position: u64) -> bool {
        self.positions.remove(&position)
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        (self.looking == 0 && !self.positions.is_empty()).then_some(self.look_at)
    }

    fn insert(&mut self, position: u64, now: Millis) {
        if self.positions.is_empty() {
            self.look_at = now + LOOK_EVERY_MS;
        }
        self.positions.insert(position);
    }

    /// The next few, in turn.
    fn next(&mut self) -> Vec<u64> {
        let mut next: Vec<_> = self.positions.range(self.from..).copied().take(LOOK_MAX_CHUNKS).collect();
        if next.is_empty() {
            next = self.positions.iter().copied().take(LOOK_MAX_CHUNKS).collect();
        }
        self.from = next.last().map_or(0, |last| last + 1);
        next
    }
}

impl Node {
    /// The chunk is here and could not be read.
    pub(super) fn note_unreadable(&mut self, position: u64) {
        if self.outbox.id_at(position).is_some() {
            self.outbox.unreadable.insert(position, self.now);
        }
    }

    /// The store knows that these are damaged: what others have already is on one computer less, like what could not be read for them.
    pub(super) fn note_known_damage(&mut self, ids: &[ChunkId]) {
        for id in ids {
            let held = self.take_held_of_own(id).map(|entry| self.outbox.insert(entry.for_healing()));
            let Some(position) = held.or_else(|| self.outbox.position(id)) else { continue };
            self.note_unreadable(position);
            if held.is_some() {
                // What was confirmed, and is not called safe yet, waits for this one again.
                self.safety.wait_for(self.outbox.next_position());
                self.assign_one(position, None);
            } else {
                self.resettle(position);
            }
        }
    }

    /// A good copy came, and counts when it is durable.
    pub(super) fn note_mended(&mut self, id: &ChunkId) {
        if let Some(position) = self.outbox.position(id) {
            self.note_readable(position);
        }
    }

    /// The chunk was read. Another copy may have taken the place of the bad one, and counts when it is durable.
    pub(super) fn note_readable(&mut self, position: u64) {
        if self.outbox.unreadable.contains(position) {
            self.job(Job::Flush, Waiting::Readable { position });
        }
    }

    pub(super) fn durably_readable(&mut self, position: u64, result: &JobResult) {
        if matches!(result, JobResult::Flushed(true)) && self.outbox.unreadable.remove(position) {
            self.resettle(position);
        }
    }

    pub(super) fn look_at_unreadable(&mut self) {
        if self.outbox.unreadable.next_wake().is_none_or(|at| self.now < at) {
            return;
        }
        let peer = self.me();
        for position in self.outbox.unreadable.next() {
            if let Some(id) = self.outbox.id_at(position) {
                self.outbox.unreadable.looking += 1;
                let job = Job::Read { id, for_whom: Priority::Replication, peer };
                self.job(job, Waiting::LookAgain { position });
            }
        }
    }

    pub(super) fn looked_again(&mut self, position: u64, result: &JobResult) {
        self.outbox.unreadable.looking -= 1;
        self.outbox.unreadable.look_at = self.now + LOOK_EVERY_MS;
        match result {
            JobResult::Chunk(Some(_)) => self.note_readable(position),
            JobResult::Chunk(None) => self.outbox.forget(position),
            _ => {}
        }
    }
}
