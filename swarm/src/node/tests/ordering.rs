//! Learned facts reach the disk only after the chunks that they concern were marked there.

use super::*;

/// A node that has just been told of a new host: the outputs since, and the job that marks chunks.
fn told_of_a_host() -> (Node, u64) {
    let mut node = node();
    drop(drain(&mut node));
    node.handle(10, Input::Connected { peer: key(1).id(), rtt_ms: 3 });
    say(&mut node, 10, 1, &hello(1));
    assert_eq!(learned(&drain(&mut node)), 0, "the host changes who owns what");
    node.handle(2_000, Input::Tick);
    let outputs = drain(&mut node);
    assert_eq!(learned(&outputs), 0);
    let job = requeue(&outputs).expect("the chunks of the new owner are marked");
    (node, job)
}

pub(super) fn say(node: &mut Node, now: u64, peer: u8, message: &Message) {
    node.handle(now, Input::Frame { peer: key(peer).id(), lane: Lane::Control, bytes: message.encode() });
}

pub(super) fn drain(node: &mut Node) -> Vec<Output> {
    std::iter::from_fn(|| node.poll()).collect()
}

pub(super) fn learned(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::FactsLearned(_))).count()
}

fn requeue(outputs: &[Output]) -> Option<u64> {
    outputs.iter().find_map(|output| match output {
        Output::Job { id, job: Job::Requeue { .. } } => Some(*id),
        _ => None,
    })
}

#[test]
fn learned_facts_wait_until_the_chunks_they_concern_are_marked() {
    let (mut node, job) = told_of_a_host();
    // Whatever else happens meanwhile, even that more is learned.
    node.handle(3_000, Input::LogAdvanced { frontier: Frontier::default() });
    say(&mut node, 3_000, 1, &Message::Facts(vec![facts(1, 2, false).as_bytes().to_vec()]));
    assert_eq!(learned(&drain(&mut node)), 0);
    node.handle(3_001, Input::Done { job, result: JobResult::Ok });
    assert_eq!(learned(&drain(&mut node)), 2);
}

#[test]
fn learned_facts_wait_for_another_try_when_the_marking_failed() {
    let (mut node, job) = told_of_a_host();
    node.handle(3_000, Input::Done { job, result: JobResult::Failed });
    assert_eq!(learned(&drain(&mut node)), 0);
    node.handle(9_000, Input::Tick);
    let outputs = drain(&mut node);
    assert_eq!(learned(&outputs), 0);
    let job = requeue(&outputs).expect("it is tried again");
    node.handle(9_001, Input::Done { job, result: JobResult::Ok });
    assert_eq!(learned(&drain(&mut node)), 1);
}

#[test]
fn learned_facts_that_concern_no_chunks_do_not_wait() {
    let (mut node, job) = told_of_a_host();
    node.handle(3_001, Input::Done { job, result: JobResult::Ok });
    drop(drain(&mut node));
    say(&mut node, 4_000, 1, &Message::Facts(vec![facts(1, 2, false).as_bytes().to_vec()]));
    assert_eq!(learned(&drain(&mut node)), 1);
}
