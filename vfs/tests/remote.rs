//! What another device does shows in an open drive, and nothing that was written here is lost by it.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use fixture::group::{FakeGroup, Mood, PATIENCE};
use fixture::peer::{Peer, now};
use fixture::{Fixture, READ_WRITE, entropy, noise, read, read_file, sync_all, write, write_file};
use ledger::keys::{DeviceKey, UserKeys};
use ledger::roster::DeviceClaim;
use ledger::{Frontier, HeldReason};
use vfs::{Change, Drive, Error, Handle, OpenFlags, ROOT, wait};

const READ: OpenFlags = OpenFlags { read: true, write: false, append: false, truncate: false, direct: false };

fn open(drive: &Drive, name: &str, flags: OpenFlags) -> vfs::Opened {
    drive.open(drive.resolve(name.as_bytes()).unwrap(), flags).unwrap()
}

fn text(drive: &Drive, handle: Handle) -> String {
    String::from_utf8(read(drive, handle, 0, 100)).unwrap()
}

#[test]
fn what_another_device_made_is_there_and_stays() {
    let (mut peer, fixture) = Peer::with_fixture();
    let drive = fixture.open();
    peer.file("a", "from afar");
    peer.send(&drive);
    assert_eq!(read_file(&drive, "a"), b"from afar");
    assert_eq!(drive.digest().unwrap(), peer.ledger.digest().unwrap());
    // Both are members, so what is written here gets in there as well.
    assert_eq!(drive.roster(|roster, _| roster.devices().count()), 2);
    drive.close().unwrap();
    let again = fixture.open();
    assert_eq!(read_file(&again, "a"), b"from afar");
    let known = again.accept(&peer.ledger.transactions_since(&Frontier::default(), usize::MAX).unwrap());
    assert_eq!(known.unwrap().applied, 0);
}

#[test]
fn who_has_a_file_open_reads_on_in_its_version_and_others_see_the_new_one() {
    let (mut peer, drive) = Peer::with_drive();
    let ino = peer.file("a", "first version, longer");
    peer.send(&drive);
    let (unread, begun) = (open(&drive, "a", READ), open(&drive, "a", READ));
    assert!(begun.keep_cache && !begun.direct);
    assert_eq!(text(&drive, begun.handle), "first version, longer");
    peer.publish(ino, "second");
    peer.send(&drive);
    let new = open(&drive, "a", READ);
    assert!(new.direct && !new.keep_cache, "the kernel's pages are those of the version before");
    peer.publish(ino, "third one");
    peer.send(&drive);
    let newest = open(&drive, "a", READ);
    let changes = drive.subscribe();
    assert_eq!(text(&drive, unread.handle), "first version, longer");
    assert_eq!(text(&drive, begun.handle), "first version, longer");
    assert_eq!(text(&drive, new.handle), "second");
    assert_eq!(text(&drive, newest.handle), "third one");
    assert_eq!(drive.attr(drive.resolve(b"a").unwrap()).unwrap().size, 9);
    for opened in [unread, begun, new] {
        drive.release(opened.handle);
    }
    let here = drive.resolve(b"a").unwrap();
    assert!(changes.try_iter().any(|change| change == Change::Content(here)));
    assert!(!open(&drive, "a", READ).direct);
    assert_eq!(text(&drive, newest.handle), "third one");
}

#[test]
fn what_is_written_here_meanwhile_stays_as_a_conflict_until_somebody_chooses() {
    let (mut peer, drive) = Peer::with_drive();
    let ino = peer.file("a", "base");
    peer.send(&drive);
    let writer = open(&drive, "a", READ_WRITE);
    write(&drive, writer.handle, 0, b"mine");
    peer.publish(ino, "theirs");
    peer.send(&drive);
    assert_eq!(text(&drive, writer.handle), "mine");
    drive.release(writer.handle);
    sync_all(&drive);
    let conflicts = drive.conflicts(0, 100).unwrap().conflicts;
    let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    assert_eq!((conflict.path.as_slice(), conflict.versions.len()), (&b"/a"[..], 2));
    let theirs = conflict.versions.iter().find(|version| version.conflict).unwrap();
    drive.resolve_conflict(b"a", &theirs.id).unwrap();
    assert_eq!(read_file(&drive, "a"), b"theirs");
    assert!(drive.conflicts(0, 100).unwrap().conflicts.is_empty());
    assert!(drive.resolve_conflict(b"a", "no version").is_err());
}

#[test]
fn a_writer_who_changed_nothing_lets_the_new_version_show_when_he_closes() {
    let (mut peer, drive) = Peer::with_drive();
    let ino = peer.file("a", "base");
    peer.send(&drive);
    let writer = open(&drive, "a", READ_WRITE);
    assert_eq!(text(&drive, writer.handle), "base");
    peer.publish(ino, "theirs");
    peer.send(&drive);
    drive.release(writer.handle);
    assert_eq!(read_file(&drive, "a"), b"theirs");
    assert!(drive.conflicts(0, 100).unwrap().conflicts.is_empty());
}

#[test]
fn what_is_written_here_survives_that_another_device_deletes_the_file() {
    let (mut peer, drive) = Peer::with_drive();
    peer.file("a", "base");
    peer.send(&drive);
    let writer = open(&drive, "a", READ_WRITE);
    write(&drive, writer.handle, 0, b"mine");
    peer.ledger.unlink(now(), ledger::ROOT, b"a").unwrap();
    peer.send(&drive);
    drive.release(writer.handle);
    sync_all(&drive);
    assert_eq!(read_file(&drive, "a"), b"mine");
}

#[test]
fn a_file_deleted_here_is_not_brought_back_by_what_others_do_to_it() {
    let (mut peer, drive) = Peer::with_drive();
    let ino = peer.file("a", "base");
    peer.send(&drive);
    let writer = open(&drive, "a", READ_WRITE);
    write(&drive, writer.handle, 0, b"mine");
    drive.unlink(ROOT, b"a").unwrap();
    let mode = ledger::AttributeChange { mode: Some(0o600), ..ledger::AttributeChange::default() };
    peer.ledger.set_attributes(now(), ino, mode).unwrap();
    peer.send(&drive);
    drive.release(writer.handle);
    sync_all(&drive);
    assert_eq!(drive.resolve(b"a"), Err(Error::NotFound));
}

#[test]
fn thousands_of_names_are_one_notice() {
    let (mut peer, drive) = Peer::with_drive();
    let changes = drive.subscribe();
    for number in 0..5000 {
        peer.make(&format!("f{number}"));
    }
    peer.send(&drive);
    let told: Vec<Change> = changes.try_iter().collect();
    let [Change::Many(many)] = told.as_slice() else { panic!("{} notices", told.len()) };
    assert_eq!(many.iter().filter(|change| matches!(change, Change::Entry { .. })).count(), 5000);
    assert_eq!(drive.status().unwrap().files, 5000);
}

#[test]
fn what_cannot_get_in_is_counted_and_changes_nothing() {
    let (mut peer, drive) = Peer::with_drive();
    let before = drive.digest().unwrap();
    peer.file("a", "one");
    let _lost = peer.news();
    peer.file("b", "two");
    let outcome = drive.accept(&peer.news()).unwrap();
    assert_eq!((outcome.applied, outcome.held.as_slice()), (0, &[(HeldReason::Gap, 1)][..]));
    let outcome = drive.accept(&[b"garbage".to_vec(), Vec::new()]).unwrap();
    assert_eq!(outcome.refused.len(), 2);
    assert_eq!(drive.accept_records(&[b"garbage".to_vec()]).unwrap().refused, 1);
    let counted = drive.held_and_refused();
    assert_eq!((counted.held.len(), counted.refused), (1, 3));
    assert_eq!(drive.digest().unwrap(), before);
    assert!(drive.keyring_if_changed().is_none());
}

#[test]
fn members_are_durable_when_they_are_changed() {
    let (_, fixture) = Peer::with_fixture();
    let drive = fixture.open();
    let (user, third) = (UserKeys::generate(&mut entropy(1)), DeviceKey::generate(&mut entropy(300)));
    drive
        .change_roster(|roster, keyring| {
            let claim = DeviceClaim::new(&third, user.id(), keyring.workspace);
            Ok(vec![roster.add_device(&user, keyring, claim, "third")?])
        })
        .unwrap();
    let records = drive.roster_records();
    drive.close().unwrap();
    let again = fixture.open();
    assert_eq!(again.roster_records(), records);
    assert_eq!(again.roster(|roster, _| roster.devices().count()), 3);
    write_file(&again, ROOT, "b", b"still writable");
    wait(|reply| again.sync_all(reply)).unwrap();
}

/// A synced change to `f` that cannot be settled, and what the peer did meanwhile; then a restart, and the chunks can be had again.
fn restarted_over(theirs: impl FnOnce(&mut Peer)) -> (std::sync::Arc<Drive>, Vec<u8>) {
    let (mut peer, mut fixture): (Peer, Fixture) = Peer::with_fixture();
    // History is given up at once, but for what the changes were made on.
    fixture.retention = std::time::Duration::ZERO;
    let tidy = |drive: &Drive| {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !drive.tidy() {
            assert!(std::time::Instant::now() < deadline, "files never were settled");
        }
    };
    let drive = fixture.open();
    peer.send(&drive);
    let mut bytes = noise(1, 1 << 20);
    write_file(&drive, ROOT, "f", &bytes);
    sync_all(&drive);
    peer.ledger
        .accept_all(now(), &drive.transactions_since(&Frontier::default(), usize::MAX).unwrap())
        .unwrap();
    let group = FakeGroup::beside(&drive, Mood::Refuse);
    group.take_all(&drive);
    drive.join_group(group.clone());
    let writer = open(&drive, "f", READ_WRITE);
    write(&drive, writer.handle, 500_000, &[7; 10_000]);
    bytes[500_000..510_000].fill(7);
    wait(|reply| drive.fsync(writer.handle, false, reply)).unwrap();
    theirs(&mut peer);
    let news = peer.news();
    drive.accept(&news).unwrap();
    tidy(&drive);
    drive.release(writer.handle);
    drive.close().unwrap();
    drop(drive);
    let drive = fixture.open();
    tidy(&drive);
    drive.join_group(FakeGroup::with(group.theirs.clone(), &drive, Mood::Serve));
    let deadline = std::time::Instant::now() + PATIENCE;
    while drive.own_sequence_pending() {
        assert!(std::time::Instant::now() < deadline, "never settled");
        sync_all(&drive);
    }
    (drive, bytes)
}

#[test]
fn what_was_synced_on_a_version_that_was_replaced_elsewhere_is_a_conflict_after_a_restart() {
    let (drive, bytes) = restarted_over(|peer| {
        let ino = peer.ledger.lookup(ledger::ROOT, b"f").unwrap().unwrap().ino;
        peer.publish(ino, "theirs");
    });
    let conflicts = drive.conflicts(0, 100).unwrap().conflicts;
    assert_eq!(conflicts.len(), 1);
    assert!(read_file(&drive, "f") == bytes, "two versions mixed");
}

#[test]
fn what_was_synced_in_a_file_that_was_deleted_elsewhere_brings_it_back_after_a_restart() {
    let (drive, bytes) = restarted_over(|peer| {
        peer.ledger.unlink(now(), ledger::ROOT, b"f").unwrap();
    });
    assert!(read_file(&drive, "f") == bytes);
}
