//! What everybody should know: signed facts, devices declared lost, roster records.

use bytes::Bytes;
use ledger::identity::DeviceId;

use super::Node;
use super::jobs::{At, Waiting};
use super::peer::{DEVICES_MAX, ME, Slot};
use crate::facts::SignedFacts;
use crate::input::{Lane, Millis};
use crate::output::{Job, JobResult, Output};
use crate::wire::{
    CAN_FIND, FACTS_MAX_IN_MESSAGE, Message, PARTS_MAX, RECORD_HASHES_MAX, RecordMark, numbers_digest,
    part_length, short,
};

/// Roster records in one frame, about.
const RECORDS_FRAME_BYTES: usize = 1 << 20;
/// Facts in one frame.
const FACTS_FRAME_BYTES: usize = 128 << 10;

/// Newly learned facts are passed on to so many others, drawn for each. Who has them from their device passes them on too: to all, that
/// would be a message for each pair and each device that said something; to so many, one of 4096 devices is missed by all of them
/// once in two thousand times, and the digests in the next beat tell.
const FACTS_PASSED_TO_PEERS: usize = 16;

/// A link that ends within so long after its device was said to be lost confirms it.
const LOST_SAID_MAX_MS: Millis = 120_000;

/// What becomes of facts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Belief {
    New,
    /// Known, or of nobody who counts.
    Old,
    /// Their device said too much lately.
    TooSoon,
    Forged,
}

impl Node {
    pub(super) fn take_own_facts(&mut self, facts: SignedFacts) {
        let message = Message::Facts(vec![facts.as_bytes().to_vec()]);
        self.peers.get_mut(ME).facts = Some(facts);
        self.hosts.own_told = true;
        self.hosts.dirty = true;
        self.send_all(&message, None);
        self.hasten_beats();
    }

    pub(super) fn take_known_facts(&mut self, mut facts: Vec<SignedFacts>) {
        facts.truncate(DEVICES_MAX);
        self.hosts.known = facts;
        self.hosts.known_told = true;
        // Also when they are none: whoever comes next is new, and no part of what was before.
        self.hosts.dirty = true;
        self.absorb_known_facts();
    }

    /// Facts from the disk count as soon as the roster says whose key to check them with.
    pub(super) fn absorb_known_facts(&mut self) {
        if !self.hosts.members_told {
            return;
        }
        for facts in std::mem::take(&mut self.hosts.known) {
            self.learn(facts);
        }
    }

    pub(super) fn take_facts(&mut self, from: Slot, all: &[Vec<u8>]) {
        for bytes in all {
            let Ok(facts) = SignedFacts::decode(bytes) else {
                self.counters.bad_messages += 1;
                continue;
            };
            match self.learn(facts.clone()) {
                Belief::New => {
                    self.pass_on_facts(bytes.clone(), from);
                    self.hosts.learned.push(facts);
                }
                Belief::TooSoon => self.hasten_beat(from),
                // Nobody passes on what did not convince him.
                Belief::Forged => {
                    return self.bad_frame(from, "it told facts that their device did not sign");
                }
                Belief::Old => {}
            }
        }
    }

    fn pass_on_facts(&mut self, facts: Vec<u8>, from: Slot) {
        let message = Message::Facts(vec![facts]);
        let mut others: Vec<_> = self.peers.greeted().into_iter().filter(|slot| *slot != from).collect();
        if others.len() > FACTS_PASSED_TO_PEERS {
            for place in 0..FACTS_PASSED_TO_PEERS {
                let left = (others.len() - place) as u64;
                let drawn = usize::try_from(self.jitter(left)).expect("it is below a length");
                others.swap(place, place + drawn);
            }
            others.truncate(FACTS_PASSED_TO_PEERS);
        }
        others.into_iter().for_each(|slot| self.send(slot, &message));
    }

    /// Believes facts that are newer and signed by a member, as long as they do not come too fast.
    fn learn(&mut self, facts: SignedFacts) -> Belief {
        let said = facts.facts();
        let Some(slot) = self.peers.slot(&said.device).filter(|slot| *slot != ME) else { return Belief::Old };
        let peer = self.peers.get(slot);
        let Some(member) = peer.member else { return Belief::Old };
        let newer = peer.facts().is_none_or(|known| known.issued_ms < said.issued_ms);
        if !newer {
            return Belief::Old;
        }
        // Before the signature is looked at: that is work too, and forged facts must not use up the pace of true ones.
        if !peer.facts_pace.allows(self.now) {
            return Belief::TooSoon;
        }
        if facts.verify(&member.key, &self.workspace).is_err() {
            return Belief::Forged;
        }
        let now = self.now;
        let peer = self.peers.get_mut(slot);
        peer.facts_pace.take(now);
        peer.facts = Some(facts);
        self.hosts.dirty = true;
        Belief::New
    }

    /// What was not believed now shows in the digests, and is told again.
    fn hasten_beat(&mut self, slot: Slot) {
        let now = self.now;
        if let Some(link) = self.peers.link(slot) {
            link.beat.hasten(now);
        }
    }

    /// Hands newly learned facts to the disk, but only after the chunks that the change concerns were marked: after a crash
    /// they would not be told from known ones.
    pub(super) fn pump_learned(&mut self) {
        if !self.hosts.dirty && !self.hosts.is_requeueing() {
            self.out.extend(self.hosts.learned.drain(..).map(Output::FactsLearned));
        }
    }

    pub(super) fn tell_facts(&mut self, slot: Slot) {
        let all = self.peers.iter().filter(|(of, peer)| *of != slot && peer.member.is_some());
        let facts: Vec<_> =
            all.filter_map(|(_, peer)| Some(peer.facts.as_ref()?.as_bytes().to_vec())).collect();
        for group in facts.chunks(FACTS_MAX_IN_MESSAGE.min(FACTS_FRAME_BYTES / crate::FACTS_MAX_BYTES)) {
            self.send(slot, &Message::Facts(group.to_vec()));
        }
    }

    pub(super) fn facts_digest(&self) -> [u8; 16] {
        let issued = self.peers.iter().filter_map(|(_, peer)| Some((peer.device, peer.facts()?.issued_ms)));
        numbers_digest(&issued.collect())
    }

    pub(super) fn declare_lost(&mut self, device: DeviceId) {
        let Some(slot) = self.peers.slot(&device).filter(|slot| *slot != ME) else { return };
        let now = self.now;
        let peer = self.peers.get_mut(slot);
        if peer.declared_lost || peer.member.is_none() {
            return;
        }
        // A link to a dead device ends here later than elsewhere.
        if peer.is_greeted() {
            peer.lost_said_at = Some(now);
            return;
        }
        peer.declared_lost = true;
        self.hosts.dirty = true;
        self.send_all(&Message::Lost(device), None);
    }

    pub(super) fn told_lost(&mut self, from: Slot, device: DeviceId) {
        if self.may_declare(from) {
            self.declare_lost(device);
        }
    }

    /// The link ended. Was that what somebody meant who said that the device is lost?
    pub(super) fn recall_lost(&mut self, slot: Slot) {
        let said = self.peers.get_mut(slot).lost_said_at.take();
        if said.is_some_and(|at| self.now - at <= LOST_SAID_MAX_MS) {
            self.declare_lost(self.peers.get(slot).device);
        }
    }

    pub(super) fn declare_found(&mut self, device: DeviceId) {
        let Some(slot) = self.peers.slot(&device).filter(|slot| *slot != ME) else { return };
        let now = self.now;
        let peer = self.peers.get_mut(slot);
        let was_said = peer.lost_said_at.take().is_some();
        if !(std::mem::take(&mut peer.declared_lost) || was_said) {
            return;
        }
        // It is waited for anew.
        (peer.seen_at, peer.silent_before) = (now, 0);
        self.hosts.dirty = true;
        for slot in self.peers.greeted() {
            if self.peers.link(slot).is_some_and(|link| link.capabilities & CAN_FIND != 0) {
                self.send(slot, &Message::Found(device));
            }
        }
    }

    pub(super) fn told_found(&mut self, from: Slot, device: DeviceId) {
        if self.may_declare(from) {
            self.declare_found(device);
        }
    }

    /// Only who can read the drive may say so: a blind host could else make the others copy everything.
    fn may_declare(&self, from: Slot) -> bool {
        self.peers.get(from).member.is_some_and(|member| member.holds_keys)
    }

    pub(super) fn tell_lost(&mut self, slot: Slot) {
        let lost: Vec<_> =
            self.peers.iter().filter(|(_, peer)| peer.declared_lost).map(|(_, peer)| peer.device).collect();
        for device in lost {
            self.send(slot, &Message::Lost(device));
        }
    }

    pub(super) fn take_roster_digest(&mut self, digest: [u8; 32]) {
        if std::mem::replace(&mut self.roster_digest, digest) != digest {
            let digests = self.digests();
            self.send_all(&Message::Beat(digests), None);
            self.hasten_beats();
        }
    }

    pub(super) fn ask_roster_marks(&mut self, slot: Slot) {
        if let Some(link) = self.peers.link(slot) {
            let at = (slot, link.generation);
            self.job(Job::RosterRecords, Waiting::RosterMarks { at });
        }
    }

    pub(super) fn tell_roster_marks(&mut self, at: At, result: JobResult) {
        let JobResult::Records(records) = result else { return };
        if self.peers.link_of(at).is_some() {
            let marks = records.iter().take(RECORD_HASHES_MAX).map(mark).collect();
            self.send(at.0, &Message::RecordHashes(marks));
        }
    }

    pub(super) fn compare_roster_marks(&mut self, slot: Slot, mut theirs: Vec<RecordMark>) {
        let Some(link) = self.peers.link(slot).filter(|link| !link.guest.comparing) else { return };
        link.guest.comparing = true;
        let at = (slot, link.generation);
        theirs.sort_unstable();
        self.job(Job::RosterRecords, Waiting::RosterCompare { at, theirs });
    }

    pub(super) fn send_missing_records(&mut self, at: At, theirs: Vec<RecordMark>, result: JobResult) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.comparing = false;
        let JobResult::Records(mut records) = result else { return };
        records.retain(|record| theirs.binary_search(&mark(record)).is_err());
        drop(theirs);
        for group in frames(records, RECORDS_FRAME_BYTES) {
            let lengths = group.iter().map(part_length).collect();
            self.send_parts(at.0, &Message::Records(lengths), Lane::Log, group);
        }
    }

    pub(super) fn take_records(&mut self, slot: Slot, records: Vec<Bytes>) {
        let bytes: usize = records.iter().map(Bytes::len).sum();
        if let Some(at) = self.admit(slot, bytes) {
            self.job(Job::AcceptRecords { records }, Waiting::Accept { at, bytes });
        }
    }
}

fn mark(record: &Bytes) -> RecordMark {
    short(blake3::Hasher::new().update(record))
}

/// Parts in groups for one frame each: of about so many bytes, or of one part.
pub(super) fn frames(parts: Vec<Bytes>, frame_bytes: usize) -> Vec<Vec<Bytes>> {
    let mut groups: Vec<Vec<Bytes>> = Vec::new();
    let mut bytes = 0;
    for part in parts {
        bytes += part.len();
        match groups.last_mut() {
            Some(group) if bytes <= frame_bytes && group.len() < PARTS_MAX => group.push(part),
            _ => {
                bytes = part.len();
                groups.push(vec![part]);
            }
        }
    }
    groups
}
