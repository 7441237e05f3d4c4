//! Giving chunks to a peer that should keep them.
//!
//! ```text
//!  queue ─► Offer (≤ 1024 ids) ─► Want ─┬─ have: confirmed
//!                                       ├─ want: read ─► Chunks (small ones together) ─► Receipt: confirmed
//!                                       │        what no other host has goes first, and while people work what is for
//!                                       │        healing at a pace (background.rs)
//!                                       ├─ later: queued again after a while
//!                                       └─ full: the peer is passed over
//! ```
//!
//! Of what is to be healed little is offered at first (claims.rs): others have it too.

mod claims;
mod steps;

use std::collections::{BTreeMap, HashSet, VecDeque};

use bytes::Bytes;
use chunkstore::ChunkId;

use self::claims::Claims;
use super::background::BUSY_OFFERED_CHUNKS;
use super::outbox::Cause;
use crate::input::Millis;
use crate::wire::{OFFER_MAX_CHUNKS, Place};

/// Offers without an answer.
const OFFERS_OPEN_MAX: usize = 4;
/// Chunks asked for and not read yet, beyond which no more are offered.
const WANTED_MAX_CHUNKS: usize = 4096;
/// Reads at a time for one peer. Should all be of the largest chunks, the window is passed by 64 MiB: the receiver allows for that.
const READS_MAX: usize = 16;
/// What the first chunk counts in the window before it is read, bytes; then what is usual.
const EXPECTED_CHUNK_BYTES: usize = 256 << 10;
/// Small chunks are gathered into a frame up to so many bytes and chunks.
const GATHER_BYTES: usize = 256 << 10;
const GATHER_CHUNKS: usize = 512;
/// A gathered frame that a large chunk would make larger than this goes first.
const FRAME_MAX_BYTES: usize = 1 << 20;
const WINDOW_MIN_BYTES: usize = 1 << 20;
const STALL_MS: Millis = 15_000;
const STALL_MAX_MS: Millis = 120_000;
/// A batch of which nothing was heard for so long is given up even while others go on.
const BATCH_MAX_MS: Millis = 60_000;
const ASK_AGAIN_MS: Millis = 2_000;

/// Giving chunks to one peer. Chunks are named by their position in the outbox.
pub(super) struct PushFlow {
    queue: VecDeque<u64>,
    /// For healing: behind the others, little at a time, and at a pace while people work.
    healing: VecDeque<u64>,
    claims: Claims,
    later: VecDeque<(Millis, u64, Cause)>,
    batches: BTreeMap<u32, Batch>,
    next_batch: u32,
    wanted: VecDeque<Place>,
    /// Of the wanted ones those that another host has already: they come behind the others.
    copied: VecDeque<Place>,
    /// Of the wanted ones those that yield to people, up to [`BUSY_OFFERED_CHUNKS`].
    held_back: VecDeque<Place>,
    /// Held back before, and being read now.
    paced_reads: usize,
    /// Held back before, and on its way.
    paced_bytes: usize,
    reads: usize,
    gathered: Vec<(Place, ChunkId, Bytes)>,
    gathered_bytes: usize,
    in_flight_bytes: usize,
    usual_bytes: usize,
    window: usize,
    window_max: usize,
    progress_at: Millis,
    stall: Millis,
}

struct Batch {
    items: Vec<Item>,
    open: usize,
    answered: bool,
    offered: Millis,
    touched: Millis,
}

struct Item {
    position: u64,
    cause: Cause,
    sent: u32,
    paced: Paced,
    done: bool,
}

/// How far a chunk is that was held back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paced {
    No,
    Read,
    Sent,
}

impl PushFlow {
    pub(super) fn new(now: Millis, window: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            healing: VecDeque::new(),
            claims: Claims::new(now),
            later: VecDeque::new(),
            batches: BTreeMap::new(),
            next_batch: 0,
            wanted: VecDeque::new(),
            copied: VecDeque::new(),
            held_back: VecDeque::new(),
            paced_reads: 0,
            paced_bytes: 0,
            reads: 0,
            gathered: Vec::new(),
            gathered_bytes: 0,
            in_flight_bytes: 0,
            usual_bytes: EXPECTED_CHUNK_BYTES,
            window,
            window_max: window,
            progress_at: now,
            stall: STALL_MS,
        }
    }

    pub(super) fn queue(&mut self, position: u64, cause: Cause) {
        self.queue_of(cause).push_back(position);
    }

    fn queue_of(&mut self, cause: Cause) -> &mut VecDeque<u64> {
        match cause {
            Cause::Written => &mut self.queue,
            Cause::Healing => &mut self.healing,
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len() + self.healing.len()
    }

    /// Nothing is queued or under way.
    pub(super) fn is_idle(&self) -> bool {
        self.queued() == 0 && self.later.is_empty() && self.batches.is_empty()
    }

    /// Empties the queues; the positions that are under way.
    pub(super) fn unqueue(&mut self) -> HashSet<u64> {
        self.queue.clear();
        self.healing.clear();
        self.later.clear();
        let open = self.batches.values().flat_map(|batch| &batch.items).filter(|item| !item.done);
        open.map(|item| item.position).collect()
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        let stalled = (!self.batches.is_empty()).then_some(self.progress_at + self.stall);
        stalled.into_iter().chain(self.later.front().map(|(at, ..)| *at)).min()
    }

    /// A number for an offer.
    pub(super) fn number(&mut self) -> u32 {
        let batch = self.next_batch;
        self.next_batch = batch.wrapping_add(1);
        batch
    }

    fn progress(&mut self, now: Millis, batch: u32) {
        self.progress_at = now;
        self.stall = STALL_MS;
        self.window = (self.window + self.window / 8).min(self.window_max);
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.touched = now;
        }
    }

    /// Ends one chunk of a batch; its position if it was open.
    fn finish(&mut self, now: Millis, (number, index): Place) -> Option<u64> {
        let batch = self.batches.get_mut(&number)?;
        let item = batch.items.get_mut(usize::from(index)).filter(|item| !item.done)?;
        item.done = true;
        let (position, cause, sent, paced) = (item.position, item.cause, item.sent, item.paced);
        if cause == Cause::Healing {
            self.claims.end(now);
        }
        batch.open -= 1;
        if batch.open == 0 {
            self.batches.remove(&number);
        }
        self.not_under_way(sent, paced);
        Some(position)
    }

    fn not_under_way(&mut self, sent: u32, paced: Paced) {
        self.in_flight_bytes -= sent as usize;
        match paced {
            Paced::No => {}
            Paced::Read => self.paced_reads -= 1,
            Paced::Sent => self.paced_bytes -= sent as usize,
        }
    }

    fn position(&self, (number, index): Place) -> Option<u64> {
        let item = self.batches.get(&number)?.items.get(usize::from(index))?;
        (!item.done).then_some(item.position)
    }

    /// When a chunk was claimed that is to be healed, if it is open still.
    fn claimed(&self, (number, index): Place) -> Option<Millis> {
        let batch = self.batches.get(&number)?;
        let item = batch.items.get(usize::from(index)).filter(|item| !item.done)?;
        (item.cause == Cause::Healing).then_some(batch.offered)
    }

    /// Puts what is open of these batches back into the queue.
    fn give_up(&mut self, now: Millis, numbers: &[u32]) {
        for number in numbers.iter().rev() {
            let Some(batch) = self.batches.remove(number) else { continue };
            for item in batch.items.iter().rev().filter(|item| !item.done) {
                self.not_under_way(item.sent, item.paced);
                if item.cause == Cause::Healing {
                    self.claims.end(now);
                }
                self.queue_of(item.cause).push_front(item.position);
            }
        }
    }

    /// Gives up what was not answered in time.
    pub(super) fn on_time(&mut self, now: Millis) {
        while let Some((_, position, cause)) = self.later.front().copied().filter(|(at, ..)| *at <= now) {
            self.later.pop_front();
            self.queue(position, cause);
        }
        let stalled = now >= self.progress_at + self.stall && !self.batches.is_empty();
        let old = |batch: &Batch| now >= batch.touched + BATCH_MAX_MS;
        let given_up: Vec<_> = self
            .batches
            .iter()
            .filter(|(_, batch)| stalled || old(batch))
            .map(|(number, _)| *number)
            .collect();
        self.give_up(now, &given_up);
        if stalled {
            self.progress_at = now;
            self.stall = (self.stall * 2).min(STALL_MAX_MS);
            self.window = (self.window / 2).max(WINDOW_MIN_BYTES.min(self.window_max));
        }
    }

    /// Whether something may be offered; while people work little of what is for healing.
    fn may_offer(&self, now: Millis, busy: bool) -> bool {
        let may_offer_written = !self.queue.is_empty() && self.wanted() < WANTED_MAX_CHUNKS;
        self.offers_open() < OFFERS_OPEN_MAX && (may_offer_written || self.may_claim(now, busy) > 0)
    }

    /// So many may be offered for healing now.
    fn may_claim(&self, now: Millis, busy: bool) -> usize {
        let wanted = self.wanted() + self.held_back.len();
        let most = match busy {
            true if self.offers_open() > 0 => 0,
            true => BUSY_OFFERED_CHUNKS.saturating_sub(wanted),
            false if wanted < WANTED_MAX_CHUNKS => OFFER_MAX_CHUNKS,
            false => 0,
        };
        most.min(self.claims.room(now)).min(self.healing.len())
    }

    fn offers_open(&self) -> usize {
        self.batches.values().filter(|batch| !batch.answered).count()
    }

    fn wanted(&self) -> usize {
        self.wanted.len() + self.copied.len()
    }

    /// What is too much at the pace is offered again later: meanwhile others may send it.
    fn hold_back(&mut self, now: Millis, place: Place) {
        if self.held_back.len() < BUSY_OFFERED_CHUNKS {
            self.held_back.push_back(place);
        } else if let Some(position) = self.finish(now, place) {
            self.healing.push_back(position);
        }
    }

    /// Counts a chunk against the pace from now on. Whether it is there.
    fn pace(&mut self, (number, index): Place) -> bool {
        let item = self.batches.get_mut(&number).and_then(|batch| batch.items.get_mut(usize::from(index)));
        let Some(item) = item.filter(|item| !item.done && item.paced == Paced::No) else { return false };
        item.paced = Paced::Read;
        self.paced_reads += 1;
        true
    }

    fn is_paced(&self, (number, index): Place) -> bool {
        let item = self.batches.get(&number).and_then(|batch| batch.items.get(usize::from(index)));
        item.is_some_and(|item| !item.done && item.paced != Paced::No)
    }

    /// It waits for the pace of this device, for which the peer is not to blame.
    fn waits_for_pace(&mut self, now: Millis) {
        if self.reads > 0 || self.in_flight_bytes > 0 {
            return;
        }
        self.progress_at = now;
        for (number, _) in &self.held_back {
            if let Some(batch) = self.batches.get_mut(number) {
                batch.touched = now;
            }
        }
    }

    fn may_read(&self) -> bool {
        let expected = self.in_flight_bytes + self.reads * self.usual_bytes;
        self.reads < READS_MAX && expected < self.window
    }

    fn gathers(&self) -> bool {
        let more = self.reads > 0 && self.gathered.len() < GATHER_CHUNKS;
        self.gathered.is_empty() || (more && self.gathered_bytes < GATHER_BYTES)
    }
}
