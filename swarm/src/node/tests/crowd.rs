//! What one says among many.

use super::ordering::{drain, say};
use super::*;

fn device(number: u8) -> DeviceKey {
    DeviceKey::generate(&mut |buffer: &mut [u8]| buffer.fill(number + 1))
}

fn facts_of(device: &DeviceKey, issued: u64) -> Vec<u8> {
    let mut said = facts(0, issued, false).facts().clone();
    said.device = device.id();
    SignedFacts::sign(device, workspace(), said).as_bytes().to_vec()
}

/// To how many all facts were told when so many others were met, each with other facts, at one moment; and to how many those of one
/// of them were passed on.
fn told_among(count: u8) -> (usize, usize) {
    let others: Vec<_> = (1..=count).map(device).collect();
    let mut node = node();
    let member =
        |key: &DeviceKey| Member { device: key.id(), key: key.public(), holds_keys: true, may_host: true };
    node.handle(5, Input::Members(others.iter().chain([key(0)]).map(member).collect()));
    for other in &others {
        node.handle(10, Input::Connected { peer: other.id(), rtt_ms: 3 });
    }
    let greet = |node: &mut Node, other: &DeviceKey| {
        let frame = hello(1).encode();
        node.handle(10, Input::Frame { peer: other.id(), lane: hello(1).lane(), bytes: frame });
    };
    let facts_sent = |outputs: Vec<Output>| {
        let told = outputs.into_iter().filter_map(|output| match output {
            Output::Send { parts, .. } => Message::decode(&parts.concat().into()).ok(),
            _ => None,
        });
        told.filter(|(message, _)| matches!(message, Message::Facts(_))).count()
    };
    others.iter().for_each(|other| greet(&mut node, other));
    let met = facts_sent(drain(&mut node));
    let news = Message::Facts(vec![facts_of(&others[1], 500)]);
    say(&mut node, 10_000, 1, &news);
    (met, facts_sent(drain(&mut node)))
}

#[test]
fn facts_are_passed_on_to_sixteen_and_all_is_told_to_sixteen_at_once() {
    assert_eq!(told_among(10).1, 9, "all but who told them");
    let (met, passed) = told_among(60);
    assert_eq!(passed, 16);
    assert!(met <= 16 + 16, "{met}");
}
