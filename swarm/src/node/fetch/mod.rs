//! Chunks that are read here and lie elsewhere: asked of one peer, then of another, until one brings it.
//!
//! ```text
//!  Fetch ─► ask the best ─┬─ Chunk ─► Store ─► Fetched
//!                         ├─ NotHere, link gone, wrong bytes ─► ask the next at once
//!                         └─ slow ─► ask the next as well
//!  nobody left: all hosts are here ─► NobodyHasIt; else wait for more peers until the deadline
//! ```

mod asking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use chunkstore::ChunkId;

use super::Node;
use super::jobs::Waiting;
use super::mending::is_own;
use super::peer::{ME, Slot};
use crate::input::{Millis, Urgency};
use crate::output::{FetchError, Job, JobResult, Output, Reason, StoreRefusal};
use crate::wire::RawId;

/// Tickets that wait.
const TICKETS_MAX: usize = 64 << 10;
/// Fetches under way: one for each chunk, however many wait for it.
#[derive(Default)]
pub(super) struct Fetches {
    by_id: BTreeMap<ChunkId, Fetch>,
    tickets: BTreeMap<u64, ChunkId>,
    due: BTreeSet<(Millis, ChunkId)>,
    /// Wait for room in the windows, most urgent in front.
    queued: VecDeque<ChunkId>,
}

struct Fetch {
    tickets: Vec<u64>,
    urgency: Urgency,
    asked: Vec<Ask>,
    /// Do not have it.
    without: Vec<Slot>,
    /// Sent wrong bytes.
    bad: Vec<Slot>,
    storing: bool,
    queued: bool,
    /// All who are here said no before: asking them again does not move the deadline.
    asks_again: bool,
    started: Millis,
    deadline: Millis,
    wake: Millis,
}

struct Ask {
    slot: Slot,
    at: Millis,
    bytes: usize,
}

impl Fetches {
    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    fn wake_at(&mut self, id: ChunkId, at: Millis) {
        if let Some(fetch) = self.by_id.get_mut(&id) {
            self.due.remove(&(fetch.wake, id));
            fetch.wake = at;
            self.due.insert((at, id));
        }
    }
}

impl Node {
    pub(super) fn fetch(&mut self, ticket: u64, id: ChunkId, urgency: Urgency) {
        if self.fetches.tickets.len() >= TICKETS_MAX {
            let result = Err(FetchError::Store("too many reads wait for other computers".to_owned()));
            return self.answer_fetch(ticket, result);
        }
        self.fetches.tickets.insert(ticket, id);
        if let Some(fetch) = self.fetches.by_id.get_mut(&id) {
            fetch.tickets.push(ticket);
            if urgency > fetch.urgency {
                fetch.urgency = urgency;
                self.hasten_fetch(id);
            }
            return;
        }
        let deadline = self.now + self.settings.fetch_deadline_ms;
        let fetch = Fetch {
            tickets: vec![ticket],
            urgency,
            asked: Vec::new(),
            without: Vec::new(),
            bad: Vec::new(),
            storing: false,
            queued: false,
            asks_again: false,
            started: self.now,
            deadline,
            wake: deadline,
        };
        self.fetches.by_id.insert(id, fetch);
        self.fetches.due.insert((deadline, id));
        self.ask_next(id);
    }

    /// A reader caught up with what was read ahead: if it has been asked for it is mostly about to come, so only the patience is less.
    fn hasten_fetch(&mut self, id: ChunkId) {
        let Some(fetch) = self.fetches.by_id.get(&id) else { return };
        match fetch.asked.last().map(|ask| ask.slot) {
            Some(slot) if !fetch.storing => {
                let wake = (self.now + self.patience(id, slot)).min(fetch.wake);
                self.fetches.wake_at(id, wake);
            }
            Some(_) => {}
            None => self.ask_next(id),
        }
    }

    pub(super) fn cancel_fetch(&mut self, ticket: u64) {
        let Some(id) = self.fetches.tickets.remove(&ticket) else { return };
        let Some(fetch) = self.fetches.by_id.get_mut(&id) else { return };
        fetch.tickets.retain(|other| *other != ticket);
        // What was asked for may still come; it then finds nobody and is dropped.
        if fetch.tickets.is_empty() && !fetch.storing {
            self.end_fetch(id, &Ok(()));
        }
    }

    /// Fetches whose moment has come: ask a second peer, ask anew, or give up.
    pub(super) fn fetches_due(&mut self) {
        while let Some((at, id)) = self.fetches.due.first().copied().filter(|(at, _)| *at <= self.now) {
            let Some(fetch) = self.fetches.by_id.get_mut(&id) else {
                self.fetches.due.remove(&(at, id));
                continue;
            };
            if fetch.storing {
                let again = self.now + self.settings.fetch_deadline_ms;
                self.fetches.wake_at(id, again);
            } else if fetch.deadline <= self.now {
                self.end_fetch(id, &Err(FetchError::TimedOut));
            } else {
                if fetch.asked.is_empty() {
                    fetch.asks_again = !fetch.without.is_empty();
                    fetch.without.clear();
                }
                self.ask_next(id);
            }
        }
    }

    pub(super) fn take_fetched(&mut self, slot: Slot, id: RawId, parts: Vec<Bytes>) {
        let id = ChunkId(id);
        let Some(bytes) = parts.into_iter().next() else { return };
        self.note_service(slot, id, bytes.len());
        self.release(slot, id);
        let placed = self.hosts.owners(id.partition()).contains(&ME).then(|| bytes.clone());
        let why = if placed.is_some() { Reason::Placed } else { Reason::Cached };
        if let Some(fetch) = self.fetches.by_id.get_mut(&id).filter(|fetch| !fetch.storing) {
            fetch.storing = true;
            // What goes while nobody works is not to be made up for later.
            if self.now < self.background.busy_until() && fetch.tickets.iter().all(|ticket| is_own(*ticket)) {
                self.background.fetching.charge(self.now, bytes.len());
            }
            self.job(Job::Store { id, bytes, why }, Waiting::FetchStore { from: slot, id, placed });
        }
        self.ask_queued();
    }

    /// How large and how quick its chunks are, smoothed.
    fn note_service(&mut self, slot: Slot, id: ChunkId, bytes: usize) {
        let now = self.now;
        let fetch = self.fetches.by_id.get(&id);
        let asked = fetch.and_then(|fetch| fetch.asked.iter().find(|ask| ask.slot == slot));
        let (Some(asked_at), Some(link)) = (asked.map(|ask| ask.at), self.peers.link(slot)) else { return };
        let guest = &mut link.guest;
        guest.chunks += 1;
        guest.usual_bytes = (guest.usual_bytes * 7 + bytes).div_ceil(8).max(1);
        guest.usual_ms = (guest.usual_ms * 7 + (now - asked_at)).div_ceil(8);
    }

    pub(super) fn take_not_here(&mut self, slot: Slot, id: RawId) {
        let id = ChunkId(id);
        if !self.release(slot, id) {
            return;
        }
        if let Some(fetch) = self.fetches.by_id.get_mut(&id) {
            fetch.without.push(slot);
            if fetch.asked.is_empty() && !fetch.storing {
                self.ask_next(id);
            }
        }
        self.ask_queued();
    }

    /// The peer answered, or will not. Whether it had been asked.
    fn release(&mut self, slot: Slot, id: ChunkId) -> bool {
        let Some(fetch) = self.fetches.by_id.get_mut(&id) else { return false };
        let Some(index) = fetch.asked.iter().position(|ask| ask.slot == slot) else { return false };
        let bytes = fetch.asked.swap_remove(index).bytes;
        if let Some(link) = self.peers.link(slot) {
            link.guest.asked_bytes = link.guest.asked_bytes.saturating_sub(bytes);
        }
        true
    }

    pub(super) fn fetch_stored(
        &mut self,
        from: Slot,
        id: ChunkId,
        placed: Option<Bytes>,
        result: &JobResult,
    ) {
        // Nobody waits for a receipt, and it is a copy all the same: others count on it when they compare.
        if placed.is_some() && matches!(result, JobResult::Stored(Ok(()))) {
            self.hosting.flush_soon(self.now);
        }
        if !self.fetches.by_id.contains_key(&id) {
            return;
        }
        // Who has no room left to keep it can still read it.
        if let (JobResult::Stored(Err(StoreRefusal::Full)), Some(bytes)) = (result, placed) {
            let store = Job::Store { id, bytes, why: Reason::Cached };
            return self.job(store, Waiting::FetchStore { from, id, placed: None });
        }
        let Some(fetch) = self.fetches.by_id.get_mut(&id) else { return };
        fetch.storing = false;
        match result {
            JobResult::Stored(Ok(())) => {
                self.counters.chunks_fetched += 1;
                self.end_fetch(id, &Ok(()));
            }
            JobResult::Stored(Err(StoreRefusal::Wrong)) => {
                self.counters.bad_chunks += 1;
                fetch.bad.push(from);
                self.ask_next(id);
            }
            JobResult::Stored(Err(refusal)) => {
                self.end_fetch(id, &Err(FetchError::Store(refusal.to_string())));
            }
            _ => self.end_fetch(id, &Err(FetchError::Store(StoreRefusal::Failed.to_string()))),
        }
    }

    /// The chunk came by another way.
    pub(super) fn fetch_arrived(&mut self, id: ChunkId) {
        if self.fetches.by_id.get(&id).is_some_and(|fetch| !fetch.storing) {
            self.end_fetch(id, &Ok(()));
        }
    }

    fn end_fetch(&mut self, id: ChunkId, result: &Result<(), FetchError>) {
        let Some(fetch) = self.fetches.by_id.get(&id) else { return };
        let asked: Vec<_> = fetch.asked.iter().map(|ask| ask.slot).collect();
        asked.into_iter().for_each(|slot| {
            self.release(slot, id);
        });
        let Some(fetch) = self.fetches.by_id.remove(&id) else { return };
        self.fetches.due.remove(&(fetch.wake, id));
        for ticket in fetch.tickets {
            self.fetches.tickets.remove(&ticket);
            self.answer_fetch(ticket, result.clone());
        }
    }

    /// Tells whoever wanted it: the driver, or this node's own mending.
    fn answer_fetch(&mut self, ticket: u64, result: Result<(), FetchError>) {
        if is_own(ticket) {
            self.mended(ticket, &result);
        } else {
            self.out.push_back(Output::Fetched { ticket, result });
        }
    }

    pub(super) fn fetch_peer_gone(&mut self, slot: Slot) {
        let asked: Vec<_> = self
            .fetches
            .by_id
            .iter()
            .filter(|(_, fetch)| fetch.asked.iter().any(|ask| ask.slot == slot))
            .map(|(id, _)| *id)
            .collect();
        for id in asked {
            self.release(slot, id);
            if self.fetches.by_id.get(&id).is_some_and(|fetch| fetch.asked.is_empty() && !fetch.storing) {
                self.ask_next(id);
            }
        }
        self.ask_queued();
    }

    pub(super) fn fetch_peer_came(&mut self) {
        let mut idle = Vec::new();
        for (id, fetch) in &mut self.fetches.by_id {
            if fetch.asked.is_empty() && !fetch.storing {
                fetch.asks_again = false;
                idle.push(*id);
            }
        }
        idle.into_iter().for_each(|id| self.ask_next(id));
    }

    /// Whether the chunk has been asked for, or has come, for this node's own mending.
    pub(super) fn is_fetched_to_mend(&self, id: ChunkId) -> bool {
        let under_way = |fetch: &&Fetch| fetch.storing || !fetch.asked.is_empty();
        let fetch = self.fetches.by_id.get(&id).filter(under_way);
        fetch.is_some_and(|fetch| fetch.tickets.iter().any(|ticket| is_own(*ticket)))
    }

    /// Fetches under way.
    pub(super) fn fetching(&self) -> usize {
        self.fetches.by_id.len()
    }
}
