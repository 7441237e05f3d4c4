//! How many strangers may stand before the door: in all, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Handshakes under way at once.
pub(super) const HANDSHAKES_MAX: usize = 64;
/// From so many on, an address must be proven by a round trip before it costs a handshake.
pub(super) const HANDSHAKES_UNPROVEN_MAX: usize = 16;
/// Handshakes and pairings of one IPv4 address or IPv6 /64 at once.
pub(super) const PLACES_PER_ADDRESS_MAX: usize = 16;

/// Counts who stands there.
pub(super) struct Doorstep {
    handshakes: Arc<Semaphore>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// A place on the doorstep; dropping it frees it.
pub(super) struct Place {
    doorstep: Arc<Doorstep>,
    address: IpAddr,
}

impl Doorstep {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)), addresses: Mutex::default() })
    }

    /// Whether so many handshakes are under way that addresses must be proven first.
    pub(super) fn is_crowded(&self) -> bool {
        self.handshakes.available_permits() <= HANDSHAKES_MAX - HANDSHAKES_UNPROVEN_MAX
    }

    pub(super) fn handshake(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.handshakes).try_acquire_owned().ok()
    }

    pub(super) fn place(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = neighbourhood(address);
        let mut addresses = self.addresses.lock();
        let taken = addresses.entry(address).or_default();
        if *taken >= PLACES_PER_ADDRESS_MAX {
            return None;
        }
        *taken += 1;
        Some(Place { doorstep: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = self.doorstep.addresses.lock();
        if let Some(taken) = addresses.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                addresses.remove(&self.address);
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
        let mut places: Vec<_> = (0..PLACES_PER_ADDRESS_MAX).map(|_| doorstep.place(one).unwrap()).collect();
        assert!(doorstep.place(other).is_none(), "the same /64");
        assert!(doorstep.place("192.0.2.1".parse().unwrap()).is_some());
        places.pop();
        assert!(doorstep.place(other).is_some());
        places.clear();
        assert!(doorstep.addresses.lock().is_empty());
    }

    #[test]
    fn an_ipv4_address_is_one_however_it_is_written() {
        let doorstep = Doorstep::new();
        let places = (0..PLACES_PER_ADDRESS_MAX).map(|_| doorstep.place("192.0.2.1".parse().unwrap()));
        let places: Vec<_> = places.collect();
        assert!(places.iter().all(Option::is_some));
        assert!(doorstep.place("::ffff:192.0.2.1".parse().unwrap()).is_none());
    }
}
