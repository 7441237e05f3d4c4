//! What is cleaned out of logs: each peer is told of newer outlines before it gets transactions, which would else wait for them.
//!
//! ```text
//!  OutlineDigest, with each beat ─► differs ─► Outlined (counters) ─► Outlines
//! ```

use bytes::Bytes;
use ledger::OutlineCounters;
use ledger::identity::DeviceId;

use super::Node;
use super::gossip::frames;
use super::jobs::{At, Waiting};
use super::peer::{Link, Slot};
use crate::input::Lane;
use crate::output::{Job, JobResult};
use crate::wire::{CAN_OUTLINE, FRONTIER_MAX_DEVICES, Message, numbers_digest, part_length};

/// Outlines in one frame, about.
const OUTLINES_FRAME_BYTES: usize = 1 << 20;

impl Node {
    pub(super) fn outlined(&mut self, counters: OutlineCounters) {
        if self.outlines != counters {
            self.outlines = counters;
            self.hasten_beats();
        }
    }

    fn knows_outlines(&mut self, slot: Slot) -> bool {
        self.peers.link(slot).is_some_and(|link| link.capabilities & CAN_OUTLINE != 0)
    }

    pub(super) fn tell_outline_digest(&mut self, slot: Slot) {
        if !self.outlines.is_empty() && self.knows_outlines(slot) {
            let digest = numbers_digest(&self.outlines);
            self.send(slot, &Message::OutlineDigest(digest));
        }
    }

    pub(super) fn tell_outline_counters(&mut self, slot: Slot) {
        if self.knows_outlines(slot) {
            let counters = self.outlines.iter().map(|(device, counter)| (*device, *counter));
            let counters = counters.take(FRONTIER_MAX_DEVICES).collect();
            self.send(slot, &Message::Outlined(counters));
        }
    }

    pub(super) fn compare_outlines(&mut self, slot: Slot, theirs: [u8; 16]) {
        let (now, same) = (self.now, numbers_digest(&self.outlines) == theirs);
        let mine = same.then(|| self.outlines.clone());
        let Some(link) = self.peers.link(slot) else { return };
        if same {
            link.outline_exchange.hasten(now);
            link.log.due |= link.outlines.is_none();
            link.outlines = mine;
        } else if link.outline_exchange.take(now) {
            self.tell_outline_counters(slot);
        }
    }

    /// Transactions wait until it is known which outlines the peer has: those it lacks go before them, by the same lane.
    pub(super) fn waits_for_outlines(&self, link: &Link) -> bool {
        !self.outlines.is_empty() && link.capabilities & CAN_OUTLINE != 0 && link.outlines.is_none()
    }

    pub(super) fn take_outline_counters(&mut self, slot: Slot, theirs: Vec<(DeviceId, u64)>) {
        let theirs: OutlineCounters = theirs.into_iter().collect();
        let lacks =
            |(device, counter): (&DeviceId, &u64)| theirs.get(device).is_none_or(|known| known < counter);
        let behind = self.outlines.iter().any(lacks);
        let Some(link) = self.peers.link(slot) else { return };
        link.log.due = true;
        link.outlines = Some(theirs.clone());
        if behind {
            let at = (slot, link.generation);
            self.job(Job::OutlinesSince { counters: theirs }, Waiting::OutlinesSince { at });
        }
    }

    pub(super) fn outlines_read(&mut self, at: At, result: JobResult) {
        let JobResult::Outlines(outlines) = result else { return };
        if self.peers.link_of(at).is_none() {
            return;
        }
        for group in frames(outlines, OUTLINES_FRAME_BYTES) {
            let lengths = group.iter().map(part_length).collect();
            self.send_parts(at.0, &Message::Outlines(lengths), Lane::Log, group);
        }
    }

    pub(super) fn take_outlines(&mut self, slot: Slot, outlines: Vec<Bytes>) {
        let bytes: usize = outlines.iter().map(Bytes::len).sum();
        if let Some(at) = self.admit(slot, bytes) {
            self.job(Job::AcceptOutlines { outlines }, Waiting::Accept { at, bytes });
        }
    }
}
