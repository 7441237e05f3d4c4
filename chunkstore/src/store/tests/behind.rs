//! Chunks that came for a reader: read at once, written behind him.

use std::io::ErrorKind;

use bytes::Bytes;

use super::*;
use crate::disk::{Breaks, Fault, FaultKind, FaultPlan, FaultyDisk};

/// Chunks of another store: references, and their sealed bytes.
fn theirs(count: u64, len: usize) -> Vec<(u64, ChunkRef, Bytes)> {
    let store = open_on(&memory());
    let chunks = fill(&store, 0..count, len);
    chunks
        .into_iter()
        .map(|(seed, chunk)| (seed, chunk.clone(), store.export(&chunk.id).unwrap().into()))
        .collect()
}

fn take(store: &ChunkStore, chunks: &[(u64, ChunkRef, Bytes)]) {
    for (seed, chunk, sealed) in chunks {
        store.import_cached(&chunk.id, sealed.clone()).unwrap();
        assert!(store.contains(&chunk.id).unwrap());
        assert_eq!(store.get(chunk).unwrap(), noise(*seed, chunk.len as usize));
        assert_eq!(store.export(&chunk.id).unwrap(), *sealed);
    }
}

#[test]
fn what_came_is_read_at_once_and_cached_when_it_is_written() {
    let disk = memory();
    let store = open_on(&disk);
    // More than is kept in memory.
    let chunks = theirs(160, 300_000);
    take(&store, &chunks);
    // Again, and beside somebody who stores the same for good.
    store.import_as(&chunks[0].1.id, &chunks[0].2, ChunkState::PLACED).unwrap();
    store.import_cached(&chunks[0].1.id, chunks[0].2.clone()).unwrap();
    drop(store);
    let store = open_on(&disk);
    for (seed, chunk, _) in &chunks {
        assert!(store.state(&chunk.id).unwrap().unwrap().has(ChunkState::CACHED) || *seed == 0);
        assert_eq!(store.get(chunk).unwrap(), noise(*seed, chunk.len as usize));
    }
    assert!(store.state(&chunks[0].1.id).unwrap().unwrap().has(ChunkState::PLACED));
    assert_eq!(store.usage().chunks, 160);
    assert!(store.evict(u64::MAX).unwrap() > 150 * 300_000);
}

#[test]
fn wrong_bytes_and_wrong_references_give_nothing() {
    let store = open_on(&memory());
    let chunks = theirs(2, 5000);
    let wrong = store.import_cached(&chunks[0].1.id, chunks[1].2.clone());
    assert!(matches!(wrong, Err(StoreError::WrongBytes(_))));
    assert!(!store.contains(&chunks[0].1.id).unwrap());
    let long = store.import_cached(&chunks[0].1.id, vec![0; 64 << 20].into());
    assert!(matches!(long, Err(StoreError::TooLong(_))));
    take(&store, &chunks);
    store.release_memory();
    let other = ChunkRef { key: chunks[1].1.key.clone(), ..chunks[0].1.clone() };
    assert!(matches!(store.get(&other), Err(StoreError::Damaged { .. })));
    assert!(store.contains(&chunks[0].1.id).unwrap(), "the chunk itself is whole");
}

#[test]
fn who_has_no_room_reads_all_the_same() {
    let disk = memory();
    let limits = Limits { contribute_bytes: 400_000, ..quiet() };
    let store = ChunkStore::open(Arc::clone(&disk), Path::new(DIR), limits).unwrap();
    take(&store, &theirs(20, 100_000));
    drop(store);
    let store = ChunkStore::open(disk, Path::new(DIR), limits).unwrap();
    assert!(store.usage().pack_bytes <= 400_000 && store.health() == Health::Ok);
}

#[test]
fn a_damaged_copy_is_replaced() {
    let disk = memory();
    let store =
        ChunkStore::open(Arc::clone(&disk), Path::new(DIR), Limits { cache_bytes: 0, ..quiet() }).unwrap();
    let (chunk, sealed) = (&fill(&store, 0..1, 5000)[0].1.clone(), &theirs(1, 5000)[0].2);
    damage(&disk, &store, &chunk.id);
    assert!(store.get(chunk).is_err());
    store.import_cached(&chunk.id, sealed.clone()).unwrap();
    assert_eq!(store.get(chunk).unwrap(), noise(0, 5000));
    drop(store);
    let store = open_on(&disk);
    assert_eq!(store.get(chunk).unwrap(), noise(0, 5000));
    assert_eq!(store.usage().damaged_chunks, 0);
}

#[test]
fn a_disk_that_fails_behind_the_reader_is_told_to_the_next() {
    let plan = FaultPlan::new(vec![]);
    let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(memory(), Arc::clone(&plan)));
    let store = open_on(&disk);
    let chunks = theirs(3, 5000);
    plan.set(vec![Fault::from(0, FaultKind::Fail(ErrorKind::Other)).of(Breaks::Changes)]);
    store.import_cached(&chunks[0].1.id, chunks[0].2.clone()).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while store.health() == Health::Ok {
        assert!(std::time::Instant::now() < deadline, "nobody was told");
        std::thread::yield_now();
    }
    assert!(matches!(store.import_cached(&chunks[1].1.id, chunks[1].2.clone()), Err(StoreError::Failed(_))));
    assert_eq!(store.get(&chunks[0].1).unwrap(), noise(0, 5000), "it is in memory");
    assert_eq!(store.state(&chunks[0].1.id).unwrap(), None);
}
