//! How many may stand before the door, in all and from one address, and how often one member may come in.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::key::PeerKey;

/// Handshakes under way at once.
pub(super) const HANDSHAKES_MAX: usize = 64;
/// From so many on, an address must be proven by a round trip before it costs a handshake.
pub(super) const HANDSHAKES_UNPROVEN_MAX: usize = 16;
/// Handshakes and pairings of one IPv4 address or IPv6 /64 at once.
pub(super) const PLACES_PER_ADDRESS_MAX: usize = 16;

/// Links of one member at once; more than one only while an old one is not yet known to be dead.
pub(super) const LINKS_PER_MEMBER_MAX: usize = 8;
/// Connections of any kind, also those that are just ending.
pub(super) const CONNECTIONS_MAX: usize = 512;

/// Counts who stands there.
pub(super) struct Doorstep {
    handshakes: Arc<Semaphore>,
    addresses: Arc<Places<IpAddr>>,
    members: Arc<Places<PeerKey>>,
}

impl Doorstep {
    pub(super) fn new() -> Self {
        Self {
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            addresses: Places::new(PLACES_PER_ADDRESS_MAX),
            members: Places::new(LINKS_PER_MEMBER_MAX),
        }
    }

    /// Whether so many handshakes are under way that addresses must be proven first.
    pub(super) fn is_crowded(&self) -> bool {
        self.handshakes.available_permits() <= HANDSHAKES_MAX - HANDSHAKES_UNPROVEN_MAX
    }

    pub(super) fn handshake(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.handshakes).try_acquire_owned().ok()
    }

    pub(super) fn address(&self, address: IpAddr) -> Option<Place<IpAddr>> {
        self.addresses.take(neighbourhood(address))
    }

    pub(super) fn member(&self, peer: PeerKey) -> Option<Place<PeerKey>> {
        self.members.take(peer)
    }
}

/// So many places for each key; keys without any cost nothing.
struct Places<K> {
    each: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// A place; dropping it frees it.
pub(super) struct Place<K: Eq + Hash> {
    places: Arc<Places<K>>,
    key: K,
}

impl<K: Eq + Hash + Copy> Places<K> {
    fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { each, taken: Mutex::default() })
    }

    fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut taken = self.taken.lock();
        let count = taken.entry(key).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), key })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

/// What one attacker surely has: an IPv4 address, or a whole /64 of IPv6.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_leaves_nothing_behind() {
        let doorstep = Doorstep::new();
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let other: IpAddr = "2001:db8::2".parse().unwrap();
        let mut places: Vec<_> =
            (0..PLACES_PER_ADDRESS_MAX).map(|_| doorstep.address(one).unwrap()).collect();
        assert!(doorstep.address(other).is_none(), "the same /64");
        assert!(doorstep.address("192.0.2.1".parse().unwrap()).is_some());
        places.pop();
        assert!(doorstep.address(other).is_some());
        places.clear();
        assert!(doorstep.addresses.taken.lock().is_empty());
    }

    #[test]
    fn an_ipv4_address_is_one_however_it_is_written() {
        let doorstep = Doorstep::new();
        let places = (0..PLACES_PER_ADDRESS_MAX).map(|_| doorstep.address("192.0.2.1".parse().unwrap()));
        let places: Vec<_> = places.collect();
        assert!(places.iter().all(Option::is_some));
        assert!(doorstep.address("::ffff:192.0.2.1".parse().unwrap()).is_none());
    }
}
