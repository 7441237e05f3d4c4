//! Who belongs to the drive, and what is known of them: from the roster, from their facts, and kept over a stop.

use std::collections::BTreeSet;
use std::time::Instant;

use ledger::identity::DeviceId;
use swarm::{Facts, Input, SignedFacts};
use transport::CloseReason;

use super::{Driver, peer_key};
use crate::group::peers_file::{self, KeptPeer};
use crate::group::{addresses, silence};
use crate::moment::wall_ms;

/// Room below which this host says that it is full, bytes.
const FULL_BELOW_BYTES: u64 = 64 << 20;

impl Driver {
    pub(super) fn refresh_members(&mut self) {
        // Asked after every job that may have changed it: nothing more is done when it did not.
        let known = !self.members.devices.is_empty();
        if known && self.parts.kept.logs.roster_digest() == self.members.digest {
            return;
        }
        let members = self.parts.kept.logs.members();
        self.parts.kept.logs.roster_changed();
        let present: Vec<_> = members.present().collect();
        self.keys = present.iter().map(|device| (peer_key(&device.key), device.id)).collect();
        self.parts.doors.set_members(self.keys.keys().copied().collect());
        let ids: BTreeSet<DeviceId> = present.iter().map(|device| device.id).collect();
        self.dialer.set_members(Instant::now(), &ids);
        self.relays.retain(|relay| ids.contains(relay));
        for device in self.links.devices().iter().filter(|device| !ids.contains(*device)) {
            tracing::info!(%device, "a device that was removed is cut off");
            self.links.close(device, CloseReason::Removed);
            self.handle(Input::Disconnected { peer: *device });
            self.tell_online();
        }
        let told = present.iter().map(|device| swarm::Member {
            device: device.id,
            key: device.key,
            holds_keys: device.role.is_some_and(ledger::roster::Role::holds_keys),
            may_host: true,
        });
        let told = told.collect();
        let (digest, copies) = (members.digest, members.policy.copies);
        self.members = members.clone();
        self.parts.shared.set_members(members);
        self.handle(Input::Copies(copies));
        self.handle(Input::Members(told));
        self.handle(Input::RosterDigest(digest));
    }

    pub(super) fn renew_own_facts(&mut self) {
        let usage = self.parts.kept.store.usage();
        let facts = Facts {
            device: self.me,
            issued_ms: 0,
            contributed_bytes: if self.parts.leaves { 0 } else { self.parts.contribute_bytes },
            used_bytes: usage.pack_bytes,
            full: usage.can_store_bytes < FULL_BELOW_BYTES,
            site: self.parts.site.clone(),
            addresses: self
                .external
                .into_iter()
                .chain(addresses::own(self.parts.endpoint.address()))
                .collect(),
            safe_through: self.parts.shared.own_safe_through(),
            capabilities: [(self.is_relay, swarm::RELAYS), (self.parts.leaves, swarm::LEAVES)]
                .into_iter()
                .filter_map(|(is_so, bit)| is_so.then_some(bit))
                .sum(),
        };
        if self.own_facts.as_ref().is_some_and(|before| is_as_good(before, &facts)) {
            return;
        }
        let moved = self.own_facts.as_ref().is_some_and(|before| before.addresses != facts.addresses);
        if moved {
            // On another network others may be nearer.
            self.dialer.try_all_again(Instant::now());
        }
        self.own_facts_told = Instant::now();
        self.own_facts = Some(facts.clone());
        // A clock that was set back must not make facts look old: they follow those issued before.
        let issued_ms = self.parts.shared.next_issue(wall_ms());
        let signed =
            SignedFacts::sign(&self.parts.device, self.parts.kept.workspace, Facts { issued_ms, ..facts });
        self.parts.shared.set_facts(self.me, signed.facts().clone(), signed.as_bytes().to_vec());
        self.handle(Input::OwnFacts(signed));
    }

    pub(super) fn keep_facts(&mut self, signed: &SignedFacts) {
        let Some(key) = self.members.device(&signed.facts().device).map(|device| device.key) else { return };
        if signed.verify(&key, &self.parts.kept.workspace).is_err() {
            return;
        }
        let facts = signed.facts();
        let device = facts.device;
        if device == self.me {
            self.parts.shared.next_issue(facts.issued_ms);
            return;
        }
        self.dialer.learn(Instant::now(), &device, &facts.addresses);
        if facts.capabilities & swarm::RELAYS == 0 {
            self.relays.remove(&device);
        } else if self.relays.insert(device) && self.links.to(&device).is_some() {
            self.dialer.try_all_again(Instant::now());
        }
        self.parts.shared.set_facts(device, facts.clone(), signed.as_bytes().to_vec());
        self.tell_safety();
        self.unsaved_since.get_or_insert_with(Instant::now);
    }

    /// The drive counts its safe files by what each device says of its own log.
    pub(super) fn tell_safety(&self) {
        let (has_peers, safe, elsewhere) = self.parts.shared.with(|known| {
            let devices = known.members.devices.iter();
            let safe = devices.map(|device| (device.id, known.safe_through(&device.id, self.me)));
            (known.members.has_peers(), safe.collect(), known.own_elsewhere_through)
        });
        self.parts.kept.logs.set_safe_through(has_peers, safe, elsewhere);
    }

    pub(super) fn save_peers(&mut self) {
        self.unsaved_since = None;
        self.saved = Instant::now();
        let (view, up, wall) = (self.node.view(self.now()), self.began.elapsed(), wall_ms());
        let lost =
            |device: &DeviceId| view.peers.iter().any(|peer| peer.device == *device && peer.declared_lost);
        let peers = self.parts.shared.with(|known| {
            let others = known.signed_facts.iter().filter(|(device, _)| **device != self.me);
            let kept = others.map(|(device, facts)| KeptPeer {
                heard_ms: self.silence.heard_ms(device, &view, up, wall),
                lost: lost(device),
                facts: facts.clone(),
            });
            kept.collect()
        });
        self.parts.peers_file.write(&peers_file::Kept { placed_for: self.placed_for, peers });
    }

    /// How long others were silent before this start counts from now on.
    pub(super) fn count_silence(&mut self) {
        if self.began.elapsed() < silence::COUNTS_AFTER || self.silence.is_counted() {
            return;
        }
        let view = self.node.view(self.now());
        if let Some(silent) = self.silence.due(&view, self.began.elapsed(), wall_ms()) {
            self.handle(Input::Silent(silent));
        }
    }
}

/// Whether telling the new facts would tell nobody anything: what is used changes all the time.
fn is_as_good(before: &Facts, now: &Facts) -> bool {
    let close = before.used_bytes.abs_diff(now.used_bytes) < (now.contributed_bytes / 100).max(16 << 20);
    close && Facts { used_bytes: now.used_bytes, issued_ms: now.issued_ms, ..before.clone() } == *now
}
