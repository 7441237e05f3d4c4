//! A drive some of whose chunks are on another computer.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use fixture::group::{FakeGroup, Mood, PATIENCE};
use fixture::{Fixture, READ_WRITE, create, noise, read, read_file, sync_all, write, write_file};
use proptest::prelude::*;
use vfs::{Allocate, AttrChange, Drive, Error, OpenFlags, ROOT, Safety, Seek, Urgency, wait};

const READ: OpenFlags = OpenFlags { read: true, write: false, append: false, truncate: false, direct: false };
/// Long enough for its list to be in pages.
const LONG: usize = 12 << 20;

/// A drive with this file, whose chunks are elsewhere.
fn away(fixture: &Fixture, name: &str, bytes: &[u8], mood: Mood) -> (Arc<Drive>, Arc<FakeGroup>) {
    let drive = fixture.open();
    write_file(&drive, ROOT, name, bytes);
    sync_all(&drive);
    let group = FakeGroup::beside(&drive, mood);
    group.take_all(&drive);
    (drive, group)
}

fn first_bytes(drive: &Drive, path: &str) -> Result<Vec<u8>, Error> {
    let ino = drive.resolve(path.as_bytes()).unwrap();
    let opened = drive.open(ino, READ).unwrap();
    let bytes = wait(|reply| drive.read(opened.handle, 0, 4096, reply));
    drive.release(opened.handle);
    bytes.map(|bytes| bytes.to_vec())
}

/// Waits until nothing is unsettled, told by the log.
fn wait_until_settled(drive: &Drive) {
    let (told, advances) = unbounded();
    drive.on_log_advance(Box::new(move || {
        let _ = told.send(());
    }));
    let deadline = Instant::now() + PATIENCE;
    while drive.own_sequence_pending() {
        assert!(Instant::now() < deadline, "never settled");
        let _ = advances.recv_timeout(Duration::from_millis(50));
    }
}

/// What is said of all chunks that were put so far.
fn named(drive: &Drive) -> vfs::Named {
    let (told, answers) = unbounded();
    let ids = drive.store().unreplicated(None, usize::MAX).unwrap();
    drive.when_named(&ids, Box::new(move |named| told.send(named.unwrap()).unwrap()));
    answers.recv_timeout(PATIENCE).unwrap()
}

fn own_sequence(drive: &Drive) -> u64 {
    drive.frontier().0.values().copied().max().unwrap_or(0)
}

#[test]
fn chunks_of_an_open_file_are_named_once_it_is_published_and_durable() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    write_file(&drive, ROOT, "before", &noise(1, 1 << 20));
    sync_all(&drive);
    let before = named(&drive);
    assert_eq!(before, vfs::Named { open: HashSet::new(), sequence: own_sequence(&drive) });
    // Cut and sealed while it arrives.
    let (_, handle) = create(&drive, ROOT, "long");
    write(&drive, handle, 0, &noise(2, LONG));
    let while_open = named(&drive);
    assert!(!while_open.open.is_empty());
    drive.release(handle);
    wait_until_settled(&drive);
    let after = named(&drive);
    assert!(after.open.is_empty() && after.sequence > before.sequence);
    assert!(after.sequence <= own_sequence(&drive), "it is durable here");
    // What is open and has no name stays as long as it is open.
    let (_, handle) = create(&drive, ROOT, "gone");
    write(&drive, handle, 0, &noise(3, LONG));
    drive.unlink(ROOT, b"gone").unwrap();
    sync_all(&drive);
    assert!(!named(&drive).open.is_empty());
    assert!(read(&drive, handle, 0, 1000) == noise(3, LONG)[..1000]);
    drive.release(handle);
    assert!(named(&drive).open.is_empty());
}

#[test]
fn a_question_for_names_is_answered_by_the_commit_that_comes_anyway() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (told, answers) = unbounded();
    for number in 0..40_u64 {
        write_file(&drive, ROOT, &format!("f{number}"), &noise(number, 10_000));
        let ids = drive.store().unreplicated(None, usize::MAX).unwrap();
        let told = told.clone();
        drive.when_named(&ids, Box::new(move |named| told.send(named).unwrap()));
    }
    drop(told);
    // More than wait at a time are told so at once.
    let answered: Vec<_> = answers.iter().take(40).collect();
    assert!(answered.iter().filter(|answer| answer.is_ok()).count() > 0);
    assert!(answered.iter().flatten().all(|named| named.sequence <= own_sequence(&drive)));
}

#[test]
fn a_file_reads_across() {
    let fixture = Fixture::default();
    let bytes = noise(1, LONG);
    let (drive, group) = away(&fixture, "f", &bytes, Mood::Serve);
    assert_eq!(first_bytes(&drive, "f"), Err(Error::Io), "no group yet");
    drive.join_group(group.clone());
    assert!(read_file(&drive, "f") == bytes);
    group.set_mood(Mood::Refuse);
    drive.release_memory();
    assert!(read_file(&drive, "f") == bytes, "it is here now");
    // What was cached may go and comes again.
    assert!(drive.store().evict(u64::MAX).unwrap() > 0);
    drive.release_memory();
    group.set_mood(Mood::Serve);
    assert!(read_file(&drive, "f") == bytes);
}

#[test]
fn who_cannot_be_served_is_told_in_the_end() {
    let fixture = Fixture::default();
    let (drive, group) = away(&fixture, "f", &noise(1, 100_000), Mood::Refuse);
    drive.join_group(group.clone());
    assert_eq!(first_bytes(&drive, "f"), Err(Error::Io));
    group.set_mood(Mood::Drop);
    assert_eq!(first_bytes(&drive, "f"), Err(Error::Io));
    group.set_mood(Mood::Hold);
    drive.set_fetch_deadline(Duration::from_millis(50));
    assert_eq!(first_bytes(&drive, "f"), Err(Error::Io), "the group never answered");
    drive.set_fetch_deadline(PATIENCE);
    group.release();
    assert_eq!(first_bytes(&drive, "f").unwrap(), noise(1, 4096));
}

#[test]
fn names_and_attributes_wait_for_nobody_and_readers_share_one_fetch() {
    let fixture = Fixture::default();
    let bytes = noise(1, LONG);
    let (drive, group) = away(&fixture, "f", &bytes, Mood::Hold);
    drive.join_group(group.clone());
    let ino = drive.resolve(b"f").unwrap();
    let handle = drive.open(ino, READ).unwrap().handle;
    let (told, answers) = unbounded();
    for _ in 0..3 {
        let told = told.clone();
        drive.read(handle, 0, 4096, Box::new(move |answer| told.send(answer).unwrap()));
    }
    let (page, urgency) = group.next_question();
    assert_eq!(urgency, Urgency::Now);
    assert_eq!(drive.attr(ino).unwrap().size, LONG as u64);
    assert_eq!(drive.seek(handle, 5, Seek::Data), Ok(5), "a list that is elsewhere counts as data");
    assert_eq!(drive.seek(handle, 5, Seek::Hole), Ok(LONG as u64));
    drive.release(drive.open(ino, READ).unwrap().handle);
    write_file(&drive, ROOT, "g", b"written meanwhile");
    sync_all(&drive);
    assert!(answers.try_recv().is_err());
    group.release();
    for _ in 0..3 {
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap().unwrap(), bytes[..4096]);
    }
    assert!(group.questions.try_iter().all(|(id, _)| id != page), "one fetch for all");
    drive.release(handle);
}

#[test]
fn a_reader_who_went_away_harms_nobody() {
    let fixture = Fixture::default();
    let (drive, group) = away(&fixture, "f", &noise(1, 100_000), Mood::Hold);
    drive.join_group(group.clone());
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ).unwrap().handle;
    let (told, answers) = unbounded();
    let again = told.clone();
    drive.read(handle, 0, 4096, Box::new(move |answer| told.send(answer).unwrap()));
    group.next_question();
    drive.release(handle);
    group.release();
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), Err(Error::BadHandle));
    // Closing answers who still waits.
    group.take_all(&drive);
    group.set_mood(Mood::Hold);
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ).unwrap().handle;
    drive.read(handle, 0, 4096, Box::new(move |answer| again.send(answer).unwrap()));
    group.next_question();
    drive.close().unwrap();
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), Err(Error::Io));
}

#[test]
fn what_is_written_beside_chunks_that_are_elsewhere_is_kept_and_settled_later() {
    let fixture = Fixture::default();
    let mut bytes = noise(1, LONG);
    let (drive, group) = away(&fixture, "f", &bytes, Mood::Refuse);
    drive.join_group(group.clone());
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ_WRITE).unwrap().handle;
    let patch = noise(2, 10_000);
    write(&drive, handle, 5_000_000, &patch);
    bytes[5_000_000..5_010_000].copy_from_slice(&patch);
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    sync_all(&drive);
    assert!(drive.own_sequence_pending());
    assert!(read(&drive, handle, 5_000_000, 10_000) == patch);
    // Others are settled all the same, and the drive takes changes.
    write_file(&drive, ROOT, "g", &noise(3, 300_000));
    sync_all(&drive);
    assert!(drive.history(b"g").unwrap().len() == 1 && drive.history(b"f").unwrap().len() == 1);
    group.set_mood(Mood::Serve);
    drive.join_group(group.clone());
    wait_until_settled(&drive);
    assert_eq!(drive.history(b"f").unwrap().len(), 2);
    assert!(read_file(&drive, "f") == bytes);
    drive.release(handle);
}

#[test]
fn an_overwrite_that_waits_outlasts_a_restart() {
    let fixture = Fixture::default();
    let mut bytes = noise(1, 1 << 20);
    let patch = noise(2, 10_000);
    let (drive, group) = away(&fixture, "f", &bytes, Mood::Refuse);
    drive.join_group(group.clone());
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ_WRITE).unwrap().handle;
    write(&drive, handle, 500_000, &patch);
    bytes[500_000..510_000].copy_from_slice(&patch);
    drive.release(handle);
    drive.close().unwrap();
    drop(drive);
    let drive = fixture.open();
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ).unwrap().handle;
    assert!(read(&drive, handle, 500_000, 10_000) == patch);
    drive.release(handle);
    let again = FakeGroup::with(group.theirs.clone(), &drive, Mood::Serve);
    drive.join_group(again);
    wait_until_settled(&drive);
    assert!(read_file(&drive, "f") == bytes);
    assert_eq!(drive.history(b"f").unwrap().len(), 2);
}

#[test]
fn much_that_waits_when_the_drive_is_closed_outlasts_it() {
    let mut fixture = Fixture::default();
    fixture.write_buffer_bytes = 12 << 20;
    let mut bytes = noise(1, 16 << 20);
    let (drive, group) = away(&fixture, "f", &bytes, Mood::Refuse);
    drive.join_group(group.clone());
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ_WRITE).unwrap().handle;
    // As much as is taken in: more than half of what may wait in memory, if the drive does not look at it sooner. With gaps inside
    // blocks.
    let run = noise(2, 10 << 20);
    let few = [10, 20, 4000, 5000].map(|at| (at, &b"few"[..]));
    let pieces = run.chunks(1 << 20).enumerate().map(|(number, piece)| (100_000 + (number << 20), piece));
    for (at, piece) in few.into_iter().chain(pieces) {
        if wait(|reply| drive.write(handle, at as u64, piece, reply)).is_err() {
            break;
        }
        bytes[at..at + piece.len()].copy_from_slice(piece);
    }
    drive.release(handle);
    drive.close().unwrap();
    drop(drive);
    let drive = fixture.open();
    drive.join_group(FakeGroup::with(group.theirs.clone(), &drive, Mood::Serve));
    wait_until_settled(&drive);
    assert!(read_file(&drive, "f") == bytes);
}

#[test]
fn a_drive_starts_though_the_upper_pages_of_an_unsettled_file_are_elsewhere() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    // Lists of lists: the same chunks again and again.
    let part = noise(1, 3 << 20);
    let (_, handle) = create(&drive, ROOT, "f");
    write(&drive, handle, 0, &part);
    sync_all(&drive);
    let mut len = part.len() as u64;
    while len < 20 << 30 {
        assert_eq!(wait(|reply| drive.copy_range(handle, 0, handle, len, len, reply)), Ok(len));
        len *= 2;
    }
    drive.release(handle);
    sync_all(&drive);
    let versions = drive.history(b"f").unwrap().len();
    let group = FakeGroup::beside(&drive, Mood::Serve);
    group.take_all(&drive);
    drive.join_group(group.clone());
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ_WRITE).unwrap().handle;
    let patch = noise(2, 10_000);
    read(&drive, handle, 0, 1);
    group.set_mood(Mood::Refuse);
    drive.store().evict(u64::MAX).unwrap();
    drive.release_memory();
    write(&drive, handle, 500_000, &patch);
    write(&drive, handle, len, b"longer");
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    drive.release(handle);
    drive.close().unwrap();
    drop(drive);

    let drive = fixture.open();
    let ino = drive.resolve(b"f").unwrap();
    assert_eq!(drive.attr(ino).unwrap().size, len + 6);
    let handle = drive.open(ino, READ_WRITE).unwrap().handle;
    assert_eq!(wait(|reply| drive.read(handle, 500_000, 10, reply)), Err(Error::Io), "no group yet");
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    assert!(drive.own_sequence_pending());
    drive.join_group(FakeGroup::with(group.theirs.clone(), &drive, Mood::Serve));
    wait_until_settled(&drive);
    assert!(read(&drive, handle, 500_000, 10_000) == patch);
    assert!(read(&drive, handle, len, 6) == b"longer");
    assert!(read(&drive, handle, 300_000, 1000) == part[300_000..301_000]);
    assert_eq!(drive.history(b"f").unwrap().len(), versions + 1);
    drive.release(handle);
}

#[test]
fn appending_to_what_is_elsewhere_needs_nobody() {
    let fixture = Fixture::default();
    let mut bytes = noise(1, 1 << 20);
    let (drive, group) = away(&fixture, "f", &bytes, Mood::Refuse);
    drive.join_group(group.clone());
    // A short end, and one long enough to be sealed while it arrives.
    for (seed, len) in [(2, 1000), (3, 40 << 20)] {
        let more = noise(seed, len);
        let handle = drive.open(drive.resolve(b"f").unwrap(), READ_WRITE).unwrap().handle;
        write(&drive, handle, bytes.len() as u64, &more);
        bytes.extend_from_slice(&more);
        drive.release(handle);
        sync_all(&drive);
        assert!(!drive.own_sequence_pending());
    }
    group.set_mood(Mood::Serve);
    assert!(read_file(&drive, "f") == bytes);
}

#[test]
fn memory_that_waits_for_others_does_not_keep_other_files_from_being_written() {
    let fixture = Fixture::default();
    let (drive, group) = away(&fixture, "f", &noise(1, 48 << 20), Mood::Refuse);
    drive.join_group(group);
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ_WRITE).unwrap().handle;
    // Inside a chunk at both ends.
    let piece = noise(2, 1 << 20);
    let deadline = Instant::now() + PATIENCE;
    let is_refused = |turn: u64| {
        let at = 100_000 + ((turn % 40) << 20);
        wait(|reply| drive.write(handle, at, &piece, reply)).is_err()
    };
    // Only so much waits.
    assert!((0..).take_while(|_| Instant::now() < deadline).any(is_refused));
    let other = noise(3, 8 << 20);
    write_file(&drive, ROOT, "g", &other);
    assert!(read_file(&drive, "g") == other);
}

#[test]
fn who_reads_on_is_fetched_ahead_for_and_who_jumps_is_not() {
    let fixture = Fixture::default();
    let (drive, group) = away(&fixture, "f", &noise(1, LONG), Mood::Serve);
    drive.join_group(group.clone());
    let ino = drive.resolve(b"f").unwrap();
    let handle = drive.open(ino, READ).unwrap().handle;
    for offset in [9 << 20, 3 << 20, 6 << 20] {
        read(&drive, handle, offset, 4096);
    }
    assert!(group.questions.try_iter().all(|(_, urgency)| urgency == Urgency::Now));
    for offset in 0..4 {
        read(&drive, handle, offset << 17, 1 << 17);
    }
    let ahead = |(_, urgency): &(_, Urgency)| *urgency == Urgency::Soon;
    let deadline = Instant::now() + PATIENCE;
    let mut wishes = 0;
    // A megabyte is sixteen chunks, more or less.
    while wishes < 8 {
        assert!(Instant::now() < deadline, "{wishes} wishes");
        wishes += group.questions.recv_timeout(PATIENCE).iter().filter(|question| ahead(question)).count();
    }
    drive.release(handle);
}

#[test]
fn a_sweep_without_all_pages_drops_nothing_that_may_be_named() {
    let fixture = Fixture::default();
    let bytes = noise(1, LONG);
    let (drive, group) = away(&fixture, "f", &bytes, Mood::Serve);
    drive.join_group(group.clone());
    assert!(read_file(&drive, "f") == bytes);
    let held = drive.store().usage().chunks;
    // The page is gone again, and what it names is still here.
    let ids = drive.chunk_ids(b"f", usize::MAX).unwrap();
    let page = ids[0];
    for id in &ids[1..] {
        drive.store().set_state(id, chunkstore::ChunkState::PLACED, chunkstore::ChunkState::CACHED).unwrap();
    }
    assert!(drive.store().evict(u64::MAX).unwrap() > 0);
    assert!(!drive.store().contains(&page).unwrap());
    drive.release_memory();
    group.set_mood(Mood::Refuse);
    let deadline = Instant::now() + PATIENCE;
    while !drive.tidy() {
        assert!(Instant::now() < deadline);
    }
    assert!(drive.store().usage().chunks >= held - 2);
    group.set_mood(Mood::Serve);
    assert!(read_file(&drive, "f") == bytes);
}

#[test]
fn what_was_said_of_a_log_before_it_came_holds_once_it_is_here() {
    let (mut peer, drive) = fixture::peer::Peer::with_drive();
    drive.commit_within(Duration::from_millis(10));
    peer.file("from the other", "text");
    let news = peer.news();
    let (other, last) = peer.ledger.frontier().0.into_iter().next().unwrap();
    drive.set_safety(Safety { peers: true, safe_through: vec![(other.tag(), last)], ..Safety::default() });
    let applied = drive.accept(&news).unwrap().applied;
    assert_eq!(applied as usize, news.len());
    fixture::sync_all(&drive);
    assert!(drive.is_safe(b"from the other").unwrap(), "nobody says it again");
}

#[test]
fn a_file_is_safe_once_its_transaction_is() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    drive.commit_within(Duration::from_millis(10));
    let peers = |through: &[(ledger::identity::DeviceTag, u64)]| Safety {
        peers: true,
        safe_through: through.to_vec(),
        elsewhere_through: 0,
    };
    write_file(&drive, ROOT, "a", &noise(1, 5000));
    wait_until_settled(&drive);
    let own = drive.frontier().0.into_iter().next().map(|(device, last)| (device.tag(), last)).unwrap();
    write_file(&drive, ROOT, "b", &noise(2, 5000));
    wait_until_settled(&drive);
    let counts = || drive.status().map(|status| (status.safe_files, status.only_here_files)).unwrap();
    assert_eq!(counts(), (0, 2), "alone");
    let since = || drive.status().unwrap().only_here_since;
    assert_eq!(since(), None, "nobody else is there who could have it");
    drive.set_safety(peers(&[]));
    assert_eq!(counts(), (0, 2));
    assert!(since().is_some());
    drive.set_safety(Safety { elsewhere_through: u64::MAX, ..peers(&[]) });
    // On one other computer, and not on enough. What was counted stands for a second.
    let deadline = Instant::now() + PATIENCE;
    while (counts(), since()) != ((0, 0), None) {
        assert!(Instant::now() < deadline);
    }
    drive.set_safety(peers(&[own]));
    assert!(drive.is_safe(b"a").unwrap() && !drive.is_safe(b"b").unwrap());
    drive.set_safety(peers(&[(own.0, u64::MAX)]));
    assert!(drive.is_safe(b"b").unwrap());
    assert_eq!((counts(), since()), ((2, 0), None));
    let (_, handle) = create(&drive, ROOT, "c");
    write(&drive, handle, 0, b"not yet");
    assert!(!drive.is_safe(b"c").unwrap());
    drive.release(handle);
    assert!(drive.is_safe(b"nothing").is_err());
}

#[test]
fn the_log_tells_of_what_was_just_made_and_gives_it_away() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (told, advances) = unbounded();
    drive.on_log_advance(Box::new(move || {
        let _ = told.send(());
    }));
    drive.commit_within(Duration::from_millis(5));
    let before = drive.frontier();
    write_file(&drive, ROOT, "a", &noise(1, 5000));
    let deadline = Instant::now() + PATIENCE;
    while drive.own_sequence_pending() || drive.frontier() == before {
        assert!(Instant::now() < deadline);
        let _ = advances.recv_timeout(PATIENCE);
    }
    assert!(!drive.transactions_since(&before, 1 << 20).unwrap().is_empty());
    assert!(drive.transactions_since(&drive.frontier(), 1 << 20).unwrap().is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Write { offset: usize, len: usize, seed: u64 },
    Truncate(usize),
    Punch { offset: usize, len: usize },
    Settle,
    Fsync,
    Away,
    Offline(bool),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let place = prop_oneof![0..SPAN, 0..200_000usize, Just(0)];
    let length = prop_oneof![1..5000usize, 1..400_000usize, Just(4096)];
    prop_oneof![
        6 => (place.clone(), length.clone(), any::<u64>())
            .prop_map(|(offset, len, seed)| Step::Write { offset, len, seed }),
        1 => place.clone().prop_map(Step::Truncate),
        1 => (place, length).prop_map(|(offset, len)| Step::Punch { offset, len }),
        2 => Just(Step::Settle),
        1 => Just(Step::Fsync),
        3 => Just(Step::Away),
        2 => any::<bool>().prop_map(Step::Offline),
        1 => Just(Step::Reopen),
    ]
}

const SPAN: usize = 2 << 20;

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn wherever_the_chunks_are_a_file_is_what_was_written(steps in prop::collection::vec(step(), 1..24)) {
        let fixture = Fixture::default();
        let mut drive = fixture.open();
        let mut group = FakeGroup::beside(&drive, Mood::Serve);
        drive.join_group(group.clone());
        let (ino, mut handle) = create(&drive, ROOT, "f");
        let mut model: Vec<u8> = Vec::new();
        let mut mood = Mood::Serve;
        for step in steps {
            match step.clone() {
                Step::Write { offset, len, seed } => {
                    let data = noise(seed, len);
                    write(&drive, handle, offset as u64, &data);
                    model.resize(model.len().max(offset + len), 0);
                    model[offset..offset + len].copy_from_slice(&data);
                }
                Step::Truncate(size) => {
                    let change = AttrChange { size: Some(size as u64), ..AttrChange::default() };
                    wait(|reply| drive.set_attr(ino, Some(handle), change, reply)).unwrap();
                    model.resize(size, 0);
                }
                Step::Punch { offset, len } => {
                    let mode = Allocate::PunchHole;
                    wait(|reply| drive.allocate(handle, offset as u64, len as u64, mode, reply)).unwrap();
                    let end = (offset + len).min(model.len());
                    if offset < end {
                        model[offset..end].fill(0);
                    }
                }
                Step::Settle => sync_all_or_wait(&drive),
                Step::Fsync => {
                    // What lies between two changes of a block may be elsewhere.
                    let synced = wait(|reply| drive.fsync(handle, false, reply));
                    prop_assert!(synced.is_ok() || mood == Mood::Refuse, "{synced:?}");
                }
                Step::Away => drop(group.take_all(&drive)),
                Step::Offline(offline) => {
                    mood = if offline { Mood::Refuse } else { Mood::Serve };
                    group.set_mood(mood);
                }
                Step::Reopen => {
                    drive.release(handle);
                    mood = Mood::Serve;
                    group.set_mood(mood);
                    sync_all_or_wait(&drive);
                    let closed = drive.close();
                    drop(drive);
                    drive = fixture.open();
                    group = FakeGroup::with(group.theirs.clone(), &drive, mood);
                    drive.join_group(group.clone());
                    handle = drive.open(ino, READ_WRITE).unwrap().handle;
                    if closed.is_err() {
                        return Ok(());
                    }
                }
            }
            if mood == Mood::Serve {
                prop_assert!(read(&drive, handle, 0, SPAN + (1 << 20)) == model, "after {step:?}");
            }
        }
        group.set_mood(Mood::Serve);
        drive.release(handle);
        drive.join_group(group);
        wait_until_settled(&drive);
        prop_assert!(read_file(&drive, "f") == model);
    }
}

/// Settles what can be settled; what cannot be kept either stays in memory.
fn sync_all_or_wait(drive: &Drive) {
    let _ = wait(|reply| drive.sync_all(reply));
}

#[test]
fn a_scrub_brings_back_what_others_have_and_names_the_rest() {
    let fixture = Fixture::default();
    let (drive, group) = away(&fixture, "f", &noise(1, 300_000), Mood::Serve);
    drive.join_group(group.clone());
    let bytes = noise(1, 300_000);
    assert!(read_file(&drive, "f") == bytes, "it is cached here now");
    drop(drive);
    fixture.damage_packs();
    let drive = fixture.open();
    let group = FakeGroup::with(group.theirs.clone(), &drive, Mood::Refuse);
    drive.join_group(group.clone());
    let report = drive.scrub(None, &mut |_| true).unwrap();
    assert!(report.bad_chunks > 0 && report.healed_chunks == 0, "{report:?}");
    assert_eq!(report.files, [b"/f".to_vec()]);
    group.set_mood(Mood::Serve);
    let again = drive.scrub(None, &mut |_| true).unwrap();
    assert_eq!((again.healed_chunks, again.files), (report.bad_chunks, Vec::<Vec<u8>>::new()));
    assert_eq!(drive.store().usage().damaged_chunks, 0);
    assert!(read_file(&drive, "f") == bytes);
    assert_eq!(drive.scrub(None, &mut |_| true).unwrap().bad_chunks, 0);
}
