//! The steps of giving chunks to a peer: offer, read, gather, send, take the receipt.

use bytes::Bytes;

use super::{ASK_AGAIN_MS, Batch, FRAME_MAX_BYTES, Item, Paced};
use crate::input::Lane;
use crate::node::Node;
use crate::node::background::BUSY_IN_FLIGHT_BYTES;
use crate::node::jobs::{At, Waiting};
use crate::node::outbox::Cause;
use crate::node::peer::Slot;
use crate::output::{Job, JobResult, Priority};
use crate::wire::{Answer, Message, OFFER_MAX_CHUNKS, Place, part_length, raw_ids};

impl Node {
    /// Offers, reads and sends what the windows allow.
    pub(in crate::node) fn pump_push(&mut self, slot: Slot) {
        let (now, busy) = (self.now, self.is_busy());
        while self.peers.link(slot).is_some_and(|link| link.push.may_offer(now, busy)) {
            self.offer(slot);
        }
        while self.peers.link(slot).is_some_and(|link| link.push.may_read()) {
            if !self.read_wanted(slot) {
                break;
            }
        }
        if self.peers.link(slot).is_some_and(|link| !link.push.gathers()) {
            self.send_gathered(slot);
        }
        self.note_caught_up(slot);
    }

    fn offer(&mut self, slot: Slot) {
        let (now, busy) = (self.now, self.is_busy());
        let Some(link) = self.peers.link(slot) else { return };
        let flow = &mut link.push;
        let (mut items, mut ids) = (Vec::new(), Vec::new());
        let (room, mut claimed) = (flow.may_claim(now, busy), 0);
        while ids.len() < OFFER_MAX_CHUNKS {
            let next = flow.queue.pop_front().map(|position| (position, Cause::Written));
            let may_claim = claimed < room;
            let next = next.or_else(|| {
                let position = may_claim.then(|| flow.healing.pop_front()).flatten()?;
                Some((position, Cause::Healing))
            });
            let Some((position, cause)) = next else { break };
            // What was written meanwhile is in the other queue.
            if let Some(id) = self.outbox.lacking(position, slot)
                && self.outbox.cause(position) == Some(cause)
            {
                claimed += usize::from(cause == Cause::Healing);
                items.push(Item { position, cause, sent: 0, paced: Paced::No, done: false });
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return;
        }
        if flow.batches.is_empty() {
            flow.progress_at = now;
        }
        if claimed > 0 {
            flow.claims.begin(now, claimed);
        }
        let batch = flow.number();
        flow.batches
            .insert(batch, Batch { open: items.len(), items, answered: false, offered: now, touched: now });
        self.send(slot, &Message::Offer { batch, ids: raw_ids(&ids) });
    }

    pub(in crate::node) fn take_answers(&mut self, slot: Slot, batch: u32, answers: &[Answer]) {
        if self.take_probed(slot, batch, answers) {
            return;
        }
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        let flow = &mut link.push;
        let fits = |known: &&mut Batch| !known.answered && known.items.len() == answers.len();
        let Some(known) = flow.batches.get_mut(&batch).filter(fits) else { return };
        known.answered = true;
        flow.progress(now, batch);
        let (mut confirmed, mut later) = (Vec::new(), Vec::new());
        let mut full = false;
        let claims = (0..).zip(answers).filter(|(index, _)| flow.claimed((batch, *index)).is_some());
        let claims: Vec<_> = claims.map(|(_, answer)| answer).collect();
        if !claims.is_empty() {
            flow.claims.answered(claims.len(), claims.contains(&&Answer::Want));
        }
        for (index, answer) in (0..).zip(answers) {
            match answer {
                Answer::Have => confirmed.extend(flow.finish(now, (batch, index))),
                Answer::Want => flow.wanted.push_back((batch, index)),
                Answer::Later => later.extend(flow.finish(now, (batch, index))),
                Answer::Full => full |= flow.finish(now, (batch, index)).is_some(),
            }
        }
        for position in later {
            let cause = self.outbox.cause(position);
            flow.later.extend(cause.map(|cause| (now + ASK_AGAIN_MS, position, cause)));
        }
        confirmed.into_iter().for_each(|position| self.confirm(position, slot));
        if full {
            self.refused(slot);
        }
    }

    fn refused(&mut self, slot: Slot) {
        self.note_refusal(slot);
        self.outbox.unassigned = true;
    }

    /// What no other host is known to have goes first. The others wait no longer than until [`WANTED_MAX_CHUNKS`] of them are
    /// there: then nothing more is offered before some have gone.
    ///
    /// [`WANTED_MAX_CHUNKS`]: super::WANTED_MAX_CHUNKS
    fn next_wanted(&mut self, slot: Slot) -> Option<Place> {
        let (now, busy) = (self.now, self.is_busy());
        let flow = &mut self.peers.link(slot)?.push;
        while let Some(place) = flow.wanted.pop_front() {
            let position = flow.position(place);
            if busy && self.outbox.is_healing(position) {
                flow.hold_back(now, place);
            } else if position.map_or(0, |position| self.outbox.copies(position)) == 0 {
                return Some(place);
            } else {
                flow.copied.push_back(place);
            }
        }
        while let Some(place) = flow.copied.pop_front() {
            if !(busy && self.outbox.is_healing(flow.position(place))) {
                return Some(place);
            }
            flow.hold_back(now, place);
        }
        self.next_held_back(slot)
    }

    /// At a pace while people work.
    fn next_held_back(&mut self, slot: Slot) -> Option<Place> {
        let (now, busy) = (self.now, self.is_busy());
        let flow = &mut self.peers.link(slot)?.push;
        let is_written = |place: &Place| !self.outbox.is_healing(flow.position(*place));
        if let Some(at) = flow.held_back.iter().position(is_written) {
            return flow.held_back.remove(at);
        }
        if busy && (flow.paced_reads > 0 || flow.paced_bytes >= BUSY_IN_FLIGHT_BYTES) {
            return None;
        }
        if busy && !flow.held_back.is_empty() && !self.background.sending.allows(now) {
            flow.waits_for_pace(now);
            return None;
        }
        let place = flow.held_back.pop_front()?;
        if busy && flow.pace(place) {
            self.background.last_served = slot;
        }
        Some(place)
    }

    /// Whether there was one to read.
    fn read_wanted(&mut self, slot: Slot) -> bool {
        let Some(place) = self.next_wanted(slot) else { return false };
        let Some(link) = self.peers.link(slot) else { return false };
        let at = (slot, link.generation);
        let Some(position) = link.push.position(place) else { return true };
        match self.outbox.lacking(position, slot) {
            Some(id) => {
                link.push.reads += 1;
                let peer = self.peers.get(slot).device;
                let job = Job::Read { id, for_whom: Priority::Replication, peer };
                self.job(job, Waiting::PushRead { at, place });
            }
            None => {
                link.push.finish(self.now, place);
            }
        }
        true
    }

    pub(in crate::node) fn push_read(&mut self, at: At, place: Place, result: JobResult) {
        let now = self.now;
        let Some(link) = self.peers.link_of(at) else { return };
        let flow = &mut link.push;
        flow.reads -= 1;
        let Some(position) = flow.position(place) else { return };
        match result {
            JobResult::Chunk(Some(bytes)) => {
                if flow.is_paced(place) {
                    self.background.sending.charge(now, bytes.len());
                }
                self.note_readable(position);
                self.gather(at.0, place, position, bytes);
            }
            JobResult::Chunk(None) => {
                flow.finish(now, place);
                self.outbox.forget(position);
            }
            _ => {
                flow.finish(now, place);
                let cause = self.outbox.cause(position).unwrap_or(Cause::Healing);
                flow.later.push_back((now + ASK_AGAIN_MS, position, cause));
                self.note_unreadable(position);
                self.note_damage();
            }
        }
    }

    fn gather(&mut self, slot: Slot, place: Place, position: u64, bytes: Bytes) {
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        // It came there by another way meanwhile.
        let Some(id) = self.outbox.lacking(position, slot) else {
            link.push.finish(now, place);
            return;
        };
        if !link.push.gathered.is_empty() && link.push.gathered_bytes + bytes.len() > FRAME_MAX_BYTES {
            self.send_gathered(slot);
        }
        let Some(link) = self.peers.link(slot) else { return };
        let flow = &mut link.push;
        if let Some(item) =
            flow.batches.get_mut(&place.0).and_then(|batch| batch.items.get_mut(usize::from(place.1)))
        {
            item.sent = part_length(&bytes);
            if item.paced == Paced::Read {
                item.paced = Paced::Sent;
                flow.paced_reads -= 1;
                flow.paced_bytes += bytes.len();
            }
            flow.in_flight_bytes += bytes.len();
            flow.usual_bytes = (flow.usual_bytes * 7 + bytes.len()) / 8;
            flow.gathered_bytes += bytes.len();
            flow.gathered.push((place, id, bytes));
        }
    }

    fn send_gathered(&mut self, slot: Slot) {
        let Some(link) = self.peers.link(slot) else { return };
        link.push.gathered_bytes = 0;
        let gathered = std::mem::take(&mut link.push.gathered);
        let items = gathered.iter().map(|(place, id, bytes)| (*place, id.0, part_length(bytes))).collect();
        let parts = gathered.into_iter().map(|(.., bytes)| bytes).collect();
        self.send_parts(slot, &Message::Chunks(items), Lane::Bulk, parts);
    }

    pub(in crate::node) fn take_receipt(&mut self, slot: Slot, kept: &[Place], refused: &[Place]) {
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        let flow = &mut link.push;
        let mut confirmed = Vec::new();
        for place in kept {
            flow.progress(now, place.0);
            if let Some(since) = flow.claimed(*place) {
                flow.claims.arrived(now, since);
            }
            confirmed.extend(flow.finish(now, *place));
        }
        let mut full = false;
        for place in refused {
            full |= flow.finish(now, *place).is_some();
        }
        confirmed.into_iter().for_each(|position| self.confirm(position, slot));
        if full {
            self.refused(slot);
        }
    }
}
