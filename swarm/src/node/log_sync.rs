//! Logs: each peer is sent what its frontier lacks, and its next frontier is the receipt.
//!
//! ```text
//!  Frontier (durable there) ─► LogSince ─► Transactions, at most LOG_IN_FLIGHT_MAX_BYTES ahead of what was Taken
//!                                  ▲            no progress: again from what was told, a little at a time
//! ```

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ledger::Frontier;
use ledger::identity::DeviceId;
use ledger::transaction::SealedTransaction;

use super::Node;
use super::backoff::Backoff;
use super::gossip::frames;
use super::jobs::{At, Waiting};
use super::peer::Slot;
use crate::input::{Lane, Millis};
use crate::output::{Job, JobResult, Output};
use crate::wire::{FRONTIER_MAX_DEVICES, Message, part_length};

/// Transactions on their way to one peer.
const LOG_IN_FLIGHT_MAX_BYTES: usize = 4 << 20;
/// Transactions and roster records of one peer that are being taken in.
const ACCEPTING_MAX_BYTES: usize = 16 << 20;
/// Transactions in one frame, about.
const LOG_FRAME_BYTES: usize = 1 << 20;
/// What is tried again after no progress.
const LOG_PROBE_BYTES: usize = 64 << 10;
const HOLD_DOWN_MS: Millis = 300;
const RESEND_MS: Millis = 4_000;
const RESEND_MAX_MS: Millis = 300_000;
/// So long a peer has to make durable what it took in.
const DURABLE_MAX_MS: Millis = 30_000;

/// Sending logs to one peer.
pub(super) struct LogFlow {
    /// The peer told its frontier on this link.
    pub told: bool,
    /// Something may have to be sent.
    pub due: bool,
    reading: bool,
    /// No progress was made lately: only a little is sent.
    probing: bool,
    /// Sent beyond what the peer told.
    sent: BTreeMap<DeviceId, u64>,
    in_flight: VecDeque<(DeviceId, u64, usize)>,
    in_flight_bytes: usize,
    pub resend: Backoff,
    /// What this device told it.
    acknowledged: BTreeMap<DeviceId, u64>,
}

impl LogFlow {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            told: false,
            due: false,
            reading: false,
            probing: false,
            sent: BTreeMap::new(),
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            resend: Backoff::new(now, RESEND_MS, RESEND_MAX_MS),
            acknowledged: BTreeMap::new(),
        }
    }

    /// Something was sent that the peer did not say to be durable there.
    pub(super) fn awaits_receipt(&self) -> bool {
        !self.in_flight.is_empty() || !self.sent.is_empty()
    }

    /// Entries kept for this link.
    pub(super) fn marks(&self) -> usize {
        self.sent.len() + self.in_flight.len() + self.acknowledged.len()
    }

    /// Bytes of transactions on their way.
    pub(super) fn bytes(&self) -> usize {
        self.in_flight_bytes
    }

    /// Takes off what is durable at the peer. Whether anything was.
    fn receive(&mut self, told: &Frontier) -> bool {
        let before = self.sent.len();
        self.sent.retain(|device, sequence| *sequence > told.0.get(device).copied().unwrap_or(0));
        self.release(told) || self.sent.len() < before
    }

    /// Takes off what the peer has in memory at least: it is sent again only if it never becomes durable.
    fn release(&mut self, told: &Frontier) -> bool {
        let before = self.in_flight.len();
        let has = |device: &DeviceId| told.0.get(device).copied().unwrap_or(0);
        self.in_flight.retain(|(device, sequence, _)| *sequence > has(device));
        self.in_flight_bytes = self.in_flight.iter().map(|(.., bytes)| bytes).sum();
        self.in_flight.len() < before
    }

    fn rewind(&mut self) {
        self.sent.clear();
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        self.probing = true;
        self.due = true;
    }

    fn note_sent(&mut self, transaction: &[u8]) {
        if let Ok(sealed) = SealedTransaction::parse(transaction) {
            let (device, sequence) = (sealed.header().device, sealed.header().sequence);
            let sent = self.sent.entry(device).or_default();
            *sent = sequence.max(*sent);
            self.in_flight.push_back((device, sequence, transaction.len()));
            self.in_flight_bytes += transaction.len();
        }
    }
}

impl Node {
    pub(super) fn log_advanced(&mut self, frontier: Frontier) {
        let me = self.me();
        for (device, sequence) in &frontier.0 {
            if self.mine.0.get(device).is_none_or(|known| known < sequence) && *device != me {
                self.held_down.entry(*device).or_insert(self.now + HOLD_DOWN_MS);
            }
        }
        if frontier != self.mine {
            self.logs_at = self.now;
        }
        self.mine = frontier;
        let own = self.mine.0.get(&me).copied().unwrap_or(0);
        self.safety.note(own, self.outbox.next_position());
        for slot in self.peers.greeted() {
            self.acknowledge(slot);
        }
        self.logs_due();
        self.hasten_beats();
    }

    /// Every link is looked at for what it lacks.
    pub(super) fn logs_due(&mut self) {
        for (_, peer) in self.peers.iter_mut() {
            if let Some(link) = &mut peer.link {
                link.log.due = true;
            }
        }
    }

    pub(super) fn tell_frontier(&mut self, slot: Slot) {
        let Some(link) = self.peers.link(slot) else { return };
        link.log.acknowledged = self.mine.0.clone();
        let logs: Vec<_> = self.mine.0.iter().map(|(device, sequence)| (*device, *sequence)).collect();
        let mut whole = true;
        for group in logs.chunks(FRONTIER_MAX_DEVICES) {
            self.send(slot, &Message::Frontier { whole, logs: group.to_vec() });
            whole = false;
        }
        if logs.is_empty() {
            self.send(slot, &Message::Frontier { whole, logs });
        }
    }

    /// A peer that asks too often gets no answer: it asks again, less and less often.
    pub(super) fn answer_frontier(&mut self, slot: Slot) {
        let now = self.now;
        if self.peers.link(slot).is_some_and(|link| link.frontier_pace.take(now)) {
            self.tell_frontier(slot);
        }
    }

    fn acknowledge(&mut self, slot: Slot) {
        let Some(link) = self.peers.link(slot) else { return };
        let known = &link.log.acknowledged;
        let news = self.mine.0.iter().filter(|(device, sequence)| known.get(*device) < Some(*sequence));
        let logs: Vec<_> =
            news.map(|(device, sequence)| (*device, *sequence)).take(FRONTIER_MAX_DEVICES).collect();
        if !logs.is_empty() {
            link.log.acknowledged.extend(logs.iter().copied());
            self.send(slot, &Message::Frontier { whole: false, logs });
        }
    }

    pub(super) fn take_frontier(&mut self, slot: Slot, whole: bool, logs: Vec<(DeviceId, u64)>) {
        let now = self.now;
        let peer = self.peers.get_mut(slot);
        peer.told_at = Some(now);
        if whole {
            peer.told = Frontier::default();
        }
        for (device, sequence) in logs {
            // A stranger's log is not remembered: memory must not grow with what a peer says.
            let room = peer.told.0.len() < super::peer::DEVICES_MAX;
            if room || peer.told.0.contains_key(&device) {
                let told = peer.told.0.entry(device).or_default();
                *told = sequence.max(*told);
            }
        }
        self.unnamed.due = true;
        let Some(link) = peer.link.as_mut() else { return };
        link.log.told = true;
        link.log.due = true;
        if link.log.receive(&peer.told) {
            link.log.resend.reset(now);
            link.log.probing = false;
        }
        let (device, frontier) = (peer.device, peer.told.clone());
        self.out.push_back(Output::PeerFrontier { peer: device, frontier });
    }

    /// Reads on in the log for this peer if it lacks something and little enough is on its way.
    pub(super) fn pump_log(&mut self, slot: Slot) {
        let peer = self.peers.get(slot);
        let Some(link) = peer.link.as_ref().filter(|link| link.greeted) else { return };
        let flow = &link.log;
        if !flow.due || !flow.told || flow.reading || flow.in_flight_bytes >= LOG_IN_FLIGHT_MAX_BYTES {
            return;
        }
        if flow.probing && !flow.in_flight.is_empty() {
            return;
        }
        if self.waits_for_outlines(link) {
            return;
        }
        let (base, behind) = self.base_for(slot);
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        if !behind {
            link.log.due = false;
            return;
        }
        link.log.reading = true;
        if !link.log.awaits_receipt() && !link.log.probing {
            link.log.resend.reset(now);
        }
        let max_bytes = if link.log.probing { LOG_PROBE_BYTES } else { LOG_FRAME_BYTES };
        let at = (slot, link.generation);
        self.job(Job::LogSince { frontier: base, max_bytes }, Waiting::LogSince { at });
    }

    /// What the peer has, will have, or will get from elsewhere; and whether that is less than what is here.
    fn base_for(&self, slot: Slot) -> (Frontier, bool) {
        let peer = self.peers.get(slot);
        let mut base = Frontier::default();
        let mut behind = false;
        for (device, sequence) in &self.mine.0 {
            let told = peer.told.0.get(device).copied().unwrap_or(0);
            let sent = peer.link.as_ref().and_then(|link| link.log.sent.get(device)).copied().unwrap_or(0);
            let held = if self.held_down.contains_key(device) { *sequence } else { 0 };
            let known = told.max(sent).max(held);
            behind |= known < *sequence;
            base.0.insert(*device, known);
        }
        (base, behind)
    }

    pub(super) fn log_read(&mut self, at: At, result: JobResult) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.log.reading = false;
        let transactions = match result {
            JobResult::Transactions(transactions) if !transactions.is_empty() => transactions,
            // Nothing where something should be: the next frontier or timer asks again.
            _ => {
                link.log.due = false;
                return;
            }
        };
        transactions.iter().for_each(|transaction| link.log.note_sent(transaction));
        if link.log.in_flight.is_empty() {
            // None that this release can read: sending them would go on for ever, as no receipt could be told from others.
            link.log.due = false;
            return;
        }
        for group in frames(transactions, LOG_FRAME_BYTES) {
            let lengths = group.iter().map(part_length).collect();
            self.send_parts(at.0, &Message::Transactions(lengths), Lane::Log, group);
        }
    }

    pub(super) fn take_transactions(&mut self, slot: Slot, transactions: Vec<Bytes>) {
        let from = self.peers.get(slot).device;
        let bytes: usize = transactions.iter().map(Bytes::len).sum();
        if let Some(at) = self.admit(slot, bytes) {
            self.job(Job::Accept { transactions, from }, Waiting::Accept { at, bytes });
        }
    }

    /// Whether so much more of a peer may be taken in. Over the bound it is let go: its sender still has it.
    pub(super) fn admit(&mut self, slot: Slot, bytes: usize) -> Option<At> {
        let link = self.peers.link(slot)?;
        let room = bytes > 0 && link.guest.accepting_bytes + bytes <= ACCEPTING_MAX_BYTES;
        link.guest.accepting_bytes += if room { bytes } else { 0 };
        room.then_some((slot, link.generation))
    }

    pub(super) fn accepted(&mut self, at: At, bytes: usize, result: &JobResult) {
        if let Some(link) = self.peers.link_of(at) {
            link.guest.accepting_bytes -= bytes;
        }
        let JobResult::Accepted { frontier_now, refused, held } = result else { return };
        self.counters.refused += u64::from(*refused);
        self.counters.held += u64::from(*held);
        let known = &self.mine.0;
        let ahead = frontier_now.0.iter().filter(|(device, sequence)| known.get(*device) < Some(*sequence));
        let logs: Vec<_> =
            ahead.map(|(device, sequence)| (*device, *sequence)).take(FRONTIER_MAX_DEVICES).collect();
        if !logs.is_empty() && self.peers.link_of(at).is_some() {
            self.send(at.0, &Message::Taken(logs));
        }
    }

    /// The peer has room for more, though what it has is not durable there yet.
    pub(super) fn take_taken(&mut self, slot: Slot, logs: &[(DeviceId, u64)]) {
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        let taken = Frontier(logs.iter().copied().collect());
        if link.log.release(&taken) {
            link.log.probing = false;
            link.log.due = true;
            link.log.resend.reset(now);
            if link.log.in_flight.is_empty() {
                link.log.resend.next = now + DURABLE_MAX_MS;
            }
        }
    }

    /// Nothing was acknowledged in time: from what was told, again.
    pub(super) fn resend_log(&mut self, slot: Slot) {
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        if link.log.awaits_receipt() && link.log.resend.take(now) {
            link.log.rewind();
        }
    }

    /// Others' logs whose moment has passed are passed on.
    pub(super) fn end_hold_down(&mut self) {
        let before = self.held_down.len();
        let now = self.now;
        self.held_down.retain(|_, until| *until > now);
        if self.held_down.len() < before {
            self.logs_due();
        }
    }
}
