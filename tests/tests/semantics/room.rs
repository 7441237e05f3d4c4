//! Room.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::fs::statvfs;
use tests::{Daemon, Start, eventually, is_root, noise, run, script};

/// What the daemon of these tests gives.
const CONTRIBUTED: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

fn free(daemon: &Daemon) -> u64 {
    let shown = statvfs(daemon.mount()).unwrap();
    assert_eq!(shown.f_bavail, shown.f_bfree);
    shown.f_bavail * shown.f_frsize
}

#[test]
fn s90_free_space() {
    let daemon = Start::default().arg("--contribute").arg("1G").start();
    let before = free(&daemon);
    assert!(before <= CONTRIBUTED, "{before} free of {CONTRIBUTED}");
    assert!(before > CONTRIBUTED / 10 * 8, "{before} free of {CONTRIBUTED}");
    fs::write(daemon.mount().join("file"), noise(1, 100 << 20)).unwrap();
    eventually("the free space shrinks", || free(&daemon) < before - 90 * MIB);
    assert!(free(&daemon) > before - 130 * MIB, "it shrinks by more than was written");
}

#[test]
fn s91_limits_are_shown() {
    let daemon = Daemon::start();
    let shown = statvfs(daemon.mount()).unwrap();
    assert_eq!((shown.f_namemax, shown.f_bsize), (255, 4096));
    assert!(shown.f_ffree > 1000);
    run(script(&daemon.mount(), "df . && df -i ."));
}

#[test]
fn s92_trash() {
    let daemon = Daemon::start();
    let user = if is_root() { 0 } else { fs::metadata(daemon.mount()).unwrap().uid() };
    let trash = daemon.mount().join(format!(".Trash-{user}"));
    for folder in ["files", "info"] {
        fs::create_dir_all(trash.join(folder)).unwrap();
    }
    fs::write(daemon.mount().join("file"), "content").unwrap();
    fs::rename(daemon.mount().join("file"), trash.join("files/file")).unwrap();
    assert_eq!(fs::read(trash.join("files/file")).unwrap(), b"content");
}
