//! Names.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, mkdirat, openat, renameat_with, unlinkat};
use rustix::io::Errno;
use tests::{Daemon, is_long, output, run, script};

use crate::open;

#[test]
fn s50_any_bytes() {
    let mut daemon = Daemon::start();
    let names: Vec<Vec<u8>> = [
        b"x".to_vec(),
        b"X".to_vec(),
        vec![b'n'; 255],
        (1..=255).filter(|byte| *byte != b'/').collect::<Vec<u8>>()[..200].to_vec(),
        vec![0xff; 255],
        "\u{e4}".into(),
        "a\u{308}".into(),
        b" ".to_vec(),
        b"...".to_vec(),
        b"\n".to_vec(),
        b"CON".to_vec(),
    ]
    .to_vec();
    for name in &names {
        fs::write(daemon.mount().join(OsStr::from_bytes(name)), name).unwrap();
    }
    daemon.restart();
    let listed: HashSet<Vec<u8>> = fs::read_dir(daemon.mount())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().as_bytes().to_vec())
        .collect();
    assert_eq!(listed, names.iter().cloned().collect());
    for name in &names {
        assert_eq!(&fs::read(daemon.mount().join(OsStr::from_bytes(name))).unwrap(), name);
    }
    let too_long = daemon.mount().join(OsStr::from_bytes(&[b'n'; 256]));
    assert_eq!(open::code(File::create(&too_long)), Some(Errno::NAMETOOLONG));
    assert_eq!(open::code(fs::create_dir(&too_long)), Some(Errno::NAMETOOLONG));
    assert_eq!(open::code(fs::rename(daemon.mount().join("x"), &too_long)), Some(Errno::NAMETOOLONG));
}

#[test]
fn s51_deeper_than_path_max() {
    const DEPTH: usize = 100;
    let mut daemon = Daemon::start();
    let name = "d".repeat(100);
    let directory = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let mut at = openat(CWD, daemon.mount(), directory, Mode::empty()).unwrap();
    for _ in 0..DEPTH {
        mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = openat(&at, &name, directory, Mode::empty()).unwrap();
    }
    let file = openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR | Mode::WUSR).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    drop((at, file));
    daemon.restart();
    let found = run(script(&daemon.mount(), "find . -name file -execdir wc -c {} +"));
    assert!(found.starts_with("4 "), "{found}");
    run(script(&daemon.mount(), "rm -rf d*; test -z \"$(ls -A)\""));
}

#[test]
fn s52_targets() {
    let mut daemon = Daemon::start();
    let targets = [b"x".to_vec(), vec![b'/'; 4095], vec![0xff; 4095]];
    for (number, target) in targets.iter().enumerate() {
        symlink(OsStr::from_bytes(target), daemon.mount().join(number.to_string())).unwrap();
    }
    daemon.restart();
    for (number, target) in targets.iter().enumerate() {
        let link = daemon.mount().join(number.to_string());
        assert_eq!(fs::read_link(&link).unwrap().as_os_str().as_bytes(), target);
        assert_eq!(fs::symlink_metadata(&link).unwrap().len(), target.len() as u64);
    }
    let too_long = symlink(OsStr::from_bytes(&[b'x'; 4096]), daemon.mount().join("long"));
    assert_eq!(open::code(too_long), Some(Errno::NAMETOOLONG));
    assert_eq!(open::code(symlink("", daemon.mount().join("empty"))), Some(Errno::NOENT));
}

#[test]
fn s53_hard_links() {
    const LINKS: u64 = 500;
    let mut daemon = Daemon::start();
    let at = |name: &str| daemon.mount().join(name);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("first"), "content").unwrap();
    for number in 1..LINKS {
        fs::hard_link(at("first"), at(&format!("folder/{number}"))).unwrap();
    }
    assert_eq!(fs::metadata(at("first")).unwrap().nlink(), LINKS);
    fs::write(at("folder/7"), "changed through another name").unwrap();
    assert_eq!(fs::read(at("first")).unwrap(), b"changed through another name");
    fs::remove_file(at("first")).unwrap();
    let one = fs::metadata(at("folder/1")).unwrap();
    assert_eq!((one.nlink(), one.ino()), (LINKS - 1, fs::metadata(at("folder/9")).unwrap().ino()));
    assert_eq!(open::code(fs::hard_link(at("folder"), at("second"))), Some(Errno::PERM));
    assert_eq!(open::code(fs::hard_link(at("folder/1"), at("folder/2"))), Some(Errno::EXIST));
    let mount = daemon.mount();
    daemon.restart();
    assert_eq!(fs::metadata(mount.join("folder/1")).unwrap().nlink(), LINKS - 1);
    assert_eq!(fs::read(mount.join("folder/1")).unwrap(), b"changed through another name");
}

#[test]
fn s54_renaming_is_one_step() {
    let daemon = Daemon::start();
    let (path, beside) = (daemon.mount().join("file"), daemon.mount().join("beside"));
    let contents = ["a".repeat(10_000), "b".repeat(10_000)];
    fs::write(&path, &contents[0]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looker = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                let found = match fs::read_to_string(&path) {
                    Err(error) if Errno::from_io_error(&error) == Some(Errno::STALE) => continue,
                    found => found.expect("the name is always there"),
                };
                assert!(contents.contains(&found), "neither the old nor the new: {} bytes", found.len());
                looks += 1;
            }
            looks
        });
        for round in 0..300 {
            fs::write(&beside, &contents[round % 2]).unwrap();
            fs::rename(&beside, &path).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(looker.join().unwrap() > 0);
    });
}

#[test]
fn s55_rename_flags() {
    let daemon = Daemon::start();
    let at = |name: &str| daemon.mount().join(name);
    fs::write(at("one"), "one").unwrap();
    fs::create_dir(at("two")).unwrap();
    fs::write(at("two/inside"), "two").unwrap();
    let rename = |from: &str, to: &str, flags| renameat_with(CWD, at(from), CWD, at(to), flags);
    assert_eq!(rename("one", "two", RenameFlags::NOREPLACE), Err(Errno::EXIST));
    assert_eq!(rename("one", "missing", RenameFlags::EXCHANGE), Err(Errno::NOENT));
    rename("one", "two", RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read(at("two")).unwrap(), b"one");
    assert_eq!(fs::read(at("one/inside")).unwrap(), b"two");
    rename("two", "three", RenameFlags::NOREPLACE).unwrap();
    assert_eq!(fs::read(at("three")).unwrap(), b"one");
    assert!(!at("two").exists());
}

#[test]
fn s56_folders_stay_a_tree() {
    let daemon = Daemon::start();
    let at = |name: &str| daemon.mount().join(name);
    fs::create_dir_all(at("a/b/c")).unwrap();
    fs::create_dir_all(at("full/inside")).unwrap();
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("file"), "").unwrap();
    let rename = |from: &str, to: &str| open::code(fs::rename(at(from), at(to)));
    assert_eq!(rename("a", "a/b/c/a"), Some(Errno::INVAL));
    assert_eq!(rename("a", "full"), Some(Errno::NOTEMPTY));
    assert_eq!(rename("a", "file"), Some(Errno::NOTDIR));
    assert_eq!(rename("file", "a"), Some(Errno::ISDIR));
    assert_eq!(rename("a", "empty"), None);
    assert!(at("empty/b/c").is_dir());
    assert_eq!(open::code(fs::remove_dir(at("full"))), Some(Errno::NOTEMPTY));
    assert_eq!(open::code(fs::remove_file(at("full"))), Some(Errno::ISDIR));
    assert_eq!(open::code(fs::remove_dir(at("file"))), Some(Errno::NOTDIR));
}

#[test]
fn s57_large_folders() {
    let entries = if is_long() { 1_000_000 } else { 100_000 };
    let mut daemon = Daemon::start();
    let folder = daemon.mount().join("folder");
    fs::create_dir(&folder).unwrap();
    for number in 0..entries {
        // A second name costs less than a file, and fills the folder as well.
        let name = folder.join(format!("an entry of a large folder, number {number}"));
        if number % 10 == 0 { drop(File::create(name).unwrap()) } else { symlink("x", name).unwrap() }
    }
    assert_eq!(distinct(&folder), (entries, entries));
    daemon.restart();
    assert_eq!(distinct(&folder), (entries, entries));
    let looked_up = folder.join(format!("an entry of a large folder, number {}", entries / 2));
    assert!(fs::symlink_metadata(looked_up).is_ok());
    run(script(&daemon.mount(), "rm -rf folder"));
    assert!(!folder.exists());
}

/// How many entries are listed, and how many different ones.
fn distinct(folder: &Path) -> (usize, usize) {
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    (names.len(), names.iter().collect::<HashSet<_>>().len())
}

#[test]
fn s58_listed_while_emptied() {
    const ENTRIES: usize = 5_000;
    let daemon = Daemon::start();
    let at = |number: usize| daemon.mount().join(format!("entry {number}"));
    for number in 0..ENTRIES {
        File::create(at(number)).unwrap();
    }
    let mut seen: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(daemon.mount()).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path).unwrap();
        seen.push(path);
    }
    let count = seen.len();
    assert_eq!(count, ENTRIES, "what was there all the time is listed");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>().len(), count);
    let folder = openat(CWD, daemon.mount(), OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
    assert_eq!(unlinkat(&folder, "entry 1", AtFlags::empty()), Err(Errno::NOENT));
}

#[test]
fn s59_meeting_places() {
    let daemon = Daemon::start();
    let met = run(script(&daemon.mount(), "mkfifo pipe; echo through the pipe > pipe & cat pipe; wait"));
    assert_eq!(met, "through the pipe\n");
    let path = daemon.mount().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let caller = UnixStream::connect(&path).unwrap();
    listener.accept().unwrap();
    drop(caller);
    assert!(output(script(&daemon.mount(), "test -S socket -a -p pipe")).status.success());
}
