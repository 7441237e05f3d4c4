//! Keeping chunks for others: answering offers, storing what comes, receipts after the flush.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use chunkstore::ChunkId;

use super::Node;
use super::jobs::{At, Waiting};
use super::peer::{ME, Slot};
use crate::input::Millis;
use crate::output::{Job, JobResult, Reason, StoreRefusal};
use crate::wire::{Answer, Message, Place, RECEIPTS_MAX, RawId};

/// Offers of one peer that are being looked up.
const OFFERS_MAX: usize = 16;
/// Chunks of one peer that are being stored.
const STORING_MAX_BYTES: usize = 128 << 20;
/// Chunks that were asked for and have not come, of all peers.
const EXPECTED_MAX_CHUNKS: usize = 32 << 10;
/// After so long another peer may send the chunk.
const EXPECTED_MS: Millis = 30_000;
/// A flush follows the first chunk after so long, or after so many bytes.
const FLUSH_AFTER_MS: Millis = 20;
const FLUSH_BYTES: usize = 32 << 20;

/// Keeping chunks for others.
#[derive(Default)]
pub(super) struct Hosting {
    expected: HashMap<ChunkId, (Slot, Millis)>,
    unflushed: Vec<(At, Place)>,
    unflushed_bytes: usize,
    flush_at: Option<Millis>,
    flushing: Option<Vec<(At, Place)>>,
    refused: Vec<(At, Place)>,
}

impl Hosting {
    /// When the next flush is due; while one is under way, its end is waited for.
    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.flush_at.filter(|_| self.flushing.is_none())
    }

    /// Something was stored that nobody waits for a receipt of.
    pub(super) fn flush_soon(&mut self, now: Millis) {
        self.flush_at.get_or_insert(now + FLUSH_AFTER_MS);
    }

    /// What was to come from this peer may come from others.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.expected.retain(|_, (from, _)| *from != slot);
    }
}

impl Node {
    pub(super) fn take_offer(&mut self, slot: Slot, batch: u32, ids: &[RawId]) {
        let Some(link) = self.peers.link(slot) else { return };
        // Over the bound it is not answered: the sender offers again.
        if ids.is_empty() || link.guest.offers >= OFFERS_MAX {
            return;
        }
        link.guest.offers += 1;
        let at = (slot, link.generation);
        let ids: Vec<_> = ids.iter().map(|id| ChunkId(*id)).collect();
        self.job(Job::Have { ids: ids.clone() }, Waiting::Have { at, batch, ids });
    }

    pub(super) fn offer_looked_up(&mut self, at: At, batch: u32, ids: &[ChunkId], result: JobResult) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.offers -= 1;
        let JobResult::Have(have) = result else { return };
        if have.len() != ids.len() {
            return;
        }
        let here = ids.iter().zip(&have).filter(|(_, have)| **have);
        here.for_each(|(id, _)| self.note_placed(id));
        let room = self.has_room();
        let answer = |(id, have): (&ChunkId, bool)| match (have, room) {
            (true, _) => Answer::Have,
            (false, false) => Answer::Full,
            (false, true) => self.expect(*id, at.0),
        };
        let answers = ids.iter().zip(have).map(answer).collect();
        self.send(at.0, &Message::Want { batch, answers });
    }

    fn has_room(&self) -> bool {
        let me = self.peers.get(ME);
        me.hosts() && !me.is_full()
    }

    fn expect(&mut self, id: ChunkId, from: Slot) -> Answer {
        let now = self.now;
        let other = self.hosting.expected.get(&id).filter(|(slot, until)| *slot != from && *until > now);
        if other.is_some() || self.is_fetched_to_mend(id) {
            return Answer::Later;
        }
        if self.hosting.expected.len() >= EXPECTED_MAX_CHUNKS {
            self.hosting.expected.retain(|_, (_, until)| *until > now);
        }
        if self.hosting.expected.len() < EXPECTED_MAX_CHUNKS {
            self.hosting.expected.insert(id, (from, now + EXPECTED_MS));
        }
        Answer::Want
    }

    /// Whether a peer was asked to send it, or is about to.
    pub(super) fn is_expected(&self, id: &ChunkId) -> bool {
        self.hosting.expected.get(id).is_some_and(|(_, until)| *until > self.now)
    }

    pub(super) fn take_chunks(&mut self, slot: Slot, items: Vec<(Place, RawId, u32)>, parts: Vec<Bytes>) {
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        let room = self.has_room();
        let Some(link) = self.peers.link(slot) else { return };
        if link.guest.storing_bytes + bytes > STORING_MAX_BYTES {
            return self.bad_frame(slot, "it sent more chunks than were asked for");
        }
        let at = (slot, link.generation);
        if !room {
            self.hosting.refused.extend(items.iter().map(|(place, ..)| (at, *place)));
            return;
        }
        link.guest.storing_bytes += bytes;
        for ((place, id, _), bytes) in items.into_iter().zip(parts) {
            let id = ChunkId(id);
            let waiting = Waiting::HostStore { at, place, id, bytes: bytes.len() };
            self.job(Job::Store { id, bytes, why: Reason::Placed }, waiting);
        }
    }

    pub(super) fn host_stored(
        &mut self,
        at: At,
        place: Place,
        id: ChunkId,
        bytes: usize,
        result: &JobResult,
    ) {
        self.hosting.expected.remove(&id);
        if let Some(link) = self.peers.link_of(at) {
            link.guest.storing_bytes -= bytes;
        }
        match result {
            JobResult::Stored(Ok(())) => {
                self.counters.chunks_hosted += 1;
                self.note_placed(&id);
                self.moved_at = Some(self.now);
                self.hosting.unflushed.push((at, place));
                self.hosting.unflushed_bytes += bytes;
                self.hosting.flush_soon(self.now);
                self.fetch_arrived(id);
                self.pump_flush();
            }
            JobResult::Stored(Err(StoreRefusal::Wrong)) => {
                self.counters.bad_chunks += 1;
                if self.peers.link_of(at).is_some() {
                    self.bad_frame(at.0, "it sent a chunk that does not fit its id");
                }
            }
            _ => self.hosting.refused.push((at, place)),
        }
    }

    /// One flush at a time, for all that was stored before.
    pub(super) fn pump_flush(&mut self) {
        let due = self.hosting.flush_at.is_some_and(|at| self.now >= at);
        if self.hosting.flushing.is_some() || !(due || self.hosting.unflushed_bytes >= FLUSH_BYTES) {
            return;
        }
        self.hosting.flush_at = None;
        self.hosting.unflushed_bytes = 0;
        self.hosting.flushing = Some(std::mem::take(&mut self.hosting.unflushed));
        self.job(Job::Flush, Waiting::Flush);
    }

    pub(super) fn flushed(&mut self, durable: bool) {
        let flushed = self.hosting.flushing.take().unwrap_or_default();
        // What did not become durable gets no receipt: the sender offers it again.
        if durable {
            self.send_receipts(flushed, true);
        }
        self.pump_flush();
    }

    pub(super) fn pump_receipts(&mut self) {
        let refused = std::mem::take(&mut self.hosting.refused);
        self.send_receipts(refused, false);
    }

    fn send_receipts(&mut self, places: Vec<(At, Place)>, kept: bool) {
        let mut by_peer: BTreeMap<At, Vec<Place>> = BTreeMap::new();
        for (at, place) in places {
            by_peer.entry(at).or_default().push(place);
        }
        for (at, places) in by_peer {
            if self.peers.link_of(at).is_none() {
                continue;
            }
            for group in places.chunks(RECEIPTS_MAX) {
                let (group, none) = (group.to_vec(), Vec::new());
                let (kept, refused) = if kept { (group, none) } else { (none, group) };
                self.send(at.0, &Message::Receipt { kept, refused });
            }
        }
    }
}
