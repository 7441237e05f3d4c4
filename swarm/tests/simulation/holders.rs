//! Who holds what, and what is said when that cannot be known.

use chunkstore::ChunkId;
use swarm::{HOLDERS_MAX_IDS, Input};

use crate::scenarios::{MINUTE_MS, bytes, hosts, started};
use crate::world::World;

type Told = (Vec<(usize, u64)>, u32, u32);

/// Asks 0 and waits for the answer.
fn ask(world: &mut World, ids: Vec<ChunkId>) -> Told {
    world.feed(0, Input::WhoHas { ticket: 7, ids });
    world.run(3_000);
    let (ticket, holders, asked, silent) = world.machines[0].holders.pop().unwrap();
    assert_eq!((ticket, world.machines[0].holders.len()), (7, 0));
    (holders.iter().map(|(device, held)| (world.index_of(device), *held)).collect(), asked, silent)
}

/// Three hosts; the first put so many chunks, which all have.
fn with_chunks(count: u64) -> (World, Vec<ChunkId>) {
    let mut world = started(&hosts(3));
    let ids = (0..count).map(|number| world.put_chunk(0, bytes(number, 64))).collect();
    world.edit_somewhere();
    world.settle(MINUTE_MS);
    (world, ids)
}

#[test]
fn every_host_says_how_many_it_holds_whatever_the_length_of_the_list() {
    let (mut world, ids) = with_chunks(5_000);
    for id in &ids[..100] {
        world.machines[2].disk.chunks.remove(id);
    }
    assert_eq!(ask(&mut world, ids), (vec![(1, 5_000), (2, 4_900)], 2, 0));
    assert_eq!(ask(&mut world, vec![ChunkId([9; 32])]), (vec![(1, 0), (2, 0)], 2, 0));
    assert_eq!(ask(&mut world, Vec::new()), (vec![], 0, 0));
}

#[test]
fn who_does_not_answer_is_counted_and_not_guessed() {
    let (mut world, ids) = with_chunks(10);
    world.weather.lost = 1000;
    assert_eq!(ask(&mut world, ids.clone()), (vec![], 2, 2));
    world.weather.lost = 0;
    world.feed(0, Input::WhoHas { ticket: 8, ids: ids.clone() });
    world.crash(2);
    let told = world.machines[0].holders.pop();
    assert!(told.is_none(), "the other one may answer yet: {told:?}");
    world.run(1_000);
    let (_, holders, asked, silent) = world.machines[0].holders.pop().unwrap();
    assert_eq!((holders, asked, silent), (vec![(world.machines[1].device(), 10)], 2, 1));
    assert_eq!(ask(&mut world, ids), (vec![(1, 10)], 1, 0));
}

#[test]
fn more_than_can_be_asked_at_once_is_refused_and_not_half_answered() {
    let (mut world, _) = with_chunks(1);
    let ids = |count: usize| (0..count).map(|number| ChunkId::of(&number.to_be_bytes())).collect::<Vec<_>>();
    assert_eq!(ask(&mut world, ids(HOLDERS_MAX_IDS + 1)), (vec![], 0, 2));
    assert_eq!(ask(&mut world, ids(HOLDERS_MAX_IDS)), (vec![(1, 0), (2, 0)], 2, 0));
    for ticket in 0..65 {
        world.feed(0, Input::WhoHas { ticket, ids: ids(1) });
    }
    let refused = world.machines[0].holders.drain(..).collect::<Vec<_>>();
    assert_eq!(refused, [(64, vec![], 0, 2)]);
    world.run(3_000);
    let told = &world.machines[0].holders;
    assert!(told.len() == 64 && told.iter().all(|(.., asked, silent)| (*asked, *silent) == (2, 0)));
}

#[test]
fn counting_makes_no_cache_a_copy() {
    let (mut world, ids) = with_chunks(10);
    let disk = &mut world.machines[1].disk;
    disk.chunks.get_mut(&ids[0]).unwrap().placed = false;
    assert_eq!(ask(&mut world, ids.clone()), (vec![(1, 10), (2, 10)], 2, 0));
    world.machines[1].disk.evict();
    assert_eq!(ask(&mut world, ids), (vec![(1, 9), (2, 10)], 2, 0));
}
