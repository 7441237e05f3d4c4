//! Where hosts have no room others stand in for them: what these lost, and what only a full one has, gets its copies again.

use chunkstore::ChunkId;
use swarm::placement::{HostWeight, owners};

use crate::machine::Machine;
use crate::scenarios::{MINUTE_MS, hosts, started};
use crate::verdict::live_chunks;
use crate::world::World;

const FULL: usize = 4;
const TARGET: usize = 3;

/// Five hosts, of which the last ran full in the midst of work.
fn one_is_full() -> World {
    let mut world = started(&hosts(5));
    let work = |world: &mut World| {
        for _ in 0..60 {
            let by = world.random.index(FULL);
            world.edit_at(by);
            world.run(100);
        }
    };
    work(&mut world);
    let disk = &mut world.machines[FULL].disk;
    disk.limit = disk.used;
    work(&mut world);
    assert!(world.machines[FULL].full);
    world.settle(2 * MINUTE_MS);
    world
}

/// Owners of a chunk with room for it or not, and those that have room.
fn owners_of(world: &World, id: &ChunkId) -> (Vec<usize>, Vec<usize>) {
    let weights: Vec<_> = world.machines.iter().map(Machine::weight).collect();
    let roomy: Vec<_> = weights.iter().map(|host| HostWeight { full: false, ..host.clone() }).collect();
    let of = |weights: &[HostWeight]| {
        let owners = owners(id.partition(), weights, TARGET);
        owners.iter().map(|device| world.index_of(device)).collect()
    };
    (of(&roomy), of(&weights))
}

fn copies(world: &World, id: &ChunkId) -> usize {
    world.machines.iter().filter(|machine| machine.disk.placed(id)).count()
}

/// Chunks for which this one stands in, since the full one has them not.
fn stood_in_for(world: &mut World, index: usize) -> Vec<ChunkId> {
    let live = live_chunks(&mut world.machines[0]).into_iter();
    let stands_in = |id: &ChunkId| {
        let (firm, current) = owners_of(world, id);
        !world.machines[FULL].disk.placed(id) && current.contains(&index) && !firm.contains(&index)
    };
    live.filter(stands_in).collect()
}

#[test]
fn who_stood_in_for_a_full_host_and_was_wiped_gets_that_again_and_no_more() {
    for stand_in in 0..FULL {
        let mut world = one_is_full();
        let lost = stood_in_for(&mut world, stand_in);
        assert!(lost.len() > 3, "{stand_in} stands in for {} chunks", lost.len());
        let live = live_chunks(&mut world.machines[0]);
        let before: Vec<_> = live.iter().map(|id| copies(&world, id)).collect();
        world.crash(stand_in);
        world.machines[stand_in].wipe();
        world.boot(stand_in);
        world.run(15 * MINUTE_MS);
        assert!(lost.iter().all(|id| world.machines[stand_in].disk.placed(id)));
        // What it had of the full one's before is not made up for.
        for (id, before) in live.iter().zip(before) {
            let now = copies(&world, id);
            assert!(now >= TARGET && now <= before, "{id} with {stand_in} wiped: {now} copies of {before}");
        }
    }
}

#[test]
fn what_is_on_a_full_host_alone_is_copied_to_those_who_own_it_too() {
    let mut world = one_is_full();
    let live = live_chunks(&mut world.machines[0]);
    let alone: Vec<_> = live.into_iter().filter(|id| world.machines[FULL].disk.placed(id)).take(9).collect();
    for id in &alone {
        for machine in &mut world.machines[..FULL] {
            if machine.disk.chunks.remove(id).is_some() {
                machine.disk.taken.insert(*id);
            }
        }
    }
    (0..FULL).for_each(|index| world.crash(index));
    (0..FULL).for_each(|index| world.boot(index));
    world.run(15 * MINUTE_MS);
    assert_eq!(alone.len(), 9);
    assert!(alone.iter().all(|id| copies(&world, id) == TARGET));
}

/// Of four hosts two are full; one of the others, which had what these had no room for, is removed, and only then there is room.
#[test]
fn what_a_stand_in_had_is_copied_at_once_when_it_is_gone_and_there_is_room() {
    let mut world = started(&hosts(4));
    for full in [2, 3] {
        world.machines[full].disk.limit = world.machines[full].disk.used;
    }
    for _ in 0..60 {
        world.edit_at(0);
        world.run(100);
    }
    world.run(MINUTE_MS);
    assert!(world.machines[2].full && world.machines[3].full);
    let live = live_chunks(&mut world.machines[0]);
    let on_two = |world: &World| live.iter().filter(|id| copies(world, id) == 2).count();
    assert!(on_two(&world) > 20, "{}", on_two(&world));
    world.crash(1);
    world.give_up_copies(1);
    world.remove(0, 1);
    world.run(10_000);
    world.make_room_for_two();
    // Long before lists are gone through.
    world.run(2 * MINUTE_MS);
    let on = |id: &ChunkId| (0..4).filter(|at| *at != 1 && world.machines[*at].disk.placed(id)).count();
    let fewest = live.iter().map(on).min();
    assert_eq!(fewest, Some(TARGET));
}
