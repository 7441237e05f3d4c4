//! What happens where something ends: open files, the contribution, the disk, permissions, a second daemon.
//!
//! Needs root: file systems of their own are mounted.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tests::{Daemon, Start, is_root, noise, output, peerdrive, program, run, script, told};

const MIB: u64 = 1 << 20;
/// Files of the copy that is made under a low limit of open files.
const SMALL_FILES: usize = 5_000;
/// More open files than the daemon ever needs, far fewer than files are copied.
const OPEN_FILES_MAX: usize = 60;

#[test]
fn few_files_are_open_whatever_is_copied() {
    let wrapper = tempfile::tempdir().unwrap();
    let limited = wrapper.path().join("limited");
    let text = format!("#!/bin/sh\nulimit -n 1024\nexec '{}' \"$@\"\n", peerdrive().display());
    fs::write(&limited, text).unwrap();
    fs::set_permissions(&limited, fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = Start::default().program(limited).start();
    let source = daemon.beside().join("source");
    fs::create_dir(&source).unwrap();
    for number in 0..SMALL_FILES {
        fs::write(source.join(number.to_string()), noise(number as u64, 300 + number)).unwrap();
    }
    let (mut copy, mut most, mut looks) =
        (program("cp").arg("-r").arg(&source).arg(daemon.mount().join("copy")).spawn().unwrap(), 0, 0);
    let status = loop {
        most = most.max(open_files(&daemon));
        looks += 1;
        if let Some(status) = copy.try_wait().unwrap() {
            break status;
        }
        std::thread::yield_now();
    };
    assert!(status.success());
    assert!(looks > 10 && most <= OPEN_FILES_MAX, "{most} files were open at once, in {looks} looks");
    run(program("diff").arg("-r").arg(&source).arg(daemon.mount().join("copy")));
    daemon.wait_until_settled();
    let at_rest = open_files(&daemon);
    assert!(at_rest <= OPEN_FILES_MAX, "{at_rest} files stay open");
}

fn open_files(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

#[test]
fn a_full_contribution_refuses_writes_and_nothing_else() {
    const CONTRIBUTED: u64 = 64 * MIB;
    let mut daemon = Start::default().arg("--contribute").arg("64M").start();
    let written = fill(&daemon.mount());
    assert!((CONTRIBUTED / 2..=CONTRIBUTED).contains(&(written.len() as u64 * MIB)), "{} MiB", written.len());
    assert_below(&daemon.data().join("chunks/packs"), CONTRIBUTED);
    assert_goes_on(&daemon, &written);
    daemon.restart();
    assert_goes_on(&daemon, &written);
    assert_below(&daemon.data().join("chunks/packs"), CONTRIBUTED);
    // More room, and all is well again.
    let told = daemon.command(["contribute", "128M"]);
    assert!(told.status.success(), "{}", tests::told(&told));
    write_synced(&daemon.mount().join("more"), &noise(999, 10 << 20)).unwrap();
    assert!(fs::read(daemon.mount().join("more")).unwrap() == noise(999, 10 << 20));
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let (mut daemon, _disk) = on_a_disk_of_its_own(96);
    // So that the disk, and not the contribution, is what ends.
    let written = fill(&daemon.mount());
    assert!(written.len() > 10, "only {} MiB fit on a disk of 96", written.len());
    assert_goes_on(&daemon, &written);
    daemon.restart();
    assert_goes_on(&daemon, &written);
    daemon.kill();
    daemon.start_again();
    assert_goes_on(&daemon, &written);
    let report = daemon.command(["scrub"]);
    assert!(report.status.success(), "{}", told(&report));
}

#[test]
#[ignore = "on so small a disk the index or the tree meets ENOSPC itself, and the drive is read-only until there is room"]
fn what_is_deleted_on_a_full_disk_makes_room() {
    let (mut daemon, _disk) = on_a_disk_of_its_own(96);
    assert!(daemon.stop().success());
    let config = daemon.data().join("config.toml");
    let settings = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{settings}history = \"1s\"\n")).unwrap();
    daemon.start_again();
    let written = fill(&daemon.mount());
    let (deleted, left) = written.split_at(written.len() / 2);
    for number in deleted {
        fs::remove_file(path_of(&daemon.mount(), *number)).unwrap();
    }
    // What is refused for want of room wakes the sweep, once the history gives the deleted files up.
    let again: Vec<u64> = (10_000..10_000 + deleted.len() as u64 / 2).collect();
    for number in &again {
        tests::eventually("there is room", || {
            write_synced(&path_of(&daemon.mount(), *number), &content_of(*number)).is_ok()
        });
    }
    daemon.restart();
    for number in left.iter().chain(&again) {
        assert!(fs::read(path_of(&daemon.mount(), *number)).unwrap() == content_of(*number), "file {number}");
    }
    let report = daemon.command(["scrub"]);
    assert!(report.status.success(), "{}", told(&report));
}

#[test]
fn a_read_only_data_folder_is_said_so() {
    let (mut daemon, disk) = on_a_disk_of_its_own(64);
    fs::write(daemon.mount().join("file"), "content").unwrap();
    assert!(daemon.stop().success());
    run(program("mount").args(["-o", "remount,ro"]).arg(&disk.0));
    let told = refused_start(&daemon, &daemon.mount());
    assert!(told.contains("read-only") || told.contains("Read-only"), "{told}");
    run(program("mount").args(["-o", "remount,rw"]).arg(&disk.0));
    daemon.start_again();
    assert_eq!(fs::read(daemon.mount().join("file")).unwrap(), b"content");
}

#[test]
fn a_second_daemon_is_refused() {
    let daemon = Daemon::start();
    let elsewhere = daemon.beside().join("elsewhere");
    let told = refused_start(&daemon, &elsewhere);
    assert!(told.contains("already") || told.contains("another"), "{told}");
    fs::write(daemon.mount().join("file"), "the first one works on").unwrap();
    assert_eq!(fs::read(daemon.mount().join("file")).unwrap(), b"the first one works on");
}

/// `up` on this daemon's data folder, which fails with one line, and no panic.
fn refused_start(daemon: &Daemon, mount: &Path) -> String {
    let mut up = std::process::Command::new(peerdrive());
    up.arg("up").arg(mount).args(["--panel", "127.0.0.1:0", "--no-discovery", "--data"]).arg(daemon.data());
    let refused = output(up.env_remove("PEERDRIVE_DATA"));
    let told = told(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    let lines = told.lines().filter(|line| line.starts_with("peerdrive:")).count();
    assert!(lines == 1 && !told.contains("panicked"), "{told}");
    told
}

/// Writes files of one MiB until there is no room, and gives those that were synced.
fn fill(mount: &Path) -> Vec<u64> {
    let mut written = Vec::new();
    for number in 0.. {
        match write_synced(&path_of(mount, number), &content_of(number)) {
            Ok(()) => written.push(number),
            Err(error) => {
                assert_eq!(Errno::from_io_error(&error), Some(Errno::NOSPC), "{error}");
                return written;
            }
        }
    }
    unreachable!("no drive is endless")
}

fn path_of(mount: &Path, number: u64) -> PathBuf {
    mount.join(format!("file{number}"))
}

fn content_of(number: u64) -> Vec<u8> {
    noise(number, MIB as usize)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// With no room left: reading, listing, renaming and deleting work, and writing says why it does not.
fn assert_goes_on(daemon: &Daemon, written: &[u64]) {
    let mount = daemon.mount();
    for number in &written[1..] {
        assert!(
            fs::read(path_of(&mount, *number)).unwrap() == content_of(*number),
            "file {number} is damaged"
        );
    }
    let refused = write_synced(&mount.join("too much"), &noise(12_345, 40 << 20)).unwrap_err();
    assert_eq!(Errno::from_io_error(&refused), Some(Errno::NOSPC), "{refused}");
    let _ = fs::remove_file(mount.join("too much"));
    let (first, moved) = (path_of(&mount, 0), mount.join("moved"));
    fs::write(&first, "")
        .map_or_else(|error| assert_eq!(Errno::from_io_error(&error), Some(Errno::NOSPC)), |()| ());
    if first.exists() {
        fs::rename(&first, &moved).unwrap();
        fs::remove_file(&moved).unwrap();
    }
    assert!(!first.exists() && !moved.exists());
    assert_eq!(daemon.json(&["status"])["workspaces"].as_array().map(Vec::len), Some(1));
}

fn assert_below(folder: &Path, limit: u64) {
    let used = run(script(folder, "du -s --block-size=1 ."));
    let used: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
    assert!(used <= limit, "{used} bytes are used of {limit}");
}

/// A disk made of a file; taken away when the test ends.
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = output(program("umount").arg("-l").arg(&self.0));
        // The fixture could not delete what was mounted.
        if let Some(folder) = self.0.parent() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A daemon whose data folder is a file system of so many MiB.
fn on_a_disk_of_its_own(mib: u64) -> (Daemon, Disk) {
    assert!(is_root(), "run this test as root: it mounts a disk");
    let mut daemon = Daemon::prepare(Start::default().arg("--contribute").arg("10G"));
    let image = daemon.beside().join("image");
    File::create(&image).unwrap().set_len(mib * MIB).unwrap();
    run(program("mkfs.ext4").args(["-q", "-m", "0", "-E", "lazy_itable_init=0"]).arg(&image));
    fs::create_dir(daemon.data()).unwrap();
    run(program("mount").args(["-o", "loop"]).arg(&image).arg(daemon.data()));
    let disk = Disk(daemon.data());
    fs::remove_dir(daemon.data().join("lost+found")).unwrap();
    // The usual reserve would be larger than the disk. What is left of it is what tree and index grow into: with 1 MiB they met the end of the
    // disk themselves now and then, when a checkpoint came at a bad moment, and the drive was read-only.
    fs::write(daemon.data().join("config.toml"), "reserve = \"8M\"\n").unwrap();
    daemon.start_again();
    (daemon, disk)
}
