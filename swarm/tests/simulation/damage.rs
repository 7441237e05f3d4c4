//! Chunks that cannot be read where they were put are never called safe.

use chunkstore::ChunkId;

use crate::scenarios::{MINUTE_MS, bytes, hosts, started};
use crate::world::World;

/// The first of so many hosts put a chunk, and then cannot read it.
fn damaged(count: usize) -> (World, ChunkId) {
    let mut world = started(&hosts(count));
    let id = world.machines[0].disk.put(bytes(1, 500));
    world.machines[0].disk.damage(id);
    world.machines[0].fresh.push(id);
    world.feed(0, swarm::Input::Fresh { ids: vec![id], overflowed: false });
    edit(&mut world);
    (world, id)
}

fn edit(world: &mut World) {
    let before = world.machines[0].node.view(world.now).own_sequence;
    while world.machines[0].node.view(world.now).own_sequence == before {
        world.edit_somewhere();
        world.run(1_000);
    }
}

fn lag(world: &World) -> (bool, bool) {
    let view = world.machines[0].node.view(world.now);
    (view.safe_through < view.own_sequence, view.outbox_chunks > 0)
}

#[test]
fn what_nobody_can_read_is_never_safe() {
    let (mut world, _) = damaged(3);
    world.run(10 * MINUTE_MS);
    assert_eq!(lag(&world), (true, true));
    world.crash(0);
    world.boot(0);
    world.run(10 * MINUTE_MS);
    assert_eq!(lag(&world), (true, true), "nor after a restart");
    world.machines[0].disk.damaged.clear();
    world.settle(5 * MINUTE_MS);
}

#[test]
fn an_own_copy_that_cannot_be_read_does_not_count_until_it_is_mended_from_another() {
    let (mut world, id) = damaged(2);
    world.run(MINUTE_MS);
    assert_eq!(lag(&world), (true, true));
    // The other one has it now, by whatever way: that is one copy, and two are needed.
    world.machines[1].disk.put(bytes(1, 500));
    world.cable(0, 1, false);
    world.run(10 * MINUTE_MS);
    assert_eq!(lag(&world), (true, true));
    world.cable(0, 1, true);
    world.settle(MINUTE_MS);
    assert!(world.machines[0].disk.durable(&id));
    assert_eq!(world.machines[0].node.view(world.now).counters.chunks_mended, 1);
}

#[test]
fn an_own_copy_that_goes_bad_when_others_have_it_does_not_count_until_it_is_mended() {
    let mut world = started(&hosts(3));
    let id = world.put_chunk(0, bytes(1, 500));
    world.machines[0].open.insert(id);
    world.run(2_000);
    world.machines[0].disk.flush();
    assert!((0..3).all(|host| world.machines[host].disk.durable(&id)));
    // Nobody can give it a good one yet.
    (0..3).for_each(|host| world.machines[host].disk.damage(id));
    world.feed(0, swarm::Input::Damaged);
    world.run(15_000);
    world.publish(0, "late", &[id]);
    world.machines[0].open.remove(&id);
    world.run(10 * MINUTE_MS);
    assert_eq!(lag(&world), (true, true));
    world.machines[1].disk.damaged.clear();
    world.settle(20 * MINUTE_MS);
    assert!(world.machines[0].disk.durable(&id));
}

#[test]
fn a_crash_before_a_mended_copy_is_durable_leaves_the_bad_one() {
    let mut world = started(&hosts(3));
    let id = world.put_chunk(0, bytes(1, 500));
    world.publish(0, "one", &[id]);
    world.settle(MINUTE_MS);
    let disk = &mut world.machines[0].disk;
    disk.damage(id);
    disk.store(id, bytes(1, 500), swarm::Reason::Cached).unwrap();
    assert!(!disk.durable(&id) && disk.damaged.is_empty());
    world.crash(0);
    assert!(world.machines[0].disk.damaged.contains(&id));
    world.boot(0);
    world.feed(0, swarm::Input::Damaged);
    world.settle(5 * MINUTE_MS);
    assert!(world.machines[0].disk.durable(&id));
}

#[test]
fn one_damaged_chunk_does_not_hold_up_the_copies_of_others() {
    let (mut world, _) = damaged(3);
    let ids: Vec<_> = (10..200).map(|number| world.put_chunk(0, bytes(number, 400))).collect();
    world.run(MINUTE_MS);
    assert!(ids.iter().all(|id| world.machines[1].disk.placed(id) && world.machines[2].disk.placed(id)));
    assert_eq!(world.machines[0].node.view(world.now).outbox_chunks, 1);
}
