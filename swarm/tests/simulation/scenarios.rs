//! Groups in which one thing happens.

use bytes::Bytes;
use swarm::{FetchError, Input, Lane, PeerState, Settings, Urgency};

use crate::machine::Kind;
use crate::network::Weather;
use crate::verdict::live_chunks;
use crate::world::World;

pub const MINUTE_MS: u64 = 60_000;

pub fn host(contributed_gib: u64) -> Kind {
    Kind {
        blind: false,
        contributed: contributed_gib << 30,
        site: String::new(),
        room: usize::MAX,
        ahead_ms: 0,
        joins: false,
    }
}

pub fn started(kinds: &[Kind]) -> World {
    let mut world = World::new(1, kinds, Settings::default());
    (0..kinds.len()).for_each(|index| world.boot(index));
    world.settle(MINUTE_MS);
    world
}

pub fn hosts(count: usize) -> Vec<Kind> {
    vec![host(10); count]
}

pub fn bytes(number: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

#[test]
fn one_computer_alone_is_never_safe_and_is_with_the_next() {
    let mut world = World::new(1, &hosts(2), Settings::default());
    world.boot(0);
    (0..10).for_each(|_| world.edit_somewhere());
    world.run(10 * MINUTE_MS);
    let view = world.machines[0].node.view(world.now);
    assert!(view.own_sequence > 0);
    assert_eq!(view.safe_through, 0);
    world.boot(1);
    world.settle(MINUTE_MS);
    let view = world.machines[0].node.view(world.now);
    assert_eq!(view.safe_through, view.own_sequence);
}

#[test]
fn a_change_is_everywhere_within_a_moment() {
    let mut world = started(&hosts(3));
    world.edit_somewhere();
    let took = world.settle(5_000);
    assert!(took <= 1_500, "took {took} ms, of which a commit takes up to 400");
}

#[test]
fn two_that_never_meet_sync_by_a_blind_third() {
    let kinds = [host(10), host(10), Kind { blind: true, ..host(10) }];
    let mut world = started(&kinds);
    world.crash(1);
    for _ in 0..20 {
        world.edit_somewhere();
        world.run(50);
    }
    world.run(MINUTE_MS);
    world.crash(0);
    world.boot(1);
    world.run(MINUTE_MS);
    let device = world.machines[0].device();
    let (there, here) = (world.machines[0].log.frontier(), world.machines[1].log.frontier());
    assert_eq!(there.0.get(&device), here.0.get(&device));
    for id in live_chunks(&mut world.machines[1]) {
        if !world.machines[1].disk.chunks.contains_key(&id) {
            world.fetch(1, id, Urgency::Now);
        }
    }
    world.run(MINUTE_MS);
    assert!(world.machines[1].fetched.iter().all(|(_, result)| result.is_ok()));
    assert!(world.machines[1].tickets.is_empty());
}

#[test]
fn only_what_is_lost_is_repaired() {
    let mut world = started(&hosts(4));
    (0..60).for_each(|_| {
        world.edit_somewhere();
        world.run(100);
    });
    world.settle(MINUTE_MS);
    world.crash(3);
    let before = world.traffic();
    world.run(23 * 60 * MINUTE_MS);
    assert!(world.traffic() - before < 10_000_000, "nothing is copied for one who is away");
    world.machines[3].destroyed = true;
    world.run(70 * MINUTE_MS);
    world.settle(MINUTE_MS);
}

#[test]
fn who_is_declared_lost_is_repaired_at_once_by_all() {
    let mut world = started(&hosts(4));
    (0..60).for_each(|_| {
        world.edit_somewhere();
        world.run(100);
    });
    world.settle(MINUTE_MS);
    world.crash(3);
    world.machines[3].destroyed = true;
    let device = world.machines[3].device();
    world.feed(0, Input::DeclareLost { device });
    world.settle(MINUTE_MS);
}

/// What the others hold of the last of four.
fn states(world: &World) -> Vec<PeerState> {
    let device = world.machines[3].device();
    let of = |index: usize| {
        let view = world.machines[index].node.view(world.now);
        view.peers.iter().find(|peer| peer.device == device).unwrap().state
    };
    (0..3).map(of).collect()
}

#[test]
fn a_link_that_ends_just_after_its_device_was_said_to_be_lost_confirms_it() {
    use PeerState::{Lost, Online};
    let mut world = started(&hosts(4));
    let device = world.machines[3].device();
    world.cable(0, 3, false);
    world.feed(0, Input::DeclareLost { device });
    world.run(1_000);
    assert_eq!(states(&world), [Lost, Online, Online], "it is here, for the others");
    world.cable(1, 3, false);
    assert_eq!(states(&world), [Lost, Lost, Online]);
    world.run(5 * MINUTE_MS);
    world.cable(2, 3, false);
    assert_eq!(states(&world), [Lost, Lost, Online], "it was here long after that was said");
}

#[test]
fn who_is_found_again_is_waited_for_by_all() {
    let mut world = started(&hosts(4));
    let device = world.machines[3].device();
    world.crash(3);
    world.feed(0, Input::DeclareLost { device });
    world.run(1_000);
    assert_eq!(states(&world), [PeerState::Lost; 3]);
    world.feed(1, Input::DeclareFound { device });
    world.run(1_000);
    assert_eq!(states(&world), [PeerState::Online; 3], "as if it had been heard just now");
    world.run(25 * 60 * MINUTE_MS);
    assert_eq!(states(&world), [PeerState::Lost; 3]);
}

#[test]
fn who_comes_back_from_the_lost_is_a_host_again() {
    let mut world = started(&hosts(4));
    (0..30).for_each(|_| {
        world.edit_somewhere();
        world.run(100);
    });
    world.crash(3);
    world.run(25 * 60 * MINUTE_MS);
    world.boot(3);
    world.settle(5 * MINUTE_MS);
}

#[test]
fn a_removed_device_is_dropped_and_its_share_moves() {
    let mut world = started(&hosts(4));
    (0..40).for_each(|_| {
        world.edit_somewhere();
        world.run(100);
    });
    world.settle(MINUTE_MS);
    world.remove(0, 3);
    world.run(5_000);
    assert!(world.disconnects.iter().filter(|why| **why == "it is no longer a member").count() == 3);
    let before: u64 = (0..3).map(|from| world.wires[from][3].bytes).sum();
    world.settle(MINUTE_MS);
    world.run(10 * MINUTE_MS);
    assert_eq!((0..3).map(|from| world.wires[from][3].bytes).sum::<u64>(), before, "not one more byte");
}

#[test]
fn trees_are_equal_although_who_removes_a_device_saw_less_of_it() {
    let mut world = started(&hosts(3));
    world.cable(0, 1, false);
    world.cable(0, 2, false);
    for _ in 0..10 {
        world.edit_at(2);
        world.run(1_000);
    }
    world.crash(2);
    world.remove(0, 2);
    world.cable(0, 1, true);
    world.settle(5 * MINUTE_MS);
}

#[test]
fn a_full_host_is_passed_over() {
    let mut kinds = hosts(5);
    kinds[4].room = 50_000;
    let mut world = started(&kinds);
    for number in 0..400 {
        world.put_chunk(0, bytes(number, 4_000));
    }
    world.edit_somewhere();
    world.settle(5 * MINUTE_MS);
    assert!(world.machines[4].full);
    for index in 0..4 {
        let view = world.machines[index].node.view(world.now);
        assert_eq!((view.outbox_chunks, view.outbox_complete), (0, true), "{index}");
    }
}

#[test]
fn thousands_of_small_chunks_travel_together() {
    let mut world = started(&hosts(3));
    let before = world.machines[0].node.view(world.now).counters.frames_sent;
    let at = world.now;
    for number in 0..5_000 {
        world.put_chunk(0, bytes(number, 4_096));
    }
    world.edit_somewhere();
    let took = world.settle(MINUTE_MS);
    let frames = world.machines[0].node.view(world.now).counters.frames_sent - before;
    assert!(frames < 1_500, "{frames} frames for 5,000 chunks to two hosts");
    assert!(took < 10_000, "took {took} ms since {at}");
}

#[test]
fn what_is_there_already_costs_only_its_names() {
    let mut world = started(&hosts(2));
    for number in 0..4_000 {
        let chunk = bytes(number, 256);
        world.machines[1].disk.put(chunk.clone());
        world.put_chunk(0, chunk);
    }
    let before = world.traffic();
    world.run(MINUTE_MS);
    assert_eq!(world.machines[0].node.view(world.now).outbox_chunks, 0);
    let each = (world.traffic() - before) / 4_000;
    assert!(each <= 60, "{each} bytes for a chunk that is known: 16,000 of them are a GiB");
}

#[test]
fn an_outbox_that_ran_over_comes_to_the_same_end() {
    let mut world = started(&hosts(3));
    world.crash(1);
    world.crash(2);
    for number in 0..80_000 {
        let id = world.machines[0].disk.put(bytes(number, 64));
        world.machines[0].fresh.push(id);
        world.feed(0, Input::Fresh { ids: vec![id], overflowed: number == 70_000 });
    }
    world.edit_somewhere();
    world.run(1_000);
    let view = world.machines[0].node.view(world.now);
    assert!(view.outbox_chunks <= 64 << 10 && !view.outbox_complete);
    assert!(view.safe_through < view.own_sequence);
    world.boot(1);
    world.boot(2);
    world.settle(20 * MINUTE_MS);
    world.run(MINUTE_MS);
    assert!(world.machines[0].disk.chunks.values().all(|held| !held.unreplicated));
}

#[test]
fn a_chunk_nobody_has_is_refused_at_once_or_in_time() {
    let mut world = started(&hosts(3));
    let id = chunkstore::ChunkId([7; 32]);
    world.fetch(0, id, Urgency::Now);
    world.run(1_000);
    assert_eq!(world.machines[0].fetched.pop(), Some((id, Err(FetchError::NobodyHasIt))));
    world.crash(2);
    world.fetch(0, id, Urgency::Now);
    world.run(9_000);
    assert!(world.machines[0].fetched.is_empty(), "somebody who is not here may have it");
    world.run(2_000);
    assert_eq!(world.machines[0].fetched.pop(), Some((id, Err(FetchError::TimedOut))));
}

#[test]
fn a_fetch_goes_on_with_the_next_when_one_goes_away() {
    let mut kinds = hosts(4);
    kinds[3].contributed = 0;
    let mut world = started(&kinds);
    let id = world.put_chunk(0, bytes(1, 200_000));
    world.edit_somewhere();
    world.settle(MINUTE_MS);
    world.machines[3].disk.evict();
    assert!(!world.machines[3].disk.chunks.contains_key(&id));
    for other in 0..3 {
        world.wires[other][3].bytes_per_ms = 10;
        world.wires[3][other].latency = 5;
    }
    world.fetch(3, id, Urgency::Now);
    world.run(20);
    for gone in [0, 1] {
        world.crash(gone);
    }
    world.wires[2][3].bytes_per_ms = 10_000;
    world.run(2 * MINUTE_MS);
    assert_eq!(world.machines[3].fetched.pop(), Some((id, Ok(()))));
}

#[test]
fn an_owner_without_room_can_still_read() {
    let mut world = started(&hosts(2));
    let id = world.put_chunk(0, bytes(1, 5_000));
    world.edit_somewhere();
    world.settle(MINUTE_MS);
    let disk = &mut world.machines[1].disk;
    disk.chunks.remove(&id);
    disk.limit = 0;
    world.fetch(1, id, Urgency::Now);
    world.run(1_000);
    assert_eq!(world.machines[1].fetched.pop(), Some((id, Ok(()))));
    assert!(!world.machines[1].disk.chunks[&id].placed);
}

#[test]
fn wrong_bytes_are_counted_and_fetched_elsewhere() {
    let mut kinds = hosts(4);
    kinds[3].contributed = 0;
    let mut world = started(&kinds);
    let id = world.put_chunk(0, bytes(1, 5_000));
    world.edit_somewhere();
    world.settle(MINUTE_MS);
    world.machines[3].disk.evict();
    let mut nearest = [0, 1, 2];
    nearest.sort_by_key(|other| world.wires[3][*other].latency);
    for liar in &nearest[..2] {
        world.machines[*liar].disk.chunks.get_mut(&id).unwrap().bytes = bytes(2, 5_000);
    }
    world.fetch(3, id, Urgency::Now);
    world.run(MINUTE_MS);
    assert_eq!(world.machines[3].fetched.pop(), Some((id, Ok(()))));
    assert_eq!(world.machines[3].node.view(world.now).counters.bad_chunks, 2);
}

#[test]
fn frames_that_are_no_messages_end_the_link_and_are_counted() {
    let mut world = started(&hosts(2));
    let peer = world.machines[1].device();
    let frames: [&[u8]; 4] = [b"", b"\x01\xff\xff", b"\x02", &[0; 300]];
    for (number, frame) in (1..).zip(frames) {
        let bytes = Bytes::copy_from_slice(frame);
        world.feed(0, Input::Frame { peer, lane: Lane::Control, bytes });
        assert_eq!(world.machines[0].node.view(world.now).counters.bad_messages, number);
        assert_eq!(world.disconnects.len() as u64, number);
        world.run(10_000);
    }
    assert!(world.machines[0].node.view(world.now).peers[0].connected, "and it may come again");
}

#[test]
fn three_idle_machines_say_next_to_nothing() {
    let mut world = started(&hosts(3));
    world.check_idle_traffic();
}

#[test]
fn two_sync_over_a_network_that_loses_every_fifth_frame() {
    let mut world = started(&hosts(2));
    world.weather = Weather { lost: 200, doubled: 100, jitter: 50 };
    for _ in 0..60 {
        world.edit_somewhere();
        world.read_somewhere();
        world.run(200);
    }
    world.settle(20 * MINUTE_MS);
    assert!(world.disconnects.is_empty());
}

#[test]
fn a_slow_host_does_not_hold_up_the_others() {
    let mut world = started(&hosts(3));
    (world.wires[0][2].bytes_per_ms, world.wires[2][0].bytes_per_ms) = (10, 10);
    for number in 0..100_000 {
        world.put_chunk(0, bytes(number, 64));
        if number % 50 == 0 {
            world.run(5);
        }
    }
    world.run(20_000);
    let held = |index: usize, world: &World| world.machines[index].disk.chunks.len();
    assert_eq!(held(1, &world), 100_000);
    assert!(held(2, &world) < 50_000);
    (world.wires[0][2].bytes_per_ms, world.wires[2][0].bytes_per_ms) = (10_000, 10_000);
    world.edit_somewhere();
    world.settle(60 * MINUTE_MS);
    assert_eq!(held(2, &world), held(1, &world));
}

#[test]
fn who_became_lost_while_all_were_off_is_repaired_too() {
    let mut world = started(&hosts(4));
    (0..60).for_each(|_| {
        world.edit_somewhere();
        world.run(100);
    });
    world.settle(MINUTE_MS);
    (0..4).for_each(|index| world.crash(index));
    world.machines[3].destroyed = true;
    let device = world.machines[3].device();
    for index in 0..3 {
        world.boot(index);
        world.feed(index, Input::Silent(vec![(device, 25 * 60 * MINUTE_MS)]));
    }
    world.settle(MINUTE_MS);
}

#[test]
fn facts_that_came_too_fast_are_known_by_all_in_the_end() {
    let mut world = started(&hosts(3));
    for _ in 0..200 {
        let now = world.now;
        let facts = world.machines[1].facts(now);
        world.feed(1, Input::OwnFacts(facts));
        world.run(5);
    }
    let last = world.machines[1].facts(world.now);
    let issued = last.facts().issued_ms;
    world.feed(1, Input::OwnFacts(last));
    let device = world.machines[1].device();
    let known = |world: &World, index: usize| {
        world.machines[index].known.get(&device).map(|facts| facts.facts().issued_ms)
    };
    world.run(10);
    assert!(known(&world, 0) < Some(issued), "not all of them at once");
    world.run(10_000);
    assert_eq!([known(&world, 0), known(&world, 2)], [Some(issued); 2]);
}

#[test]
fn logs_are_cleaned_and_a_newcomer_receives_little() {
    let kinds = [host(10), host(10), Kind { blind: true, ..host(10) }, host(10)];
    let mut world = World::new(1, &kinds, Settings::default());
    (0..3).for_each(|index| world.boot(index));
    for _ in 0..400 {
        world.edit_somewhere();
        world.run(40);
    }
    world.run(MINUTE_MS);
    let before = world.machines[2].log.rows();
    // Found, declared when it is safe, heard of by the others, and dropped by them.
    for _ in 0..6 {
        (0..2).for_each(|index| world.clean(index));
        world.run(MINUTE_MS);
    }
    let rows: Vec<_> = world.machines.iter().map(|machine| machine.log.rows()).collect();
    // Births and the last places of names stay.
    assert!(rows[..3].iter().all(|rows| *rows * 5 < before * 4), "{before} before, then {rows:?}");
    world.boot(3);
    world.settle(5 * MINUTE_MS);
    assert_eq!(world.machines[3].log.rows(), world.machines[2].log.rows());
    assert_eq!(world.machines[3].log.outline_counters(), world.machines[0].log.outline_counters());
}
