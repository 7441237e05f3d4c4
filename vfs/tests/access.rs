//! Who must not write takes in no change; and what an `fsync` waits for is decided for all computers.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use fixture::group::{FakeGroup, Mood, PATIENCE};
use fixture::peer::{Peer, now};
use fixture::{Fixture, READ_WRITE, create, entropy, node, noise, read_file, write, write_file};
use ledger::identity::UserId;
use ledger::keys::{DeviceKey, Keyring, UserKeys};
use ledger::roster::{Copies, Cut, DeviceClaim, FsyncLevel, Policy, Role};
use ledger::{Ledger, MemoryBacking};
use vfs::{AttrChange, Drive, Error, Kind, OpenFlags, ROOT, RenameMode, wait};

/// The owner's ledger, and a drive of another user whose role the owner gives.
struct Two {
    owner: UserKeys,
    ledger: Ledger,
    guest: UserId,
    device: ledger::identity::DeviceId,
    fixture: Fixture,
}

impl Two {
    fn with(role: Role) -> Self {
        let (owner, guest) = (UserKeys::generate(&mut entropy(1)), UserKeys::generate(&mut entropy(2)));
        let keyring = Keyring::generate(&owner.id(), &mut entropy(50));
        let (own, other) = (DeviceKey::generate(&mut entropy(100)), DeviceKey::generate(&mut entropy(200)));
        let backing = Box::<MemoryBacking>::default();
        let mut ledger = Ledger::create(backing, own, &owner, keyring.clone(), "drive", now()).unwrap();
        let claim = DeviceClaim::new(&other, guest.id(), keyring.workspace);
        let (id, device) = (guest.id(), other.id());
        ledger
            .change_roster(now(), |roster, keyring| {
                let mut records = roster.add_user(&owner, keyring, &guest.public(), role, "guest")?;
                records.push(roster.add_device(&owner, keyring, claim, "second")?);
                Ok(records)
            })
            .unwrap();
        let fixture = Fixture::joining(&other, guest, keyring, ledger.roster_records());
        Self { owner, ledger, guest: id, device, fixture }
    }

    fn make(&mut self, role: Role, drive: &Drive) {
        let accepted_through = drive.frontier().0.get(&self.device).copied().unwrap_or(0);
        let cuts = vec![Cut { device: self.device, accepted_through }];
        self.ledger
            .change_roster(now(), |roster, keyring| {
                roster.set_role(&self.owner, keyring, &self.guest, role, cuts, &mut entropy(9))
            })
            .unwrap();
        drive.accept_records(&self.ledger.roster_records()).unwrap();
    }
}

#[test]
fn a_reader_reads_and_every_change_is_refused() {
    let drive = Two::with(Role::Reader).fixture.open();
    let refused = Err(Error::ReadOnly);
    assert_eq!(drive.create(ROOT, b"f", node(Kind::File), READ_WRITE).map(drop), refused);
    assert_eq!(drive.make_node(ROOT, b"d", node(Kind::Directory)).map(drop), refused);
    let change = AttrChange { mode: Some(0o700), ..AttrChange::default() };
    assert_eq!(wait(|reply| drive.set_attr(ROOT, None, change, reply)).map(drop), refused);
    let renamed = wait(|reply| drive.rename(ROOT, b"a", ROOT, b"b", RenameMode::Replace, reply));
    assert_eq!(renamed, refused);
    assert_eq!(drive.unlink(ROOT, b"a"), refused);
    assert!(drive.status().unwrap().read_only.unwrap().contains("reader"));
    wait(|reply| drive.sync_all(reply)).unwrap();
    assert_eq!(drive.status().unwrap().files, 0);
}

#[test]
fn a_role_that_changes_while_files_are_open_loses_nothing() {
    let mut two = Two::with(Role::Writer);
    let drive = two.fixture.open();
    write_file(&drive, ROOT, "before", b"settled");
    let (ino, handle) = create(&drive, ROOT, "f");
    write(&drive, handle, 0, b"written as a writer");
    two.make(Role::Reader, &drive);
    let more = wait(|reply| drive.write(handle, 0, b"and as a reader", reply));
    assert_eq!(more, Err(Error::ReadOnly));
    assert_eq!(drive.open(ino, READ_WRITE).map(drop), Err(Error::ReadOnly));
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    drive.release(handle);
    let sequence = drive.frontier();
    drive.close().unwrap();
    let drive = two.fixture.open();
    assert!(drive.status().unwrap().read_only.is_some(), "it is still a reader after a restart");
    let read = OpenFlags { write: false, ..READ_WRITE };
    let handle = drive.open(drive.resolve(b"f").unwrap(), read).unwrap().handle;
    assert_eq!(fixture::read(&drive, handle, 0, 100), b"written as a writer");
    drive.release(handle);
    assert!(drive.own_sequence_pending(), "kept here, and not told to those who would refuse it");
    assert_eq!(drive.frontier().0.get(&two.device), sequence.0.get(&two.device));
    two.make(Role::Writer, &drive);
    assert!(drive.status().unwrap().read_only.is_none());
    wait(|reply| drive.sync_all(reply)).unwrap();
    assert!(!drive.own_sequence_pending());
    assert_eq!(read_file(&drive, "f"), b"written as a writer");
    write_file(&drive, ROOT, "after", b"a writer again");
}

/// A drive of which everything synced is to be on two computers.
fn on_two(mood: Mood) -> (std::sync::Arc<Drive>, std::sync::Arc<FakeGroup>, Fixture) {
    let (mut peer, fixture) = Peer::with_fixture();
    let user = UserKeys::generate(&mut entropy(1));
    let policy = Policy { copies: Copies::wanting(2), fsync: FsyncLevel::Replicas(2) };
    peer.ledger.change_roster(now(), |roster, _| Ok(vec![roster.set_policy(&user, policy)?])).unwrap();
    let drive = fixture.open();
    peer.send(&drive);
    let group = FakeGroup::beside(&drive, mood);
    drive.join_group(group.clone());
    (drive, group, fixture)
}

#[test]
fn an_fsync_is_answered_when_the_copies_are_there() {
    let (drive, group, _) = on_two(Mood::Serve);
    let (_, handle) = create(&drive, ROOT, "f");
    write(&drive, handle, 0, &noise(1, 100_000));
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    let (sequence, copies) = group.awaited.recv_timeout(PATIENCE).unwrap();
    assert_eq!((Some(sequence), copies), (drive.frontier().0.values().copied().max(), 2));
    assert!(!drive.own_sequence_pending(), "it is in the log, not on this disk alone");
    // A few bytes inside the file likewise, and names.
    write(&drive, handle, 10, b"few");
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    assert!(group.awaited.recv_timeout(PATIENCE).unwrap().0 > sequence);
    wait(|reply| drive.fsync_dir(ROOT, reply)).unwrap();
    group.awaited.recv_timeout(PATIENCE).unwrap();
    assert_eq!(drive.status().unwrap().fsyncs_too_late, 0);
}

#[test]
fn an_fsync_whose_copies_are_missing_is_told_so_and_nothing_is_lost() {
    let (drive, group, fixture) = on_two(Mood::Refuse);
    let (_, handle) = create(&drive, ROOT, "f");
    let bytes = noise(1, 100_000);
    write(&drive, handle, 0, &bytes);
    assert_eq!(wait(|reply| drive.fsync(handle, false, reply)), Err(Error::Io));
    group.set_mood(Mood::Drop);
    assert_eq!(wait(|reply| drive.fsync(handle, false, reply)), Err(Error::Io), "asked again: still not");
    assert_eq!(drive.status().unwrap().fsyncs_too_late, 2);
    assert!(read_file(&drive, "f") == bytes);
    // As a crash leaves it.
    std::mem::forget(drive);
    let drive = fixture.open();
    assert!(read_file(&drive, "f") == bytes);
    group.set_mood(Mood::Serve);
    drive.join_group(group);
    let handle = drive.open(drive.resolve(b"f").unwrap(), READ_WRITE).unwrap().handle;
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
}

#[test]
fn who_waits_for_copies_keeps_nobody_else() {
    let (drive, group, _) = on_two(Mood::Hold);
    let (_, handle) = create(&drive, ROOT, "f");
    write(&drive, handle, 0, b"one");
    let (told, answers) = crossbeam_channel::unbounded();
    drive.fsync(handle, false, Box::new(move |answer| told.send(answer).unwrap()));
    group.awaited.recv_timeout(PATIENCE).unwrap();
    write(&drive, handle, 0, b"two");
    write_file(&drive, ROOT, "g", b"others go on");
    assert_eq!(read_file(&drive, "g"), b"others go on");
    assert!(answers.try_recv().is_err());
    group.release();
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), Ok(()));
}
