//! Endpoints with a few words each.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    Admission, Arrival, Arrivals, Endpoint, EndpointConfig, Identity, Link, PairingLink, PeerKey, Rates,
};

/// Far above what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for an event that must come.
pub(super) async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, event).await.expect("the event comes in time")
}

pub(super) fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32]).unwrap()
}

/// Members, and whether an invitation is open.
#[derive(Default)]
pub(super) struct Roster {
    members: Mutex<HashSet<PeerKey>>,
    pub(super) pairing: AtomicBool,
}

impl Roster {
    pub(super) fn remove(&self, device: &Device) {
        self.members.lock().remove(&device.endpoint.key());
    }
}

impl Admission for Roster {
    fn admits(&self, key: &PeerKey) -> bool {
        self.members.lock().contains(key)
    }

    fn pairing_open(&self) -> bool {
        self.pairing.load(Ordering::Relaxed)
    }
}

/// A device on the loopback interface.
pub(super) struct Device {
    pub(super) endpoint: Endpoint,
    pub(super) arrivals: Arrivals,
    pub(super) roster: Arc<Roster>,
}

impl Device {
    pub(super) fn new(number: u8) -> Self {
        Self::at("127.0.0.1:0", number)
    }

    pub(super) fn at(listen: &str, number: u8) -> Self {
        Self::try_at(listen, number).expect("the address can be had")
    }

    pub(super) fn try_at(listen: &str, number: u8) -> Option<Self> {
        let roster = Arc::new(Roster::default());
        let config = EndpointConfig {
            listen: listen.parse().unwrap(),
            identity: identity(number),
            admission: Arc::clone(&roster) as Arc<dyn Admission>,
            rates: Rates::default(),
        };
        let (endpoint, arrivals) = Endpoint::bind(config).ok()?;
        Some(Self { endpoint, arrivals, roster })
    }

    pub(super) fn admit(&self, other: &Self) {
        self.roster.members.lock().insert(other.endpoint.key());
    }

    pub(super) fn open_pairing(&self) {
        self.roster.pairing.store(true, Ordering::Relaxed);
    }

    pub(super) async fn call(&self, other: &Self) -> Link {
        soon(self.endpoint.connect(other.endpoint.address(), other.endpoint.key())).await.unwrap()
    }

    pub(super) async fn member(&mut self) -> Link {
        match soon(self.arrivals.next()).await {
            Some(Arrival::Member(link)) => link,
            _ => panic!("a member was expected"),
        }
    }

    pub(super) async fn pairing(&mut self) -> PairingLink {
        match soon(self.arrivals.next()).await {
            Some(Arrival::Pairing(link)) => link,
            _ => panic!("a pairing was expected"),
        }
    }
}

/// Two members, and the link between them as each has it.
pub(super) async fn two() -> (Device, Device, Link, Link) {
    let (one, mut other) = (Device::new(1), Device::new(2));
    other.admit(&one);
    let link = one.call(&other).await;
    let arrived = other.member().await;
    (one, other, link, arrived)
}

pub(super) fn frame(byte: u8, length: usize) -> Vec<Bytes> {
    vec![vec![byte; length].into()]
}
