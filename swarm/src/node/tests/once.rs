//! No chunk is sent here by two.

use super::ordering::{drain, say};
use super::*;

fn answers(outputs: &[Output], peer: u8) -> Vec<Answer> {
    let answer = |output: &Output| match output {
        Output::Send { peer: to, parts, .. } if *to == key(peer).id() => {
            match Message::decode(&parts.concat().into()).unwrap().0 {
                Message::Want { answers, .. } => Some(answers),
                _ => None,
            }
        }
        _ => None,
    };
    outputs.iter().filter_map(answer).flatten().collect()
}

/// Answers all jobs as a store would that has none of the chunks, and finds this one damaged.
fn work_off(node: &mut Node, now: u64, damaged: ChunkId) -> Vec<Output> {
    let mut all = Vec::new();
    loop {
        let outputs = drain(node);
        if outputs.is_empty() {
            return all;
        }
        for output in outputs {
            if let Output::Job { id: job, job: asked } = &output {
                let result = match asked {
                    Job::Damaged { .. } => JobResult::Ids(vec![damaged]),
                    Job::Have { ids } => JobResult::Have(vec![false; ids.len()]),
                    _ => JobResult::Failed,
                };
                node.handle(now, Input::Done { job: *job, result });
            }
            all.push(output);
        }
    }
}

#[test]
fn what_was_asked_of_one_to_mend_it_is_not_wanted_of_another() {
    let mut node = node();
    for peer in 1..=2 {
        node.handle(10, Input::Connected { peer: key(peer).id(), rtt_ms: 3 });
        say(&mut node, 10, peer, &hello(peer));
    }
    work_off(&mut node, 20, id(1));
    node.handle(30, Input::Damaged);
    node.handle(20_000, Input::Tick);
    let outputs = work_off(&mut node, 20_000, id(1));
    let asked = outputs.iter().any(|output| match output {
        Output::Send { parts, .. } => {
            let (message, _) = Message::decode(&parts.concat().into()).unwrap();
            message == Message::Get { id: id(1).0, now: false }
        }
        _ => false,
    });
    assert!(asked, "it is fetched from one of them");
    let offer = Message::Offer { batch: 7, ids: vec![id(1).0, id(2).0] };
    say(&mut node, 20_010, 2, &offer);
    let outputs = work_off(&mut node, 20_010, id(1));
    assert_eq!(answers(&outputs, 2), [Answer::Later, Answer::Want]);
    // And what is to come from one is not wanted of the other.
    say(&mut node, 20_020, 1, &offer);
    let outputs = work_off(&mut node, 20_020, id(1));
    assert_eq!(answers(&outputs, 1), [Answer::Later, Answer::Later]);
}
