//! Members that cannot reach each other meet through a third one that both are linked to.
//!
//! ```text
//!   A ── QUIC, pinned to C's key ─────────────────────────────▶ C        what A and C say: only they can read it
//!   A ══ link to B: Forward(C, packet) ══▶ B ══ Deliver(A, packet) ══▶ C  how it travels: datagrams on two links
//! ```
//!
//! To QUIC, and to all above, a relayed connection is like any other: only its addresses are made up ([`address`]), and
//! the [`switch`] under it puts their packets into datagrams. B needs no keys of it and keeps no state: it
//! passes on what comes from one of its links to another, while its budget lasts. Only direct links carry, so
//! nothing is relayed twice.
//!
//! | to change | open |
//! |---|---|
//! | the bytes | `datagram` |
//! | what B passes on, and how much | `service`, [`Relays::forward`] |
//! | the socket under QUIC | `switch`, `arrived`, `address` |

pub(crate) mod address;
mod arrived;
mod datagram;
mod service;
pub(crate) mod switch;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use datagram::decode_relay_datagram_for_fuzzing;

use crate::counts::{Tally, count, count_bytes};
use crate::key::PeerKey;
use crate::link::Shared;
use crate::pace::Way;
use address::RelayAddress;
use arrived::Arrived;
use datagram::{Kind, RELAY_HEADER_BYTES, ShortKey};
use service::Service;

/// UDP payload of a relayed connection: the least that QUIC may count on (RFC 9000, 14), so that it fits into the
/// datagrams of every link whose own packets may be a little larger.
pub(crate) const RELAYED_PACKET_MAX_BYTES: u16 = 1200;

/// All that an endpoint has to do with relays, as one that needs them and as one that is a relay itself.
pub(crate) struct Relays {
    own: ShortKey,
    carriers: Mutex<Carriers>,
    absences: Mutex<HashMap<RelayAddress, Weak<Notify>>>,
    pub(crate) arrived: Arrived,
    service: Service,
    tally: Arc<Tally>,
}

/// The direct links, by slot.
#[derive(Default)]
struct Carriers {
    by_slot: BTreeMap<u16, Arc<Carrier>>,
    next_slot: u16,
}

/// A direct link that carries relayed packets.
pub(crate) struct Carrier {
    slot: u16,
    pub(crate) link: Arc<Shared>,
}

impl Carrier {
    /// Where a device is, behind the peer of this link.
    pub(crate) fn address_of(&self, device: &PeerKey) -> RelayAddress {
        RelayAddress { slot: self.slot, device: ShortKey::of(device) }
    }

    /// Whether datagrams large enough go over the link: the other end allows them and the path has been measured.
    pub(crate) fn is_wide_enough(&self) -> bool {
        let needed = RELAY_HEADER_BYTES + usize::from(RELAYED_PACKET_MAX_BYTES);
        self.link.connection.max_datagram_size().is_some_and(|most| most >= needed)
    }

    /// Sends a datagram, unless so much waits already that another one would be dropped for it.
    fn send(&self, kind: Kind, device: ShortKey, packet: &[u8]) -> bool {
        let datagram = datagram::encode(kind, device, packet);
        let connection = &self.link.connection;
        connection.datagram_send_buffer_space() >= datagram.len()
            && connection.send_datagram(datagram).is_ok()
    }
}

impl Relays {
    pub(crate) fn new(own: &PeerKey, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            own: ShortKey::of(own),
            carriers: Mutex::default(),
            absences: Mutex::default(),
            arrived: Arrived::default(),
            service: Service::default(),
            tally,
        })
    }

    /// See [`Endpoint::set_relay`](crate::Endpoint::set_relay).
    pub(crate) fn set_budget(&self, bytes_per_s: u64) {
        self.service.set(bytes_per_s);
    }

    pub(crate) fn budget(&self) -> u64 {
        self.service.bytes_per_s()
    }

    /// Uses a direct link to carry relayed packets until it ends.
    pub(crate) fn carry(self: &Arc<Self>, link: Arc<Shared>) {
        if let Some(carrier) = self.carriers.lock().add(link) {
            tokio::spawn(Arc::clone(self).listen(carrier));
        }
    }

    /// The carrier of a link; none if it is gone, or is relayed itself.
    pub(crate) fn carrier(&self, link_id: u64) -> Option<Arc<Carrier>> {
        self.carriers.lock().by_slot.values().find(|carrier| carrier.link.id == link_id).cloned()
    }

    /// The carrier on which packets of this address travel.
    pub(crate) fn carrier_to(&self, address: RelayAddress) -> Option<Arc<Carrier>> {
        self.carriers.lock().by_slot.get(&address.slot).cloned()
    }

    /// Told when the relay says that nothing goes to this address.
    pub(crate) fn absence(&self, address: RelayAddress) -> Arc<Notify> {
        let mut absences = self.absences.lock();
        if let Some(absence) = absences.get(&address).and_then(Weak::upgrade) {
            return absence;
        }
        absences.retain(|_, absence| absence.strong_count() > 0);
        let absence = Arc::new(Notify::new());
        absences.insert(address, Arc::downgrade(&absence));
        absence
    }

    /// Sends a packet to a device behind a relay. What does not go out is lost, and QUIC sends it again.
    fn send(&self, to: RelayAddress, packet: &[u8]) {
        if let Some(carrier) = self.carrier_to(to) {
            carrier.send(Kind::Forward, to.device, packet);
        }
    }

    async fn listen(self: Arc<Self>, carrier: Arc<Carrier>) {
        while let Ok(datagram) = carrier.link.connection.read_datagram().await {
            self.hear(&carrier, &datagram);
        }
        self.carriers.lock().by_slot.remove(&carrier.slot);
    }

    fn hear(&self, carrier: &Carrier, datagram: &Bytes) {
        let Some((kind, device, packet)) = datagram::decode(datagram) else {
            return count(&self.tally.relay_datagrams_malformed);
        };
        let address = RelayAddress { slot: carrier.slot, device };
        match kind {
            Kind::Forward => self.forward(carrier, device, &packet),
            Kind::Deliver if device == self.own => count(&self.tally.relay_datagrams_malformed),
            Kind::Deliver => {
                if !self.arrived.put(address, &packet) {
                    count(&self.tally.relay_datagrams_overflowed);
                }
            }
            Kind::Absent => {
                if let Some(absence) = self.absences.lock().get(&address).and_then(Weak::upgrade) {
                    absence.notify_waiters();
                }
            }
        }
    }

    /// Passes a packet on from one linked member to another one. Both are members of this daemon's one workspace: the
    /// links of others are closed.
    fn forward(&self, from: &Carrier, to: ShortKey, packet: &[u8]) {
        let target = (self.budget() > 0).then(|| self.carriers.lock().newest(to)).flatten();
        let Some(target) = target.filter(|target| target.link.peer != from.link.peer) else {
            from.send(Kind::Absent, to, &[]);
            return;
        };
        let bytes = packet.len();
        let may_pass = self.service.spend(bytes)
            && from.link.pace.pass_at_once(Way::Down, bytes)
            && target.link.pace.pass_at_once(Way::Up, bytes)
            && target.send(Kind::Deliver, ShortKey::of(&from.link.peer), packet);
        count_bytes(
            if may_pass { &self.tally.relayed_bytes } else { &self.tally.relay_dropped_bytes },
            bytes,
        );
    }
}

impl Carriers {
    /// `None` if there are as many links as slots, which the endpoint does not allow.
    fn add(&mut self, link: Arc<Shared>) -> Option<Arc<Carrier>> {
        let free = |slot: &u16| !self.by_slot.contains_key(slot);
        let slot = (0..=u16::MAX).map(|step| self.next_slot.wrapping_add(step)).find(free)?;
        // A slot that was free a moment ago may still be in the addresses of connections that are just ending.
        self.next_slot = slot.wrapping_add(1);
        let carrier = Arc::new(Carrier { slot, link });
        self.by_slot.insert(slot, Arc::clone(&carrier));
        Some(carrier)
    }

    /// The latest link to a device: an older one may be dead and not know it yet.
    fn newest(&self, device: ShortKey) -> Option<Arc<Carrier>> {
        let to_it = |carrier: &&Arc<Carrier>| ShortKey::of(&carrier.link.peer) == device;
        self.by_slot.values().filter(to_it).max_by_key(|carrier| carrier.link.id).cloned()
    }
}
