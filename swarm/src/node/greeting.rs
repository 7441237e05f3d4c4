//! Who is there: members, links, hellos and beats.
//!
//! ```text
//!  Connected ─► Hello ──────────► greeted: frontier, lost devices; facts where the hello's digest differs
//!                 ▲ again until heard         │
//!                                             └─ Beat now and then: digests; what differs is exchanged
//! ```

use bytes::Bytes;
use ledger::identity::DeviceId;

use super::Node;
use super::pace::Pace;
use super::peer::{DEVICES_MAX, Link, ME, Slot};
use crate::input::{Lane, Member, Millis};
use crate::wire::{CAPABILITIES, Digests, Message, MessageError, numbers_digest};

const JITTER_MS: Millis = 500;
/// Peers who know other facts, or another roster, and are told all at once; then one more each time. Who meets two hundred others and
/// knows what they do not, or the other way round, need not exchange it with each of them: they pass it on, and the next beats tell
/// what is lacking still.
const TOLD_AT_ONCE_PEERS: u64 = 16;
const TOLD_EVERY_MS: Millis = 250;

/// How often everything is exchanged with peers who know something else.
pub(super) struct Telling {
    facts: Pace,
    roster: Pace,
}

impl Default for Telling {
    fn default() -> Self {
        let pace = Pace::new(TOLD_AT_ONCE_PEERS, TOLD_EVERY_MS);
        Self { facts: pace, roster: pace }
    }
}

impl Node {
    pub(super) fn take_members(&mut self, members: &[Member]) {
        let mut current = vec![None; DEVICES_MAX];
        for member in members {
            if let Some(slot) = self.peers.intern(member.device, self.now) {
                current[usize::from(slot)] = Some(*member);
            }
        }
        for slot in std::iter::once(ME).chain(self.peers.others()) {
            let (before, member) = (self.peers.get(slot).member, current[usize::from(slot)]);
            self.peers.get_mut(slot).member = member;
            match (before, member) {
                (None, Some(_)) => self.peers.get_mut(slot).seen_at = self.now,
                (Some(_), None) => self.forget_member(slot),
                _ => {}
            }
        }
        self.hosts.members_told = true;
        self.hosts.dirty = true;
        self.absorb_known_facts();
    }

    /// Counts only after the first tables were made: who became lost while this device was off must make a difference to them.
    pub(super) fn take_silent(&mut self, mut silent: Vec<(DeviceId, Millis)>) {
        silent.truncate(DEVICES_MAX);
        self.hosts.silent = silent;
        self.hosts.dirty = true;
    }

    pub(super) fn absorb_silent(&mut self) {
        for (device, before) in std::mem::take(&mut self.hosts.silent) {
            let slot = self.peers.slot(&device).filter(|slot| *slot != ME);
            if let Some(slot) = slot.filter(|slot| !self.peers.get(*slot).is_greeted()) {
                self.peers.get_mut(slot).silent_before = before;
                self.hosts.dirty = true;
            }
        }
    }

    fn forget_member(&mut self, slot: Slot) {
        if slot == ME {
            return;
        }
        if self.peers.get(slot).link.is_some() {
            self.disconnect(slot, "it is no longer a member");
        }
        let now = self.now;
        let peer = self.peers.get_mut(slot);
        peer.facts = None;
        peer.declared_lost = false;
        peer.lost_said_at = None;
        peer.told = ledger::Frontier::default();
        peer.told_at = None;
        peer.scrubbed = None;
        peer.seen_at = now;
        // It may have been about to give copies.
        self.hasten_uneven();
    }

    pub(super) fn connected(&mut self, device: DeviceId, rtt: Millis) {
        let known = self.peers.slot(&device).filter(|slot| *slot != ME);
        let Some(slot) = known.filter(|slot| self.peers.get(*slot).member.is_some()) else {
            self.out.push_back(crate::Output::Disconnect { peer: device, why: "it is not a member" });
            return;
        };
        if let Some(link) = &mut self.peers.get_mut(slot).link {
            link.rtt = rtt;
            return;
        }
        self.generations += 1;
        let jitter = self.jitter(JITTER_MS);
        let window = self.settings.push_window_bytes;
        self.peers.get_mut(slot).link = Some(Link::new(self.now, self.generations, rtt, jitter, window));
        self.hosts.started = true;
        self.say_hello(slot);
    }

    pub(super) fn disconnected(&mut self, device: DeviceId) {
        if let Some(slot) = self.peers.slot(&device) {
            self.drop_link(slot);
        }
    }

    /// Forgets the link and hands on what waited for it.
    pub(super) fn drop_link(&mut self, slot: Slot) {
        let now = self.now;
        let peer = self.peers.get_mut(slot);
        let Some(link) = peer.link.take() else { return };
        if link.greeted {
            peer.seen_at = now;
        }
        self.hosting.forget(slot);
        self.outbox.unassigned = true;
        self.fetch_peer_gone(slot);
        self.holders_peer_gone(slot);
        self.judge_gone(slot);
        self.recall_lost(slot);
        let peer = self.peers.get_mut(slot);
        peer.comparing.hang_up();
        peer.auditing.hang_up(now);
        self.probes_peer_gone(slot);
    }

    pub(super) fn take_frame(&mut self, device: DeviceId, lane: Lane, frame: &Bytes) {
        let Some(slot) = self.peers.slot(&device).filter(|slot| self.peers.get(*slot).link.is_some()) else {
            return;
        };
        let decoded = if frame.len() <= lane.frame_max_bytes() {
            Message::decode(frame)
        } else {
            Err(MessageError::Malformed)
        };
        match decoded {
            Ok((hello @ Message::Hello { .. }, _)) => self.take_hello(slot, hello),
            Ok((message, parts)) if self.peers.get(slot).is_greeted() => {
                self.take_message(slot, message, parts);
            }
            // Lanes overtake each other; what came too early is said again.
            Ok(_) => {}
            Err(MessageError::Version { .. }) => self.bad_frame(slot, "it speaks another version"),
            Err(MessageError::Malformed) => self.bad_frame(slot, "it sent a frame that is no message"),
        }
    }

    pub(super) fn bad_frame(&mut self, slot: Slot, why: &'static str) {
        self.counters.bad_messages += 1;
        self.disconnect(slot, why);
    }

    fn take_message(&mut self, slot: Slot, message: Message, parts: Vec<Bytes>) {
        match message {
            Message::Hello { .. } => {}
            Message::Beat(digests) => self.compare_digests(slot, &digests),
            Message::Frontier { whole, logs } => self.take_frontier(slot, whole, logs),
            Message::Taken(logs) => self.take_taken(slot, &logs),
            Message::AskFrontier => self.answer_frontier(slot),
            Message::Facts(all) => self.take_facts(slot, &all),
            Message::Lost(device) => self.told_lost(slot, device),
            Message::Found(device) => self.told_found(slot, device),
            Message::RecordHashes(marks) => self.compare_roster_marks(slot, marks),
            Message::Records(_) => self.take_records(slot, parts),
            Message::Transactions(_) => self.take_transactions(slot, parts),
            Message::Offer { batch, ids } => self.take_offer(slot, batch, &ids),
            Message::Want { batch, answers } => self.take_answers(slot, batch, &answers),
            Message::Chunks(items) => self.take_chunks(slot, items, parts),
            Message::Receipt { kept, refused } => self.take_receipt(slot, &kept, &refused),
            Message::Get { id, now } => self.serve(slot, id, now),
            Message::Chunk { id, .. } => self.take_fetched(slot, id, parts),
            Message::Count { question, ids } => self.take_count(slot, question, &ids),
            Message::Counted { question, held } => self.take_counted(slot, question, held),
            Message::OutlineDigest(digest) => self.compare_outlines(slot, digest),
            Message::Outlined(counters) => self.take_outline_counters(slot, counters),
            Message::Outlines(_) => self.take_outlines(slot, parts),
            Message::NotHere(id) => self.take_not_here(slot, id),
            Message::Compare { question, group, mark, detailed } => {
                self.take_compare(slot, question, group, mark, detailed);
            }
            Message::Compared { question, said } => self.take_compared(slot, question, said),
            Message::List { question, partitions, after } => {
                self.take_list(slot, question, partitions, after);
            }
            Message::Listed { question, ids } => self.take_listed(slot, question, &ids),
            Message::Audit { question, id, nonce } => self.take_audit(slot, question, id, nonce),
            Message::Audited { question, proof } => self.take_audited(slot, question, proof),
            Message::Judge { question, ids } => self.take_judge(slot, question, &ids),
            Message::Judged { question, judgement } => self.take_judged(slot, question, judgement.as_deref()),
            Message::Scrubbed(scrubbed) => self.take_scrubbed(slot, scrubbed),
        }
    }

    pub(super) fn say_hello(&mut self, slot: Slot) {
        let digests = self.digests();
        let facts = self.peers.get(ME).facts.as_ref().map(|facts| facts.as_bytes().to_vec());
        let now = self.now;
        let Some(link) = &mut self.peers.get_mut(slot).link else { return };
        link.hello.grow(now);
        let heard = link.greeted;
        let hello =
            Message::Hello { workspace: self.workspace, capabilities: CAPABILITIES, heard, digests, facts };
        self.send(slot, &hello);
    }

    fn take_hello(&mut self, slot: Slot, hello: Message) {
        let Message::Hello { workspace, capabilities, heard, digests, facts } = hello else { return };
        if workspace != self.workspace {
            return self.bad_frame(slot, "it belongs to another workspace");
        }
        let now = self.now;
        let Some(link) = &mut self.peers.get_mut(slot).link else { return };
        link.capabilities = capabilities;
        let first = !std::mem::replace(&mut link.greeted, true);
        let again = !first && !heard && link.hello.take(now);
        if let Some(facts) = facts {
            self.take_facts(slot, &[facts]);
        }
        // They may have ended the link.
        if !self.peers.get(slot).is_greeted() {
            return;
        }
        if first {
            self.greet(slot);
        } else if again {
            self.say_hello(slot);
            self.tell_frontier(slot);
        }
        self.compare_digests(slot, &digests);
    }

    fn greet(&mut self, slot: Slot) {
        let peer = self.peers.get_mut(slot);
        peer.declared_lost = false;
        peer.lost_said_at = None;
        peer.silent_before = 0;
        self.hosts.dirty = true;
        self.outbox.unassigned = true;
        if std::mem::take(&mut self.peers.get_mut(slot).parked) {
            self.walk.wanted = true;
        }
        self.tell_outline_counters(slot);
        self.tell_frontier(slot);
        self.tell_lost(slot);
        self.tell_scrubbed(slot);
        self.fetch_peer_came();
        let now = self.now;
        let peer = self.peers.get_mut(slot);
        peer.comparing.begin(now);
        peer.auditing.begin(now);
        self.mending_peer_came();
    }

    pub(super) fn digests(&mut self) -> Digests {
        Digests {
            roster: self.roster_digest,
            facts: self.facts_digest(),
            frontier: numbers_digest(&self.mine.0),
        }
    }

    /// Whatever a peer has otherwise is told anew, each at its own pace.
    fn compare_digests(&mut self, slot: Slot, theirs: &Digests) {
        let ours = self.digests();
        let now = self.now;
        let told = numbers_digest(&self.peers.get(slot).told.0);
        let Some(link) = self.peers.link(slot) else { return };
        link.heard = Some(*theirs);
        // What is remembered of an earlier link may be right; on this one it must be told all the same, before anything is sent.
        let is_known = theirs.frontier == told && link.log.told;
        let ask = !is_known && link.frontier_question.take(now);
        let facts =
            theirs.facts != ours.facts && self.telling.facts.allows(now) && link.facts_exchange.take(now);
        let roster =
            theirs.roster != ours.roster && self.telling.roster.allows(now) && link.roster_exchange.take(now);
        if is_known {
            link.frontier_question.reset(now);
        }
        if theirs.facts == ours.facts {
            link.facts_exchange.hasten(now);
        }
        let mut tell_lost = false;
        if theirs.roster == ours.roster {
            link.roster_exchange.hasten(now);
            tell_lost = link.lost_told_for.replace(ours.roster) != Some(ours.roster);
        }
        if ask {
            self.send(slot, &Message::AskFrontier);
        }
        if facts {
            self.telling.facts.take(now);
            self.tell_facts(slot);
        }
        if roster {
            self.telling.roster.take(now);
            self.ask_roster_marks(slot);
        }
        if tell_lost {
            self.tell_lost(slot);
        }
    }

    /// Something changed that peers compare: the next beats come soon.
    pub(super) fn hasten_beats(&mut self) {
        let now = self.now;
        for (_, peer) in self.peers.iter_mut() {
            if let Some(link) = &mut peer.link {
                link.beat.hasten(now);
            }
        }
    }
}
