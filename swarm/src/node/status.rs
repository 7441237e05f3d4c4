//! What a person sees of the group.

use super::Node;
use super::peer::{ME, Slot};
use crate::input::Millis;
use crate::view::{PeerView, View};

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
            hosts: self.hosts.slots().len(),
            surplus: !self.surplus.is_empty(),
            copies: self.settings.copies,
            parting: self.parting(),
            garbage: self.garbage_view(),
            counters: self.counters,
        }
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
        }
    }
}
