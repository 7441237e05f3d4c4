use super::*;

const PLACED: ChunkState = ChunkState::PLACED;
const CACHED: ChunkState = ChunkState::CACHED;
const UNREPLICATED: ChunkState = ChunkState::UNREPLICATED;
const NONE: ChunkState = ChunkState(0);

fn ids(chunks: &[(u64, ChunkRef)]) -> Vec<ChunkId> {
    let mut ids: Vec<_> = chunks.iter().map(|(_, chunk)| chunk.id).collect();
    ids.sort_unstable();
    ids
}

fn partitions(ids: &[ChunkId]) -> Vec<u16> {
    let mut partitions: Vec<_> = ids.iter().map(ChunkId::partition).collect();
    partitions.dedup();
    partitions
}

#[test]
fn what_is_kept_is_listed_by_partition_whether_it_is_checkpointed_or_not() {
    let store = open_on(&memory());
    fill(&store, 0..200, 20);
    store.checkpoint_index().unwrap();
    let all = ids(&fill(&store, 0..300, 20));
    let every: Vec<u16> = (0..crate::ids::PARTITIONS).collect();
    assert_eq!(store.kept(&every, None, 1000, false).unwrap(), all);
    assert_eq!(store.kept(&every, Some(all[99]), 100, false).unwrap(), all[100..200]);
    assert!(store.kept(&every, None, 1000, true).unwrap().is_empty(), "none is confirmed");
    assert!(store.kept(&[], None, 1000, false).unwrap().is_empty());
    let some = partitions(&all[50..60]);
    let expected: Vec<_> = all.iter().copied().filter(|id| some.contains(&id.partition())).collect();
    assert_eq!(store.kept(&some, None, 1000, false).unwrap(), expected);
    let last = [all[299].partition()];
    assert!(store.kept(&last, Some(all[299]), 1000, false).unwrap().is_empty());
}

#[test]
fn cache_damage_and_what_nothing_names_are_not_kept() {
    let disk = memory();
    let store = open_on(&disk);
    let all = ids(&fill(&store, 0..6, 500));
    let every: Vec<u16> = (0..crate::ids::PARTITIONS).collect();
    store.set_state(&all[0], CACHED, UNREPLICATED).unwrap();
    store.set_state(&all[1], PLACED, UNREPLICATED).unwrap();
    store.set_state(&all[2], PLACED.with(ChunkState::DOOMED), UNREPLICATED).unwrap();
    store.flush().unwrap();
    damage(&disk, &store, &all[3]);
    assert!(store.export(&all[3]).is_err());
    assert_eq!(store.kept(&every, None, 9, false).unwrap(), [all[1], all[4], all[5]]);
    assert_eq!(store.kept(&every, None, 9, true).unwrap(), [all[1]]);
    assert_eq!(store.damaged(None, 9).unwrap(), [all[3]]);
    assert!(store.damaged(Some(all[3]), 9).unwrap().is_empty());
    store.doubt(&[all[1], all[3], ChunkId([9; 32])]).unwrap();
    assert_eq!(store.state(&all[1]).unwrap(), Some(PLACED.with(UNREPLICATED)));
    store.set_state(&all[4], PLACED, UNREPLICATED).unwrap();
    store.set_state(&all[5], NONE, UNREPLICATED).unwrap();
    assert_eq!(store.kept(&every, None, 9, false).unwrap(), [all[1], all[4]]);
}

#[test]
fn sums_are_equal_exactly_where_the_same_is_kept() {
    let (ours, theirs) = (open_on(&memory()), open_on(&memory()));
    let all = ids(&fill(&ours, 0..9000, 20));
    fill(&theirs, 0..8999, 20);
    ours.checkpoint_index().unwrap();
    let partitions = partitions(&all);
    let (a, b) = (ours.kept_sums(&partitions).unwrap(), theirs.kept_sums(&partitions).unwrap());
    assert_eq!(a.iter().map(|sum| sum.count).sum::<u64>(), 9000);
    assert_eq!(a.iter().zip(&b).filter(|(a, b)| a != b).count(), 1);
    fill(&theirs, 8999..9000, 20);
    assert_eq!(theirs.kept_sums(&partitions).unwrap(), a);
}

#[test]
fn what_was_healed_is_counted() {
    let disk = memory();
    let store = open_on(&disk);
    let chunks = fill(&store, 0..2, 500);
    store.flush().unwrap();
    damage(&disk, &store, &chunks[0].1.id);
    assert!(store.export(&chunks[0].1.id).is_err());
    assert_eq!((store.usage().damaged_chunks, store.usage().healed_chunks), (1, 0));
    fill(&store, 0..1, 500);
    assert_eq!((store.usage().damaged_chunks, store.usage().healed_chunks), (0, 1));
}
