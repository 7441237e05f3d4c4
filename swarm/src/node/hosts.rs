//! Who hosts, and so who owns which partition.
//!
//! Two tables: by the *firm* one, which does not look at room, it is judged whether old chunks need new copies (a host that became
//! full keeps what it has); by the *current* one new copies are placed.

use std::collections::BTreeSet;

use ledger::identity::DeviceId;

use super::Node;
use super::jobs::Waiting;
use super::peer::{ME, Slot};
use crate::facts::SignedFacts;
use crate::input::Millis;
use crate::output::{Job, JobResult};
use crate::placement::{HostWeight, Lots, OwnerTable, weight_of};
use crate::view::PeerState;

/// Hosts mostly come and go together, and marking is dear.
const REQUEUE_AFTER_MS: Millis = 1_000;
const REQUEUE_AGAIN_MS: Millis = 5_000;

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
    /// Facts that are not on the disk yet.
    pub learned: Vec<SignedFacts>,
    /// From now on a changed table means that chunks must be copied.
    pub started: bool,
    baseline: bool,
    lots: Lots,
    current: OwnerTable,
    firm: OwnerTable,
    last: Vec<HostWeight>,
    slots: Vec<Slot>,
    /// Partitions whose chunks are to be marked.
    requeue: BTreeSet<u16>,
    requeueing: bool,
    requeue_at: Millis,
}

impl Hosts {
    /// Where new copies of a partition go.
    pub(super) fn owners(&self, partition: u16) -> &[Slot] {
        self.current.owners(partition)
    }

    /// Who should keep what there is of a partition, with room for more or not.
    pub(super) fn keepers(&self, partition: u16) -> &[Slot] {
        self.firm.owners(partition)
    }

    /// Everybody who hosts, present or not, this device included.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn is_requeueing(&self) -> bool {
        self.requeueing || !self.requeue.is_empty()
    }

    /// When the next requeue is due.
    pub(super) fn next_wake(&self) -> Option<Millis> {
        (!self.requeueing && !self.requeue.is_empty()).then_some(self.requeue_at)
    }
}

impl Node {
    /// Brings the tables up to date.
    pub(super) fn settle_hosts(&mut self) {
        while std::mem::take(&mut self.hosts.dirty) {
            self.hosts.started |= self.hosts.members_told && self.hosts.own_told && self.hosts.known_told;
            let (hosts, slots) = self.list_hosts();
            if hosts != self.hosts.last {
                self.place(hosts, slots);
            }
            if self.hosts.started && !self.hosts.baseline {
                self.hosts.baseline = true;
                self.walk.wanted = true;
            }
            if self.hosts.baseline {
                self.absorb_silent();
            }
        }
        self.pump_requeue();
        self.pump_learned();
        if std::mem::take(&mut self.outbox.unassigned) {
            self.assign();
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
        let firm = self.hosts.lots.table(&roomy, &slots, target);
        let current =
            if roomy == hosts { firm.clone() } else { self.hosts.lots.table(&hosts, &slots, target) };
        if self.hosts.baseline {
            let gained = firm.gained(&self.hosts.firm);
            // What was confirmed by the owners of before and is not called safe yet needs the new ones too.
            if !gained.is_empty() && self.safety.is_waiting() {
                self.walk.owe_later();
            }
            if !gained.is_empty() && self.hosts.requeue.is_empty() {
                self.hosts.requeue_at = self.now + REQUEUE_AFTER_MS;
            }
            self.hosts.requeue.extend(gained);
        }
        (self.hosts.firm, self.hosts.current) = (firm, current);
        (self.hosts.last, self.hosts.slots) = (hosts, slots);
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

    /// A peer refused chunks: it is passed over until it says something new of itself.
    pub(super) fn note_refusal(&mut self, slot: Slot) {
        let peer = self.peers.get_mut(slot);
        let issued = peer.facts().map(|facts| facts.issued_ms);
        if peer.refused_at != issued {
            peer.refused_at = issued;
            self.hosts.dirty = true;
        }
    }
}
