use super::*;
use crate::error::StoreErrorKind;

/// A store without a cache, so that every read goes to the disk.
fn uncached(disk: &Arc<dyn Disk>) -> ChunkStore {
    let limits = Limits { cache_bytes: 0, ..quiet() };
    ChunkStore::open(Arc::clone(disk), Path::new(DIR), limits).unwrap()
}

#[test]
fn a_damaged_chunk_is_not_served_and_a_new_copy_heals_it() {
    for by_import in [false, true] {
        let disk = memory();
        let store = uncached(&disk);
        let chunks = fill(&store, 0..3, 5000);
        let bad = &chunks[1].1;
        let sealed = store.export(&bad.id).unwrap();
        damage(&disk, &store, &bad.id);
        for _ in 0..2 {
            assert_eq!(store.get(bad).unwrap_err().kind(), StoreErrorKind::Damaged);
            assert_eq!(store.export(&bad.id).unwrap_err().kind(), StoreErrorKind::Damaged);
        }
        assert!(!store.contains(&bad.id).unwrap());
        assert_eq!(store.usage().damaged_chunks, 1);
        drop(store);
        let store = uncached(&disk);
        assert_eq!(store.usage().damaged_chunks, 1);
        if by_import {
            store.import(&bad.id, &sealed).unwrap();
        } else {
            store.put(&secret(), &noise(1, 5000)).unwrap();
        }
        assert_readable(&store, &chunks);
        assert_eq!((store.usage().damaged_chunks, store.usage().chunks), (0, 3));
        drop(store);
        assert_readable(&uncached(&disk), &chunks);
        forget_index(&disk);
        assert_readable(&uncached(&disk), &chunks);
    }
}

#[test]
fn a_scrub_finds_what_is_bad_wherever_the_damage_is() {
    let disk = memory();
    let store = uncached(&disk);
    let chunks = fill(&store, 0..30, 5000);
    store.checkpoint_index().unwrap();
    let clean = store.scrub(None, &mut |_| Pace::Continue).unwrap();
    assert_eq!((clean.checked_chunks, clean.bad_chunks, clean.complete), (30, 0, true));
    damage(&disk, &store, &chunks[7].1.id);
    let (file, place) = pack_file(&disk, &store, &chunks[20].1.id);
    flip(&*file, u64::from(place.at.offset) + 3);
    let report = store.scrub(None, &mut |_| Pace::Continue).unwrap();
    let mut bad = report.bad.clone();
    bad.sort_unstable();
    let mut expected = vec![chunks[7].1.id, chunks[20].1.id];
    expected.sort_unstable();
    assert_eq!((bad, report.bad_chunks, report.unreadable_chunks), (expected, 2, 0));
    fill(&store, 0..30, 5000);
    assert_readable(&store, &chunks);
    assert_eq!(store.scrub(None, &mut |_| Pace::Continue).unwrap().bad_chunks, 0);
}

#[test]
fn a_scrub_misses_what_was_stored_since_the_last_checkpoint_too() {
    let disk = memory();
    let store = uncached(&disk);
    let chunks = fill(&store, 0..10, 5000);
    store.flush().unwrap();
    let (file, _) = pack_file(&disk, &store, &chunks[0].1.id);
    file.set_len(0).unwrap();
    // What comes then lies behind a hole.
    fill(&store, 10..11, 5000);
    let report = store.scrub(None, &mut |_| Pace::Continue).unwrap();
    assert_eq!((report.bad_chunks, report.unreadable_chunks), (10, 0));
    assert_eq!(store.usage().damaged_chunks, 10);
}

#[test]
fn a_scrub_goes_pack_by_pack_and_on_after_a_restart() {
    let disk = memory();
    let store = uncached(&disk);
    let chunks = fill(&store, 0..140, 1 << 20);
    store.checkpoint_index().unwrap();
    let bad = [&chunks[3], &chunks[100]].map(|(_, chunk)| chunk.id);
    bad.iter().for_each(|id| damage(&disk, &store, id));
    let uses = store.uses();
    let (first, report) = store.scrub_pack_after(None, &mut |_| Pace::Continue).unwrap().unwrap();
    assert_eq!((report.bad.as_slice(), report.complete), (&bad[..1], true));
    assert!(report.checked_bytes <= 65 << 20, "one pack alone");
    assert_eq!(store.uses(), uses, "nobody asked for what a scrub reads");
    drop(store);
    let store = uncached(&disk);
    let (mut after, mut checked, mut found) = (Some(first), report.checked_chunks, report.bad);
    while let Some((pack, report)) = store.scrub_pack_after(after, &mut |_| Pace::Continue).unwrap() {
        assert!(Some(pack) > after);
        (after, checked) = (Some(pack), checked + report.checked_chunks);
        found.extend(report.bad);
    }
    assert_eq!((checked, found.as_slice()), (140, &bad[..]));
    assert_eq!(store.usage().damaged_chunks, 2);
    let stopped = store.scrub_pack_after(None, &mut |_| Pace::Stop).unwrap().unwrap();
    assert!(!stopped.1.complete);
}

#[test]
fn a_scrub_tells_its_progress_and_stops_when_told() {
    let store = open_on(&memory());
    fill(&store, 0..40, 100_000);
    let mut seen = Vec::new();
    let report = store
        .scrub(Some(1 << 20), &mut |progress| {
            seen.push((progress.checked_bytes, progress.earliest));
            if progress.checked_bytes > 2 << 20 { Pace::Stop } else { Pace::Wait(std::time::Duration::ZERO) }
        })
        .unwrap();
    assert!(!report.complete && report.checked_chunks < 40);
    assert_eq!(seen.len(), 2);
    assert!(seen[0].1.as_secs_f64() >= 1.0 && seen[1].1.as_secs_f64() >= 2.0, "{seen:?}");
}

#[test]
fn a_pack_that_lost_its_end_costs_the_chunks_that_lay_there() {
    let disk = memory();
    let store = uncached(&disk);
    let chunks = fill(&store, 0..10, 5000);
    store.checkpoint_index().unwrap();
    let (file, place) = pack_file(&disk, &store, &chunks[6].1.id);
    file.set_len(u64::from(place.at.offset) + 100).unwrap();
    assert_readable(&store, &chunks[..6]);
    assert_eq!(store.get(&chunks[8].1).unwrap_err().kind(), StoreErrorKind::Damaged);
    let report = store.scrub(None, &mut |_| Pace::Continue).unwrap();
    assert_eq!((report.bad_chunks, report.unreadable_chunks), (4, 4));
    drop(store);
    let store = uncached(&disk);
    fill(&store, 0..10, 5000);
    assert_readable(&store, &chunks);
}
