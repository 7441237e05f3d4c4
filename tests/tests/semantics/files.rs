//! Files.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::Child;

use rustix::fs::OFlags;
use rustix::io::Errno;
use tests::{Daemon, eventually, noise, output, program, refused, run, script};

use crate::map::Map;
use crate::open;

#[test]
fn s20_unlinked_while_open() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let file = open::both(&path);
    file.write_all_at(&noise(1, 200_000), 0).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(open::code(fs::metadata(&path)), Some(Errno::NOENT));
    assert_still_works(&file);
}

#[test]
fn s21_replaced_while_open() {
    let daemon = Daemon::start();
    let (path, other) = (daemon.mount().join("file"), daemon.mount().join("other"));
    let file = open::both(&path);
    file.write_all_at(&noise(1, 200_000), 0).unwrap();
    fs::write(&other, "other").unwrap();
    fs::rename(&other, &path).unwrap();
    assert_still_works(&file);
    assert_eq!(fs::read(&path).unwrap(), b"other");
}

fn assert_still_works(file: &File) {
    let mut wanted = noise(1, 200_000);
    wanted[100_000..100_003].copy_from_slice(b"new");
    file.write_all_at(b"new", 100_000).unwrap();
    file.sync_all().unwrap();
    let mut found = vec![0; 200_000];
    file.read_exact_at(&mut found, 0).unwrap();
    assert!(found == wanted);
    file.set_len(10).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 10);
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&file.metadata().unwrap()), 0);
}

#[test]
fn s22_appending_processes() {
    const PROCESSES: usize = 4;
    const LINES: usize = 500;
    let daemon = Daemon::start();
    let append = "for ((n = 0; n < $2; n++)); do printf '%s-%s-%0100d\\n' $1 $n 0 >&3; done 3>>log";
    let start = |number: usize| -> Child {
        script(&daemon.mount(), append).arg(number.to_string()).arg(LINES.to_string()).spawn().unwrap()
    };
    let processes: Vec<Child> = (0..PROCESSES).map(start).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let log = fs::read_to_string(daemon.mount().join("log")).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    assert!(lines.iter().all(|line| line.ends_with(&"0".repeat(100))), "a record is torn");
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), PROCESSES * LINES, "records are lost");
}

#[test]
fn s23_truncated_by_another() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let mine = open::both(&path);
    mine.write_all_at(&noise(1, 100_000), 0).unwrap();
    File::create(&path).unwrap();
    assert_eq!(mine.metadata().unwrap().len(), 0);
    assert_eq!(mine.read_at(&mut [0; 10], 0).unwrap(), 0);
    mine.write_all_at(b"again", 5).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"\0\0\0\0\0again");
}

#[test]
fn s24_exclusive_creation() {
    let daemon = Daemon::start();
    for round in 0..50 {
        let path = daemon.mount().join(round.to_string());
        let race = || File::options().write(true).create_new(true).open(&path).is_ok();
        let winners = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(winners, 1);
    }
}

#[test]
fn s25_direct() {
    const BLOCK: usize = 4096;
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let (direct, cached) = (open::with(&path, OFlags::DIRECT), open::both(&path));
    let content = noise(1, 64 * BLOCK);
    run(script(daemon.beside(), "head -c 262144 /dev/urandom > source; dd if=source of=\"$1\" bs=64k oflag=direct conv=notrunc status=none; dd if=\"$1\" bs=64k iflag=direct status=none | cmp - source; cmp \"$1\" source").arg(&path));
    // Through the cache, then past it.
    cached.write_all_at(&content, 0).unwrap();
    let mut found = vec![0; content.len()];
    direct.read_exact_at(&mut found, 0).unwrap();
    assert!(found == content, "a direct read misses what was written through the cache");
    // Past the cache, then through it.
    let other = noise(2, BLOCK);
    direct.write_all_at(&other, (8 * BLOCK) as u64).unwrap();
    cached.read_exact_at(&mut found, 0).unwrap();
    assert!(found[8 * BLOCK..9 * BLOCK] == other, "a cached read misses what was written directly");
}

#[test]
fn s26_shared_maps() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let file = open::both(&path);
    file.set_len(100_000).unwrap();
    let mut map = Map::of(&file, 100_000);
    map.write(50_000, b"from the map");
    let mut found = [0; 12];
    open::both(&path).read_exact_at(&mut found, 50_000).unwrap();
    assert_eq!(&found, b"from the map");
    open::both(&path).write_all_at(b"to the map", 60_000).unwrap();
    assert_eq!(map.read(60_000, 10), b"to the map");
    let seen = run(script(&daemon.mount(), "head -c 50012 file | tail -c 12"));
    assert_eq!(seen, "from the map");
    drop((map, file));
    // Written back when the map goes, and kept.
    eventually("the map is written back", || {
        fs::read(&path).is_ok_and(|all| &all[50_000..50_012] == b"from the map")
    });
}

#[test]
fn s27_beyond_the_end() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let file = open::both(&path);
    file.write_all_at(b"abc", 0).unwrap();
    assert_eq!(file.read_at(&mut [0; 10], 3).unwrap(), 0);
    assert_eq!(file.read_at(&mut [0; 10], 1 << 40).unwrap(), 0);
    file.write_all_at(b"xyz", 1_000_000).unwrap();
    let mut wanted = vec![0; 1_000_003];
    wanted[..3].copy_from_slice(b"abc");
    wanted[1_000_000..].copy_from_slice(b"xyz");
    assert!(fs::read(&path).unwrap() == wanted);
}

#[test]
fn s28_cut_and_grown_again() {
    let daemon = Daemon::start();
    for settled in [false, true] {
        let path = daemon.mount().join(format!("file{settled}"));
        let file = open::both(&path);
        file.write_all_at(&noise(1, 300_000), 0).unwrap();
        if settled {
            file.sync_all().unwrap();
        }
        file.set_len(100_001).unwrap();
        file.set_len(300_000).unwrap();
        let mut wanted = noise(1, 300_000);
        wanted[100_001..].fill(0);
        assert!(fs::read(&path).unwrap() == wanted);
        drop(file);
        assert!(fs::read(&path).unwrap() == wanted);
    }
}

#[test]
fn s29_copies_take_no_room() {
    let daemon = Daemon::start();
    let (from, to) = (daemon.mount().join("from"), daemon.mount().join("to"));
    fs::write(&from, noise(1, 20 << 20)).unwrap();
    let before = used(&daemon);
    let (source, target) = (File::open(&from).unwrap(), open::both(&to));
    let (mut at, mut to_at) = (0, 0);
    while at < 20 << 20 {
        let copied =
            rustix::fs::copy_file_range(&source, Some(&mut at), &target, Some(&mut to_at), 20 << 20).unwrap();
        assert!(copied > 0);
    }
    target.sync_all().unwrap();
    drop(target);
    run(program("cmp").arg(&from).arg(&to));
    run(program("cp").arg(&from).arg(daemon.mount().join("by cp")));
    let grown = used(&daemon) - before;
    assert!(grown < 1 << 20, "two copies of 20 MiB took {grown} bytes");
}

#[test]
fn s30_same_content_once() {
    let daemon = Daemon::start();
    let content = noise(1, 20 << 20);
    fs::write(daemon.mount().join("first"), &content).unwrap();
    let before = used(&daemon);
    fs::create_dir(daemon.mount().join("folder")).unwrap();
    fs::write(daemon.mount().join("folder/other name"), &content).unwrap();
    let mut shifted = b"a few bytes in front".to_vec();
    shifted.extend_from_slice(&content);
    fs::write(daemon.mount().join("shifted"), &shifted).unwrap();
    let grown = used(&daemon) - before;
    assert!(grown < 2 << 20, "the same 20 MiB took {grown} bytes more");
}

/// Bytes in the packs once everything is there.
fn used(daemon: &Daemon) -> u64 {
    daemon.wait_until_settled();
    let packs = run(script(&daemon.data(), "find chunks/packs -type f -printf '%s\\n'"));
    packs.lines().map(|size| size.parse::<u64>().unwrap()).sum()
}

#[test]
fn s31_only_what_it_was_opened_for() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    fs::write(&path, "content").unwrap();
    let reading = File::open(&path).unwrap().write_at(b"x", 0);
    assert_eq!(open::code(reading), Some(Errno::BADF));
    let writing = OpenOptions::new().write(true).open(&path).unwrap().read(&mut [0; 4]);
    assert_eq!(open::code(writing), Some(Errno::BADF));
    assert_eq!(fs::read(&path).unwrap(), b"content");
}

#[test]
fn s32_not_supported() {
    let daemon = Daemon::start();
    let unnamed = open_unnamed(&daemon.mount());
    assert_eq!(open::code(unnamed), Some(Errno::OPNOTSUPP));
    fs::write(daemon.mount().join("file"), "content").unwrap();
    refused(program("cp").current_dir(daemon.mount()).args(["--reflink=always", "file", "clone"]));
    let tried = output(program("cp").current_dir(daemon.mount()).args(["--reflink=auto", "file", "copy"]));
    assert!(tried.status.success());
    assert_eq!(fs::read(daemon.mount().join("copy")).unwrap(), b"content");
}

fn open_unnamed(folder: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).custom_flags(OFlags::TMPFILE.bits().cast_signed()).open(folder)
}
