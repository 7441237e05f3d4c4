//! Computers on a network of the test's own: network namespaces joined by a bridge, none of which sees the world.
//!
//! ```text
//!   computer 1 (netns) ── veth ──┐
//!   computer 2 (netns) ── veth ──┼── bridge, in a netns too
//!   computer 3 (netns) ── veth ──┘
//! ```
//!
//! A computer may have a second cable, to another network. A network may be a home behind a router with NAT, at another one. A cable may be
//! slow.

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::outside;

/// Numbers of networks made by this process.
static MADE: AtomicU32 = AtomicU32::new(0);

/// The last number in the address of the guest on a network: beyond its own computers.
const GUEST: usize = 200;

/// The last number in the address of the router of a home.
const ROUTER: usize = 254;
/// What such a router does, for `nft`.
const NAT_RULES: &str = r#"
table ip home {
  chain out {
    type nat hook postrouting priority 100
    oifname "wan0" masquerade fully-random
  }
  chain through {
    type filter hook forward priority 0
    policy drop
    ct state established,related accept
    iifname "br0" oifname "wan0" accept
  }
  chain into {
    type filter hook input priority 0
    iifname "wan0" ct state new drop
  }
}
"#;

/// What waits in front of a slow line, at most, before it is dropped.
const LINE_QUEUE: &str = "200ms";

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

    /// Makes it a home: its bridge becomes a router to `world` that hides who is behind it, and lets in nothing that was not asked for
    /// from there. Each conversation has a port of the router that nobody can foresee, so that not even two calls that cross each other
    /// meet. It answers no request to open a port.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn hide_behind_nat(&self, world: &Self) {
        let router = self.bridge();
        let outside = Place {
            namespace: router.clone(),
            cable: format!("r{}", self.subnet),
            bridge: world.bridge(),
            device: "wan0",
            address: format!("10.{}.0.{}", world.subnet, self.subnet),
        };
        outside.connect();
        let inner = format!("10.{}.0.{ROUTER}", self.subnet);
        inside(&router, &["ip", "address", "add", &format!("{inner}/24"), "dev", "br0"]);
        inside(&router, &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        inside(&router, &["nft", NAT_RULES]);
        for number in 0..self.computers {
            let namespace = self.place(number).namespace;
            inside(&namespace, &["ip", "route", "add", "default", "via", &inner]);
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

    /// Makes its line so slow, kbit/s: what it sends, and what it gets. A token bucket of 16 kB, and a queue of 200 ms, which is what the
    /// round trip grows by under load.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn slow_down(&self, up: u32, down: u32) {
        for (namespace, device, rate) in
            [(&self.namespace, self.device, up), (&self.bridge, &*self.cable, down)]
        {
            let rate = format!("{rate}kbit");
            let bucket = ["tbf", "rate", &rate, "burst", "16kb", "latency", LINE_QUEUE];
            inside(namespace, &[&["tc", "qdisc", "replace", "dev", device, "root"], &bucket[..]].concat());
        }
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
