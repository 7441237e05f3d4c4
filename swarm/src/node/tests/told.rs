//! What a node tells people of others: how their reading went, and what each owns.

use super::ordering::{drain, say};
use super::*;
use crate::view::{OWNED_GROUP_PARTITIONS, Scrubbed};

const SCRUBBED: Scrubbed =
    Scrubbed { every_s: 60, ended_ms: 5, bytes: 7, bad_chunks: 1, damaged_chunks: 0, healed_chunks: 1 };

/// Those to whom a node says how its reading went.
fn told(node: &mut Node) -> Vec<DeviceId> {
    let said = drain(node).into_iter().filter_map(|output| match output {
        Output::Send { peer, parts, .. } => Some((peer, Message::decode(&parts.concat().into()).ok()?.0)),
        _ => None,
    });
    let scrubbed = said.filter_map(|(peer, message)| match message {
        Message::Scrubbed(said) => {
            assert_eq!(said, SCRUBBED);
            Some(peer)
        }
        _ => None,
    });
    scrubbed.collect()
}

fn connect(node: &mut Node, number: u8, capabilities: u32) {
    node.handle(10, Input::Connected { peer: key(number).id(), rtt_ms: 1 });
    let Message::Hello { workspace, heard, digests, facts, .. } = hello(number) else { unreachable!() };
    say(node, 10, number, &Message::Hello { workspace, capabilities, heard, digests, facts });
}

#[test]
fn how_reading_went_is_told_to_those_who_know_the_message() {
    let mut node = node();
    connect(&mut node, 1, CAPABILITIES);
    connect(&mut node, 2, CAPABILITIES & !crate::wire::CAN_HEAR_SCRUBBED);
    assert_eq!(told(&mut node), []);
    node.handle(10, Input::Scrubbed(SCRUBBED));
    assert_eq!(told(&mut node), [key(1).id()]);
    node.handle(10, Input::Scrubbed(SCRUBBED));
    assert_eq!(told(&mut node), [], "it is the same");
    connect(&mut node, 3, CAPABILITIES);
    assert_eq!(told(&mut node), [key(3).id()], "who comes later hears it too");
}

#[test]
fn what_others_say_of_their_reading_is_kept_until_they_are_no_members() {
    let mut node = node();
    connect(&mut node, 1, CAPABILITIES);
    let said = |node: &Node| {
        let view = node.view(10);
        view.peers.iter().find(|peer| peer.device == key(1).id()).and_then(|peer| peer.scrubbed)
    };
    assert_eq!(said(&node), None);
    say(&mut node, 10, 1, &Message::Scrubbed(SCRUBBED));
    assert_eq!(said(&node), Some(SCRUBBED));
    node.handle(11, Input::Disconnected { peer: key(1).id() });
    assert_eq!(said(&node), Some(SCRUBBED), "it is still what it last said");
    node.handle(12, Input::Members(Vec::new()));
    node.handle(13, members(false));
    assert_eq!(said(&node), None);
}

#[test]
fn owned_partitions_add_up() {
    let mut node = node();
    (1..=PEERS).for_each(|number| connect(&mut node, number, CAPABILITIES));
    let owned = node.owned();
    assert_eq!(owned.len(), usize::from(PEERS) + 1);
    let all: u32 = owned.iter().map(|of| u32::from(of.partitions)).sum();
    assert_eq!(all, 3 * u32::from(chunkstore::PARTITIONS), "three copies of each");
    for of in &owned {
        assert_eq!(of.groups.iter().map(|count| u16::from(*count)).sum::<u16>(), of.partitions);
        assert!(of.groups.iter().all(|count| u16::from(*count) <= OWNED_GROUP_PARTITIONS));
        assert!((2500..3600).contains(&of.partitions), "all give the same: {}", of.partitions);
    }
}
