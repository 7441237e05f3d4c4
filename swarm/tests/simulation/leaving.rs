//! A host leaves: it may go when all it holds is elsewhere, and not before.

use swarm::{Input, Parting};

use crate::scenarios::{MINUTE_MS, bytes, hosts, started};
use crate::verdict::live_chunks;
use crate::world::World;

/// Longer than it takes to give up what is surplus.
const LEAVE_MS: u64 = 20 * MINUTE_MS;

fn worked(count: usize) -> World {
    let mut world = started(&hosts(count));
    work(&mut world);
    world.settle(MINUTE_MS);
    world
}

fn work(world: &mut World) {
    for _ in 0..60 {
        world.edit_somewhere();
        world.run(100);
    }
}

/// A person says that it leaves, or stays after all.
fn say(world: &mut World, index: usize, leaves: bool) {
    world.machines[index].leaves = leaves;
    let facts = world.machines[index].facts(world.now);
    world.feed(index, Input::OwnFacts(facts));
}

fn parting(world: &World, index: usize) -> Parting {
    world.machines[index].node.view(world.now).parting
}

/// Runs until this machine may go, and looks whether that is true.
fn wait_until_given_over(world: &mut World, index: usize, copies: usize) {
    let deadline = world.now + LEAVE_MS;
    while !parting(world, index).given_over {
        assert!(world.now < deadline, "it never may go");
        world.run(200);
    }
    let mut others = world.hosts();
    others.retain(|host| *host != index);
    for id in live_chunks(&mut world.machines[index]) {
        let placed = others.iter().filter(|host| world.machines[**host].disk.placed(&id)).count();
        assert!(placed >= copies, "{id} is on {placed} others");
    }
    let mine = world.machines[index].log.frontier();
    let knows = |host: &&usize| {
        mine.0.iter().all(|(of, number)| world.machines[**host].log.frontier().0.get(of) >= Some(number))
    };
    assert!(others.iter().filter(knows).count() >= copies);
}

/// It is taken off the roster and never seen again.
fn go(world: &mut World, index: usize) {
    world.crash(index);
    world.machines[index].destroyed = true;
    world.removed.push(index);
    for machine in 0..world.machines.len() {
        let members = world.members(machine);
        world.feed(machine, Input::Members(members));
    }
}

#[test]
fn who_was_let_go_is_not_missed() {
    for (count, copies) in [(5, 3), (4, 3), (3, 2)] {
        let mut world = worked(count);
        say(&mut world, count - 1, true);
        wait_until_given_over(&mut world, count - 1, copies);
        go(&mut world, count - 1);
        world.settle(5 * MINUTE_MS);
        world.check_reads();
        work(&mut world);
        world.settle(5 * MINUTE_MS);
    }
}

#[test]
fn who_goes_on_writing_may_go_when_that_is_elsewhere_too() {
    let mut world = worked(4);
    say(&mut world, 3, true);
    for _ in 0..60 {
        world.edit_at(3);
        world.run(100);
    }
    wait_until_given_over(&mut world, 3, 3);
    world.put_chunk(3, bytes(1, 10_000));
    world.edit_at(3);
    assert!(!parting(&world, 3).given_over && !parting(&world, 3).elsewhere, "that is nowhere else");
    world.run(2_000);
    wait_until_given_over(&mut world, 3, 3);
    go(&mut world, 3);
    world.settle(5 * MINUTE_MS);
}

#[test]
fn nobody_may_go_on_whom_others_wait_or_who_waits_for_others() {
    let mut world = worked(4);
    world.crash(0);
    say(&mut world, 3, true);
    world.run(LEAVE_MS);
    assert!(!parting(&world, 3).given_over, "an owner that is away has not got its new share");
    world.boot(0);
    wait_until_given_over(&mut world, 3, 3);
}

#[test]
fn one_of_two_may_never_go_quietly_and_knows_when_nothing_is_lost() {
    let mut world = worked(2);
    say(&mut world, 1, true);
    world.run(LEAVE_MS);
    assert!(!parting(&world, 1).given_over, "one computer alone is never safe");
    assert!(parting(&world, 1).elsewhere);
    for id in live_chunks(&mut world.machines[1]) {
        assert!(world.machines[0].disk.durable(&id));
    }
    world.crash(0);
    world.put_chunk(1, bytes(2, 10_000));
    world.edit_at(1);
    world.run(MINUTE_MS);
    assert!(!parting(&world, 1).elsewhere);
}

#[test]
fn who_stays_after_all_has_its_share_again() {
    let mut world = worked(4);
    say(&mut world, 3, true);
    world.run(MINUTE_MS);
    say(&mut world, 3, false);
    world.settle_exactly(LEAVE_MS);
    assert!(!parting(&world, 3).given_over);
    assert!(world.machines[3].disk.chunks.values().any(|held| held.placed));
}

#[test]
fn a_crash_in_the_middle_changes_nothing() {
    for steps in 0..8 {
        let mut world = worked(4);
        say(&mut world, 3, true);
        world.run(300 * steps);
        world.crash(3);
        world.run(30_000);
        world.boot(3);
        wait_until_given_over(&mut world, 3, 3);
        go(&mut world, 3);
        world.settle(5 * MINUTE_MS);
    }
}
