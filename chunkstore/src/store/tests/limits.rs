use super::*;
use crate::error::{FullLimit, StoreErrorKind};

#[test]
fn the_contribution_is_never_passed_and_reads_go_on() {
    let disk = memory();
    let limits = Limits { contribute_bytes: 100_000, ..quiet() };
    let store = ChunkStore::open(Arc::clone(&disk), Path::new(DIR), limits).unwrap();
    let mut chunks = Vec::new();
    let refused = loop {
        let seed = chunks.len() as u64;
        match store.put(&secret(), &noise(seed, 3000)) {
            Ok(chunk) => chunks.push((seed, chunk)),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { limit: FullLimit::Contribution(100_000), .. }), "{refused}");
    assert!(chunks.len() > 25 && store.usage().pack_bytes <= 100_000);
    assert!(store.usage().can_store_bytes < 3100);
    assert_readable(&store, &chunks);
    store.flush().unwrap();
    // What is here already takes no room.
    store.put(&secret(), &noise(0, 3000)).unwrap();
    store.set_limits(Limits { contribute_bytes: 200_000, ..limits });
    store.put(&secret(), &noise(1000, 3000)).unwrap();
    drop(store);
    assert_readable(&ChunkStore::open(disk, Path::new(DIR), limits).unwrap(), &chunks);
}

#[test]
fn the_reserve_of_the_disk_is_left_free() {
    let memory = MemoryDisk::new();
    memory.set_total_bytes(3 << 20);
    let disk: Arc<dyn Disk> = Arc::new(memory.clone());
    let limits = Limits { reserve_bytes: 1 << 20, ..quiet() };
    let store = ChunkStore::open(Arc::clone(&disk), Path::new(DIR), limits).unwrap();
    let refused = (0..1000).find_map(|seed| store.put(&secret(), &noise(seed, 10_000)).err()).unwrap();
    assert!(matches!(refused, StoreError::Full { limit: FullLimit::Reserve(_), .. }), "{refused}");
    assert_eq!(refused.kind(), StoreErrorKind::Full);
    assert!(disk.space(Path::new(DIR)).unwrap().free_bytes >= 1 << 20);
    store.flush().unwrap();
    memory.set_total_bytes(5 << 20);
    store.put(&secret(), &noise(2000, 10_000)).unwrap();
}

#[test]
fn a_full_store_frees_what_is_dead() {
    let disk = memory();
    let limits = Limits { contribute_bytes: 160 << 20, ..quiet() };
    let store = ChunkStore::open(disk, Path::new(DIR), limits).unwrap();
    let mut chunks = Vec::new();
    while let Ok(chunk) = store.put(&secret(), &noise(chunks.len() as u64, 1 << 20)) {
        chunks.push((chunks.len() as u64, chunk));
    }
    let sweep = store.begin_sweep();
    let living: Vec<_> = chunks.iter().filter(|(seed, _)| seed % 5 == 0).cloned().collect();
    living.iter().for_each(|(_, chunk)| sweep.mark(&chunk.id));
    sweep.finish().unwrap();
    let report = store.compact(u64::MAX).unwrap();
    assert!(report.removed_packs >= 2, "{report:?}");
    assert_readable(&store, &living);
    store.put(&secret(), &noise(9999, 1 << 20)).unwrap();
    assert!(store.usage().pack_bytes <= 160 << 20);
}
