use std::collections::BTreeMap;
use std::thread;

use super::*;
use crate::cut::MAX_CHUNK_BYTES;
use crate::error::StoreErrorKind;
use crate::ids::ChunkKey;

#[test]
fn what_is_put_is_read_at_once_and_after_a_restart() {
    let disk = memory();
    let store = open_on(&disk);
    let mut chunks = fill(&store, 0..20, 3000);
    chunks.extend(fill(&store, 20..22, MAX_CHUNK_BYTES));
    chunks.extend(fill(&store, 22..23, 0));
    assert_readable(&store, &chunks);
    drop(store);
    let store = open_on(&disk);
    assert_readable(&store, &chunks);
    assert_eq!(store.usage().chunks, 23);
}

#[test]
fn the_real_disk_serves_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chunks");
    let disk: Arc<dyn Disk> = Arc::new(crate::disk::OsDisk);
    let store = ChunkStore::open(Arc::clone(&disk), &path, Limits::default()).unwrap();
    let chunks = fill(&store, 0..40, 100_000);
    store.flush().unwrap();
    drop(store);
    let store = ChunkStore::open(disk, &path, Limits::default()).unwrap();
    assert_readable(&store, &chunks);
}

#[test]
fn the_same_content_is_stored_once() {
    let disk = memory();
    let store = open_on(&disk);
    let first = fill(&store, 0..5, 4000);
    let used = store.usage();
    assert_eq!(fill(&store, 0..5, 4000), first);
    assert_eq!(store.usage().pack_bytes, used.pack_bytes);
    assert_eq!(store.usage().saved_by_dedup_bytes, 20_000);
    drop(store);
    let store = open_on(&disk);
    assert_eq!(fill(&store, 0..5, 4000), first);
    assert_eq!(store.usage().pack_bytes, used.pack_bytes);
}

#[test]
fn what_compression_saves_is_counted_once() {
    let store = open_on(&memory());
    fill(&store, 0..3, 4000);
    assert_eq!(store.usage().saved_by_compression_bytes, 0, "noise does not become shorter");
    let before = store.usage().live_bytes;
    for _ in 0..2 {
        store.put(&secret(), &[7; 100_000]).unwrap();
    }
    let usage = store.usage();
    assert_eq!(usage.saved_by_compression_bytes, 100_000 - (usage.live_bytes - before));
    assert!(usage.saved_by_compression_bytes > 99_000, "{usage:?}");
}

#[test]
fn another_secret_shares_nothing() {
    let store = open_on(&memory());
    let ours = store.put(&secret(), b"the same words").unwrap();
    let theirs = store.put(&DedupSecret::new([6; 32]), b"the same words").unwrap();
    assert_ne!(ours.id, theirs.id);
}

#[test]
fn a_wrong_key_or_length_gives_nothing_even_from_the_cache() {
    let store = open_on(&memory());
    let chunk = store.put(&secret(), b"some words").unwrap();
    store.get(&chunk).unwrap();
    let wrong = [ChunkRef { key: ChunkKey([1; 32]), ..chunk.clone() }, ChunkRef { len: 9, ..chunk.clone() }];
    for wrong in wrong {
        assert_eq!(store.get(&wrong).unwrap_err().kind(), StoreErrorKind::Damaged);
    }
    // The bytes on disk are whole, so the chunk is not marked.
    assert_eq!(store.get(&chunk).unwrap(), "some words");
    assert!(store.contains(&chunk.id).unwrap());
}

#[test]
fn sealed_bytes_travel_between_stores() {
    let (ours, theirs) = (open_on(&memory()), open_on(&memory()));
    let chunk = ours.put(&secret(), &noise(1, 9000)).unwrap();
    let sealed = ours.export(&chunk.id).unwrap();
    theirs.import(&chunk.id, &sealed).unwrap();
    theirs.import(&chunk.id, &sealed).unwrap();
    assert_readable(&theirs, &[(1, chunk.clone())]);
    assert_eq!(theirs.usage().chunks, 1);
    let refused = theirs.import(&ChunkId([0; 32]), &sealed).unwrap_err();
    assert!(matches!(refused, StoreError::WrongBytes(_)));
    assert!(matches!(theirs.export(&ChunkId([0; 32])), Err(StoreError::NotFound(_))));
    // What was imported is found when its plaintext is put.
    assert_eq!(theirs.put(&secret(), &noise(1, 9000)).unwrap(), chunk);
    assert_eq!(theirs.usage().chunks, 1);
}

#[test]
fn many_threads_store_the_same_and_other_chunks() {
    let disk = memory();
    let store = Arc::new(open_on(&disk));
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let shared = fill(&store, 0..50, 2000);
                let own = fill(&store, 100 * (thread + 1)..100 * (thread + 1) + 50, 2000);
                store.flush().unwrap();
                assert_readable(&store, &own);
                [shared, own].concat()
            })
        })
        .collect();
    let chunks: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(store.usage().chunks, 250);
    assert_eq!(store.usage().live_bytes + 32, store.usage().pack_bytes, "no chunk was stored twice");
    drop(store);
    forget_index(&disk);
    assert_readable(&open_on(&disk), &chunks);
}

#[test]
fn packs_are_sealed_and_the_next_begun() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..40, MAX_CHUNK_BYTES);
    let packs = store.inner.packs.lock().clone();
    assert_eq!(packs.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert!(packs.values().all(|used| used.bytes <= u64::from(crate::pack::MAX_PACK_BYTES)));
    drop(store);
    assert_readable(&open_on(&disk), &chunks);
}

#[test]
fn state_bits_are_kept() {
    let disk = memory();
    let store = open_on(&disk);
    let chunk = store.put(&secret(), b"words").unwrap();
    assert_eq!(store.state(&chunk.id).unwrap(), Some(ChunkState::UNREPLICATED));
    store
        .set_state(&chunk.id, ChunkState::PLACED.with(ChunkState::DAMAGED), ChunkState::UNREPLICATED)
        .unwrap();
    drop(store);
    let store = open_on(&disk);
    assert_eq!(store.state(&chunk.id).unwrap(), Some(ChunkState::PLACED));
    assert_eq!(store.state(&ChunkId([0; 32])).unwrap(), None);
    assert!(store.set_state(&ChunkId([0; 32]), ChunkState::PINNED, ChunkState::default()).is_err());
}

#[test]
fn partitions_list_and_sum_their_chunks() {
    let store = open_on(&memory());
    let chunks = fill(&store, 0..300, 20);
    let sums = store.partition_sums().unwrap();
    assert_eq!(sums.values().map(|sum| sum.count).sum::<u64>(), 300);
    let mut expected: BTreeMap<u16, Vec<ChunkId>> = BTreeMap::new();
    for (_, chunk) in &chunks {
        expected.entry(chunk.id.partition()).or_default().push(chunk.id);
    }
    for (partition, mut ids) in expected {
        ids.sort_unstable();
        assert_eq!(store.partition_ids(partition, None, 1000).unwrap(), ids);
        assert_eq!(store.partition_ids(partition, Some(ids[0]), 1000).unwrap(), ids[1..]);
        assert_eq!(store.partition_ids(partition, None, 1).unwrap(), ids[..1]);
    }
}

#[test]
fn an_overlong_chunk_is_refused() {
    let store = open_on(&memory());
    let refused = store.put(&secret(), &vec![0; MAX_CHUNK_BYTES + 1]).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Misuse);
}
