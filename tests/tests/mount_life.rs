//! The mount from its beginning to its end: what it refuses, and who is in the way of its end.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tests::{Daemon, Start, eventually, is_root, output, program};

#[test]
fn the_drive_is_a_file_system_of_its_own_and_then_is_gone() {
    let mut daemon = Daemon::start();
    let outside = fs::metadata(daemon.beside()).expect("a folder").dev();
    assert_ne!(fs::metadata(daemon.mount()).expect("the drive").dev(), outside);
    assert_eq!(kind(&daemon.mount()).as_deref(), Some("fuse.peerdrive"));
    assert!(daemon.stop().success());
    assert_eq!(kind(&daemon.mount()), None);
    assert_eq!(fs::metadata(daemon.mount()).expect("the mountpoint").dev(), outside);
}

#[test]
fn a_missing_mountpoint_is_made() {
    let mut daemon = Daemon::prepare(Start::default());
    fs::remove_dir(daemon.mount()).expect("it is empty");
    daemon.start_again();
    fs::write(daemon.mount().join("file"), "here").expect("a drive");
}

#[test]
fn what_cannot_be_a_mountpoint_is_refused_with_a_reason() {
    let daemon = Daemon::prepare(Start::default());
    fs::write(daemon.mount().join("in the way"), "x").expect("written");
    refused(&daemon, &daemon.mount(), "not empty");
    refused(&daemon, &daemon.mount().join("in the way"), "not a folder");
    refused(&daemon, Path::new("/proc"), "already the mountpoint");
}

#[test]
fn a_living_drive_is_not_mounted_over() {
    let first = Daemon::start();
    let second = Daemon::prepare(Start::default());
    refused(&second, &first.mount(), "already mounted");
    fs::write(first.mount().join("file"), "still there").expect("the first lives");
}

#[test]
fn programs_inside_do_not_keep_the_drive_from_stopping() {
    let mut daemon = Daemon::start();
    let mut open = File::create(daemon.mount().join("open")).expect("created");
    open.write_all(b"written before").expect("written");
    let mut inside = program("sleep").arg("1000").current_dir(daemon.mount()).spawn().expect("sleep starts");
    let status = daemon.stop();
    inside.kill().and_then(|()| inside.wait()).expect("our own child");
    assert!(status.success(), "{status}\n{}", daemon.log_tail());
    assert_eq!(kind(&daemon.mount()), None);
    assert!(open.write_all(b"after").is_err(), "there is no drive behind it");
    drop(open);
    daemon.start_again();
    assert_eq!(fs::read(daemon.mount().join("open")).expect("read"), b"written before");
}

#[test]
fn somebody_else_unmounts_and_the_daemon_ends_well() {
    let mut daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "content").expect("written");
    let mount = daemon.mount();
    // Busy as long as the kernel has not let go of what was just written.
    eventually("nobody is inside", || {
        let mut unmount = if is_root() { program("umount") } else { program("fusermount3") };
        let unmount = if is_root() { &mut unmount } else { unmount.arg("-u") };
        output(unmount.arg(&mount)).status.success()
    });
    assert_eq!(kind(&mount), None);
    assert!(daemon.stop_if_running().is_none_or(|status| status.success()), "{}", daemon.log_tail());
    daemon.start_again();
    assert_eq!(fs::read(mount.join("file")).expect("read"), b"content");
}

/// Starts on another mountpoint than its own; must fail with `reason` in one line.
fn refused(daemon: &Daemon, mountpoint: &Path, reason: &str) {
    let ended = daemon.command(["up".as_ref(), mountpoint.as_os_str()]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains(reason), "{told}");
}

/// The type of the topmost mount on exactly this path.
fn kind(mount: &Path) -> Option<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("Linux has a mount table");
    let mut lines =
        table.lines().filter(|line| line.split(' ').nth(4).is_some_and(|path| Path::new(path) == mount));
    lines.next_back().and_then(|line| line.split(" - ").nth(1)?.split(' ').next()).map(str::to_owned)
}
