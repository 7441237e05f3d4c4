//! What another device does shows in a mounted drive at once, to every program.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

#[path = "../../vfs/tests/fixture/mod.rs"]
mod fixture;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Seek};
use std::sync::Arc;

use fixture::peer::{Peer, now};
use platform::{MountOptions, Mounted};
use rustix::fs::inotify;
use vfs::Drive;

struct Mount {
    peer: Peer,
    drive: Arc<Drive>,
    mounted: Mounted,
    _folder: tempfile::TempDir,
}

fn mount() -> Mount {
    let folder = tempfile::tempdir().unwrap();
    let (peer, drive) = Peer::with_drive();
    let options = MountOptions::new(folder.path().join("drive"));
    let mounted = platform::mount(Arc::clone(&drive), &options).expect("the drive mounts");
    Mount { peer, drive, mounted, _folder: folder }
}

impl Mount {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.mounted.mountpoint().join(name)
    }

    /// Hands over what the peer did, and waits until the kernel was told.
    fn send(&mut self) {
        self.peer.send(&self.drive);
        self.drive.wait_until_told();
    }

    fn names(&self) -> BTreeSet<String> {
        let listed = fs::read_dir(self.mounted.mountpoint()).unwrap();
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn names_attributes_and_content_show_at_once() {
    let mut mount = mount();
    // The kernel believes that it is missing, and what the directory lists.
    assert!(fs::metadata(mount.path("a")).is_err());
    assert!(mount.names().is_empty());
    let ino = mount.peer.file("a", "first");
    mount.send();
    assert_eq!(fs::read_to_string(mount.path("a")).unwrap(), "first");
    assert_eq!(mount.names(), BTreeSet::from(["a".to_string()]));
    mount.peer.publish(ino, "second, longer");
    mount.send();
    assert_eq!(fs::metadata(mount.path("a")).unwrap().len(), 14);
    assert_eq!(fs::read_to_string(mount.path("a")).unwrap(), "second, longer");
    mount.peer.ledger.unlink(now(), ledger::ROOT, b"a").unwrap();
    mount.send();
    assert!(fs::metadata(mount.path("a")).is_err());
    assert!(mount.names().is_empty());
}

#[test]
fn who_reads_on_reads_the_version_he_opened() {
    let mut mount = mount();
    let ino = mount.peer.file("a", "old bytes");
    mount.send();
    let mut old = fs::File::open(mount.path("a")).unwrap();
    let mut text = String::new();
    old.read_to_string(&mut text).unwrap();
    mount.peer.publish(ino, "NEW BYTES");
    mount.send();
    assert_eq!(fs::read_to_string(mount.path("a")).unwrap(), "NEW BYTES");
    for _ in 0..2 {
        text.clear();
        old.rewind().unwrap();
        old.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old bytes");
        assert_eq!(fs::read_to_string(mount.path("a")).unwrap(), "NEW BYTES");
    }
    drop(old);
    // The kernel closes behind the program's back: a little later nobody reads the old version any more.
    mount.drive.wait_until_told();
    assert_eq!(fs::read_to_string(mount.path("a")).unwrap(), "NEW BYTES");
}

#[test]
fn an_old_reader_does_not_change_the_length_that_others_see() {
    let mut mount = mount();
    let ino = mount.peer.file("a", "old bytes");
    mount.send();
    let mut old = fs::File::open(mount.path("a")).unwrap();
    for new in ["a new version, much longer", "short"] {
        mount.peer.publish(ino, new);
        mount.send();
        let mut text = String::new();
        old.rewind().unwrap();
        old.read_to_string(&mut text).unwrap();
        // The kernel knows one length, the new one: it cuts what it is given for the old reader, or fills it up with zeros. What
        // must not happen is that he reads bytes of the new version.
        assert!("old bytes".starts_with(text.trim_end_matches('\0')), "{text:?}");
        mount.drive.wait_until_told();
        assert_eq!(fs::metadata(mount.path("a")).unwrap().len(), new.len() as u64);
        assert_eq!(fs::read_to_string(mount.path("a")).unwrap(), new);
    }
}

/// What a watcher of the mount's root is told, as names of events, until nothing more comes.
struct Watcher(std::os::fd::OwnedFd);

impl Watcher {
    fn of(folder: &std::path::Path) -> Self {
        let descriptor = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        let wanted = inotify::WatchFlags::CREATE
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CLOSE_WRITE;
        inotify::add_watch(&descriptor, folder, wanted).unwrap();
        Self(descriptor)
    }

    /// Waits until these events came.
    fn wait_for(&self, expected: &[(&str, inotify::ReadFlags)]) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let mut events: Vec<(String, inotify::ReadFlags)> = Vec::new();
        let came = |events: &[(String, inotify::ReadFlags)], (name, kind): &(&str, inotify::ReadFlags)| {
            events.iter().any(|(seen, how)| seen == name && how == kind)
        };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        while !expected.iter().all(|one| came(&events, one)) {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let left = rustix::event::Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: 1 };
            let mut ready = [rustix::event::PollFd::new(&self.0, rustix::event::PollFlags::IN)];
            assert_ne!(rustix::event::poll(&mut ready, Some(&left)).unwrap(), 0, "only {events:?}");
            let mut reader = inotify::Reader::new(&self.0, &mut buffer);
            loop {
                let event = reader.next().unwrap();
                let name = event.file_name().unwrap().to_str().unwrap().to_owned();
                events.push((name, event.events()));
                if reader.is_buffer_empty() {
                    break;
                }
            }
        }
    }
}

#[test]
fn programs_that_watch_a_folder_are_woken_and_nothing_is_edited_by_it() {
    use inotify::ReadFlags as Seen;
    let mut mount = mount();
    let ino = mount.peer.file("changed", "before");
    let doomed = mount.peer.file("doomed", "before");
    mount.send();
    assert!(doomed != ino && mount.names().len() == 2);
    let log = mount.drive.log(1000, None).unwrap().len();
    let watcher = Watcher::of(mount.mounted.mountpoint());
    mount.peer.publish(ino, "after, and longer");
    mount.peer.ledger.unlink(now(), ledger::ROOT, b"doomed").unwrap();
    mount.peer.make("made");
    let digest = mount.peer.ledger.digest().unwrap();
    mount.send();
    watcher.wait_for(&[
        ("changed", Seen::MODIFY),
        ("changed", Seen::CLOSE_WRITE),
        ("doomed", Seen::DELETE),
        ("made", Seen::CREATE),
    ]);
    assert_eq!(mount.names(), BTreeSet::from(["changed".to_string(), "made".to_string()]));
    assert_eq!(fs::read_to_string(mount.path("changed")).unwrap(), "after, and longer");
    assert_eq!(mount.drive.digest().unwrap(), digest, "what is shown to watchers is no edit");
    // Publish, delete and create of the other device, and nothing of this one.
    assert_eq!(mount.drive.log(1000, None).unwrap().len(), log + 3);
    mount.mounted.unmount().unwrap();
}

#[test]
fn thousands_of_new_files_show_at_once() {
    let mut mount = mount();
    assert!(mount.names().is_empty());
    for number in 0..5000 {
        mount.peer.make(&format!("f{number}"));
    }
    mount.send();
    assert_eq!(mount.names().len(), 5000);
    assert!(fs::metadata(mount.path("f4999")).is_ok());
}
