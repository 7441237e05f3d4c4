//! A disk that starts to answer EIO: from the first error on no sync says success, the drive takes no changes and says so,
//! and what can be read is read.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;
use tests::{Daemon, Start, UnreliableDisk, eventually, noise, told};

/// From what fits in a row of the tree to many chunks.
const SIZES: [usize; 4] = [100, 30_000, 400_000, 3_000_000];
/// Writers at the same time.
const WRITERS: u64 = 4;
/// Syncs that fail before a writer gives up.
const FAILURES: u64 = 10;

#[test]
fn after_the_first_error_nothing_is_acknowledged_and_everything_is_told() {
    let (mut daemon, disk) = on_an_unreliable_disk();
    let before = write_before(&daemon);
    let open = File::create(daemon.mount().join("open")).unwrap();
    let kept = write_while_it_breaks(&daemon.mount(), &disk);
    assert!(disk.refused() > 0);
    // It is told.
    let status = daemon.json(&["status"]);
    assert_eq!(status["health"], "read_only", "{status}");
    assert!(
        status["health_detail"].as_str().is_some_and(|why| why.contains("Input/output error")),
        "{status}"
    );
    let status = told(&daemon.command(["status"]));
    assert!(status.contains("READ-ONLY"), "{status}");
    let doctor = daemon.command(["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(told(&doctor).contains("read-only"), "{}", told(&doctor));
    assert!(daemon.log().contains("read-only"), "{}", daemon.log_tail());
    assert_read_only(&daemon.mount(), open);
    // Reads are served, cached by the kernel or not.
    assert_holds(&daemon.mount(), &before);
    forget_caches(&daemon.mount(), &before);
    assert_holds(&daemon.mount(), &before);
    // The end says what is the case.
    let ended = daemon.stop();
    assert_eq!(ended.code(), Some(1), "{}", daemon.log_tail());
    assert!(daemon.log().contains("could not be stored"), "{}", daemon.log_tail());
    // On a disk that works again everything acknowledged is there.
    disk.mend();
    daemon.start_again();
    assert_holds(&daemon.mount(), &before);
    assert_holds(&daemon.mount(), &kept);
    assert_eq!(daemon.json(&["status"])["health"], "ok");
    fs::write(daemon.mount().join("after"), "x").unwrap();
    File::open(daemon.mount()).unwrap().sync_all().unwrap();
}

#[test]
fn a_disk_that_cannot_be_read_for_a_while_loses_nothing() {
    let (mut daemon, disk) = on_an_unreliable_disk();
    let before = write_before(&daemon);
    daemon.restart();
    disk.fail_reads();
    let failed =
        before.iter().filter(|(name, _)| code(fs::read(daemon.mount().join(name))) == Some(Errno::IO));
    assert!(failed.count() > 0, "nothing was read from the disk");
    let status = daemon.command(["status"]);
    // Its address cannot be read either.
    assert!(
        told(&status).contains("api.addr") && told(&status).contains("check the disk"),
        "{}",
        told(&status)
    );
    disk.mend();
    // What could not be read counts as damaged until a scrub has read it.
    let scrub = daemon.command(["scrub"]);
    assert!(scrub.status.success(), "{}", told(&scrub));
    assert_holds(&daemon.mount(), &before);
    daemon.restart();
    assert_holds(&daemon.mount(), &before);
}

fn on_an_unreliable_disk() -> (Daemon, UnreliableDisk) {
    let mut daemon = Daemon::prepare(Start::default().arg("--contribute").arg("4G"));
    fs::create_dir(daemon.data()).unwrap();
    let disk = UnreliableDisk::mount(&daemon.data());
    daemon.start_again();
    (daemon, disk)
}

type Contents = Vec<(String, Vec<u8>)>;

fn write_before(daemon: &Daemon) -> Contents {
    let contents: Contents =
        SIZES.iter().map(|size| (format!("before{size}"), noise(*size as u64, *size))).collect();
    for (name, content) in &contents {
        write_synced(&daemon.mount().join(name), content).unwrap();
    }
    daemon.wait_until_settled();
    contents
}

/// Writers that sync all the time; the disk breaks under them. Gives what was acknowledged.
fn write_while_it_breaks(mount: &Path, disk: &UnreliableDisk) -> Contents {
    let (has_failed, kept, synced) = (AtomicBool::new(false), Mutex::new(Contents::new()), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (has_failed, kept, synced) = (&has_failed, &kept, &synced);
            scope.spawn(move || {
                let mut failures = 0;
                for number in 0.. {
                    let name = format!("file{writer}-{number}");
                    let content = noise(writer << 32 | number, SIZES[number as usize % SIZES.len()]);
                    let had_failed = has_failed.load(Ordering::SeqCst);
                    match write_synced(&mount.join(&name), &content) {
                        Ok(()) => {
                            assert!(!had_failed, "{name} was acknowledged after the disk had failed");
                            kept.lock().unwrap().push((name, content));
                            synced.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            let code = Errno::from_io_error(&error);
                            assert!(matches!(code, Some(Errno::IO | Errno::ROFS)), "{name}: {error}");
                            has_failed.store(true, Ordering::SeqCst);
                            failures += 1;
                        }
                    }
                    if failures == FAILURES {
                        return;
                    }
                }
            });
        }
        eventually("something is acknowledged", || synced.load(Ordering::SeqCst) > 4 * WRITERS);
        disk.fail_changes();
    });
    kept.into_inner().unwrap()
}

fn assert_read_only(mount: &Path, mut open: File) {
    let refused = [
        ("create", code(File::create(mount.join("new")))),
        ("write", code(open.write_all(b"x"))),
        ("mkdir", code(fs::create_dir(mount.join("folder")))),
        ("rename", code(fs::rename(mount.join("before100"), mount.join("moved")))),
        ("unlink", code(fs::remove_file(mount.join("before100")))),
        ("link", code(fs::hard_link(mount.join("before100"), mount.join("second")))),
        ("truncate", code(open.set_len(1))),
    ];
    for (what, code) in refused {
        assert_eq!(code, Some(Errno::ROFS), "{what}");
    }
    for attempt in [open.sync_all(), File::open(mount).unwrap().sync_all()] {
        assert!(attempt.is_err(), "a sync said success");
    }
}

fn assert_holds(mount: &Path, contents: &Contents) {
    for (name, content) in contents {
        let found = fs::read(mount.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found == *content, "{name} has changed");
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn code<T>(done: io::Result<T>) -> Option<Errno> {
    done.err().and_then(|error| Errno::from_io_error(&error))
}

/// The kernel forgets what it cached of these files.
fn forget_caches(mount: &Path, contents: &Contents) {
    for (name, _) in contents {
        fadvise(File::open(mount.join(name)).unwrap(), 0, None, Advice::DontNeed).unwrap();
    }
}
