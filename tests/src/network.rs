//! Computers on a network of the test's own: network namespaces joined by a bridge, none of which sees the world.
//!
//! ```text
//!   computer 1 (netns) ── veth ──┐
//!   computer 2 (netns) ── veth ──┼── bridge, in a netns too
//!   computer 3 (netns) ── veth ──┘
//! ```
//!
//! A computer may have a second cable, to another network.

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::outside;

/// Numbers of networks made by this process.
static MADE: AtomicU32 = AtomicU32::new(0);

/// The last number in the address of the guest on a network: beyond its own computers.
const GUEST: usize = 200;

/// A bridge and the computers at it. Everything goes when it is dropped.
#[derive(Debug)]
pub struct Network {
    name: String,
    subnet: u8,
    computers: usize,
}

/// One computer's place on the network.
#[derive(Debug, Clone)]
pub struct Place {
    namespace: String,
    /// Its cable, at the bridge's end.
    cable: String,
    bridge: String,
    /// The cable's name at the computer's end.
    device: &'static str,
    /// Its address.
    pub address: String,
}

impl Network {
    /// A network for so many computers, at most 199.
    ///
    /// # Panics
    /// When the system does not let it be made: it takes root.
    #[must_use]
    pub fn new(computers: usize) -> Self {
        Self::on_subnet(77, computers)
    }

    /// The same with addresses 10.SUBNET.0.x.
    ///
    /// # Panics
    /// As [`Network::new`].
    #[must_use]
    pub fn on_subnet(subnet: u8, computers: usize) -> Self {
        assert!(crate::is_root(), "network namespaces take root");
        let name = format!("pd{}x{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let network = Self { name, subnet, computers };
        let bridge = network.bridge();
        ip(&["netns", "add", &bridge]);
        inside(&bridge, &["ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"]);
        inside(&bridge, &["ip", "link", "set", "br0", "up"]);
        for number in 0..computers {
            let place = network.place(number);
            ip(&["netns", "add", &place.namespace]);
            inside(&place.namespace, &["ip", "link", "set", "lo", "up"]);
            place.connect();
        }
        network
    }

    fn bridge(&self) -> String {
        format!("{}br", self.name)
    }

    /// The place of one computer, counted from 0.
    #[must_use]
    pub fn place(&self, number: usize) -> Place {
        Place {
            namespace: format!("{}n{number}", self.name),
            cable: format!("c{number}"),
            bridge: self.bridge(),
            device: "eth0",
            address: format!("10.{}.0.{}", self.subnet, number + 1),
        }
    }

    /// Gives a computer of another network a second cable, to this one, which has no more than one such guest. Its place
    /// here.
    ///
    /// # Panics
    /// When the system does not let it.
    #[must_use]
    pub fn join(&self, computer: &Place) -> Place {
        let place = Place {
            namespace: computer.namespace.clone(),
            cable: format!("x{}", computer.namespace),
            bridge: self.bridge(),
            device: "eth1",
            address: format!("10.{}.0.{GUEST}", self.subnet),
        };
        place.connect();
        place
    }
}

impl Place {
    fn connect(&self) {
        let Self { namespace, cable, bridge, device, address } = self;
        inside(
            bridge,
            &["ip", "link", "add", cable, "type", "veth", "peer", "name", device, "netns", namespace],
        );
        inside(bridge, &["ip", "link", "set", cable, "master", "br0", "up"]);
        inside(namespace, &["ip", "address", "add", &format!("{address}/24"), "dev", device]);
        inside(namespace, &["ip", "link", "set", device, "up"]);
    }

    /// What a command begins with to run there.
    #[must_use]
    pub fn prefix(&self) -> Vec<OsString> {
        ["nsenter".to_string(), format!("--net=/run/netns/{}", self.namespace)].map(OsString::from).to_vec()
    }

    /// Pulls the cable.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn unplug(&self) {
        inside(&self.bridge, &["ip", "link", "set", &self.cable, "down"]);
    }

    /// Puts it in again.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn plug_in(&self) {
        inside(&self.bridge, &["ip", "link", "set", &self.cable, "up"]);
    }

    /// Gives the computer another address, as another network would.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn move_to(&mut self, address: &str) {
        inside(&self.namespace, &["ip", "address", "flush", "dev", self.device]);
        inside(&self.namespace, &["ip", "address", "add", &format!("{address}/24"), "dev", self.device]);
        self.address = address.into();
    }

    /// Bytes that went out over its cable.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        let counter = format!("/sys/class/net/{}/statistics/tx_bytes", self.device);
        let told = inside(&self.namespace, &["cat", &counter]);
        told.trim().parse().expect("a number of bytes")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let computers = (0..self.computers).map(|number| self.place(number).namespace);
        for namespace in computers.chain([self.bridge()]) {
            // What was never made cannot be taken away.
            let _ = outside::output(outside::program("ip").args(["netns", "del", &namespace]));
        }
    }
}

fn ip(args: &[&str]) {
    outside::run(outside::program("ip").args(args));
}

/// Runs a command in a namespace. What it is told of the system is the namespace's: `ip netns exec` mounts its `/sys`.
fn inside(namespace: &str, args: &[&str]) -> String {
    let mut command: Command = outside::program("ip");
    outside::run(command.args(["netns", "exec", namespace]).args(args))
}
