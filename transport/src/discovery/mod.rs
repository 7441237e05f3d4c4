//! Finds other devices on this network by mDNS, and lets itself be found.
//!
//! ```text
//!  Announced ─▶ TXT of a randomly named `_peerdrive._udp` ─▶ network ─▶ TXT ─▶ Found ─▶ FoundStream
//! ```
//!
//! What is found is hearsay: an address to try, never a proof of who is there. The name says nothing about the
//! computer. One browse lives as long as the daemon: asking anew would go unanswered for a second.

mod sightings;
mod txt;

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::thread;

use data_encoding::HEXLOWER;
use mdns_sd::{ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::mpsc;

pub use txt::{GROUP_TAG_BYTES, GROUPS_MAX, INVITES_MAX};

use crate::key::PeerKey;
use sightings::Sightings;

const SERVICE: &str = "_peerdrive._udp.local.";
const NAME_BYTES: usize = 8;
/// Devices found and not yet taken.
const FOUND_WAITING_MAX: usize = 64;
/// Addresses of one device that are handed on.
const ADDRESSES_MAX: usize = 16;

/// What a device tells its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Its key.
    pub key: PeerKey,
    /// Its UDP port.
    pub port: u16,
    /// Opaque tags of its workspaces; the first [`GROUPS_MAX`] count.
    pub groups: Vec<[u8; GROUP_TAG_BYTES]>,
    /// Numbers of its open codes; the first [`INVITES_MAX`] count.
    pub invites: Vec<u16>,
}

impl Announced {
    /// As the strings of a TXT record, by name.
    #[must_use]
    pub fn to_txt(&self) -> Vec<(&'static str, String)> {
        txt::write(self)
    }

    /// What a service at a port says in its TXT record; `None` if it is none of ours, malformed, or of another version.
    pub fn of_txt<'a>(port: u16, string: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        txt::read(port, string)
    }
}

/// A device seen on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it says of itself.
    pub announced: Announced,
    /// Where it may be reached, best first.
    pub addresses: Vec<SocketAddr>,
}

/// Why there is no discovery. The drive works without: by remembered addresses and `--peer`.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// mDNS cannot be used here.
    #[error("cannot look for devices on this network: {0}; name their addresses instead")]
    Mdns(#[from] mdns_sd::Error),
    /// The system gave no random name.
    #[error("the system has no random numbers: {0}")]
    Random(getrandom::Error),
    /// The system started no thread.
    #[error("cannot start a thread to look for devices: {0}")]
    Thread(#[from] std::io::Error),
}

/// Announces this device and looks for others until it is stopped or dropped.
pub struct Discovery {
    daemon: ServiceDaemon,
    name: String,
}

/// Devices as they are found: new ones, and those that changed.
pub struct FoundStream {
    found: mpsc::Receiver<Found>,
}

impl FoundStream {
    /// The next device; `None` when discovery was stopped.
    pub async fn next(&mut self) -> Option<Found> {
        self.found.recv().await
    }
}

impl Discovery {
    /// Starts to announce and to look.
    ///
    /// # Errors
    /// If the system lets no mDNS socket be opened.
    pub fn start(announced: &Announced) -> Result<(Self, FoundStream), DiscoveryError> {
        let mut name = [0; NAME_BYTES];
        getrandom::fill(&mut name).map_err(DiscoveryError::Random)?;
        let daemon = ServiceDaemon::new()?;
        let discovery = Self { daemon, name: HEXLOWER.encode(&name) };
        // Link-local IPv6 is found too; the wireless peer-to-peer interfaces of some systems are left out.
        discovery.register(announced)?;
        let events = discovery.daemon.browse(SERVICE)?;
        let (sender, found) = mpsc::channel(FOUND_WAITING_MAX);
        let own = announced.key;
        thread::Builder::new()
            .name("discovery".into())
            .spawn(move || watch(events.into_iter(), own, &sender))?;
        Ok((discovery, FoundStream { found }))
    }

    /// Changes what is announced. A change that the system refuses is logged and the old announcement stays.
    pub fn announce(&self, announced: &Announced) {
        if let Err(error) = self.register(announced) {
            tracing::warn!("the network was not told of a change: {error}");
        }
    }

    /// Tells the network that this device is gone.
    pub fn stop(self) {}

    fn register(&self, announced: &Announced) -> Result<(), mdns_sd::Error> {
        let host = format!("{}.local.", self.name);
        let properties = announced.to_txt();
        let mut service = ServiceInfo::new(SERVICE, &self.name, &host, (), announced.port, &properties[..])?
            .enable_addr_auto();
        // The name is random: nobody else has it, so nobody needs to be asked for a second first.
        service.set_requires_probe(false);
        self.daemon.register(service)
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        // The answer would only say when the goodbye is out.
        let _ = self.daemon.shutdown();
    }
}

/// Ends when discovery stops, or nobody listens any more.
fn watch(events: impl Iterator<Item = ServiceEvent>, own: PeerKey, sender: &mpsc::Sender<Found>) {
    let mut sightings = Sightings::default();
    for event in events {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let found = read(&service).filter(|found| found.announced.key != own);
                let fresh = found.filter(|found| sightings.note(service.get_fullname(), found));
                if !fresh.is_none_or(|found| hand_on(found, service.get_fullname(), &mut sightings, sender)) {
                    return;
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => sightings.forget(&name),
            _ => {}
        }
    }
}

/// Whether anybody still listens. What finds no room is forgotten, so that its next announcement counts as new.
fn hand_on(found: Found, name: &str, sightings: &mut Sightings, sender: &mpsc::Sender<Found>) -> bool {
    match sender.try_send(found) {
        Ok(()) => true,
        Err(mpsc::error::TrySendError::Full(_)) => {
            sightings.forget(name);
            true
        }
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    }
}

fn read(service: &ResolvedService) -> Option<Found> {
    let announced = Announced::of_txt(service.get_port(), |name| service.get_property_val_str(name))?;
    let mut addresses: Vec<_> =
        service.get_addresses().iter().filter_map(|ip| address(ip, announced.port)).collect();
    // A fixed order, so that the same device looks the same; nearest kinds first.
    addresses.sort_by_key(|address| (distance(address.ip()), *address));
    addresses.truncate(ADDRESSES_MAX);
    (!addresses.is_empty()).then_some(Found { announced, addresses })
}

fn address(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    match ip {
        ScopedIp::V4(v4) => Some(SocketAddr::from((*v4.addr(), port))),
        ScopedIp::V6(v6) => {
            let scope = if v6.addr().is_unicast_link_local() { v6.scope_id().index } else { 0 };
            Some(SocketAddrV6::new(*v6.addr(), port, 0, scope).into())
        }
        _ => None,
    }
}

/// Lower is better: private and global addresses, then those of one cable, then this machine's own.
fn distance(ip: IpAddr) -> u8 {
    let of_one_cable = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    match (ip.is_loopback(), of_one_cable, ip) {
        (true, ..) => 3,
        (_, true, _) => 2,
        (_, _, IpAddr::V6(_)) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn announced(number: u8, port: u16) -> Announced {
        Announced { key: PeerKey([number; 32]), port, groups: vec![[number; 8]], invites: vec![7] }
    }

    async fn find(stream: &mut FoundStream, wanted: &Announced) -> Found {
        let search = async {
            loop {
                let found = stream.next().await.expect("discovery runs");
                if found.announced == *wanted {
                    return found;
                }
            }
        };
        timeout(Duration::from_secs(20), search).await.expect("the other is found in time")
    }

    #[tokio::test]
    async fn two_on_one_machine_find_each_other_and_see_changes() {
        let (one, mut seen_by_one) = Discovery::start(&announced(201, 40_001)).unwrap();
        let (_two, mut seen_by_two) = Discovery::start(&announced(202, 40_002)).unwrap();
        let found = find(&mut seen_by_one, &announced(202, 40_002)).await;
        assert!(found.addresses.iter().all(|address| address.port() == 40_002));
        find(&mut seen_by_two, &announced(201, 40_001)).await;
        let changed = Announced { invites: vec![7, 8], ..announced(201, 40_001) };
        one.announce(&changed);
        find(&mut seen_by_two, &changed).await;
    }
}
