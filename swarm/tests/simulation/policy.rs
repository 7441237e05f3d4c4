//! How many copies are wanted changes while the group lives, and who waits for copies is answered.

use swarm::Input;

use crate::machine::Kind;
use crate::scenarios::{MINUTE_MS, host, hosts, started};
use crate::world::World;

/// Longer than a beat, a look for surplus and the pause between two of them.
const REST_MS: u64 = 20 * MINUTE_MS;

fn work(world: &mut World, edits: usize) {
    for _ in 0..edits {
        world.edit_somewhere();
        world.run(100);
    }
}

/// Two halves that do not see each other: the first so many, and the rest.
fn part(world: &mut World, first: usize) {
    for a in 0..first {
        for b in first..world.machines.len() {
            world.cable(a, b, false);
        }
    }
}

#[test]
fn changed_under_partition_the_group_comes_to_rest_with_the_right_copies() {
    let mut world = started(&hosts(6));
    work(&mut world, 60);
    world.settle(MINUTE_MS);
    part(&mut world, 3);
    world.decide(0, 2);
    work(&mut world, 40);
    world.run(5 * MINUTE_MS);
    world.mend_all();
    world.settle_exactly(REST_MS);
    part(&mut world, 2);
    world.decide(5, 4);
    work(&mut world, 40);
    world.run(5 * MINUTE_MS);
    world.mend_all();
    world.settle_exactly(REST_MS);
}

#[test]
fn of_two_decisions_on_both_sides_one_comes_true_on_all() {
    let mut world = started(&hosts(5));
    work(&mut world, 40);
    world.settle(MINUTE_MS);
    part(&mut world, 2);
    world.decide(0, 2);
    world.decide(4, 5);
    work(&mut world, 40);
    world.mend_all();
    world.settle_exactly(REST_MS);
    let wanted = world.machines.iter().map(|machine| machine.node.view(world.now).copies.target);
    let wanted: Vec<_> = wanted.collect();
    assert!(wanted.iter().all(|target| *target == wanted[0]), "{wanted:?}");
}

#[test]
fn a_decision_survives_a_crash_in_the_middle_of_it() {
    for steps in 0..12 {
        let mut world = started(&hosts(4));
        work(&mut world, 30);
        world.settle(MINUTE_MS);
        world.decide(0, 2);
        world.settle_exactly(REST_MS);
        world.decide(0, 4);
        world.run(150 * steps);
        (0..4).for_each(|index| world.crash(index));
        (0..4).for_each(|index| world.boot(index));
        if world.machines[0].log.roster().policy().copies.target != 4 {
            // It was not durable yet: power took it.
            world.decide(0, 4);
        }
        world.settle_exactly(REST_MS);
    }
}

#[test]
fn who_gives_no_room_any_more_gives_its_copies_up_and_they_are_elsewhere() {
    let mut world = started(&hosts(4));
    work(&mut world, 40);
    world.settle(MINUTE_MS);
    world.machines[3].kind.contributed = 0;
    let facts = world.machines[3].facts(world.now);
    world.feed(3, Input::OwnFacts(facts));
    world.settle_exactly(REST_MS);
    world.machines[3].disk.evict();
    assert!(world.machines[3].disk.chunks.is_empty());
}

#[test]
fn nothing_is_given_up_while_an_owner_is_away() {
    let mut world = started(&hosts(4));
    work(&mut world, 60);
    world.settle(MINUTE_MS);
    let placed = |world: &World, index: usize| {
        world.machines[index].disk.chunks.values().filter(|held| held.placed).count()
    };
    let before = placed(&world, 0);
    (1..4).for_each(|index| world.crash(index));
    world.decide(0, 2);
    world.run(REST_MS);
    assert_eq!(placed(&world, 0), before);
    (1..4).for_each(|index| world.boot(index));
    world.settle_exactly(REST_MS);
}

fn await_copies(world: &mut World, ticket: u64, copies: usize) {
    let sequence = world.machines[0].log.frontier().0[&world.machines[0].device()];
    world.feed(0, Input::AwaitCopies { ticket, sequence, copies });
}

#[test]
fn who_waits_for_copies_is_answered_when_they_are_there_and_told_in_time_when_not() {
    let mut world = started(&hosts(2));
    let put = |world: &mut World, number: u64| {
        world.put_chunk(0, crate::scenarios::bytes(number, 10_000));
        world.edit_at(0);
        world.run(500);
    };
    put(&mut world, 1);
    await_copies(&mut world, 1, 2);
    world.run(5_000);
    assert_eq!(world.machines[0].copied, [(1, true)]);
    world.crash(1);
    put(&mut world, 2);
    await_copies(&mut world, 2, 2);
    world.run(29_000);
    assert_eq!(world.machines[0].copied.len(), 1, "somebody may come back");
    world.run(2_000);
    assert_eq!(world.machines[0].copied[1..], [(2, false)]);
    await_copies(&mut world, 3, 2);
    world.boot(1);
    world.run(20_000);
    assert_eq!(world.machines[0].copied[2..], [(3, true)]);
    await_copies(&mut world, 4, 3);
    world.run(MINUTE_MS);
    assert_eq!(world.machines[0].copied[3..], [(4, false)], "three there are not");
}

#[test]
fn two_of_three_are_enough_for_who_waits_for_two() {
    let mut world = started(&hosts(3));
    world.crash(2);
    world.put_chunk(0, crate::scenarios::bytes(1, 10_000));
    world.edit_at(0);
    world.run(500);
    await_copies(&mut world, 1, 2);
    await_copies(&mut world, 2, 3);
    world.run(5_000);
    assert_eq!(world.machines[0].copied, [(1, true)]);
}

#[test]
fn a_computer_that_keeps_nothing_waits_for_others_and_counts_itself() {
    let mut world = started(&[Kind { contributed: 0, ..host(1) }, host(10), host(10)]);
    world.put_chunk(0, crate::scenarios::bytes(1, 10_000));
    world.edit_at(0);
    world.run(500);
    await_copies(&mut world, 1, 2);
    world.run(5_000);
    assert_eq!(world.machines[0].copied, [(1, true)]);
    await_copies(&mut world, 2, 9);
    world.run(MINUTE_MS);
    assert_eq!(world.machines[0].copied[1..], [(2, false)]);
}
