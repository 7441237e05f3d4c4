//! What another device does shows in an open drive, and nothing that was written here is lost by it.

mod fixture;

use std::sync::Arc;

use fixture::{Fixture, READ_WRITE, noise, read, read_file, sync_all, write, write_file};
use ledger::keys::{DeviceKey, Keyring, UserKeys};
use ledger::roster::DeviceClaim;
use ledger::{
    Content, Frontier, HeldReason, Ino as PeerIno, Ledger, MemoryBacking, NewVersion, Now, Time as LedgerTime,
};
use vfs::{Change, Drive, Error, Handle, Kind, OpenFlags, ROOT, wait};

const READ: OpenFlags = OpenFlags { read: true, write: false, append: false, truncate: false, direct: false };

fn now() -> Now {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Now { wall: LedgerTime { secs: since.as_secs().cast_signed(), nanos: since.subsec_nanos() } }
}

fn entropy(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut turn = seed;
    move |out: &mut [u8]| {
        turn += 1;
        out.copy_from_slice(&noise(turn, out.len()));
    }
}

/// Another device: a bare ledger that founded the workspace.
struct Peer {
    ledger: Ledger,
    told: Frontier,
}

impl Peer {
    /// The peer, and a drive on a device that joined it.
    fn with_drive() -> (Self, Arc<Drive>) {
        let (peer, fixture) = Self::with_fixture();
        let drive = fixture.open();
        let mut peer = peer;
        peer.send(&drive);
        (peer, drive)
    }

    fn with_fixture() -> (Self, Fixture) {
        let user = UserKeys::generate(&mut entropy(1));
        let keyring = Keyring::generate(&user.id(), &mut entropy(50));
        let (own, other) = (DeviceKey::generate(&mut entropy(100)), DeviceKey::generate(&mut entropy(200)));
        let backing = Box::new(MemoryBacking::default());
        let mut ledger = Ledger::create(backing, own, &user, keyring.clone(), "drive", now()).unwrap();
        let claim = DeviceClaim::new(&other, user.id(), keyring.workspace);
        ledger
            .change_roster(now(), |roster, keyring| {
                Ok(vec![roster.add_device(&user, keyring, claim, "second")?])
            })
            .unwrap();
        let records = ledger.roster_records();
        let fixture = Fixture::joining(&other, user, keyring, records);
        (Self { ledger, told: Frontier::default() }, fixture)
    }

    /// Transactions since the last time.
    fn news(&mut self) -> Vec<Vec<u8>> {
        if let Some(batch) = self.ledger.freeze(now()).unwrap() {
            self.ledger.writer().write(&batch).unwrap();
            self.ledger.thaw(batch);
        }
        let news = self.ledger.transactions_since(&self.told, usize::MAX).unwrap();
        self.told = self.ledger.frontier();
        news
    }

    fn send(&mut self, drive: &Drive) {
        let news = self.news();
        let outcome = drive.accept(&news).unwrap();
        assert_eq!(outcome.applied as usize, news.len(), "{outcome:?}");
    }

    fn make(&mut self, name: &str) -> PeerIno {
        let node =
            ledger::NewNode { kind: Kind::File, mode: 0o644, uid: 1000, gid: 1000, rdev: 0, target: b"" };
        self.ledger.create_node(now(), ledger::ROOT, name.as_bytes(), node).unwrap().ino
    }

    fn publish(&mut self, ino: PeerIno, text: &str) {
        let base = self.ledger.inode(ino).unwrap().and_then(|inode| inode.head).map(|head| head.version);
        let content = Content::Inline(text.as_bytes().to_vec());
        let version = NewVersion { base, size: text.len() as u64, mtime: now().wall, content };
        self.ledger.publish(now(), ino, version).unwrap();
    }

    fn file(&mut self, name: &str, text: &str) -> PeerIno {
        let ino = self.make(name);
        self.publish(ino, text);
        ino
    }
}

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
    let conflicts = drive.conflicts().unwrap();
    let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    assert_eq!((conflict.path.as_slice(), conflict.versions.len()), (&b"/a"[..], 2));
    let theirs = conflict.versions.iter().find(|version| version.conflict).unwrap();
    drive.resolve_conflict(b"a", &theirs.id).unwrap();
    assert_eq!(read_file(&drive, "a"), b"theirs");
    assert!(drive.conflicts().unwrap().is_empty());
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
    assert!(drive.conflicts().unwrap().is_empty());
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
