//! Where this computer can be reached, and how a peer's address is called.

use std::net::{IpAddr, SocketAddr};

/// Addresses told to others at most.
const ADDRESSES_MAX: usize = 16;

/// The addresses of this computer at which the socket `bound` answers.
pub fn own(bound: SocketAddr) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "this computer's addresses cannot be listed: others find it by discovery only");
        Vec::new()
    });
    let mut found: Vec<IpAddr> =
        interfaces.iter().map(if_addrs::Interface::ip).filter(|ip| is_useful(*ip, bound)).collect();
    if found.is_empty() {
        // A computer without a network still serves other daemons of its own.
        found.push(if bound.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])
        });
    }
    found.sort_by_key(|ip| (ip.is_ipv6(), *ip));
    found.dedup();
    found.into_iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, bound.port())).collect()
}

fn is_useful(ip: IpAddr, bound: SocketAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        // A link-local address means nothing without the interface, which is different on each computer.
        IpAddr::V6(ip) => bound.is_ipv6() && !ip.is_loopback() && !ip.is_unicast_link_local(),
    }
}

/// Whether an address is on this network, as far as its number tells.
pub fn is_near(address: SocketAddr) -> bool {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_one_address_is_reached_there_alone() {
        let bound: SocketAddr = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(own(bound), [bound]);
        let any = own("[::]:4000".parse().unwrap());
        assert!(!any.is_empty() && any.iter().all(|address| address.port() == 4000));
    }

    #[test]
    fn near_and_far() {
        for near in
            ["10.0.0.1:1", "192.168.1.1:1", "[::1]:1", "[fd00::1]:1", "[::ffff:10.1.1.1]:1", "[fe80::1]:1"]
        {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["8.8.8.8:1", "[2001:db8::1]:1"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }
}
