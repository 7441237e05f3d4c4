//! Copies that this device need not keep any more: it was an owner, and others are now.
//!
//! ```text
//!  tables change ─► noted ─► owners here, and of one mind with this device ─► marked ─► walk, offers ─┬─ all have it: cache
//!                     ▲                                                                               └─ still of one mind? else
//!                     └──────────────────────────────────────────────────────────────────────────────────── placed, later again
//! ```
//!
//! Somebody may count on this copy whose tables are others: so none is given up before every owner said, after a flush of its own,
//! that it has the chunk, and while all of them know the same roster and facts. A doubt costs only room.

use std::collections::BTreeSet;

use chunkstore::{ChunkId, PARTITIONS};

use super::Node;
use super::hosts::Hosts;
use super::jobs::Waiting;
use super::peer::{ME, Slot};
use crate::input::Millis;
use crate::output::{Job, JobResult, Keep};

/// Marking walks through the whole index.
const SURPLUS_EVERY_MS: Millis = 60_000;
/// Whether the owners are of one mind is looked at so often while there is something to give up.
const LOOK_EVERY_MS: Millis = 5_000;

/// Partitions in which this device may hold more than it need.
#[derive(Default)]
pub(super) struct Surplus {
    /// Bounded by their number.
    partitions: BTreeSet<u16>,
    marking: bool,
    /// Not before.
    at: Millis,
}

impl Surplus {
    /// After the tables changed: what this device kept and need not keep now.
    pub(super) fn note(&mut self, kept: &[bool], hosts: &Hosts) {
        for (partition, kept) in (0..PARTITIONS).zip(kept) {
            if hosts.may_keep(partition) {
                self.partitions.remove(&partition);
            } else if *kept {
                self.partitions.insert(partition);
            }
        }
    }

    pub(super) fn add(&mut self, partitions: impl Iterator<Item = u16>) {
        self.partitions.extend(partitions);
    }

    /// When it is looked at again.
    pub(super) fn next_wake(&self, now: Millis) -> Option<Millis> {
        (!self.marking && !self.partitions.is_empty()).then_some(self.at.max(now + LOOK_EVERY_MS))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty() && !self.marking
    }
}

impl Node {
    /// A copy came to stay here. Whoever gave it may have had other tables, or these may have changed while it was on its way.
    pub(super) fn note_placed(&mut self, id: &ChunkId) {
        if !self.hosts.may_keep(id.partition()) {
            self.surplus.add(std::iter::once(id.partition()));
        }
    }

    /// Who knows the same roster and facts as this device, as far as they last told.
    pub(super) fn agreeing(&mut self) -> BTreeSet<Slot> {
        let ours = self.digests();
        let agrees = |slot: &Slot| {
            let link = self.peers.get(*slot).link.as_ref().filter(|link| link.greeted);
            let heard = link.and_then(|link| link.heard.as_ref());
            heard.is_some_and(|heard| heard.roster == ours.roster && heard.facts == ours.facts)
        };
        self.peers.others().filter(agrees).collect()
    }

    fn owners_agree(&self, partition: u16, agreeing: &BTreeSet<Slot>) -> bool {
        self.hosts.owners(partition).iter().all(|slot| *slot == ME || agreeing.contains(slot))
    }

    /// What becomes of a copy whose owners all have it, and whether it is surplus all the same if it stays.
    pub(super) fn keep_of(&self, partition: u16, agreeing: &BTreeSet<Slot>) -> (Keep, bool) {
        if self.hosts.owners(partition).contains(&ME) {
            (Keep::Placed, false)
        } else if self.hosts.may_keep(partition) {
            (Keep::AsItIs, false)
        } else if self.owners_agree(partition, agreeing) {
            (Keep::Cache, false)
        } else {
            (Keep::AsItIs, true)
        }
    }

    /// Has copies marked that may be given up, when nothing else is to be done.
    pub(super) fn pump_surplus(&mut self) {
        if self.surplus.marking || self.surplus.partitions.is_empty() || self.now < self.surplus.at {
            return;
        }
        let quiet = self.walk.is_settled() && self.walk.is_idle() && !self.hosts.is_requeueing();
        if !quiet || self.outbox.len() > 0 || self.hosts.fewest_owners() < self.settings.copies_min() {
            return;
        }
        let agreeing = self.agreeing();
        let due = self.surplus.partitions.iter().copied();
        let due: Vec<_> = due.filter(|partition| self.owners_agree(*partition, &agreeing)).collect();
        if due.is_empty() {
            return;
        }
        self.surplus.partitions.retain(|partition| due.binary_search(partition).is_err());
        self.surplus.marking = true;
        self.surplus.at = self.now + SURPLUS_EVERY_MS;
        self.job(Job::RequeueSurplus { partitions: due.clone() }, Waiting::Surplus { partitions: due });
    }

    pub(super) fn surplus_marked(&mut self, partitions: Vec<u16>, result: &JobResult) {
        self.surplus.marking = false;
        if matches!(result, JobResult::Ok) {
            self.walk.marked();
        } else {
            self.surplus.add(partitions.into_iter());
        }
    }
}
