//! What the driver knows and others ask for: small, and never locked for long.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ledger::Frontier;
use ledger::identity::DeviceId;
use parking_lot::{Condvar, Mutex};
use swarm::Facts;

use super::dialer::Unanswered;
use super::logs::Members;

/// How a peer is reached.
#[derive(Debug, Clone, Copy)]
pub struct PeerPath {
    /// Its own, or that of the relay.
    pub address: SocketAddr,
    pub rtt: Duration,
    /// Over this link so far: what was sent to the peer, and what came from it.
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// What the line to it takes, about.
    pub line_bytes_per_s: u64,
    /// On this network, as far as the address tells.
    pub near: bool,
    /// The device it is reached through, and why.
    pub relay: Option<(DeviceId, Option<Unanswered>)>,
}

/// What is known of the group at this moment.
#[derive(Debug, Default)]
pub struct Known {
    pub members: Members,
    pub online: Vec<DeviceId>,
    pub facts: BTreeMap<DeviceId, Facts>,
    /// The same as they were signed, for newcomers.
    pub signed_facts: BTreeMap<DeviceId, Vec<u8>>,
    /// What each peer has on its disk, as it last said.
    pub frontiers: BTreeMap<DeviceId, Frontier>,
    /// Own log up to here is safe.
    pub own_safe_through: u64,
    /// Own log up to here is on another computer, with all that it names.
    pub own_elsewhere_through: u64,
    last_issue_ms: u64,
}

impl Known {
    /// Up to where a device's log is safe, as it says itself.
    pub fn safe_through(&self, device: &DeviceId, own: DeviceId) -> u64 {
        if *device == own {
            return self.own_safe_through;
        }
        self.facts.get(device).map_or(0, |facts| facts.safe_through)
    }
}

/// The same, shared.
#[derive(Debug, Default)]
pub struct Shared {
    known: Mutex<Known>,
    changed: Condvar,
}

impl Shared {
    /// Looks at what is known. Others wait meanwhile: be short, and ask nobody.
    pub fn with<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.lock())
    }

    /// Waits until `done` answers something, or `patience` is over.
    pub fn wait<T>(&self, patience: Duration, mut done: impl FnMut(&Known) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + patience;
        let mut known = self.known.lock();
        loop {
            if let Some(answer) = done(&known) {
                return Some(answer);
            }
            if self.changed.wait_until(&mut known, deadline).timed_out() {
                return done(&known);
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock());
        self.changed.notify_all();
    }

    pub fn set_members(&self, members: Members) {
        self.change(|known| known.members = members);
    }

    pub fn set_online(&self, online: Vec<DeviceId>) {
        self.change(|known| known.online = online);
    }

    pub fn set_facts(&self, device: DeviceId, facts: Facts, signed: Vec<u8>) {
        self.change(|known| {
            known.facts.insert(device, facts);
            known.signed_facts.insert(device, signed);
        });
    }

    pub fn set_frontier(&self, device: DeviceId, frontier: Frontier) {
        self.change(|known| {
            known.frontiers.insert(device, frontier);
        });
    }

    pub fn set_own_safe_through(&self, sequence: u64) {
        self.change(|known| known.own_safe_through = known.own_safe_through.max(sequence));
    }

    pub fn set_own_elsewhere_through(&self, sequence: u64) {
        self.change(|known| known.own_elsewhere_through = known.own_elsewhere_through.max(sequence));
    }

    pub fn own_safe_through(&self) -> u64 {
        self.with(|known| known.own_safe_through)
    }

    /// The number of the next facts: the time, but always later than the last.
    pub fn next_issue(&self, wall_ms: u64) -> u64 {
        let mut known = self.known.lock();
        known.last_issue_ms = wall_ms.max(known.last_issue_ms + 1);
        known.last_issue_ms
    }
}
