//! What a person sees of the group.

use std::collections::BTreeMap;

use chunkstore::PARTITIONS;

use super::Node;
use super::peer::{ME, Slot};
use crate::input::Millis;
use crate::view::{Load, OWNED_GROUP_PARTITIONS, Owned, PeerView, View};

impl Node {
    /// The state of the group.
    #[must_use]
    pub fn view(&self, now: Millis) -> View {
        let members = self.peers.iter().filter(|(slot, peer)| *slot != ME && peer.member.is_some());
        View {
            peers: members.map(|(slot, _)| self.peer_view(slot, now)).collect(),
            outbox_chunks: self.outbox.len(),
            outbox_complete: self.walk.is_settled() && self.walk.is_idle() && !self.hosts.is_requeueing(),
            fetching: self.fetching(),
            mending: self.mending.len(),
            own_sequence: self.mine.0.get(&self.me()).copied().unwrap_or(0),
            safe_through: self.safety.told,
            logs_to_come: self.logs_to_come(),
            load: self.load(),
            hosts: self.hosts.slots().len(),
            surplus: !self.surplus.is_empty(),
            copies: self.settings.copies,
            parting: self.parting(),
            garbage: self.garbage_view(),
            counters: self.counters,
        }
    }

    /// What each host owns, this device among them: where copies that are made now go.
    #[must_use]
    pub fn owned(&self) -> Vec<Owned> {
        let groups = usize::from(PARTITIONS / OWNED_GROUP_PARTITIONS);
        let mut owned: BTreeMap<Slot, Owned> = self
            .hosts
            .slots()
            .iter()
            .map(|slot| {
                let device = self.peers.get(*slot).device;
                (*slot, Owned { device, partitions: 0, groups: vec![0; groups] })
            })
            .collect();
        for partition in 0..PARTITIONS {
            for owner in self.hosts.owners(partition) {
                if let Some(of) = owned.get_mut(owner) {
                    of.partitions += 1;
                    of.groups[usize::from(partition / OWNED_GROUP_PARTITIONS)] += 1;
                }
            }
        }
        owned.into_values().collect()
    }

    fn load(&self) -> Load {
        let links = || self.peers.iter().filter_map(|(_, peer)| peer.link.as_ref());
        Load {
            jobs: self.jobs.len(),
            chunks: self.outbox.len() + self.unnamed.len() + self.fetching() + self.mending.len(),
            log_marks: links().map(|link| link.log.marks()).sum(),
            log_bytes: links().map(|link| link.log.bytes()).max().unwrap_or(0),
            known: self.mine.0.len() + self.outlines.len() + self.held_down.len() + self.peers.iter().count(),
        }
    }

    fn logs_to_come(&self) -> u64 {
        let mut most: BTreeMap<_, u64> = BTreeMap::new();
        for (_, peer) in self.peers.iter().filter(|(_, peer)| peer.member.is_some()) {
            for (device, sequence) in &peer.told.0 {
                let known = most.entry(device).or_default();
                *known = (*sequence).max(*known);
            }
        }
        let here = |device| self.mine.0.get(device).copied().unwrap_or(0);
        most.into_iter().map(|(device, sequence)| sequence.saturating_sub(here(device))).sum()
    }

    fn peer_view(&self, slot: Slot, now: Millis) -> PeerView {
        let peer = self.peers.get(slot);
        let lag = |(device, sequence): (_, &u64)| {
            sequence.saturating_sub(peer.told.0.get(device).copied().unwrap_or(0))
        };
        PeerView {
            device: peer.device,
            state: peer.state(now.max(self.now), &self.settings),
            declared_lost: peer.declared_lost,
            silent_ms: peer.silent(now.max(self.now)),
            connected: peer.is_greeted(),
            rtt_ms: peer.link.as_ref().map(|link| link.rtt),
            copies_outstanding: self.outstanding(slot),
            sync_lag: self.mine.0.iter().map(lag).sum(),
            facts: peer.facts().cloned(),
            chunk_rate: peer.link.as_ref().and_then(|link| link.guest.chunk_rate()),
            audit: peer.auditing.told,
            scrubbed: peer.scrubbed,
        }
    }
}
