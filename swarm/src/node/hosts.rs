//! Who hosts, and so who owns which partition.
//!
//! Two tables: by the *firm* one, which does not look at room, it is judged whether old chunks need new copies (a host that became
//! full keeps what it has); by the *current* one new copies are placed.

use std::collections::BTreeSet;

use chunkstore::PARTITIONS;
use ledger::identity::DeviceId;
use ledger::roster::Copies;

use super::Node;
use super::jobs::Waiting;
use super::outbox::Cause;
use super::peer::{ME, Slot};
use crate::facts::SignedFacts;
use crate::input::Millis;
use crate::output::{Job, JobResult, Output};
use crate::placement::{HostWeight, Lots, OwnerTable, weight_of};
use crate::view::PeerState;

/// Hosts mostly come and go together, and marking is dear.
const REQUEUE_AFTER_MS: Millis = 1_000;
const REQUEUE_AGAIN_MS: Millis = 5_000;
/// Who refused is passed over for so long at most. What it says of itself may have come before its refusal though it was said
/// after it, and be all it has to say for hours.
const PASSED_OVER_MAX_MS: Millis = 10 * 60_000;

/// Hosts and what follows from them.
#[derive(Default)]
pub(super) struct Hosts {
    /// Something changed that may change the tables.
    pub dirty: bool,
    pub members_told: bool,
    pub own_told: bool,
    pub known_told: bool,
    /// Facts from the disk that wait for the roster.
    pub known: Vec<SignedFacts>,
    /// How long devices had not been heard at start, until the first tables are made.
    pub silent: Vec<(DeviceId, Millis)>,
    /// What was decided about copies, until the first tables are made.
    pub decided: Option<Copies>,
    /// Facts that are not on the disk yet.
    pub learned: Vec<SignedFacts>,
    /// From now on a changed table means that chunks must be copied.
    pub started: bool,
    baseline: bool,
    lots: Lots,
    current: OwnerTable,
    firm: OwnerTable,
    /// Of the current table.
    fewest_owners: usize,
    /// The firm owners and those next in order who may keep what they have.
    keepers: OwnerTable,
    last: Vec<HostWeight>,
    /// What the tables were made for, and whether the disk was told.
    placed_for: Option<Copies>,
    placed_told: bool,
    slots: Vec<Slot>,
    /// Partitions whose chunks are to be marked.
    requeue: BTreeSet<u16>,
    requeueing: bool,
    requeue_at: Millis,
    /// When those who refused are asked again.
    ask_again_at: Option<Millis>,
}

impl Hosts {
    /// Where new copies of a partition go.
    pub(super) fn owners(&self, partition: u16) -> &[Slot] {
        self.current.owners(partition)
    }

    /// Whether this device may keep what it has of a partition.
    pub(super) fn may_keep(&self, partition: u16) -> bool {
        [&self.current, &self.keepers].iter().any(|table| table.owners(partition).contains(&ME))
    }

    /// Every chunk whose owners all have it is on so many hosts at least.
    pub(super) fn fewest_owners(&self) -> usize {
        self.fewest_owners
    }

    /// Who should keep what there is of a partition, with room for more or not.
    pub(super) fn keepers(&self, partition: u16) -> &[Slot] {
        self.firm.owners(partition)
    }

    /// Everybody who hosts, present or not, this device included.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// For each partition, whether this device may keep what it has.
    fn kept(&self) -> Vec<bool> {
        (0..PARTITIONS).map(|partition| self.may_keep(partition)).collect()
    }

    pub(super) fn is_requeueing(&self) -> bool {
        self.requeueing || !self.requeue.is_empty()
    }

    /// When the next requeue is due, or who refused is asked again.
    pub(super) fn next_wake(&self) -> Option<Millis> {
        let requeue = (!self.requeueing && !self.requeue.is_empty()).then_some(self.requeue_at);
        requeue.into_iter().chain(self.ask_again_at).min()
    }
}

impl Node {
    /// Brings the tables up to date.
    pub(super) fn settle_hosts(&mut self) {
        self.forget_refusals();
        while std::mem::take(&mut self.hosts.dirty) {
            self.hosts.started |= self.hosts.members_told && self.hosts.own_told && self.hosts.known_told;
            let (hosts, slots) = self.list_hosts();
            if hosts != self.hosts.last || self.hosts.placed_for != Some(self.settings.copies) {
                self.place(hosts, slots);
            }
            if self.hosts.started && !self.hosts.baseline {
                self.hosts.baseline = true;
                self.walk.wanted = true;
                // What it had before, this device may not have to keep any more.
                self.surplus.note(&[true; PARTITIONS as usize], &self.hosts);
            }
            if self.hosts.baseline {
                self.absorb_silent();
                self.absorb_copies();
            }
        }
        self.pump_requeue();
        self.pump_learned();
        self.pump_copies_placed();
        if std::mem::take(&mut self.outbox.unassigned) {
            self.assign();
        }
    }

    /// Counts only after the first tables were made, for what was decided before: what is decided since must make a difference.
    pub(super) fn take_copies(&mut self, copies: Copies) {
        self.hosts.decided = Some(copies);
        self.hosts.dirty = true;
    }

    fn absorb_copies(&mut self) {
        if let Some(copies) = self.hosts.decided.take().filter(|copies| *copies != self.settings.copies) {
            self.settings.copies = copies;
            self.hosts.dirty = true;
        }
    }

    /// As with facts, only after the chunks that the change concerns were marked.
    fn pump_copies_placed(&mut self) {
        let settled = self.hosts.baseline && !self.hosts.dirty && !self.hosts.is_requeueing();
        if let Some(copies) = self.hosts.placed_for.filter(|_| settled && !self.hosts.placed_told) {
            self.hosts.placed_told = true;
            self.out.push_back(Output::CopiesPlaced(copies));
        }
    }

    fn list_hosts(&self) -> (Vec<HostWeight>, Vec<Slot>) {
        let hosting = self.peers.iter().filter(|(slot, peer)| {
            peer.hosts() && (*slot == ME || peer.state(self.now, &self.settings) != PeerState::Lost)
        });
        let listed = hosting.filter_map(|(slot, peer)| {
            let facts = peer.facts()?;
            let weight = weight_of(facts.contributed_bytes);
            let full = peer.is_full() || peer.distrusted;
            let (device, site) = (peer.device, facts.site.clone());
            Some((HostWeight { device, weight, site, full }, slot))
        });
        listed.unzip()
    }

    fn place(&mut self, hosts: Vec<HostWeight>, slots: Vec<Slot>) {
        let target = self.settings.copies();
        let roomy: Vec<_> = hosts.iter().map(|host| HostWeight { full: false, ..host.clone() }).collect();
        let Hosts { lots, current: was, firm: was_firm, .. } = &mut self.hosts;
        let firm = lots.table(&roomy, &slots, target, was_firm);
        let current = if roomy == hosts { firm.clone() } else { lots.table(&hosts, &slots, target, was) };
        let kept = self.hosts.baseline.then(|| self.hosts.kept());
        if self.hosts.baseline {
            let mut gained = firm.gained(&self.hosts.firm);
            // Who stood in for a full host is in no firm table, and needs a successor when it is gone, now or once there is room.
            if slots != self.hosts.slots {
                gained.extend(current.gained(&self.hosts.current));
                gained.extend(self.hosts.current.owned_beside(&slots));
            }
            if !gained.is_empty() {
                // What was confirmed by the owners of before and is not called safe yet needs the new ones too. The log that
                // names it may not be durable yet, so that nothing seems to wait for it.
                self.walk.owe_later(Cause::Healing);
            }
            if !gained.is_empty() && self.hosts.requeue.is_empty() {
                self.hosts.requeue_at = self.now + REQUEUE_AFTER_MS;
            }
            self.hosts.requeue.extend(gained);
        }
        let most = self.settings.copies_max();
        let Hosts { lots, keepers, .. } = &mut self.hosts;
        *keepers = if most == target { firm.clone() } else { lots.table(&roomy, &slots, most, keepers) };
        self.hosts.fewest_owners = current.fewest();
        (self.hosts.firm, self.hosts.current) = (firm, current);
        if self.hosts.placed_for.replace(self.settings.copies) != Some(self.settings.copies) {
            self.hosts.placed_told = false;
        }
        if let Some(kept) = kept {
            self.surplus.note(&kept, &self.hosts);
        }
        (self.hosts.last, self.hosts.slots) = (hosts, slots);
        self.hasten_uneven();
        self.outbox.unassigned = true;
        self.unpark_all();
    }

    /// Chunks that were let go from memory may have other owners now.
    fn unpark_all(&mut self) {
        let mut any = std::mem::take(&mut self.outbox.parked_for_hosts);
        for (_, peer) in self.peers.iter_mut() {
            any |= std::mem::take(&mut peer.parked);
        }
        self.walk.wanted |= any;
    }

    fn pump_requeue(&mut self) {
        let hosts = &mut self.hosts;
        if hosts.requeueing || hosts.requeue.is_empty() || self.now < hosts.requeue_at {
            return;
        }
        hosts.requeueing = true;
        let partitions: Vec<_> = std::mem::take(&mut hosts.requeue).into_iter().collect();
        self.job(Job::Requeue { partitions: partitions.clone() }, Waiting::Requeue { partitions });
    }

    pub(super) fn requeued(&mut self, partitions: Vec<u16>, result: &JobResult) {
        self.hosts.requeueing = false;
        if matches!(result, JobResult::Ok) {
            self.walk.marked();
        } else {
            self.hosts.requeue.extend(partitions);
            self.hosts.requeue_at = self.now + REQUEUE_AGAIN_MS;
        }
    }

    /// A peer refused chunks: it is passed over until it says something new of itself, or for [`PASSED_OVER_MAX_MS`].
    pub(super) fn note_refusal(&mut self, slot: Slot) {
        let peer = self.peers.get_mut(slot);
        let issued = peer.facts().map(|facts| facts.issued_ms);
        if peer.refused_at != issued {
            peer.refused_at = issued;
            self.hosts.dirty = true;
            self.hosts.ask_again_at.get_or_insert(self.now + PASSED_OVER_MAX_MS);
        }
    }

    fn forget_refusals(&mut self) {
        if self.hosts.ask_again_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.hosts.ask_again_at = None;
        for (_, peer) in self.peers.iter_mut() {
            self.hosts.dirty |= peer.refused_at.take().is_some();
        }
    }
}
