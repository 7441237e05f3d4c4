//! Chunks that should be here, whole, and are not: fetched from others, a few at a time.
//!
//! ```text
//!  a read failed, Damaged ─► Job::Damaged ─┐
//!  comparing.rs: lacking ──────────────────┴─► queue ─► fetch (≤ 32 at a time) ─► stored: whole again
//!                                                          └─ nobody has it: looked at again after 1 min, 2, … 1 h
//! ```
//!
//! What is damaged is remembered by the store; the queue may be lost.

use std::collections::{BTreeMap, HashSet, VecDeque};

use chunkstore::ChunkId;

use super::Node;
use super::background::BUSY_FETCHING_CHUNKS;
use super::backoff::Backoff;
use super::jobs::Waiting;
use super::peer::ME;
use crate::input::{Millis, Urgency};
use crate::output::{FetchError, Job, JobResult};

/// Chunks that wait to be fetched, or are being fetched.
const MENDING_MAX_CHUNKS: usize = 8192;
/// Of which are being fetched at a time: readers must find room in the windows.
const FETCHING_MAX_CHUNKS: usize = 32;
/// Damaged chunks asked of the store at a time.
const DAMAGED_MAX_IDS: usize = 1024;
/// The store is looked through for damage at most this often.
const LOOK_EVERY_MS: Millis = 10_000;
const AGAIN_MS: Millis = 60_000;
const AGAIN_MAX_MS: Millis = 3_600_000;
/// A fetch of this device's own has it in its ticket. A driver counts its tickets from 0.
const OWN_TICKET: u64 = 1 << 63;

/// Whether a fetch is for mending.
pub(super) fn is_own(ticket: u64) -> bool {
    ticket & OWN_TICKET != 0
}

/// Chunks to be made whole.
pub(super) struct Mending {
    queue: VecDeque<ChunkId>,
    /// Queued or being fetched.
    known: HashSet<ChunkId>,
    fetching: BTreeMap<u64, ChunkId>,
    next: u64,
    look: Look,
    /// When something was last made whole, or could not be.
    ended_at: Option<Millis>,
}

/// Looking through the store for what is damaged.
struct Look {
    /// When, if it is wanted.
    at: Option<Millis>,
    last: Option<Millis>,
    asked: bool,
    after: Option<ChunkId>,
    /// Something could not be fetched.
    failed: bool,
    again: Backoff,
}

impl Default for Mending {
    fn default() -> Self {
        let again = Backoff::new(0, AGAIN_MS, AGAIN_MAX_MS);
        let look = Look { at: None, last: None, asked: false, after: None, failed: false, again };
        Self {
            queue: VecDeque::new(),
            known: HashSet::new(),
            fetching: BTreeMap::new(),
            next: OWN_TICKET,
            look,
            ended_at: None,
        }
    }
}

impl Mending {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether nothing was mended for a while.
    pub(super) fn rested(&self, now: Millis, pause: Millis) -> bool {
        self.is_idle() && self.ended_at.is_none_or(|at| now >= at + pause)
    }

    /// Whether so many more may be queued.
    pub(super) fn has_room(&self, chunks: usize) -> bool {
        self.known.len() + chunks <= MENDING_MAX_CHUNKS
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.look.at.filter(|_| !self.look.asked && self.has_room(DAMAGED_MAX_IDS))
    }
}

impl Node {
    /// Something is damaged here.
    pub(super) fn note_damage(&mut self) {
        let look = &mut self.mending.look;
        let earliest = look.last.map_or(self.now, |last| (last + LOOK_EVERY_MS).max(self.now));
        look.at = Some(look.at.map_or(earliest, |at| at.min(earliest)));
    }

    /// Who came may have what nobody had.
    pub(super) fn mending_peer_came(&mut self) {
        if self.mending.look.failed {
            self.note_damage();
        }
    }

    /// These should be here. What finds no room is found again.
    pub(super) fn mend(&mut self, ids: Vec<ChunkId>) {
        for id in ids {
            if self.mending.has_room(1) && self.mending.known.insert(id) {
                self.mending.queue.push_back(id);
            }
        }
    }

    pub(super) fn look_for_damage_again(&mut self) {
        let company = self.hosts.slots().iter().any(|slot| *slot != ME && self.peers.get(*slot).is_greeted());
        let look = &mut self.mending.look;
        let due = look.at.is_some_and(|at| self.now >= at) && !look.asked;
        if !due {
            return;
        }
        if !company {
            // Who comes is asked at once.
            (look.at, look.failed) = (None, true);
            return;
        }
        if self.mending.has_room(DAMAGED_MAX_IDS) {
            let look = &mut self.mending.look;
            (look.at, look.last, look.asked) = (None, Some(self.now), true);
            let after = look.after;
            self.job(Job::Damaged { after, max: DAMAGED_MAX_IDS }, Waiting::Damaged);
        }
    }

    pub(super) fn damage_told(&mut self, result: JobResult) {
        let look = &mut self.mending.look;
        look.asked = false;
        let JobResult::Ids(ids) = result else {
            look.failed = true;
            return self.look_again_later();
        };
        let more = ids.len() >= DAMAGED_MAX_IDS;
        look.after = if more { ids.last().copied() } else { None };
        if more {
            look.at = Some(self.now + LOOK_EVERY_MS);
        }
        self.note_known_damage(&ids);
        self.mend(ids);
    }

    fn look_again_later(&mut self) {
        let now = self.now;
        let look = &mut self.mending.look;
        if std::mem::take(&mut look.failed) {
            look.again.grow(now);
            let at = look.again.next;
            look.at = Some(look.at.map_or(at, |known| known.min(at)));
        } else {
            look.again.reset(now);
        }
    }

    /// Fetches what waits, while there is room; at a pace while people work.
    pub(super) fn pump_mending(&mut self) {
        let busy = self.is_busy();
        let most = if busy { BUSY_FETCHING_CHUNKS } else { FETCHING_MAX_CHUNKS };
        while !self.mending.queue.is_empty() && self.mending.fetching.len() < most {
            if busy && !self.background.fetching.allows(self.now) {
                return;
            }
            let Some(id) = self.mending.queue.pop_front() else { return };
            let ticket = self.mending.next;
            self.mending.next += 1;
            self.mending.fetching.insert(ticket, id);
            self.fetch(ticket, id, Urgency::Soon);
        }
    }

    pub(super) fn mended(&mut self, ticket: u64, result: &Result<(), FetchError>) {
        let Some(id) = self.mending.fetching.remove(&ticket) else { return };
        self.mending.known.remove(&id);
        self.mending.ended_at = Some(self.now);
        match result {
            Ok(()) => {
                self.counters.chunks_mended += 1;
                self.note_mended(&id);
                self.hosting.flush_soon(self.now);
            }
            Err(_) => self.mending.look.failed = true,
        }
        if self.mending.is_idle() {
            self.look_again_later();
        }
    }
}
