use std::io::ErrorKind;

use super::*;
use crate::disk::{Fault, FaultKind, FaultPlan, FaultyDisk};
use crate::error::StoreErrorKind;

#[test]
fn a_lost_index_is_rebuilt_and_content_still_deduplicates() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..50, 3000);
    drop(store);
    forget_index(&disk);
    let store = open_on(&disk);
    let used = store.usage();
    assert_eq!(used.chunks, 50);
    assert_readable(&store, &chunks);
    assert_eq!(fill(&store, 0..50, 3000), chunks);
    assert_eq!(store.usage().pack_bytes, used.pack_bytes);
}

#[test]
fn a_vanished_pack_costs_its_own_chunks_only() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..100, 1 << 20);
    let path = store.inner.folder.path(1);
    drop(store);
    disk.remove(&path).unwrap();
    let store = open_on(&disk);
    assert!(matches!(store.get(&chunks[0].1), Err(StoreError::NotFound(_))));
    assert_readable(&store, &chunks[80..]);
}

#[test]
fn packs_of_a_newer_version_are_refused_untouched() {
    let disk = memory();
    let store = open_on(&disk);
    fill(&store, 0..5, 3000);
    let path = store.inner.folder.path(1);
    drop(store);
    let file = disk.open(&path, Open::ReadWrite).unwrap();
    let mut header = [0; 32];
    file.read_at(0, &mut header).unwrap();
    header[8] = 9;
    let sum = crc32fast::hash(&header[..28]);
    header[28..].copy_from_slice(&sum.to_le_bytes());
    file.write_at(0, &header).unwrap();
    let len = file.len().unwrap();
    let refused = ChunkStore::open(Arc::clone(&disk), Path::new(DIR), quiet()).err().unwrap();
    assert!(matches!(refused, StoreError::NewerFormat { found: 9, .. }), "{refused}");
    assert_eq!(file.len().unwrap(), len);
}

/// Stores, flushes, checkpoints, sweeps and compacts; notes what a successful flush promised.
fn session(disk: &Arc<dyn Disk>, promised: &mut Vec<(u64, ChunkRef)>) -> Result<(), StoreError> {
    let store = ChunkStore::open(Arc::clone(disk), Path::new(DIR), quiet())?;
    for round in 0..4_u64 {
        let mut put = Vec::new();
        for seed in round * 10..round * 10 + 6 {
            put.push((seed, store.put(&secret(), &noise(seed, 700))?));
        }
        // Content of earlier rounds comes again.
        for seed in 0..round * 3 {
            put.push((seed, store.put(&secret(), &noise(seed, 700))?));
        }
        store.flush()?;
        promised.extend(put);
        if round % 2 == 1 {
            store.checkpoint_index()?;
        }
    }
    let sweep = store.begin_sweep();
    promised.iter().for_each(|(_, chunk)| sweep.mark(&chunk.id));
    sweep.finish()?;
    store.compact(u64::MAX)?;
    store.put(&secret(), &noise(999, 700))?;
    store.checkpoint_index()
}

/// After whatever happened, the store opens and holds what was promised, and works.
fn assert_recovers(disk: &Arc<dyn Disk>, promised: &[(u64, ChunkRef)], what: &str) {
    for forget in [false, true] {
        if forget && disk.exists(&Path::new(DIR).join("index.redb")).unwrap() {
            forget_index(disk);
        }
        let store = ChunkStore::open(Arc::clone(disk), Path::new(DIR), quiet());
        let store = store.unwrap_or_else(|error| panic!("{what}: {error}"));
        for (seed, chunk) in promised {
            let plain = store.get(chunk).unwrap_or_else(|error| panic!("{what}: seed {seed}: {error}"));
            assert_eq!(plain, noise(*seed, 700), "{what}");
        }
        let fresh = fill(&store, 5000..5003, 700);
        store.flush().unwrap();
        assert_readable(&store, &fresh);
        assert_eq!(store.scrub(None, &mut |_| Pace::Continue).unwrap().bad_chunks, 0, "{what}");
    }
}

#[test]
fn whichever_operation_fails_a_flushed_chunk_is_never_lost() {
    let plan = FaultPlan::new(Vec::new());
    let clean: Arc<dyn Disk> = Arc::new(FaultyDisk::new(memory(), Arc::clone(&plan)));
    session(&clean, &mut Vec::new()).unwrap();
    let operations = plan.count();
    assert!(operations > 40, "{operations}");
    let kinds = [FaultKind::Fail(ErrorKind::Other), FaultKind::Fail(ErrorKind::StorageFull), FaultKind::Tear];
    for at in 0..operations {
        for kind in kinds {
            for fault in [Fault::once(at, kind), Fault::from(at, kind)] {
                let memory = memory();
                let plan = FaultPlan::new(vec![fault]);
                let faulty: Arc<dyn Disk> = Arc::new(FaultyDisk::new(Arc::clone(&memory), plan));
                let mut promised = Vec::new();
                let _failed = session(&faulty, &mut promised);
                drop(faulty);
                assert_recovers(&memory, &promised, &format!("{fault:?}"));
            }
        }
    }
}

#[test]
fn after_a_failed_flush_nothing_is_promised_any_more() {
    let plan = FaultPlan::new(Vec::new());
    let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(memory(), Arc::clone(&plan)));
    let store = open_on(&disk);
    let chunks = fill(&store, 0..3, 700);
    plan.set(vec![Fault::once(plan.count(), FaultKind::Fail(ErrorKind::Other))]);
    assert_eq!(store.flush().unwrap_err().kind(), StoreErrorKind::Io);
    for _ in 0..2 {
        assert_eq!(store.flush().unwrap_err().kind(), StoreErrorKind::ReadOnly);
        assert_eq!(store.checkpoint_index().unwrap_err().kind(), StoreErrorKind::ReadOnly);
        assert_eq!(store.put(&secret(), b"more").unwrap_err().kind(), StoreErrorKind::ReadOnly);
    }
    assert!(matches!(store.health(), Health::Failed(_)));
    assert_readable(&store, &chunks);
}

#[test]
fn a_full_disk_is_told_and_the_store_goes_on_when_there_is_room() {
    let plan = FaultPlan::new(Vec::new());
    let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(memory(), Arc::clone(&plan)));
    let store = open_on(&disk);
    let mut chunks = fill(&store, 0..3, 700);
    plan.set(vec![Fault::once(plan.count(), FaultKind::Fail(ErrorKind::StorageFull))]);
    assert_eq!(store.put(&secret(), &noise(3, 700)).unwrap_err().kind(), StoreErrorKind::Full);
    chunks.extend(fill(&store, 3..6, 700));
    store.flush().unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert_readable(&store, &chunks);
    drop(store);
    forget_index(&disk);
    assert_readable(&open_on(&disk), &chunks);
}

#[test]
fn power_loss_at_any_point_keeps_what_was_flushed() {
    for seed in 0..40 {
        let memory = MemoryDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(memory.clone());
        let store = open_on(&disk);
        let mut promised = fill(&store, 0..8, 700);
        store.flush().unwrap();
        if seed % 2 == 0 {
            store.checkpoint_index().unwrap();
        }
        promised.extend(fill(&store, 8..12, 700));
        store.flush().unwrap();
        fill(&store, 20..30, 700);
        let after: Arc<dyn Disk> = Arc::new(memory.cut_power(seed));
        drop(store);
        assert_recovers(&after, &promised, &format!("power loss {seed}"));
    }
}

#[test]
fn power_loss_around_reclaiming_keeps_what_lives() {
    for seed in 0..12 {
        let memory = MemoryDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(memory.clone());
        let store = open_on(&disk);
        let chunks = fill(&store, 0..70, 1 << 20);
        store.flush().unwrap();
        let sweep = store.begin_sweep();
        chunks[..5].iter().for_each(|(_, chunk)| sweep.mark(&chunk.id));
        sweep.finish().unwrap();
        store.compact(u64::MAX).unwrap();
        let after: Arc<dyn Disk> = Arc::new(memory.cut_power(seed));
        assert_readable(&open_on(&after), &chunks[..5]);
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_appending_goes_on_in_the_same_pack() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..5, 700);
    let path = store.inner.folder.path(1);
    drop(store);
    let file = disk.open(&path, Open::ReadWrite).unwrap();
    let len = file.len().unwrap();
    file.write_at(len, &noise(77, 300)).unwrap();
    let store = open_on(&disk);
    assert_eq!(file.len().unwrap(), len);
    let more = fill(&store, 5..8, 700);
    assert_readable(&store, &[chunks, more].concat());
    assert_eq!(store.inner.packs.lock().len(), 1);
}

#[test]
fn a_write_the_disk_lost_is_noticed_and_healed() {
    let plan = FaultPlan::new(Vec::new());
    let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(memory(), Arc::clone(&plan)));
    let store = open_on(&disk);
    let mut chunks = fill(&store, 0..3, 700);
    plan.set(vec![Fault::once(plan.count(), FaultKind::Drop)]);
    chunks.extend(fill(&store, 3..6, 700));
    assert_eq!(store.get(&chunks[3].1).unwrap_err().kind(), StoreErrorKind::Damaged);
    fill(&store, 3..4, 700);
    assert_readable(&store, &chunks);
    drop(store);
    forget_index(&disk);
    assert_readable(&open_on(&disk), &chunks);
}
