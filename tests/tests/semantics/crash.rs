//! After a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use tests::{Daemon, eventually, noise};

use crate::map::Map;
use crate::open;

/// From a write that fits in a row of the tree to one that is many chunks.
const SIZES: [usize; 4] = [10, 5_000, 300_000, 9_000_000];

fn crash(daemon: &mut Daemon) {
    daemon.kill();
    daemon.start_again();
}

#[test]
fn s01_synced_content_survives() {
    let mut daemon = Daemon::start();
    for (number, size) in SIZES.into_iter().enumerate() {
        let path = daemon.mount().join(format!("file{size}"));
        let mut file = open::both(&path);
        file.write_all(&noise(1, size)).unwrap();
        if number % 2 == 0 { file.sync_all() } else { file.sync_data() }.unwrap();
    }
    // A change inside what was synced before, synced by itself.
    let changed = open::both(&daemon.mount().join("file9000000"));
    changed.write_all_at(b"changed", 4_000_000).unwrap();
    changed.sync_data().unwrap();
    drop(changed);
    crash(&mut daemon);
    for size in SIZES {
        let mut wanted = noise(1, size);
        if size > 4_000_000 {
            wanted[4_000_000..4_000_007].copy_from_slice(b"changed");
        }
        assert!(fs::read(daemon.mount().join(format!("file{size}"))).unwrap() == wanted, "{size}");
    }
}

#[test]
fn s02_a_synced_file_has_its_name() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("new folder/new file");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let mut file = File::create(&path).unwrap();
    file.write_all(b"content").unwrap();
    file.sync_all().unwrap();
    crash(&mut daemon);
    assert_eq!(fs::read(path).unwrap(), b"content");
}

#[test]
fn s03_a_sync_keeps_all_names_before_it() {
    let mut daemon = Daemon::start();
    let at = |name: &str| daemon.mount().join(name);
    fs::create_dir(at("folder")).unwrap();
    for name in ["moved", "removed"] {
        fs::write(at(name), name).unwrap();
    }
    File::open(at("folder")).unwrap().sync_all().unwrap();
    fs::rename(at("moved"), at("folder/here")).unwrap();
    fs::remove_file(at("removed")).unwrap();
    fs::hard_link(at("folder/here"), at("linked")).unwrap();
    std::os::unix::fs::symlink("target", at("symlink")).unwrap();
    File::open(at("folder")).unwrap().sync_all().unwrap();
    let mount = daemon.mount();
    crash(&mut daemon);
    let mut names: Vec<_> = fs::read_dir(&mount).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["folder", "linked", "symlink"]);
    assert!(mount.join("folder/here").exists());
}

#[test]
fn s04_replaced_by_a_synced_file() {
    replace_and_crash(true);
}

#[test]
fn s05_replaced_by_a_file_that_was_not_synced() {
    replace_and_crash(false);
}

/// Replaces files again and again, and crashes at some moment in between.
fn replace_and_crash(synced: bool) {
    let mut daemon = Daemon::start();
    for (round, size) in (0..).zip(SIZES) {
        let path = daemon.mount().join(format!("file{size}"));
        let content = |generation: u64| noise(generation, size + generation as usize);
        let mut generation = 1_000 * round;
        assert!(replace(&path, &content(generation), true));
        File::open(daemon.mount()).unwrap().sync_all().unwrap();
        let stop = AtomicBool::new(false);
        let last = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && replace(&path, &content(generation + 1), synced) {
                    generation += 1;
                }
                generation
            });
            eventually("some replacements are done", || {
                writer.is_finished()
                    || fs::metadata(&path).is_ok_and(|file| file.len() > (size as u64) + 1_000 * round + 5)
            });
            daemon.kill();
            stop.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        });
        daemon.start_again();
        let found = fs::read(&path).unwrap();
        let whole =
            found.len().checked_sub(size).is_some_and(|generation| found == content(generation as u64));
        assert!(whole, "{} bytes are no whole content", found.len());
        let oldest = if synced { last.saturating_sub(1) } else { 1_000 * round };
        assert!((found.len() - size) as u64 >= oldest, "an older content came back");
    }
}

/// The way of careful programs: a new file beside, moved over the old one. False when the drive is gone.
fn replace(path: &Path, content: &[u8], synced: bool) -> bool {
    let beside = path.with_extension("new");
    let made = File::create(&beside).and_then(|mut file| {
        file.write_all(content)?;
        if synced { file.sync_all() } else { Ok(()) }
    });
    made.and_then(|()| fs::rename(&beside, path)).is_ok()
}

#[test]
fn s06_rewritten_in_place_and_not_synced() {
    let mut daemon = Daemon::start();
    for size in SIZES {
        let path = daemon.mount().join(format!("file{size}"));
        let (old, new) = (noise(1, size), noise(2, size));
        let mut file = open::both(&path);
        file.write_all(&old).unwrap();
        file.sync_all().unwrap();
        // In place, by one who leaves it open.
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&new).unwrap();
        daemon.kill();
        drop(file);
        daemon.start_again();
        let found = fs::read(&path).unwrap();
        assert!(found == old || found == new, "{size}: a mixture");
        // Emptied first, as editors and shells do.
        let _ = fs::write(&path, &new);
        crash(&mut daemon);
        let after = fs::read(&path).unwrap();
        assert!(after.is_empty() || after == found || after == new, "{size}: {} bytes", after.len());
    }
}

#[test]
fn s07_names_appear_in_order() {
    let mut daemon = Daemon::start();
    let mount = daemon.mount();
    std::thread::scope(|scope| {
        let maker = scope
            .spawn(|| (0..100_000).take_while(|n| fs::create_dir(mount.join(n.to_string())).is_ok()).count());
        eventually("some hundreds are made", || maker.is_finished() || mount.join("3000").exists());
        daemon.kill();
        maker.join().unwrap();
    });
    daemon.start_again();
    let count = fs::read_dir(&mount).unwrap().count();
    let missing: Vec<_> = (0..count).filter(|n| !mount.join(n.to_string()).exists()).collect();
    assert!(missing.is_empty(), "{count} survived, but not {missing:?}");
}

#[test]
fn s08_synchronous_writes() {
    let mut daemon = Daemon::start();
    for (name, flag) in [("sync", OFlags::SYNC), ("dsync", OFlags::DSYNC)] {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).custom_flags(flag.bits().cast_signed());
        let mut file = options.open(daemon.mount().join(name)).unwrap();
        for line in 0..20 {
            writeln!(file, "line {line}").unwrap();
        }
        daemon.kill();
        drop(file);
        daemon.start_again();
        assert_eq!(fs::read_to_string(daemon.mount().join(name)).unwrap().lines().count(), 20);
    }
}

#[test]
fn s09_synced_memory_maps() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("mapped");
    let file = open::both(&path);
    file.set_len(1 << 20).unwrap();
    let mut map = Map::of(&file, 1 << 20);
    map.write(700_000, b"through the map");
    map.sync();
    daemon.kill();
    drop((map, file));
    daemon.start_again();
    let content = fs::read(path).unwrap();
    assert_eq!(content.len(), 1 << 20);
    assert_eq!(&content[700_000..700_015], b"through the map");
}

#[test]
fn s10_durable_by_itself() {
    let mut daemon = Daemon::start();
    for size in SIZES {
        fs::write(daemon.mount().join(format!("file{size}")), noise(1, size)).unwrap();
    }
    daemon.wait_until_settled();
    crash(&mut daemon);
    for size in SIZES {
        assert!(fs::read(daemon.mount().join(format!("file{size}"))).unwrap() == noise(1, size), "{size}");
    }
}

#[test]
fn s11_deleted_while_open() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("deleted");
    let mut file = open::both(&path);
    file.write_all(&noise(1, 5_000_000)).unwrap();
    file.sync_all().unwrap();
    fs::remove_file(&path).unwrap();
    File::open(daemon.mount()).unwrap().sync_all().unwrap();
    daemon.kill();
    drop(file);
    daemon.start_again();
    assert_eq!(fs::read_dir(daemon.mount()).unwrap().count(), 0);
}

#[test]
fn s12_the_dead_mount_is_replaced() {
    let mut daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "content").unwrap();
    File::open(daemon.mount().join("file")).unwrap().sync_all().unwrap();
    for _ in 0..3 {
        daemon.kill();
        assert_eq!(
            open::code(rustix::fs::statfs(daemon.mount()).map_err(Into::into)),
            Some(rustix::io::Errno::NOTCONN)
        );
        daemon.start_again();
        assert_eq!(fs::read_to_string(daemon.mount().join("file")).unwrap(), "content");
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = daemon.mount().display().to_string();
    assert_eq!(mounts.lines().filter(|line| line.contains(&mount)).count(), 1, "dead mounts pile up");
}

#[test]
fn s13_an_orderly_end() {
    let mut daemon = Daemon::start();
    for size in SIZES {
        fs::write(daemon.mount().join(format!("file{size}")), noise(1, size)).unwrap();
    }
    let mut left_open = open::both(&daemon.mount().join("open"));
    left_open.write_all(b"not closed, not synced").unwrap();
    daemon.restart();
    drop(left_open);
    for size in SIZES {
        assert!(fs::read(daemon.mount().join(format!("file{size}"))).unwrap() == noise(1, size), "{size}");
    }
    assert_eq!(fs::read(daemon.mount().join("open")).unwrap(), b"not closed, not synced");
}
