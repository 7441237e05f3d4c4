//! What a link promises to those who use it.

use std::net::{Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::fixture::{Device, frame, soon, two};
use crate::{
    CloseCode, CloseReason, ConnectError, Ended, FRAME_OVERHEAD_BYTES, LANES, Lane, Link, LinkError, Rates,
    TrySendError,
};

async fn next(link: &mut Link) -> (Lane, Bytes) {
    soon(link.receiver.recv()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_every_lane_and_size_arrive_whole_and_in_order_both_ways() {
    let (_one, _other, mut here, mut there) = two().await;
    assert_eq!(here.sender.peer(), _other.endpoint.key());
    assert_eq!(there.sender.peer(), _one.endpoint.key());
    for lane in LANES {
        for (byte, length) in [(1, 0), (2, 1), (3, 1500), (4, 100_000), (5, lane.frame_max_bytes())] {
            let (head, tail) = (vec![byte; length / 3], vec![byte; length - length / 3]);
            soon(here.sender.send(lane, vec![head.into(), Bytes::new(), tail.into()])).await.unwrap();
            assert_eq!(next(&mut there).await, (lane, vec![byte; length].into()));
            soon(there.sender.send(lane, frame(byte, length))).await.unwrap();
            assert_eq!(next(&mut here).await, (lane, vec![byte; length].into()));
        }
    }
    assert!(here.sender.sent_bytes() > 0 && here.sender.received_bytes() > 0);
    assert_ne!(here.sender.id(), there.sender.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_frames_keep_their_order() {
    let (_one, _other, here, mut there) = two().await;
    let sender = here.sender.clone();
    let sending = tokio::spawn(async move {
        for number in 0..20_000u32 {
            sender.send(Lane::Log, vec![Bytes::copy_from_slice(&number.to_be_bytes())]).await.unwrap();
        }
    });
    for number in 0..20_000u32 {
        assert_eq!(next(&mut there).await.1, number.to_be_bytes()[..]);
    }
    soon(sending).await.unwrap();
}

#[tokio::test]
async fn a_frame_too_large_is_refused_before_it_is_sent() {
    let (_one, _other, here, mut there) = two().await;
    for lane in LANES {
        let max = lane.frame_max_bytes();
        let error = soon(here.sender.send(lane, frame(0, max + 1))).await.unwrap_err();
        assert_eq!(error, LinkError::FrameTooLarge { bytes: max + 1, max });
    }
    soon(here.sender.send(Lane::Control, frame(1, 1))).await.unwrap();
    assert_eq!(next(&mut there).await, (Lane::Control, vec![1].into()));
}

/// Waits until so many frames wait to be taken.
async fn arrived(link: &Link, frames: usize) {
    while link.receiver.waiting() < frames {
        tokio::task::yield_now().await;
    }
}

/// Fills the bulk lane from end to end while nobody reads at the other side; the number of frames that went in.
async fn fill_bulk(here: &Link) -> usize {
    let mut frames = 0;
    loop {
        match here.sender.try_send(Lane::Bulk, frame(9, 1 << 20)) {
            Ok(()) => frames += 1,
            Err(TrySendError::Full) => {
                let more = here.sender.send(Lane::Bulk, frame(9, 1 << 20));
                let quiet = tokio::time::timeout(std::time::Duration::from_secs(2), more);
                if quiet.await.is_err() {
                    return frames;
                }
                frames += 1;
            }
            Err(TrySendError::Link(error)) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_read_stops_the_sender_and_is_overtaken_by_urgent_frames() {
    let (_one, _other, here, mut there) = two().await;
    let frames = fill_bulk(&here).await;
    // Queue, the peer's window, the peer's inbox, and what the tasks hold: nothing else may keep frames.
    let most = 2 * Lane::Bulk.waiting_max_bytes() + (8 << 20) + (4 << 20);
    assert!((8..=most >> 20).contains(&frames), "{frames} frames of 1 MiB");
    assert!(here.sender.queued_bytes(Lane::Bulk) <= Lane::Bulk.waiting_max_bytes());
    assert!(here.sender.queued_bytes(Lane::Bulk) > 1 << 20);
    let waiting = there.receiver.waiting();
    for lane in [Lane::Urgent, Lane::Log, Lane::Control] {
        soon(here.sender.send(lane, frame(1, 1000))).await.unwrap();
    }
    // All three arrive though not one bulk frame was taken since.
    soon(arrived(&there, waiting + 3)).await;
    for lane in [Lane::Control, Lane::Log, Lane::Urgent] {
        assert_eq!(next(&mut there).await.0, lane);
    }
    for _ in 0..frames {
        assert_eq!(next(&mut there).await, (Lane::Bulk, vec![9; 1 << 20].into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_handed_out_by_priority() {
    let (_one, _other, here, mut there) = two().await;
    for lane in LANES.into_iter().rev() {
        soon(here.sender.send(lane, frame(1, 10))).await.unwrap();
    }
    soon(arrived(&there, LANES.len())).await;
    for lane in LANES {
        assert_eq!(next(&mut there).await.0, lane);
    }
}

#[tokio::test]
async fn both_sides_learn_why_a_link_ends() {
    for (why, code) in [
        (CloseReason::Done, CloseCode::Done),
        (CloseReason::Removed, CloseCode::Removed),
        (CloseReason::Replaced, CloseCode::Replaced),
        (CloseReason::Protocol("bad frontier"), CloseCode::Protocol),
    ] {
        let (_one, _other, here, mut there) = two().await;
        here.sender.close(why);
        let text = if let CloseReason::Protocol(text) = why { text.to_owned() } else { String::new() };
        let ended = Ended::ByPeer { code, text };
        assert_eq!(soon(there.sender.closed()).await, ended);
        assert_eq!(soon(there.receiver.recv()).await, Err(ended.clone().into()));
        assert_eq!(soon(refused(&there)).await, ended.into());
        assert_eq!(soon(here.sender.closed()).await, Ended::Here);
        assert!(here.sender.is_closed() && there.sender.is_closed());
    }
}

/// What sending says once the queues have heard of the end.
async fn refused(link: &Link) -> LinkError {
    loop {
        match link.sender.send(Lane::Bulk, frame(0, 1)).await {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn closing_the_endpoint_tells_the_peers() {
    let (one, _other, _here, there) = two().await;
    soon(one.endpoint.close()).await;
    let ended = Ended::ByPeer { code: CloseCode::Done, text: String::new() };
    assert_eq!(soon(there.sender.closed()).await, ended);
}

#[tokio::test]
async fn dropping_the_receiver_closes_the_link() {
    let (_one, _other, here, there) = two().await;
    drop(here.receiver);
    let ended = Ended::ByPeer { code: CloseCode::Done, text: String::new() };
    assert_eq!(soon(there.sender.closed()).await, ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_survives_a_change_of_address() {
    let (one, _other, mut here, mut there) = two().await;
    let before = there.sender.remote_address();
    one.endpoint.rebind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    assert_ne!(one.endpoint.address(), before);
    soon(here.sender.send(Lane::Control, frame(1, 10))).await.unwrap();
    assert_eq!(next(&mut there).await.0, Lane::Control);
    soon(there.sender.send(Lane::Control, frame(2, 10))).await.unwrap();
    assert_eq!(next(&mut here).await.0, Lane::Control);
    assert_eq!(there.sender.remote_address(), one.endpoint.address());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_either_side_holds_bulk_back_but_not_control() {
    for (up_bytes_per_s, down_bytes_per_s) in [(1 << 10, 0), (0, 1 << 10)] {
        let (one, other, here, mut there) = two().await;
        let rates = Rates { up_bytes_per_s, down_bytes_per_s, ..Rates::default() };
        one.endpoint.set_rates(rates.clone());
        other.endpoint.set_rates(rates);
        soon(here.sender.send(Lane::Bulk, frame(9, 1 << 20))).await.unwrap();
        soon(here.sender.send(Lane::Bulk, frame(9, 1))).await.unwrap();
        soon(here.sender.send(Lane::Control, frame(1, 1))).await.unwrap();
        assert_eq!(next(&mut there).await.0, Lane::Control);
        // At this rate the rest would take a quarter of an hour, but a limit that is lifted is lifted at once.
        one.endpoint.set_rates(Rates::default());
        other.endpoint.set_rates(Rates::default());
        assert_eq!(next(&mut there).await.1.len(), 1 << 20);
        assert_eq!(next(&mut there).await.1.len(), 1);
    }
}

#[tokio::test]
async fn a_queue_counts_what_waits() {
    let (one, _other, here, _there) = two().await;
    one.endpoint.set_rates(Rates { per_peer_up: 1, ..Rates::default() });
    assert_eq!(here.sender.queued_bytes(Lane::Bulk), 0);
    // The first goes to the writer, which then owes for it.
    for _ in 0..2 {
        soon(here.sender.send(Lane::Bulk, frame(9, 1 << 20))).await.unwrap();
    }
    assert_eq!(here.sender.queued_bytes(Lane::Bulk), 2 * ((1 << 20) + FRAME_OVERHEAD_BYTES));
}

#[tokio::test]
async fn a_device_that_listens_on_all_calls_and_is_called_over_ipv4_and_ipv6() {
    let (both, other) = (Device::at("[::]:0", 7), Device::new(3));
    let port = both.endpoint.address().port();
    let not_admitted = |outcome| {
        let Err(ConnectError::Ended(ended)) = outcome else { return false };
        matches!(ended, Ended::ByPeer { code: CloseCode::NotAdmitted, .. })
    };
    let called = soon(other.endpoint.connect(([127, 0, 0, 1], port).into(), both.endpoint.key())).await;
    assert!(not_admitted(called));
    let called = soon(both.endpoint.connect(other.endpoint.address(), other.endpoint.key())).await;
    assert!(not_admitted(called));
    // Where the system has IPv6.
    if let Some(sixth) = Device::try_at("[::1]:0", 4) {
        let to = (Ipv6Addr::LOCALHOST, port).into();
        assert!(not_admitted(soon(sixth.endpoint.connect(to, both.endpoint.key())).await));
    }
}
