use super::*;

const LONG: usize = 1 << 20;

fn sweep_but(store: &ChunkStore, living: &[(u64, ChunkRef)]) -> SweepReport {
    let sweep = store.begin_sweep();
    living.iter().for_each(|(_, chunk)| sweep.mark(&chunk.id));
    sweep.finish().unwrap()
}

#[test]
fn a_sweep_keeps_exactly_the_marked_and_the_new() {
    let disk = memory();
    let store = open_on(&disk);
    let old = fill(&store, 0..100, 500);
    store.checkpoint_index().unwrap();
    let sealed = store.export(&old[41].1.id).unwrap();
    let sweep = store.begin_sweep();
    let new = fill(&store, 100..120, 500);
    fill(&store, 40..41, 500);
    store.import(&old[41].1.id, &sealed).unwrap();
    old[..40].iter().for_each(|(_, chunk)| sweep.mark(&chunk.id));
    let report = sweep.finish().unwrap();
    assert_eq!((report.live_chunks + report.dead_chunks, report.dead_chunks), (120, 58));
    assert_readable(&store, &old[..42]);
    assert_readable(&store, &new);
    assert!(old[42..].iter().all(|(_, chunk)| !store.contains(&chunk.id).unwrap()));
    assert_eq!(store.usage().chunks, 62);
    drop(store);
    let store = open_on(&disk);
    assert_eq!(store.usage().chunks, 62);
    // What was given up is stored anew when it comes again.
    let again = fill(&store, 50..51, 500);
    assert_readable(&store, &again);
}

#[test]
fn a_dropped_or_replaced_sweep_gives_nothing_up() {
    let store = open_on(&memory());
    let chunks = fill(&store, 0..10, 500);
    drop(store.begin_sweep());
    let first = store.begin_sweep();
    let second = store.begin_sweep();
    chunks.iter().for_each(|(_, chunk)| second.mark(&chunk.id));
    assert!(matches!(first.finish(), Err(StoreError::SweepReplaced)));
    fill(&store, 10..11, 500);
    second.finish().unwrap();
    assert_eq!(store.usage().chunks, 11);
}

#[test]
fn compaction_moves_the_living_and_removes_the_pack() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..150, LONG);
    let living: Vec<_> = chunks.iter().filter(|(seed, _)| seed % 4 == 0).cloned().collect();
    let report = sweep_but(&store, &living);
    assert_eq!(report.dead_chunks, 112);
    let before = store.usage();
    let report = store.compact(u64::MAX).unwrap();
    assert_eq!((report.removed_packs, report.more_to_do), (3, false), "{report:?}");
    let header = crate::pack::PACK_HEADER_BYTES as u64;
    assert_eq!(store.usage().pack_bytes, header + report.copied_bytes);
    assert_eq!(report.removed_bytes, before.pack_bytes);
    assert_eq!(store.usage().live_bytes, before.live_bytes);
    assert_readable(&store, &living);
    drop(store);
    assert_readable(&open_on(&disk), &living);
    forget_index(&disk);
    assert_readable(&open_on(&disk), &living);
}

#[test]
fn wholly_dead_packs_go_without_a_budget() {
    let store = open_on(&memory());
    let chunks = fill(&store, 0..200, LONG);
    sweep_but(&store, &chunks[190..]);
    let report = store.compact(0).unwrap();
    assert!(report.removed_packs >= 2 && report.copied_bytes == 0, "{report:?}");
    assert_readable(&store, &chunks[190..]);
}

#[test]
fn a_damaged_living_chunk_keeps_its_pack() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..100, LONG);
    sweep_but(&store, &chunks[..3]);
    damage(&disk, &store, &chunks[1].1.id);
    let path = store.inner.folder.path(1);
    store.compact(u64::MAX).unwrap();
    assert!(disk.exists(&path).unwrap());
    assert_eq!(store.usage().damaged_chunks, 1);
    assert_readable(&store, &[chunks[0].clone(), chunks[2].clone()]);
    // Healed, nothing holds the pack any more once the store is opened anew.
    fill(&store, 1..2, LONG);
    drop(store);
    let store = open_on(&disk);
    store.compact(u64::MAX).unwrap();
    assert!(!disk.exists(&path).unwrap());
    assert_readable(&store, &chunks[..3]);
}

#[test]
fn a_compaction_cut_off_before_the_removal_leaves_a_pack_that_goes_later() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..100, LONG);
    let path = store.inner.folder.path(1);
    let file = disk.open(&path, Open::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    sweep_but(&store, &chunks[..3]);
    store.compact(u64::MAX).unwrap();
    assert!(!disk.exists(&path).unwrap());
    drop(store);
    let back = disk.open(&path, Open::CreateNew).unwrap();
    back.write_at(0, &bytes).unwrap();
    let store = open_on(&disk);
    assert_readable(&store, &chunks[..3]);
    sweep_but(&store, &chunks[..3]);
    assert!(store.compact(u64::MAX).unwrap().removed_packs >= 1);
    assert!(!disk.exists(&path).unwrap());
    assert_readable(&store, &chunks[..3]);
}

#[test]
fn the_pack_in_use_is_emptied_too_once_it_is_mostly_dead() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..10, LONG);
    sweep_but(&store, &chunks[..2]);
    let report = store.compact(u64::MAX).unwrap();
    assert_eq!(report.removed_packs, 1);
    assert!(store.usage().pack_bytes < 3 << 20);
    assert_readable(&store, &chunks[..2]);
    sweep_but(&store, &[]);
    store.compact(0).unwrap();
    assert_eq!((store.usage().pack_bytes, store.usage().chunks), (0, 0));
    drop(store);
    let store = open_on(&disk);
    let again = fill(&store, 0..3, LONG);
    assert_readable(&store, &again);
    drop(store);
    assert_readable(&open_on(&disk), &again);
}

#[test]
fn storing_reading_sweeping_and_compacting_go_on_at_the_same_time() {
    let disk = memory();
    // Small packs and no cache, so that chunks move while they are read.
    let limits = Limits { contribute_bytes: 128 << 20, cache_bytes: 0, ..Limits::default() };
    let store = ChunkStore::open(Arc::clone(&disk), Path::new(DIR), limits).unwrap();
    let kept = fill(&store, 0..60, 100_000);
    let begin = std::sync::Barrier::new(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            begin.wait();
            for round in 0..12_u64 {
                // Garbage, among which some content that lives comes again.
                fill(&store, 1000 + round * 20..1020 + round * 20, 100_000);
                fill(&store, round * 5..round * 5 + 5, 100_000);
                store.flush().unwrap();
            }
        });
        scope.spawn(|| {
            begin.wait();
            (0..12).for_each(|_| assert_readable(&store, &kept));
        });
        begin.wait();
        for _ in 0..12 {
            sweep_but(&store, &kept);
            store.compact(u64::MAX).unwrap();
            assert_eq!(store.scrub(None, &mut |_| Pace::Continue).unwrap().bad_chunks, 0);
        }
    });
    sweep_but(&store, &kept);
    store.compact(u64::MAX).unwrap();
    assert_eq!(store.usage().chunks, 60);
    let used = store.usage();
    drop(store);
    let store = ChunkStore::open(Arc::clone(&disk), Path::new(DIR), limits).unwrap();
    assert_readable(&store, &kept);
    let again = store.usage();
    assert_eq!(
        (again.chunks, again.live_bytes, again.pack_bytes),
        (used.chunks, used.live_bytes, used.pack_bytes)
    );
}
