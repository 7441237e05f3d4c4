//! Between processes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, fcntl_lock, flock, inotify};
use rustix::io::Errno;
use tests::{Daemon, run, script};

use crate::open;

/// Names the file that another process, running the test of the same name, is to lock and hold.
const LOCK: &str = "PEERDRIVE_TEST_LOCK";

/// A process that holds a lock until its standard input ends.
struct Holder(Child);

impl Holder {
    fn of(path: &Path, kind: &str) -> Self {
        let mut holder = Command::new(std::env::current_exe().unwrap());
        holder.args(["--ignored", "--exact", "between::holds_a_lock", "--nocapture"]);
        holder.env(LOCK, path).env("PEERDRIVE_TEST_LOCK_KIND", kind);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(holder.stdout.take().expect("it was piped")).lines();
        assert!(lines.any(|line| line.unwrap().contains("held")), "the other process got no lock");
        Self(holder)
    }

    /// By a signal, so that only the kernel can have let the lock go.
    fn end(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "runs as the other process of the lock tests"]
fn holds_a_lock() {
    let Some(path) = std::env::var_os(LOCK) else { return };
    let file = open::both(Path::new(&path));
    match std::env::var("PEERDRIVE_TEST_LOCK_KIND").as_deref() {
        Ok("fcntl") => fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap(),
        _ => flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap(),
    }
    println!("held");
    let _ = std::io::stdin().lines().next();
}

#[test]
fn s80_record_locks() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let mine = open::both(&path);
    let holder = Holder::of(&path, "fcntl");
    let lock = |how| fcntl_lock(&mine, how);
    assert_eq!(lock(FlockOperation::NonBlockingLockExclusive), Err(Errno::AGAIN));
    assert_eq!(lock(FlockOperation::NonBlockingLockShared), Err(Errno::AGAIN));
    holder.end();
    lock(FlockOperation::NonBlockingLockExclusive).unwrap();
}

#[test]
fn s81_whole_file_locks() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let mine = open::both(&path);
    let holder = Holder::of(&path, "flock");
    assert_eq!(flock(&mine, FlockOperation::NonBlockingLockExclusive), Err(Errno::AGAIN));
    let tried = tests::output(script(&daemon.mount(), "flock --nonblock --conflict-exit-code 7 file true"));
    assert_eq!(tried.status.code(), Some(7));
    holder.end();
    flock(&mine, FlockOperation::NonBlockingLockExclusive).unwrap();
    flock(&mine, FlockOperation::Unlock).unwrap();
    run(script(&daemon.mount(), "flock --nonblock file true"));
}

#[test]
fn s82_inotify() {
    use inotify::{ReadFlags, WatchFlags};
    let daemon = Daemon::start();
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, daemon.mount(), WatchFlags::ALL_EVENTS).unwrap();
    run(script(&daemon.mount(), "echo content > file; mv file moved; rm moved"));
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut room);
    for wanted in [
        ReadFlags::CREATE,
        ReadFlags::MODIFY,
        ReadFlags::CLOSE_WRITE,
        ReadFlags::MOVED_FROM,
        ReadFlags::MOVED_TO,
        ReadFlags::DELETE,
    ] {
        while !next_event(&watch, &mut events).contains(wanted) {}
    }
}

/// The next event, waited for no longer than the deadline.
fn next_event(watch: &OwnedFd, events: &mut inotify::Reader<'_, &OwnedFd>) -> inotify::ReadFlags {
    const DEADLINE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
    if events.is_buffer_empty() {
        let mut waited = [PollFd::new(watch, PollFlags::IN)];
        assert_eq!(poll(&mut waited, Some(&DEADLINE)), Ok(1), "an event is missing");
    }
    events.next().unwrap().events()
}

#[test]
fn s83_seen_at_the_next_look() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    fs::write(&path, "the first content").unwrap();
    daemon.wait_until_settled();
    fs::write(&path, "the second").unwrap();
    daemon.wait_until_settled();
    let reader = File::open(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"the second");
    let history = daemon.json(&["history", "/file"]);
    let first =
        history.as_array().unwrap().iter().find(|version| version["size"] == 17).expect("the first version");
    let restored = daemon.command(["restore", "/file", "--at", first["id"].as_str().unwrap()]);
    assert!(restored.status.success(), "{}", tests::told(&restored));
    assert_eq!(fs::metadata(&path).unwrap().len(), 17);
    assert_eq!(fs::read(&path).unwrap(), b"the first content");
    assert_eq!(std::io::read_to_string(&reader).unwrap(), "the first content");
    // A name that the kernel knows to be missing comes back.
    fs::remove_file(&path).unwrap();
    assert!(!path.exists());
    let restored = daemon.command(["restore", "/file", "--at", first["id"].as_str().unwrap()]);
    assert!(restored.status.success(), "{}", tests::told(&restored));
    assert_eq!(fs::read(&path).unwrap(), b"the first content");
}
