//! What a member repeats without end costs a bounded amount of work each second.

use super::ordering::{drain, say};
use super::*;

const SECONDS: u64 = 10;

/// A node with peers 1 and 2 connected, at rest.
fn connected() -> Node {
    let mut node = node();
    for peer in [1, 2] {
        node.handle(0, Input::Connected { peer: key(peer).id(), rtt_ms: 3 });
        say(&mut node, 0, peer, &hello(peer));
    }
    drop(drain(&mut node));
    node
}

/// Messages sent to a peer that this holds for.
fn sent(outputs: &[Output], to: u8, is: impl Fn(&Message) -> bool) -> usize {
    let held = |output: &&Output| match output {
        Output::Send { peer, parts, .. } if *peer == key(to).id() => {
            Message::decode(&parts.concat().into()).is_ok_and(|(message, _)| is(&message))
        }
        _ => false,
    };
    outputs.iter().filter(held).count()
}

/// Ten seconds in which peer 1 says something every millisecond.
fn repeat(node: &mut Node, message: impl Fn(u64) -> Message) -> Vec<Output> {
    for now in 1..=SECONDS * 1_000 {
        say(node, now, 1, &message(now));
    }
    drain(node)
}

#[test]
fn questions_for_the_frontier_are_answered_at_a_pace() {
    let mut node = connected();
    let outputs = repeat(&mut node, |_| Message::AskFrontier);
    let is_frontier = |message: &Message| matches!(message, Message::Frontier { .. });
    let answers = sent(&outputs, 1, is_frontier);
    assert!((4..=4 + SECONDS as usize).contains(&answers), "{answers}");
    say(&mut node, SECONDS * 1_000 + 5_000, 1, &Message::AskFrontier);
    assert_eq!(sent(&drain(&mut node), 1, is_frontier), 1, "and who asks later is answered");
    say(&mut node, SECONDS * 1_000 + 5_000, 2, &Message::AskFrontier);
    assert_eq!(sent(&drain(&mut node), 2, is_frontier), 1, "as is another");
}

#[test]
fn facts_that_rise_without_end_are_believed_at_a_pace() {
    let mut node = connected();
    let rising = |now| Message::Facts(vec![facts(1, now + 1, now % 2 == 0).as_bytes().to_vec()]);
    let outputs = repeat(&mut node, rising);
    let passed_on = sent(&outputs, 2, |message| matches!(message, Message::Facts(_)));
    assert!((8..=8 + 2 * SECONDS as usize).contains(&passed_on), "{passed_on}");
    let other = Message::Facts(vec![facts(2, 9, true).as_bytes().to_vec()]);
    say(&mut node, SECONDS * 1_000, 1, &other);
    let issued = |node: &Node, peer: usize| {
        node.view(SECONDS * 1_000).peers[peer].facts.as_ref().map(|facts| facts.issued_ms)
    };
    assert_eq!(issued(&node, 1), Some(9), "what another says is not held up");
    let later = SECONDS * 1_000 + 1_000;
    say(&mut node, later, 1, &rising(later));
    assert_eq!(issued(&node, 0), Some(later + 1));
}

fn ended(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Disconnect { .. })).count()
}

#[test]
fn a_hello_with_forged_facts_is_not_answered() {
    let mut node = node();
    node.handle(0, Input::Connected { peer: key(1).id(), rtt_ms: 3 });
    drop(drain(&mut node));
    let Message::Hello { workspace, capabilities, heard, digests, facts: Some(mut forged) } = hello(1) else {
        unreachable!("a hello has facts")
    };
    *forged.last_mut().unwrap() ^= 1;
    let hello = Message::Hello { workspace, capabilities, heard, digests, facts: Some(forged) };
    say(&mut node, 10, 1, &hello);
    let outputs = drain(&mut node);
    assert_eq!((ended(&outputs), sent(&outputs, 1, |_| true)), (1, 0));
}

#[test]
fn facts_that_nobody_signed_end_the_link_and_hold_up_no_true_ones() {
    let mut node = connected();
    let mut forged = facts(2, 50, false).as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    say(&mut node, 10, 1, &Message::Facts(vec![forged; 20]));
    assert_eq!(ended(&drain(&mut node)), 1);
    assert_eq!(node.view(10).counters.bad_messages, 1);
    say(&mut node, 10, 2, &Message::Facts(vec![facts(2, 51, true).as_bytes().to_vec()]));
    assert_eq!(node.view(10).peers[1].facts.as_ref().map(|facts| facts.issued_ms), Some(51));
}
