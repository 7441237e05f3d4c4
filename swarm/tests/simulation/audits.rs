//! Hosts that claim what they do not hold are found, named, and passed over.

use chunkstore::ChunkId;
use swarm::Audit;

use crate::machine::Kind;
use crate::scenarios::{MINUTE_MS, bytes, host, hosts, started};
use crate::world::World;

const HOUR_MS: u64 = 60 * MINUTE_MS;

fn with_chunks(kinds: &[Kind]) -> (World, Vec<ChunkId>) {
    let mut world = started(kinds);
    let ids = (0..40).map(|number| world.put_chunk(0, bytes(number, 500))).collect();
    world.edit_somewhere();
    world.settle(MINUTE_MS);
    (world, ids)
}

fn audit(world: &World, of: usize, by: usize) -> Audit {
    let device = world.machines[of].device();
    let view = world.machines[by].node.view(world.now);
    view.peers.iter().find(|peer| peer.device == device).unwrap().audit
}

#[test]
fn who_holds_what_he_should_is_right_each_time() {
    let (mut world, _) = with_chunks(&hosts(3));
    world.run(6 * HOUR_MS);
    for (of, by) in [(0, 1), (1, 0), (2, 0), (0, 2)] {
        let audit = audit(&world, of, by);
        assert!(audit.asked >= 15 && audit.asked <= 40, "{audit:?}");
        assert_eq!(Audit { right: audit.asked, asked: audit.asked, ..Audit::default() }, audit);
    }
    world.check_idle_traffic();
}

#[test]
fn who_claims_what_he_dropped_is_found_and_passed_over_until_he_shows_something() {
    let (mut world, ids) = with_chunks(&hosts(4));
    // Nothing of all that it says it keeps is there.
    let dropped: Vec<ChunkId> = world.machines[3].disk.chunks.keys().copied().collect();
    let kept: Vec<_> =
        dropped.iter().map(|id| (*id, world.machines[3].disk.chunks.remove(id).unwrap())).collect();
    world.machines[3].disk.claimed = dropped.iter().copied().collect();
    world.run(2 * HOUR_MS);
    let told = audit(&world, 3, 0);
    assert!(told.wrong > 0 && told.right == 0, "{told:?}");
    // What it was caught at is on three others now, and so is what comes after.
    let again = world.put_chunk(0, bytes(1000, 500));
    world.run(MINUTE_MS);
    let copies =
        |world: &World, id: &ChunkId| (0..3).filter(|host| world.machines[*host].disk.placed(id)).count();
    assert_eq!(copies(&world, &again), 3);
    let moved = ids.iter().filter(|id| dropped.contains(id) && copies(&world, id) == 3).count();
    assert!(moved > 0);
    let disk = &mut world.machines[3].disk;
    disk.claimed.clear();
    disk.chunks.extend(kept);
    world.run(HOUR_MS);
    assert!(audit(&world, 3, 0).right > 0);
}

#[test]
fn who_lost_a_chunk_and_says_so_gets_it_again() {
    let (mut world, ids) = with_chunks(&[host(10), Kind { blind: true, ..host(10) }]);
    // A host without keys asks whether anything names what it lacks.
    for (number, some) in ids.chunks(6).enumerate() {
        world.publish(0, &format!("file{number}"), some);
    }
    world.settle(MINUTE_MS);
    // Again and again, so that it is asked before it finds out by comparing.
    for _ in 0..240 {
        for id in &ids[..20] {
            world.machines[1].disk.chunks.remove(id);
        }
        world.run(20_000);
    }
    assert!(audit(&world, 1, 0).missing > 0, "{:?}", audit(&world, 1, 0));
    world.run(70 * MINUTE_MS);
    assert!(ids.iter().all(|id| world.machines[1].disk.placed(id)));
}

#[test]
fn who_does_not_answer_is_silent() {
    let (mut world, _) = with_chunks(&hosts(2));
    world.wires[0][1].latency = 40_000;
    world.run(2 * HOUR_MS);
    let told = audit(&world, 1, 0);
    assert!(told.silent > 0 && told.wrong == 0 && told.silent + told.right + 1 >= told.asked, "{told:?}");
}
