//! Chunks that are on all their hosts before anything names them: hosts sweep what nothing names, so the writer keeps them.

use chunkstore::ChunkId;
use swarm::placement::owners;

use crate::garbage::members_sweep;
use crate::scenarios::{MINUTE_MS, bytes, host, started};
use crate::world::World;

/// A computer that gives no room, so that what it wrote becomes cache; and three that do.
fn guest_and_three() -> World {
    let mut kinds = vec![host(10); 4];
    kinds[0].contributed = 0;
    started(&kinds)
}

/// A chunk of a file that is being written and not published.
fn put_open(world: &mut World, seed: u64) -> ChunkId {
    let id = world.put_chunk(0, bytes(seed, 50_000));
    world.machines[0].open.insert(id);
    id
}

fn publish(world: &mut World, chunks: &[ChunkId]) {
    world.publish(0, "long", chunks);
    for id in chunks {
        world.machines[0].open.remove(id);
    }
}

fn is_unreplicated(world: &World, id: &ChunkId) -> bool {
    world.machines[0].disk.chunks.get(id).is_some_and(|held| held.unreplicated)
}

fn copies(world: &World, id: &ChunkId) -> usize {
    (1..4).filter(|index| world.machines[*index].disk.placed(id)).count()
}

#[test]
fn a_file_that_is_written_for_hours_is_whole_when_it_is_published() {
    let mut world = guest_and_three();
    let id = put_open(&mut world, 1);
    for _ in 0..16 {
        world.run(15 * MINUTE_MS);
        assert_eq!(copies(&world, &id), 3);
        world.edit_somewhere();
        world.machines[0].disk.evict();
        members_sweep(&mut world);
    }
    publish(&mut world, &[id]);
    world.settle(2 * MINUTE_MS);
    world.check_reads();
    assert_eq!(copies(&world, &id), 3);
    assert!(!is_unreplicated(&world, &id), "now it may be given up");
}

#[test]
fn a_file_whose_transaction_reaches_nobody_stays_where_it_was_written() {
    let mut world = guest_and_three();
    let id = put_open(&mut world, 1);
    world.run(1_000);
    assert_eq!(copies(&world, &id), 3);
    (1..4).for_each(|other| world.cable(0, other, false));
    publish(&mut world, &[id]);
    for _ in 0..4 {
        world.run(60 * MINUTE_MS);
        world.machines[0].disk.evict();
        members_sweep(&mut world);
    }
    assert_eq!(copies(&world, &id), 0, "nobody else knows that it is needed");
    (1..4).for_each(|other| world.cable(0, other, true));
    world.settle(2 * MINUTE_MS);
    world.check_reads();
    assert_eq!(copies(&world, &id), 3);
}

#[test]
fn a_chunk_that_nothing_will_ever_name_does_not_stay_for_long() {
    let mut world = guest_and_three();
    let id = put_open(&mut world, 1);
    world.run(MINUTE_MS);
    assert!(is_unreplicated(&world, &id));
    // The file is closed, and was deleted before.
    world.machines[0].open.remove(&id);
    world.run(MINUTE_MS);
    assert!(!is_unreplicated(&world, &id));
}

#[test]
fn a_chunk_that_was_put_again_waits_for_its_second_name() {
    let mut world = guest_and_three();
    let id = put_open(&mut world, 1);
    world.run(1_000);
    publish(&mut world, &[id]);
    for step in 0..200 {
        // Another file with the same content, at any moment of the way of the first.
        let again = put_open(&mut world, 1);
        assert_eq!(again, id);
        world.run(step * 7);
        world.machines[0].disk.evict();
        assert!(is_unreplicated(&world, &id), "after {step} steps");
        world.publish(0, "long", &[id]);
        world.machines[0].open.remove(&id);
        world.run(step * 11);
    }
    world.settle(2 * MINUTE_MS);
    assert!(!is_unreplicated(&world, &id));
    world.check_reads();
}

/// A chunk that these own, of three that all others may.
fn put_for(world: &mut World, wanted: [usize; 3]) -> ChunkId {
    let weights: Vec<_> = world.hosts().iter().map(|host| world.machines[*host].weight()).collect();
    for seed in 1.. {
        let content = bytes(seed, 5_000);
        let chosen = owners(ChunkId::of(&content).partition(), &weights, 3);
        let mut chosen: Vec<_> = chosen.iter().map(|device| world.index_of(device)).collect();
        chosen.sort_unstable();
        if chosen == wanted {
            return world.put_chunk(0, content);
        }
    }
    unreachable!("some chunk falls to any three")
}

#[test]
fn who_wrote_a_chunk_gives_it_to_the_next_owners_if_two_are_lost_before_it_is_safe() {
    let mut kinds = vec![host(10); 6];
    kinds[0].contributed = 0;
    let mut world = started(&kinds);
    world.crash(5);
    let first = put_for(&mut world, [1, 2, 3]);
    let second = put_for(&mut world, [3, 4, 5]);
    world.publish(0, "both", &[first, second]);
    world.run(20_000);
    assert!((1..4).all(|owner| world.machines[owner].disk.placed(&first)));
    assert!(world.machines[0].safe_through < world.machines[0].node.view(world.now).own_sequence);
    world.machines[0].disk.evict();
    for dead in [1, 2] {
        world.crash(dead);
        world.machines[dead].destroyed = true;
    }
    // The one that has it reaches nobody but the author.
    (4..6).for_each(|other| world.cable(3, other, false));
    world.boot(5);
    world.bury_all();
    world.run(5 * MINUTE_MS);
    let copies = (3..6).filter(|host| world.machines[*host].disk.placed(&first)).count();
    assert_eq!(copies, 3, "none but the author could give it to the others");
    (4..6).for_each(|other| world.cable(3, other, true));
    world.settle(5 * MINUTE_MS);
}
