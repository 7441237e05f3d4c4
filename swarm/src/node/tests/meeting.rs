//! What two tell each other when they meet.

use super::ordering::{drain, say};
use super::*;

/// How often all facts were told to a peer that knows, or does not know, the same.
fn facts_told(same: bool) -> usize {
    let mut node = node();
    for peer in [1, 2] {
        node.handle(10, Input::Connected { peer: key(peer).id(), rtt_ms: 3 });
    }
    say(&mut node, 10, 1, &hello(1));
    say(&mut node, 10, 2, &hello(2));
    node.handle(20, Input::Disconnected { peer: key(2).id() });
    node.handle(30, Input::Connected { peer: key(2).id(), rtt_ms: 3 });
    drop(drain(&mut node));
    let mut digests = node.digests();
    if !same {
        digests.facts = [9; 16];
    }
    let hello = Message::Hello {
        workspace: workspace(),
        capabilities: CAPABILITIES,
        heard: true,
        digests,
        facts: Some(facts(2, 1, false).as_bytes().to_vec()),
    };
    say(&mut node, 30, 2, &hello);
    let told = drain(&mut node).into_iter().filter_map(|output| match output {
        Output::Send { parts, .. } => Message::decode(&parts.concat().into()).ok(),
        _ => None,
    });
    told.filter(|(message, _)| matches!(message, Message::Facts(_))).count()
}

#[test]
fn all_facts_are_told_once_to_who_knows_others_and_never_to_who_knows_the_same() {
    assert_eq!(facts_told(false), 1);
    assert_eq!(facts_told(true), 0);
}
