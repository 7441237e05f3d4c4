//! Addresses that stand for a device behind a relay, so that QUIC can treat it as any other.
//!
//! ```text
//!  fd70:6472:6c79 : slot : first 8 bytes of the device's key        port 1
//!  "\xfdpdrly"      the link to the relay
//! ```
//!
//! A prefix of the kind that is private to a site (RFC 4193). No packet ever goes to or comes from such an address on
//! the wire: the `switch` sees to it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::datagram::ShortKey;

const PREFIX: [u8; 6] = *b"\xfdpdrly";
/// QUIC takes no port 0.
const PORT: u16 = 1;

/// A device behind a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RelayAddress {
    /// The link to the relay.
    pub(crate) slot: u16,
    pub(crate) device: ShortKey,
}

impl RelayAddress {
    pub(crate) fn to_socket(self) -> SocketAddr {
        let mut octets = [0; 16];
        octets[..6].copy_from_slice(&PREFIX);
        octets[6..8].copy_from_slice(&self.slot.to_be_bytes());
        octets[8..].copy_from_slice(&self.device.0);
        SocketAddr::new(Ipv6Addr::from(octets).into(), PORT)
    }

    /// `None` for every address of the real world.
    pub(crate) fn of(address: &SocketAddr) -> Option<Self> {
        let IpAddr::V6(ip) = address.ip() else { return None };
        let octets = ip.octets();
        let (slot, device) = octets.strip_prefix(&PREFIX)?.split_first_chunk()?;
        Some(Self { slot: u16::from_be_bytes(*slot), device: ShortKey(device.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_relay_and_which_device() {
        let address = RelayAddress { slot: 0x0102, device: ShortKey(*b"ABCDEFGH") };
        assert_eq!(address.to_socket(), "[fd70:6472:6c79:102:4142:4344:4546:4748]:1".parse().unwrap());
        assert_eq!(RelayAddress::of(&address.to_socket()), Some(address));
        for real in ["192.0.2.1:1", "[2001:db8::1]:1", "[fd70:6472:6c78::1]:1", "[::ffff:1.2.3.4]:1"] {
            assert_eq!(RelayAddress::of(&real.parse().unwrap()), None, "{real}");
        }
    }
}
