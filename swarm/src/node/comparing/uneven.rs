//! What is wanted here of partitions of which an owner has no room. There two that compare themselves need not keep the same: who has no
//! room keeps what it had, and who stands in for it has what came since. So the lists are gone through, a few times after hosts came, went or
//! ran full, then once a day.
//!
//! ```text
//!  each group: List ─► Listed ─┬─ this device owns it with room or without ───────────────────────┬─► Job::Lacking ─► mending.rs
//!                              └─ it stands in: Offer to those without room ─► Want ─► not there ─┘
//! ```
//!
//! Who stands in needs what those lack in whose place it is; all that they have would be one copy more, and as much room as they had.

use std::collections::{BTreeMap, HashMap};

use chunkstore::ChunkId;

use super::{ANSWER_MAX_MS, Comparing, Listed, Listing, Open, REST_MS, SETTLE_MS, STEP_MS, Step};
use crate::input::Millis;
use crate::node::Node;
use crate::node::backoff::Backoff;
use crate::node::jobs::At;
use crate::node::peer::{ME, Slot};
use crate::wire::{Answer, CAN_COMPARE, GROUP_PARTITIONS, GROUPS, Message, OFFER_MAX_CHUNKS, raw_ids};

/// From a change to the first time, and to the next; then it takes twice as long each time, up to a day.
const AGAIN_MS: Millis = 300_000;

/// How far this device is in going through the lists of a peer.
pub(super) struct Uneven {
    pub again: Backoff,
    /// The next group.
    pub group: u8,
    found: bool,
}

/// A page whose chunks others are asked for.
pub(super) struct Probing {
    listing: Listing,
    ids: Vec<ChunkId>,
    /// Of those in whose place this device is, so many have it.
    held: HashMap<ChunkId, usize>,
    /// Offers without an answer.
    open: usize,
}

/// Offers that only ask, by the peer and the number of the offer. Bounded: one page for each peer that is compared, to its owners.
#[derive(Default)]
pub(in crate::node) struct Probes {
    open: BTreeMap<(Slot, u32), Probe>,
}

struct Probe {
    /// Whose list it is, and the question it belongs to.
    of: At,
    question: u32,
    ids: Vec<ChunkId>,
}

impl Uneven {
    pub(super) fn new(now: Millis) -> Self {
        Self { again: Backoff::new(now + AGAIN_MS, AGAIN_MS, REST_MS), group: 0, found: false }
    }

    /// Something changed.
    pub(super) fn hasten(&mut self, now: Millis) {
        self.again.hasten(now);
    }

    fn later(&mut self, now: Millis, after: Millis) {
        self.again.next = now + after;
    }
}

impl Listing {
    pub(super) fn new(partitions: Vec<u16>, what: Listed) -> Self {
        Self { partitions, what, after: None, found: 0, waits_for_room: false }
    }
}

impl Comparing {
    /// A group was gone through.
    pub(super) fn uneven_listed(&mut self, now: Millis, found: bool) {
        self.uneven.group += 1;
        self.uneven.found |= found;
        self.uneven.later(now, STEP_MS);
    }
}

impl Node {
    /// Hosts came, went, ran full or have room again.
    pub(in crate::node) fn hasten_uneven(&mut self) {
        let now = self.now;
        self.peers.iter_mut().for_each(|(_, peer)| peer.comparing.uneven.hasten(now));
    }

    /// Goes through the next group's list of this peer.
    pub(super) fn compare_uneven(&mut self, slot: Slot) {
        let now = self.now;
        let able = self.may_fill_up_from(slot);
        let quiet = self.is_quiet() && self.mending.rested(now, SETTLE_MS);
        let next = self.peers.get(slot).comparing.uneven.group;
        let left = (next..GROUPS).map(|group| (group, self.uneven_partitions(slot, group)));
        let found = left.into_iter().find(|(_, partitions)| !partitions.is_empty());
        let uneven = &mut self.peers.get_mut(slot).comparing.uneven;
        match found.filter(|_| able) {
            Some(_) if next == 0 && !quiet => uneven.later(now, SETTLE_MS),
            Some((group, partitions)) => {
                uneven.group = group;
                self.ask_list(slot, Listing::new(partitions, Listed::Uneven));
            }
            None => {
                uneven.group = 0;
                uneven.again.grow(now);
                if std::mem::take(&mut uneven.found) {
                    uneven.hasten(now);
                }
            }
        }
    }

    fn may_fill_up_from(&self, slot: Slot) -> bool {
        let (me, peer) = (self.peers.get(ME), self.peers.get(slot));
        let knows =
            peer.link.as_ref().is_some_and(|link| link.greeted && link.capabilities & CAN_COMPARE != 0);
        knows && me.hosts() && !me.is_full() && peer.hosts()
    }

    /// Partitions of a group of which the peer may keep what this device should have, though the two need not keep the same.
    fn uneven_partitions(&self, slot: Slot, group: u8) -> Vec<u16> {
        let first = u16::from(group) * GROUP_PARTITIONS;
        let has_room = !self.peers.get(slot).is_full();
        let uneven = |partition: &u16| {
            let (firm, current) = (self.hosts.keepers(*partition), self.hosts.owners(*partition));
            let keeps = firm.contains(&slot) || current.contains(&slot);
            let even = has_room && firm.contains(&slot) && firm.contains(&ME);
            current.contains(&ME) && keeps && !even
        };
        (first..first + GROUP_PARTITIONS).filter(uneven).collect()
    }

    /// Goes on with what of a page is wanted here; where this device stands in, those without room are asked first.
    pub(super) fn ask_who_is_full(&mut self, at: At, listing: Listing, ids: Vec<ChunkId>) {
        let mut asked: BTreeMap<Slot, Vec<ChunkId>> = BTreeMap::new();
        let mut held = HashMap::new();
        for id in ids.iter().filter(|id| !self.hosts.keepers(id.partition()).contains(&ME)) {
            for full in self.without_room(id.partition()) {
                if self.peers.get(full).is_greeted() {
                    asked.entry(full).or_default().push(*id);
                } else {
                    // Who is away for a while has what it had.
                    *held.entry(*id).or_default() += 1;
                }
            }
        }
        let open = asked.values().map(|ids| ids.len().div_ceil(OFFER_MAX_CHUNKS)).sum();
        let probing = Probing { listing, ids, held, open };
        if open == 0 {
            return self.probed(at, probing);
        }
        let until = self.now + ANSWER_MAX_MS;
        let question = self.peers.get_mut(at.0).comparing.open(until, Step::Probing(probing));
        self.probes.open.retain(|_, probe| probe.of.0 != at.0);
        for (full, ids) in asked {
            ids.chunks(OFFER_MAX_CHUNKS).for_each(|ids| self.probe(full, at, question, ids));
        }
    }

    fn probed(&mut self, at: At, probing: Probing) {
        let Probing { listing, ids, held, .. } = probing;
        let ids = ids.into_iter().filter(|id| self.is_wanted(id, &held)).collect();
        self.look_what_lacks(at, listing, ids);
    }

    /// An offer whose answer says what is there: nothing is sent after it.
    fn probe(&mut self, full: Slot, of: At, question: u32, ids: &[ChunkId]) {
        let Some(link) = self.peers.link(full) else { return };
        let batch = link.push.number();
        self.probes.open.insert((full, batch), Probe { of, question, ids: ids.to_vec() });
        self.send(full, &Message::Offer { batch, ids: raw_ids(ids) });
    }

    /// Whether these were asked by [`Node::probe`].
    pub(in crate::node) fn take_probed(&mut self, slot: Slot, batch: u32, answers: &[Answer]) -> bool {
        let Some(Probe { of, question, ids }) = self.probes.open.remove(&(slot, batch)) else { return false };
        let comparing = &mut self.peers.get_mut(of.0).comparing;
        let Some(Open { until, step: Step::Probing(mut probing), .. }) = comparing.take(question) else {
            return true;
        };
        if answers.len() != ids.len() {
            comparing.retry(self.now);
            return true;
        }
        // Who wants it has room again: nobody stands in for it.
        let there = ids.iter().zip(answers).filter(|(_, answer)| **answer != Answer::Full);
        there.for_each(|(id, _)| *probing.held.entry(*id).or_default() += 1);
        probing.open -= 1;
        if probing.open > 0 {
            comparing.open = Some(Open { question, until, step: Step::Probing(probing) });
            return true;
        }
        self.probed(of, probing);
        true
    }

    /// The peer is gone: what it was asked stays without an answer.
    pub(in crate::node) fn probes_peer_gone(&mut self, slot: Slot) {
        self.probes.open.retain(|(asked, _), probe| *asked != slot && probe.of.0 != slot);
    }

    /// Owners of a partition in whose place others are.
    fn without_room(&self, partition: u16) -> Vec<Slot> {
        let current = self.hosts.owners(partition);
        self.hosts.keepers(partition).iter().copied().filter(|slot| !current.contains(slot)).collect()
    }

    /// Whether this device should have it: it owns it, or stands in for somebody who has not got it.
    fn is_wanted(&self, id: &ChunkId, held: &HashMap<ChunkId, usize>) -> bool {
        let firm = self.hosts.keepers(id.partition());
        let mut stand_ins = self.hosts.owners(id.partition()).iter().filter(|slot| !firm.contains(slot));
        let full = self.without_room(id.partition()).len();
        let lack = full.saturating_sub(held.get(id).copied().unwrap_or(0));
        firm.contains(&ME) || stand_ins.position(|slot| *slot == ME).is_some_and(|place| place < lack)
    }
}
