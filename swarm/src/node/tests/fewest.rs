//! What fewer hosts have goes first.

use super::ordering::{drain, say};
use super::*;

fn reads_for(outputs: &[Output], peer: u8) -> Vec<ChunkId> {
    let read = |output: &Output| match output {
        Output::Job { job: Job::Read { id, peer: to, .. }, .. } if *to == key(peer).id() => Some(*id),
        _ => None,
    };
    outputs.iter().filter_map(read).collect()
}

#[test]
fn what_no_other_host_has_goes_before_what_one_has() {
    let mut node = node();
    for peer in 1..=2 {
        node.handle(10, Input::Connected { peer: key(peer).id(), rtt_ms: 3 });
        say(&mut node, 10, peer, &hello(peer));
    }
    node.handle(20, Input::Fresh { ids: vec![id(1), id(2), id(3)], overflowed: false });
    let want = |answers: [Answer; 3]| Message::Want { batch: 0, answers: answers.to_vec() };
    say(&mut node, 30, 1, &want([Answer::Have, Answer::Later, Answer::Have]));
    drop(drain(&mut node));
    say(&mut node, 40, 2, &want([Answer::Want, Answer::Want, Answer::Want]));
    // The window has room for one.
    assert_eq!(reads_for(&drain(&mut node), 2), [id(2)]);
}
