//! Links that come and go, and calls that make them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ledger::identity::DeviceId;
use swarm::Input;
use transport::{CloseReason, Lane, Link, LinkSender};

use super::told::Told;
use super::{Driver, peer_key};
use crate::group::dialer::Due;
use crate::group::links::{Came, Taken};
use crate::group::shared::PeerPath;
use crate::group::{addresses, calling};

/// Relays that are asked in one call, the nearest first.
const RELAYS_MAX: usize = 3;

impl Driver {
    pub(super) fn tell_online(&self) {
        let online = self.links.devices();
        self.parts.kept.logs.peers_wait(!online.is_empty());
        self.parts.shared.set_online(online);
    }

    pub(super) fn arrived(&mut self, link: Link) {
        match self.keys.get(&link.sender.peer()) {
            Some(device) => self.connected(*device, link, false),
            // Removed since the handshake.
            None => link.sender.close(CloseReason::Removed),
        }
    }

    pub(super) fn connected(&mut self, device: DeviceId, link: Link, called: bool) {
        if !self.keys.contains_key(&link.sender.peer()) {
            link.sender.close(CloseReason::Removed);
            self.dialer.not_needed(&device);
            return;
        }
        let (at, rtt, relay) = (link.sender.remote_address(), link.sender.rtt(), link.sender.relay());
        let taken = self.links.take(device, link, called);
        tracing::debug!(%device, %at, ?relay, called, ?taken, "a link");
        match (relay, taken) {
            (None, _) => self.dialer.connected(&device, at, called),
            (Some(_), Taken::Superfluous) if called => self.dialer.not_needed(&device),
            (Some(_), Taken::Superfluous) => {}
            (Some(_), _) => self.dialer.relayed(Instant::now(), &device, called),
        }
        if taken == Taken::Instead {
            self.handle(Input::Disconnected { peer: device });
        }
        if taken != Taken::Superfluous {
            let rtt_ms = u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX);
            self.handle(Input::Connected { peer: device, rtt_ms });
            self.tell_online();
            if self.relays.contains(&device) {
                self.dialer.try_all_again(Instant::now());
            }
        }
    }

    pub(super) fn call_failed(&mut self, device: &DeviceId) {
        let dice = self.roll();
        self.dialer.failed(Instant::now(), device, dice);
    }

    pub(super) fn disconnected(&mut self, device: DeviceId, lived: Duration) {
        tracing::debug!(%device, "a link ended");
        self.dialer.lost(Instant::now(), &device, lived);
        self.handle(Input::Disconnected { peer: device });
        self.tell_online();
    }

    pub(super) fn frame(&mut self, came: Came) {
        if self.links.is_present(&came.device, came.link) {
            let lane = to_swarm(came.lane);
            self.handle(Input::Frame { peer: came.device, lane, bytes: came.bytes });
        }
    }

    pub(super) fn call(&mut self, due: Due) {
        let Due { device, addresses, through_relays } = due;
        let Some(member) = self.members.device(&device) else { return };
        if self.links.to(&device).is_some_and(|link| link.relay().is_none()) {
            return self.dialer.not_needed(&device);
        }
        let relays = if through_relays { self.relays_for(&device) } else { Vec::new() };
        if addresses.is_empty() && relays.is_empty() {
            // Nothing to call: discovery or another peer may tell.
            return self.call_failed(&device);
        }
        let (endpoint, tell) = (self.parts.endpoint.clone(), self.parts.tell.clone());
        let key = peer_key(&member.key);
        tokio::spawn(async move {
            let link = calling::reach(&endpoint, &addresses, &relays, key).await.map(Box::new);
            tell.tell(Told::Called { device, link });
        });
    }

    /// The links over which a device may be called that does not answer itself.
    pub(super) fn relays_for(&self, device: &DeviceId) -> Vec<LinkSender> {
        let willing = self.relays.iter().filter(|relay| *relay != device);
        let direct = willing.filter_map(|relay| self.links.to(relay)).filter(|link| link.relay().is_none());
        let mut relays: Vec<LinkSender> = direct.cloned().collect();
        relays.sort_by_key(LinkSender::rtt);
        relays.truncate(RELAYS_MAX);
        relays
    }

    pub(super) fn paths(&self) -> BTreeMap<DeviceId, PeerPath> {
        let now = Instant::now();
        let of = |device: DeviceId| {
            let link = self.links.to(&device)?;
            let (address, rtt) = (link.remote_address(), link.rtt());
            let relay = link.relay().and_then(|key| self.keys.get(&key).copied());
            let relay = relay.map(|relay| (relay, self.dialer.unanswered(now, &device)));
            let (sent_bytes, received_bytes) = (link.sent_bytes(), link.received_bytes());
            let line_bytes_per_s = link.line_bytes_per_s();
            let near = addresses::is_near(address);
            let path = PeerPath { address, rtt, sent_bytes, received_bytes, line_bytes_per_s, near, relay };
            Some((device, path))
        };
        self.links.devices().into_iter().filter_map(of).collect()
    }
}

fn to_swarm(lane: Lane) -> swarm::Lane {
    match lane {
        Lane::Control => swarm::Lane::Control,
        Lane::Log => swarm::Lane::Log,
        Lane::Urgent => swarm::Lane::Urgent,
        Lane::Bulk => swarm::Lane::Bulk,
    }
}
