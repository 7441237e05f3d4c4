//! What a store promises to a group of computers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::pack::RECORD_HEADER_BYTES;

const CACHED: ChunkState = ChunkState::CACHED;
const PLACED: ChunkState = ChunkState::PLACED;
const LONG: usize = 1 << 20;

/// Chunks of another computer: their references and sealed bytes.
fn sealed(seeds: std::ops::Range<u64>, len: usize) -> Vec<(ChunkRef, Vec<u8>)> {
    let other = open_on(&memory());
    let chunks = fill(&other, seeds, len);
    chunks.into_iter().map(|(_, chunk)| (chunk.clone(), other.export(&chunk.id).unwrap())).collect()
}

fn import(store: &ChunkStore, chunks: &[(ChunkRef, Vec<u8>)], state: ChunkState) {
    chunks.iter().for_each(|(chunk, bytes)| store.import_as(&chunk.id, bytes, state).unwrap());
}

fn sweep_all(store: &ChunkStore, grace: Duration) -> SweepReport {
    store.begin_sweep().finish_with_grace(grace).unwrap()
}

#[test]
fn what_is_put_is_told_in_order_and_each_time() {
    let store = open_on(&memory());
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = wakes.clone();
    store.on_fresh(Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    let chunks = fill(&store, 0..10, 500);
    fill(&store, 3..5, 500);
    let ids: Vec<_> = chunks.iter().map(|(_, chunk)| chunk.id).collect();
    assert_eq!(store.take_fresh(4), Fresh { ids: ids[..4].to_vec(), overflowed: false });
    assert_eq!(store.take_fresh(100).ids, [&ids[4..], &ids[3..5]].concat());
    assert_eq!((store.take_fresh(1), wakes.load(Ordering::Relaxed)), (Fresh::default(), 1));
    fill(&store, 10..12, 500);
    assert_eq!((store.take_fresh(9).ids.len(), wakes.load(Ordering::Relaxed)), (2, 2));
}

#[test]
fn what_was_put_again_and_is_not_told_yet_stays() {
    let store = open_on(&memory());
    store.on_fresh(Box::new(|| {}));
    let ids: Vec<_> = fill(&store, 0..3, 500).iter().map(|(_, chunk)| chunk.id).collect();
    assert_eq!(store.take_fresh(9).ids, ids);
    // Whoever lets them go has not heard of the second.
    fill(&store, 1..2, 500);
    store.set_replicated(&ids, CACHED, PLACED).unwrap();
    let state = |id: &ChunkId| store.state(id).unwrap().unwrap();
    assert_eq!(ids.iter().map(state).collect::<Vec<_>>(), [CACHED, ChunkState::UNREPLICATED, CACHED]);
    assert_eq!(store.take_fresh(9).ids, [ids[1]]);
    // One that was let go already is kept again.
    fill(&store, 2..3, 500);
    assert_eq!(state(&ids[2]), CACHED.with(ChunkState::UNREPLICATED));
    assert_eq!(store.take_fresh(9).ids, [ids[2]]);
    store.set_replicated(&ids, CACHED, PLACED).unwrap();
    assert!(ids.iter().all(|id| state(id) == CACHED));
}

#[test]
fn what_nobody_took_is_found_again_after_a_restart() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..20, 500);
    assert!(store.take_fresh(9).overflowed, "nobody listened yet");
    let mut ids: Vec<_> = chunks.iter().map(|(_, chunk)| chunk.id).collect();
    ids.sort_unstable();
    store.checkpoint_index().unwrap();
    store.set_states(&ids[..5], ChunkState::default(), ChunkState::UNREPLICATED).unwrap();
    assert_eq!(store.unreplicated(None, 100).unwrap(), ids[5..]);
    assert_eq!(store.unreplicated(Some(ids[9]), 3).unwrap(), ids[10..13]);
    drop(store);
    let store = open_on(&disk);
    assert_eq!(store.unreplicated(None, 100).unwrap(), ids[5..]);
    assert_eq!(store.requeue_placed(&[ids[2].partition()]).unwrap(), 0, "it is nobody's copy");
    assert_eq!(store.requeue(&[ids[2].partition()]).unwrap(), 1);
    assert_eq!(store.unreplicated(None, 1).unwrap(), [ids[2]]);
    assert_eq!(store.take_fresh(9), Fresh::default(), "nobody put it");
}

#[test]
fn what_came_from_others_and_is_published_here_is_to_be_spread_again() {
    let store = open_on(&memory());
    store.on_fresh(Box::new(|| ()));
    let theirs = sealed(0..2, 500);
    import(&store, &theirs, CACHED);
    assert_eq!(store.take_fresh(9), Fresh::default());
    fill(&store, 0..1, 500);
    let id = theirs[0].0.id;
    assert_eq!(store.take_fresh(9).ids, [id]);
    assert_eq!(store.state(&id).unwrap(), Some(CACHED.with(ChunkState::UNREPLICATED)));
    assert_eq!(store.evict(u64::MAX).unwrap(), (theirs[1].1.len() + RECORD_HEADER_BYTES) as u64);
    assert_eq!(store.have(&[id, theirs[1].0.id]).unwrap(), [true, false]);
}

#[test]
fn the_cache_gives_up_what_was_not_read_first_and_nothing_else() {
    let disk = memory();
    let store = open_on(&disk);
    let (own, theirs) = (fill(&store, 100..103, LONG), sealed(0..10, LONG));
    import(&store, &theirs, CACHED);
    import(&store, &theirs[4..5], PLACED);
    store.set_state(&theirs[5].0.id, ChunkState::PINNED, ChunkState::default()).unwrap();
    let each = store.usage().cached_bytes / 8;
    store.get(&theirs[0].0).unwrap();
    assert_eq!(store.evict(2 * each).unwrap(), 2 * each);
    assert!(store.contains(&theirs[0].0.id).unwrap(), "read of late");
    assert!(!store.contains(&theirs[1].0.id).unwrap() && !store.contains(&theirs[2].0.id).unwrap());
    drop(store);
    let store = open_on(&disk);
    assert_eq!(store.usage().cached_bytes, 6 * each);
    assert_eq!(store.evict(u64::MAX).unwrap(), 6 * each);
    let held: Vec<_> = theirs.iter().map(|(chunk, _)| chunk.id).collect();
    let held = store.have(&held).unwrap();
    assert_eq!(held.iter().filter(|held| **held).count(), 2);
    assert!(held[4] && held[5] && store.usage().cached_bytes == 0);
    assert_readable(&store, &own);
}

#[test]
fn a_full_store_makes_room_from_its_cache() {
    let limits = Limits { contribute_bytes: 64 << 20, ..quiet() };
    let store = ChunkStore::open(memory(), Path::new(DIR), limits).unwrap();
    import(&store, &sealed(0..50, LONG), CACHED);
    let own = fill(&store, 100..140, LONG);
    assert_readable(&store, &own);
    assert!(store.usage().pack_bytes <= 64 << 20);
    assert!((200..260).any(|seed| store.put(&secret(), &noise(seed, LONG)).is_err()), "the limit holds");
    assert_readable(&store, &own);
}

#[test]
fn what_was_placed_outlives_a_sweep_that_ran_before_its_name_came() {
    let hour = Duration::from_secs(3600);
    let disk = memory();
    let store = open_on(&disk);
    let theirs = sealed(0..4, 500);
    import(&store, &theirs, PLACED);
    let report = sweep_all(&store, hour);
    assert_eq!((report.dead_chunks, report.doomed_chunks), (0, 4));
    assert_eq!(sweep_all(&store, hour).doomed_chunks, 4);
    // Each of these says that somebody counts on it.
    import(&store, &theirs[..1], PLACED);
    fill(&store, 1..2, 500);
    assert_eq!(store.have(&[theirs[2].0.id]).unwrap(), [true]);
    let report = sweep_all(&store, Duration::ZERO);
    assert_eq!((report.dead_chunks, report.doomed_chunks), (1, 3));
    drop(store);
    let store = open_on(&disk);
    // When they were doomed is not known any more.
    assert_eq!(sweep_all(&store, Duration::ZERO).dead_chunks, 0);
    assert_eq!(sweep_all(&store, Duration::ZERO).dead_chunks, 3);
}

#[test]
fn a_sweep_that_does_not_know_all_names_spares_what_others_may_name() {
    let store = open_on(&memory());
    import(&store, &sealed(0..3, 500), CACHED);
    let own = fill(&store, 10..12, 500);
    store.set_states(&[own[0].1.id], ChunkState::default(), ChunkState::UNREPLICATED).unwrap();
    let mut sweep = store.begin_sweep();
    sweep.spare(CACHED.with(ChunkState::UNREPLICATED));
    assert_eq!(sweep.finish().unwrap().dead_chunks, 1);
    assert_readable(&store, &own[1..]);
}

#[test]
fn what_is_doomed_is_given_up_unless_anybody_was_told_that_it_is_here() {
    let store = open_on(&memory());
    let theirs = sealed(0..6, 500);
    import(&store, &theirs, PLACED);
    let mut ids: Vec<_> = theirs.iter().map(|(chunk, _)| chunk.id).collect();
    assert_eq!(store.give_up_doomed(&ids).unwrap().dead_chunks, 0, "nobody said that they are dead");
    store.set_state(&ids[5], ChunkState::PINNED, ChunkState::default()).unwrap();
    assert_eq!(store.doom(&ids).unwrap(), 5);
    assert_eq!(store.doom(&ids).unwrap(), 0);
    // They are offered, imported, written, spared; looking alone changes nothing.
    assert_eq!(store.have(&ids[..1]).unwrap(), [true]);
    import(&store, &theirs[1..2], PLACED);
    fill(&store, 2..3, 500);
    store.spare(&ids[3..4]).unwrap();
    assert_eq!(store.look_for(&ids).unwrap(), [true; 6]);
    assert!(store.export(&ids[4]).is_ok(), "what is doomed can be read");
    assert_eq!(store.doomed(None, 9).unwrap(), [ids[4]]);
    let report = store.give_up_doomed(&ids).unwrap();
    assert_eq!((report.dead_chunks, report.live_chunks), (1, 5));
    let gone = ids.remove(4);
    assert_eq!(store.have(&[gone]).unwrap(), [false]);
    assert_eq!(store.have(&ids).unwrap(), [true; 5]);
}

#[test]
fn nobody_is_told_that_a_chunk_is_here_which_is_being_given_up() {
    let store = open_on(&memory());
    let theirs = sealed(0..200, 100);
    import(&store, &theirs, PLACED);
    let ids: Vec<_> = theirs.iter().map(|(chunk, _)| chunk.id).collect();
    store.doom(&ids).unwrap();
    let told = std::thread::scope(|scope| {
        let asks = scope.spawn(|| store.have(&ids).unwrap());
        store.give_up_doomed(&ids).unwrap();
        asks.join().unwrap()
    });
    assert_eq!(store.look_for(&ids).unwrap(), told);
}

#[test]
fn what_is_doomed_is_so_after_a_restart() {
    let disk = memory();
    let store = open_on(&disk);
    let theirs = sealed(0..3, 500);
    import(&store, &theirs, PLACED);
    store.doom(&[theirs[1].0.id]).unwrap();
    store.checkpoint_index().unwrap();
    drop(store);
    assert_eq!(open_on(&disk).doomed(None, 9).unwrap(), [theirs[1].0.id]);
}
