//! What those get who mean harm: nothing, and they cost little.

use std::sync::Arc;

use quinn::{ClientConfig, Connection, TransportConfig, VarInt};

use super::fixture::{Device, frame, identity, soon, two};
use crate::lane::LANE_HEADER_BYTES;
use crate::tls::{self, ALPN_MEMBER};
use crate::{CloseCode, ConnectError, Ended, Lane, PeerKey};

/// A client of quinn's own that takes what it is given and keeps no rule.
pub(super) async fn raw_call(device: &Device, number: u8) -> Result<Connection, quinn::ConnectionError> {
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let (client, _) = tls::client(&identity(number), None, ALPN_MEMBER).unwrap();
    let mut config = ClientConfig::new(Arc::new(client));
    let mut transport = TransportConfig::default();
    transport.max_concurrent_uni_streams(VarInt::from_u32(100));
    config.transport_config(Arc::new(transport));
    endpoint.connect_with(config, device.endpoint.address(), "x").unwrap().await
}

fn closed_with(code: CloseCode) -> impl Fn(&Ended) -> bool {
    move |ended| matches!(ended, Ended::ByPeer { code: found, .. } if *found == code)
}

#[tokio::test]
async fn a_stranger_is_turned_away_and_gets_no_stream() {
    let (member, stranger) = (Device::new(1), Device::new(2));
    let outcome = soon(stranger.endpoint.connect(member.endpoint.address(), member.endpoint.key())).await;
    let Err(ConnectError::Ended(ended)) = outcome else { panic!("a stranger was let in") };
    assert!(closed_with(CloseCode::NotAdmitted)(&ended), "{ended}");
    assert_eq!(member.endpoint.counts().strangers_refused, 1);

    // One that waits for no admission: it has a connection, but never the credit for a stream, and none is opened to it.
    let connection = soon(raw_call(&member, 3)).await.unwrap();
    assert!(soon(connection.open_uni()).await.is_err());
    assert!(soon(connection.open_bi()).await.is_err());
    assert!(soon(connection.accept_uni()).await.is_err());
    assert!(closed_with(CloseCode::NotAdmitted)(&soon(connection.closed()).await.into()));
    assert_eq!(member.endpoint.counts().strangers_refused, 2);
}

#[tokio::test]
async fn another_key_than_the_pinned_one_is_named() {
    let (one, other) = (Device::new(1), Device::new(2));
    let outcome = soon(one.endpoint.connect(other.endpoint.address(), PeerKey([7; 32]))).await;
    let Err(ConnectError::WrongPeer { found }) = outcome else { panic!("an impostor was believed") };
    assert_eq!(found, other.endpoint.key());
}

/// A link from a member of which the other end is in the test's hand.
async fn turned_member() -> (Device, crate::Link, Connection) {
    let (mut device, raw) = (Device::new(1), Device::new(9));
    device.admit(&raw);
    let connection = soon(raw_call(&device, 9)).await.unwrap();
    let link = device.member().await;
    (device, link, connection)
}

#[tokio::test]
async fn a_length_past_the_limit_closes_the_link_before_anything_is_allocated() {
    for lane in crate::LANES {
        let (device, mut link, connection) = turned_member().await;
        let mut stream = soon(connection.open_uni()).await.unwrap();
        soon(stream.write_all(&lane.header())).await.unwrap();
        soon(stream.write_all(&u32::MAX.to_be_bytes())).await.unwrap();
        assert!(soon(link.receiver.recv()).await.is_err());
        assert!(closed_with(CloseCode::Protocol)(&soon(connection.closed()).await.into()));
        assert_eq!(device.endpoint.counts().frames_too_large, 1);
    }
}

#[tokio::test]
async fn streams_that_are_no_lanes_close_the_link() {
    let headers: [&[u8]; 3] = [b"PDlx\x01\x00", b"PDln\x02\x00", b"PDln\x01\x04"];
    for header in headers {
        assert_eq!(header.len(), LANE_HEADER_BYTES);
        let (device, mut link, connection) = turned_member().await;
        let mut stream = soon(connection.open_uni()).await.unwrap();
        soon(stream.write_all(header)).await.unwrap();
        assert!(soon(link.receiver.recv()).await.is_err());
        assert_eq!(device.endpoint.counts().lanes_malformed, 1);
    }
}

#[tokio::test]
async fn a_lane_is_opened_once_and_no_fifth_stream_ever() {
    let (device, mut link, connection) = turned_member().await;
    let mut streams = Vec::new();
    for lane in crate::LANES {
        let mut stream = soon(connection.open_uni()).await.unwrap();
        soon(stream.write_all(&lane.header())).await.unwrap();
        streams.push(stream);
    }
    let fifth = tokio::time::timeout(std::time::Duration::from_millis(200), connection.open_uni());
    assert!(fifth.await.is_err(), "a fifth stream was granted");
    // A lane that ended gives its stream back; another of the same kind is still not taken.
    soon(streams[0].write_all(&1u32.to_be_bytes())).await.unwrap();
    soon(streams[0].write_all(b"x")).await.unwrap();
    assert_eq!(soon(link.receiver.recv()).await, Ok((Lane::Control, b"x"[..].into())));
    streams[0].finish().unwrap();
    let mut again = soon(connection.open_uni()).await.unwrap();
    soon(again.write_all(&Lane::Control.header())).await.unwrap();
    assert!(soon(link.receiver.recv()).await.is_err());
    assert_eq!(device.endpoint.counts().lanes_malformed, 1);
}

#[tokio::test]
async fn a_member_opens_no_other_streams() {
    let (_device, _link, connection) = turned_member().await;
    let bidirectional = tokio::time::timeout(std::time::Duration::from_millis(200), connection.open_bi());
    assert!(bidirectional.await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_two_thousand_calls_is_bounded_and_members_still_come_in() {
    let (mut device, member) = (Device::new(1), Device::new(2));
    device.admit(&member);
    let stranger = Device::new(3);
    let (address, key) = (device.endpoint.address(), device.endpoint.key());
    let calls: Vec<_> = (0..2000)
        .map(|_| {
            let endpoint = stranger.endpoint.clone();
            tokio::spawn(async move { endpoint.connect(address, key).await.is_err() })
        })
        .collect();
    for call in calls {
        assert!(soon(call).await.unwrap(), "a stranger was let in");
    }
    let link = member.call(&device).await;
    let mut arrived = device.member().await;
    soon(link.sender.send(Lane::Control, frame(1, 1))).await.unwrap();
    assert_eq!(soon(arrived.receiver.recv()).await.unwrap().0, Lane::Control);
    let counts = device.endpoint.counts();
    assert_eq!(counts.members_admitted, 1);
    assert!(counts.handshakes_refused > 0, "{counts:?}");
}

#[tokio::test]
async fn no_pairing_without_an_invitation_and_not_more_than_eight_at_once() {
    let mut device = Device::new(1);
    let caller = Device::new(2);
    let refused = soon(caller.endpoint.connect_to_pair(device.endpoint.address())).await.unwrap();
    assert!(closed_with(CloseCode::PairingClosed)(&soon(refused.connection.closed()).await.into()));
    device.open_pairing();
    let mut links = Vec::new();
    for _ in 0..8 {
        links.push(soon(caller.endpoint.connect_to_pair(device.endpoint.address())).await.unwrap());
        links.push(device.pairing().await);
    }
    let ninth = soon(caller.endpoint.connect_to_pair(device.endpoint.address())).await.unwrap();
    assert!(closed_with(CloseCode::Busy)(&soon(ninth.connection.closed()).await.into()));
    assert_eq!(device.endpoint.counts().pairings_refused, 2);
}

#[tokio::test]
async fn a_removed_member_is_told_and_stays_out() {
    let (one, other, here, there) = two().await;
    other.roster.remove(&one);
    there.sender.close(crate::CloseReason::Removed);
    assert!(closed_with(CloseCode::Removed)(&soon(here.sender.closed()).await));
    let outcome = soon(one.endpoint.connect(other.endpoint.address(), other.endpoint.key())).await;
    assert!(
        matches!(outcome, Err(ConnectError::Ended(ended)) if closed_with(CloseCode::NotAdmitted)(&ended))
    );
}

#[tokio::test]
async fn a_member_has_eight_links_at_most_and_a_new_one_for_each_that_ends() {
    let (mut device, member) = (Device::new(1), Device::new(2));
    device.admit(&member);
    let mut links = Vec::new();
    for _ in 0..8 {
        links.push((member.call(&device).await, device.member().await));
    }
    let (to, key) = (device.endpoint.address(), device.endpoint.key());
    let ninth = soon(member.endpoint.connect(to, key)).await;
    assert!(matches!(ninth, Err(ConnectError::Ended(ended)) if closed_with(CloseCode::Busy)(&ended)));
    let (ended, arrived) = links.pop().unwrap();
    ended.sender.close(crate::CloseReason::Done);
    soon(arrived.sender.closed()).await;
    // The place is free a moment after the link has ended.
    let again = async {
        while member.endpoint.connect(to, key).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(again).await;
}

#[tokio::test]
async fn arrivals_end_with_the_endpoint() {
    let mut device = Device::new(1);
    soon(device.endpoint.close()).await;
    assert!(soon(device.arrivals.next()).await.is_none());
}
