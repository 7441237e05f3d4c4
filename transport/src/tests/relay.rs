//! Members that reach each other through a third one, and what a relay cannot do to them.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use quinn::Connection;

use super::fixture::{Device, frame, identity, soon, two};
use super::hostile::raw_call;
use crate::relay::address::RelayAddress;
use crate::tls;
use crate::{CloseCode, CloseReason, ConnectError, Ended, LANES, Lane, Link, PeerKey, Rates};

/// More than a test can use.
const PLENTY: u64 = 1 << 40;

/// Two members, one in the middle, and the links of both to it.
struct Three {
    one: Device,
    middle: Device,
    other: Device,
    from_one: Link,
    from_other: Link,
    /// Their other ends.
    at_middle: Vec<Link>,
}

impl Three {
    async fn new() -> Self {
        let (one, mut middle, other) = (Device::new(1), Device::new(2), Device::new(3));
        other.admit(&one);
        middle.admit(&one);
        middle.admit(&other);
        middle.endpoint.set_relay(PLENTY);
        let mut at_middle = Vec::new();
        let from_one = one.call(&middle).await;
        at_middle.push(middle.member().await);
        let from_other = other.call(&middle).await;
        at_middle.push(middle.member().await);
        Self { one, middle, other, from_one, from_other, at_middle }
    }

    /// The link between the two through the middle, as each has it.
    async fn relayed(&mut self) -> (Link, Link) {
        let link = through(&self.one, &self.from_one, self.other.endpoint.key()).await.unwrap();
        (link, self.other.member().await)
    }
}

/// Calls through a relay, once the path to it and from it to the peer is known to be wide enough.
async fn through(caller: &Device, relay: &Link, peer: PeerKey) -> Result<Link, ConnectError> {
    let called = async {
        loop {
            match caller.endpoint.connect_through(&relay.sender, peer).await {
                Err(ConnectError::NoRelay) => tokio::task::yield_now().await,
                called => return called,
            }
        }
    };
    soon(called).await
}

async fn next(link: &mut Link) -> (Lane, Bytes) {
    soon(link.receiver.recv()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_all_lanes_and_twenty_mebibytes_go_through_a_relay() {
    let mut three = Three::new().await;
    let (mut here, mut there) = three.relayed().await;
    assert_eq!(
        (here.sender.peer(), there.sender.peer()),
        (three.other.endpoint.key(), three.one.endpoint.key())
    );
    assert_eq!(here.sender.relay(), Some(three.middle.endpoint.key()));
    assert_eq!(there.sender.relay(), Some(three.middle.endpoint.key()));
    assert_eq!(here.sender.remote_address(), three.middle.endpoint.address());
    assert_eq!(three.from_one.sender.relay(), None);
    for lane in LANES {
        for (byte, length) in [(1, 0), (2, 1), (3, 1500), (4, lane.frame_max_bytes())] {
            soon(here.sender.send(lane, frame(byte, length))).await.unwrap();
            assert_eq!(next(&mut there).await, (lane, vec![byte; length].into()));
            soon(there.sender.send(lane, frame(byte, length))).await.unwrap();
            assert_eq!(next(&mut here).await, (lane, vec![byte; length].into()));
        }
    }
    let sender = here.sender.clone();
    let sending = tokio::spawn(async move {
        for number in 0..20 {
            sender.send(Lane::Bulk, frame(number, 1 << 20)).await.unwrap();
        }
    });
    for number in 0..20 {
        assert_eq!(next(&mut there).await, (Lane::Bulk, vec![number; 1 << 20].into()));
    }
    soon(sending).await.unwrap();
    assert!(three.middle.endpoint.counts().relayed_bytes > 20 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_link_ends_with_the_link_to_the_relay() {
    let mut three = Three::new().await;
    let (here, there) = three.relayed().await;
    three.from_one.sender.close(CloseReason::Done);
    assert_eq!(soon(here.sender.closed()).await, Ended::Here);
    // The other end hears of it from the relay as soon as it says anything.
    let ended = async {
        while !there.sender.is_closed() {
            let _ = there.sender.try_send(Lane::Control, frame(1, 1));
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
    assert!(!three.from_other.sender.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_relayed_to_who_is_not_linked_or_by_who_does_not_want_to() {
    let mut three = Three::new().await;
    let absent = through(&three.one, &three.from_one, PeerKey([9; 32])).await;
    assert!(matches!(absent, Err(ConnectError::Absent)));
    let itself = through(&three.one, &three.from_one, three.one.endpoint.key()).await;
    assert!(matches!(itself, Err(ConnectError::Absent)));
    three.middle.endpoint.set_relay(0);
    let refused = through(&three.one, &three.from_one, three.other.endpoint.key()).await;
    assert!(matches!(refused, Err(ConnectError::Absent)));
    three.middle.endpoint.set_relay(PLENTY);
    // What the call before it left behind may still be answered.
    let here = loop {
        match through(&three.one, &three.from_one, three.other.endpoint.key()).await {
            Err(ConnectError::Absent) => {}
            called => break called.unwrap(),
        }
    };
    let _there = three.other.member().await;
    // Nothing is relayed twice.
    let twice = soon(three.one.endpoint.connect_through(&here.sender, PeerKey([9; 32]))).await;
    assert!(matches!(twice, Err(ConnectError::NoRelay)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_behind_a_relay_cannot_be_called_as_if_it_were_one() {
    let three = Three::new().await;
    let carrier = three.one.endpoint.carrier(three.from_one.sender.id());
    let key = three.other.endpoint.key();
    let called = soon(three.one.endpoint.connect(carrier.address_of(&key).to_socket(), key)).await;
    assert!(matches!(called, Err(ConnectError::Address(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_member_of_the_far_one_is_turned_away_there() {
    let three = Three::new().await;
    three.other.roster.remove(&three.one);
    let called = through(&three.one, &three.from_one, three.other.endpoint.key()).await;
    let Err(ConnectError::Ended(ended)) = called else { panic!("it was let in") };
    assert!(matches!(ended, Ended::ByPeer { code: CloseCode::NotAdmitted, .. }));
    assert_eq!(three.other.endpoint.counts().strangers_refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_far_end_is_pinned_by_its_whole_key() {
    let three = Three::new().await;
    // The relay knows it by the beginning of its key alone.
    let mut key = three.other.endpoint.key();
    key.0[31] ^= 1;
    let called = through(&three.one, &three.from_one, key).await;
    let Err(ConnectError::WrongPeer { found }) = called else { panic!("an impostor was believed") };
    assert_eq!(found, three.other.endpoint.key());
}

/// A datagram as the format has it, made by hand.
fn datagram(kind: u8, device: PeerKey, packet: &[u8]) -> Bytes {
    [&[1, kind][..], &device.0[..8], packet].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_nothing_relayed() {
    let three = Three::new().await;
    let stranger = soon(raw_call(&three.middle, 9)).await.unwrap();
    let flood = datagram(1, three.other.endpoint.key(), &[7; 1000]);
    // Until it is turned away.
    while stranger.send_datagram(flood.clone()).is_ok() {
        tokio::task::yield_now().await;
    }
    let code = CloseCode::NotAdmitted;
    assert_eq!(Ended::from(soon(stranger.closed()).await), Ended::ByPeer { code, text: String::new() });
    let counts = three.middle.endpoint.counts();
    assert_eq!((counts.relayed_bytes, counts.relay_dropped_bytes), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_floods_a_relay_is_held_to_the_budget_and_harms_nobody() {
    let (mut middle, raw, other) = (Device::new(1), Device::new(9), Device::new(3));
    middle.admit(&raw);
    middle.admit(&other);
    let budget = 64 << 10;
    let started = Instant::now();
    middle.endpoint.set_relay(budget);
    let flooding = soon(raw_call(&middle, 9)).await.unwrap();
    let _flooded = middle.member().await;
    let mut link = other.call(&middle).await;
    let at_middle = middle.member().await;
    let packet = datagram(1, other.endpoint.key(), &[7; 1000]);
    for _ in 0..20_000 {
        soon(flooding.send_datagram_wait(packet.clone())).await.unwrap();
    }
    let dropped = async {
        while middle.endpoint.counts().relay_dropped_bytes < 1 << 20 {
            tokio::task::yield_now().await;
        }
    };
    soon(dropped).await;
    let relayed = middle.endpoint.counts().relayed_bytes;
    let may_have_passed = crate::rates::BURST_MIN_BYTES + budget * (started.elapsed().as_secs() + 1) + 1000;
    assert!((1..=may_have_passed).contains(&relayed), "{relayed} of {may_have_passed} bytes");
    // Junk that is no QUIC, and what makes no sense at all, goes nowhere.
    for nonsense in [&b""[..], b"\x01", b"\x02\x01ABCDEFGHx", b"\x01\x07ABCDEFGHx"] {
        soon(flooding.send_datagram_wait(Bytes::from_static(nonsense))).await.unwrap();
    }
    soon(at_middle.sender.send(Lane::Control, frame(1, 1))).await.unwrap();
    assert_eq!(next(&mut link).await.0, Lane::Control);
    assert_eq!(other.endpoint.counts().members_admitted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_the_whole_use_hold_for_what_is_relayed_too() {
    let mut three = Three::new().await;
    let (here, mut there) = three.relayed().await;
    three.middle.endpoint.set_rates(Rates { up_bytes_per_s: 1 << 10, ..Rates::default() });
    soon(here.sender.send(Lane::Bulk, frame(9, 1 << 20))).await.unwrap();
    let dropped = async {
        while three.middle.endpoint.counts().relay_dropped_bytes == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(dropped).await;
    three.middle.endpoint.set_rates(Rates::default());
    assert_eq!(next(&mut there).await.1.len(), 1 << 20);
}

/// A relay in the test's hand: it does to packets whatever it likes.
struct EvilRelay {
    endpoint: quinn::Endpoint,
    key: PeerKey,
    connections: Arc<Mutex<Vec<(PeerKey, Connection)>>>,
}

impl EvilRelay {
    fn new() -> Self {
        let identity = identity(66);
        let server = quinn::ServerConfig::with_crypto(Arc::new(tls::server(&identity).unwrap()));
        let endpoint = quinn::Endpoint::server(server, "127.0.0.1:0".parse().unwrap()).unwrap();
        Self { endpoint, key: identity.key(), connections: Arc::default() }
    }

    async fn called_by(&self, device: &Device) -> Link {
        let to = self.endpoint.local_addr().unwrap();
        let (link, accepted) = tokio::join!(device.endpoint.connect(to, self.key), async {
            self.endpoint.accept().await.unwrap().await.unwrap()
        });
        self.connections.lock().push((device.endpoint.key(), accepted));
        link.unwrap()
    }

    /// Passes on what `treat` makes of each packet: none, one or several.
    fn pass_on(&self, treat: impl Fn(u64, Vec<u8>) -> Vec<Vec<u8>> + Clone + Send + 'static) {
        let connections = self.connections.lock().clone();
        for (from, connection) in connections.clone() {
            let (connections, treat) = (connections.clone(), treat.clone());
            tokio::spawn(async move {
                let mut number = 0;
                while let Ok(asked) = connection.read_datagram().await {
                    number += 1;
                    let to = connections.iter().find(|(key, _)| key.0[..8] == asked[2..10]);
                    for packet in treat(number, asked[10..].to_vec()) {
                        // Whoever is gone gets nothing.
                        let _ = to.map(|(_, to)| to.send_datagram(datagram(2, from, &packet)));
                    }
                }
            });
        }
    }
}

/// Two members whose only way leads through an evil relay, and their links to it.
async fn evil_three() -> (Device, Device, Link, Link, EvilRelay) {
    let (one, other, evil) = (Device::new(1), Device::new(3), EvilRelay::new());
    other.admit(&one);
    let (from_one, from_other) = (evil.called_by(&one).await, evil.called_by(&other).await);
    (one, other, from_one, from_other, evil)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_drops_doubles_swaps_and_changes_packets_only_slows() {
    let (one, mut other, from_one, _from_other, evil) = evil_three().await;
    let held = Arc::new(Mutex::new(None::<Vec<u8>>));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    evil.pass_on(move |number, mut packet| {
        noted.lock().extend_from_slice(&packet);
        match number % 40 {
            7 => Vec::new(),
            13 => vec![packet.clone(), packet],
            19 => {
                *held.lock() = Some(packet);
                Vec::new()
            }
            23 => std::iter::once(packet).chain(held.lock().take()).collect(),
            29 => {
                let at = packet.len() / 2;
                packet[at] ^= 0x10;
                vec![packet]
            }
            _ => vec![packet],
        }
    });
    let here = through(&one, &from_one, other.endpoint.key()).await.unwrap();
    let mut there = other.member().await;
    let secret = b"what nobody in between shall read".repeat(1000);
    for number in 0..32 {
        let body = Bytes::from([&[number][..], &secret].concat());
        soon(here.sender.send(Lane::Log, vec![body.clone()])).await.unwrap();
        assert_eq!(next(&mut there).await, (Lane::Log, body));
    }
    let seen = seen.lock();
    assert!(seen.len() > 32 * secret.len());
    assert!(!seen.windows(16).any(|window| window == &secret[..16]), "the relay can read it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_cannot_stand_for_another_device_or_make_up_where_packets_come_from() {
    let (one, other, from_one, _from_other, evil) = evil_three().await;
    // Every packet is said to come from a third device, so the answers go nowhere.
    let connections = evil.connections.lock().clone();
    let (asking, asked) = (connections[0].1.clone(), connections[1].1.clone());
    tokio::spawn(async move {
        while let Ok(packet) = asking.read_datagram().await {
            let _ = asked.send_datagram(datagram(2, PeerKey([8; 32]), &packet[10..]));
        }
    });
    let asked = connections[1].1.clone();
    let asking = connections[0].1.clone();
    tokio::spawn(async move {
        while let Ok(packet) = asked.read_datagram().await {
            let _ = asking.send_datagram(datagram(2, other_key(), &packet[10..]));
        }
    });
    let called = through(&one, &from_one, other.endpoint.key()).await;
    assert!(called.is_err(), "a device was believed that came under another name");
    assert_eq!(other.endpoint.counts().members_admitted, 0);
}

fn other_key() -> PeerKey {
    identity(3).key()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_a_relay_is_bounded_and_others_still_come_in() {
    let (one, mut other, _from_one, _from_other, evil) = evil_three().await;
    let (_, victim) = evil.connections.lock()[1].clone();
    let wide = async {
        while victim.max_datagram_size().is_none_or(|most| most < 1210) {
            tokio::task::yield_now().await;
        }
    };
    soon(wide).await;
    for number in 0..20_000u32 {
        let [a, b, c, d] = number.to_be_bytes();
        let mut key = [d; 32];
        key[..4].copy_from_slice(&[a, b, c, d]);
        // A packet that opens a connection, as far as can be told without opening it: version 1, two ids, no token, a
        // length of 1182.
        let opening = [&[0xc0, 0, 0, 0, 1, 8][..], &key[..8], &[0, 0, 0x44, 0x9e], &[7; 1182]].concat();
        soon(victim.send_datagram_wait(datagram(2, PeerKey(key), &opening))).await.unwrap();
    }
    let link = one.call(&other).await;
    let mut arrived = other.member().await;
    soon(link.sender.send(Lane::Control, frame(1, 1))).await.unwrap();
    assert_eq!(next(&mut arrived).await.0, Lane::Control);
    let counts = other.endpoint.counts();
    assert_eq!(counts.members_admitted, 1);
    assert!(counts.handshakes_failed > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_cut_off_takes_its_way_through_it_along() {
    let mut three = Three::new().await;
    let (here, _there) = three.relayed().await;
    // The relay loses the other one.
    drop(three.at_middle.pop());
    let ended = async {
        while !here.sender.is_closed() {
            let _ = here.sender.try_send(Lane::Control, frame(1, 1));
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
    assert!(!three.from_one.sender.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_links_carry_and_relayed_ones_do_not() {
    let (one, _other, here, _there) = two().await;
    let carrier = one.endpoint.carrier(here.sender.id());
    assert!(RelayAddress::of(&carrier.address_of(&PeerKey([4; 32])).to_socket()).is_some());
    let wide = async {
        while !carrier.is_wide_enough() {
            tokio::task::yield_now().await;
        }
    };
    soon(wide).await;
}
