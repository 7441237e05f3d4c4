//! Whom to ask for a chunk, how long to wait, and what to do when nobody is left.

use chunkstore::ChunkId;

use super::Ask;
use crate::input::{Millis, Urgency};
use crate::node::Node;
use crate::node::peer::{ME, Slot};
use crate::output::FetchError;
use crate::wire::Message;

/// Chunks asked of one peer at a time, whatever their size.
const ASKED_MAX_CHUNKS: usize = 512;
const HEDGE_MIN_MS: Millis = 50;
/// Nobody waits for what is read ahead: it is asked of a second peer later.
const HEDGE_SOON_FACTOR: Millis = 8;
/// Who did not have it is asked again after so long, while not everybody is here.
const ASK_AGAIN_MS: Millis = 500;
/// A fetch that gets answers may take so many deadlines in all.
const DEADLINES_MAX: Millis = 6;

enum Choice {
    Ask(Slot),
    /// Somebody may have it and has no room in its window.
    Full,
    Nobody,
}

impl Node {
    /// How long this peer has before another is asked as well.
    pub(super) fn patience(&self, id: ChunkId, slot: Slot) -> Millis {
        let (Some(fetch), Some(link)) = (self.fetches.by_id.get(&id), &self.peers.get(slot).link) else {
            return HEDGE_MIN_MS;
        };
        let usual = (4 * link.rtt + 2 * link.guest.usual_ms).max(HEDGE_MIN_MS);
        let factor = if fetch.urgency == Urgency::Now { 1 } else { HEDGE_SOON_FACTOR };
        // Each further one waits twice as long, or a slow moment of all would make each send everything.
        (usual * factor) << fetch.asked.len().saturating_sub(1).min(4)
    }

    /// Asks the best peer that was not asked yet.
    pub(super) fn ask_next(&mut self, id: ChunkId) {
        match self.choose(id) {
            Choice::Ask(slot) => self.ask(id, slot),
            Choice::Full => self.queue_fetch(id),
            Choice::Nobody => self.nobody_left(id),
        }
    }

    fn choose(&mut self, id: ChunkId) -> Choice {
        let Some(fetch) = self.fetches.by_id.get(&id).filter(|fetch| !fetch.storing) else {
            return Choice::Nobody;
        };
        let owners = self.hosts.owners(id.partition());
        let patience = if fetch.urgency == Urgency::Now { 4 } else { 1 };
        let window = self.settings.fetch_window_bytes * patience;
        let mut best = None;
        let mut crowded = false;
        for (slot, peer) in self.peers.iter() {
            let Some(link) = peer.link.as_ref().filter(|link| link.greeted) else { continue };
            let asked = fetch.asked.iter().any(|ask| ask.slot == slot);
            if asked || fetch.without.contains(&slot) || fetch.bad.contains(&slot) {
                continue;
            }
            let guest = &link.guest;
            let room = guest.asked_bytes + guest.usual_bytes <= window.max(guest.usual_bytes)
                && guest.asked_bytes / guest.usual_bytes.max(1) < ASKED_MAX_CHUNKS;
            if !room {
                crowded = true;
                continue;
            }
            let waits = guest.usual_ms * (guest.asked_bytes / guest.usual_bytes.max(1)) as u64 / 4;
            let cost = (!owners.contains(&slot), link.rtt + waits, slot);
            best = Some(best.map_or(cost, |other: (bool, Millis, Slot)| other.min(cost)));
        }
        match best {
            Some((.., slot)) => Choice::Ask(slot),
            None if crowded => Choice::Full,
            None => Choice::Nobody,
        }
    }

    fn ask(&mut self, id: ChunkId, slot: Slot) {
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        let Some(fetch) = self.fetches.by_id.get_mut(&id) else { return };
        let bytes = link.guest.usual_bytes;
        link.guest.asked_bytes += bytes;
        fetch.asked.push(Ask { slot, at: now, bytes });
        if !fetch.asks_again {
            let most = self.settings.fetch_deadline_ms;
            fetch.deadline = (now + most).min(fetch.started + DEADLINES_MAX * most);
        }
        let (deadline, urgent) = (fetch.deadline, fetch.urgency == Urgency::Now);
        let wake = (now + self.patience(id, slot)).min(deadline);
        self.fetches.wake_at(id, wake);
        self.send(slot, &Message::Get { id: id.0, now: urgent });
    }

    fn queue_fetch(&mut self, id: ChunkId) {
        let Some(fetch) = self.fetches.by_id.get_mut(&id) else { return };
        let deadline = fetch.deadline;
        if fetch.asked.is_empty() && !std::mem::replace(&mut fetch.queued, true) {
            let urgent = fetch.urgency == Urgency::Now;
            let queued = &mut self.fetches.queued;
            if urgent { queued.push_front(id) } else { queued.push_back(id) }
        }
        self.fetches.wake_at(id, deadline);
    }

    /// Nobody is left to ask: wait for those who were asked, for others to come, or give up.
    pub(super) fn nobody_left(&mut self, id: ChunkId) {
        let all_here = self.all_hosts_here();
        let Some(fetch) = self.fetches.by_id.get(&id) else { return };
        let waits = fetch.storing || !fetch.asked.is_empty();
        let deadline = fetch.deadline;
        if waits {
            self.fetches.wake_at(id, deadline);
        } else if all_here {
            self.end_fetch(id, &Err(FetchError::NobodyHasIt));
        } else {
            self.fetches.wake_at(id, (self.now + ASK_AGAIN_MS).min(deadline));
        }
    }

    fn all_hosts_here(&self) -> bool {
        let mut others = self.peers.iter().filter(|(slot, peer)| *slot != ME && peer.may_hold());
        others.all(|(_, peer)| peer.is_greeted())
    }

    /// Asks for what waits, while the windows have room.
    pub(super) fn ask_queued(&mut self) {
        while let Some(id) = self.fetches.queued.front().copied() {
            let waits =
                self.fetches.by_id.get(&id).is_some_and(|fetch| fetch.asked.is_empty() && !fetch.storing);
            let choice = if waits { self.choose(id) } else { Choice::Nobody };
            if matches!(choice, Choice::Full) {
                return;
            }
            self.fetches.queued.pop_front();
            if let Some(fetch) = self.fetches.by_id.get_mut(&id) {
                fetch.queued = false;
            }
            match choice {
                Choice::Ask(slot) => self.ask(id, slot),
                _ if waits => self.nobody_left(id),
                _ => {}
            }
        }
    }
}
