//! Holes and sizes.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;
use tests::{Daemon, eventually, noise, program, run};

use crate::open;

const MIB: u64 = 1 << 20;
/// The longest file Linux knows, bytes.
const FILE_MAX_BYTES: u64 = i64::MAX as u64;

#[test]
fn s40_holes_are_found() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let file = open::both(&path);
    file.write_all_at(&noise(1, MIB as usize), 0).unwrap();
    file.write_all_at(&noise(2, MIB as usize), 200 * MIB).unwrap();
    file.set_len(300 * MIB).unwrap();
    assert_holes(&file);
    drop(file);
    assert_holes(&File::open(&path).unwrap());
    daemon.restart();
    assert_holes(&File::open(&path).unwrap());
    let stored = run(program("du").args(["-sk"]).arg(daemon.data().join("chunks/packs")));
    let stored_kib: u64 = stored.split_whitespace().next().unwrap().parse().unwrap();
    assert!(stored_kib < 10 * 1024, "holes are stored: {stored_kib} KiB");
}

/// One MiB of data at the front, one at 200 MiB, holes between and behind; found to the MiB.
fn assert_holes(file: &File) {
    let next = |whence: SeekFrom| seek(file, whence);
    assert_eq!(next(SeekFrom::Data(0)), Ok(0));
    let hole = next(SeekFrom::Hole(0)).unwrap();
    assert!((MIB..200 * MIB).contains(&hole), "the first hole is at {hole}");
    let data = next(SeekFrom::Data(hole)).unwrap();
    assert!((199 * MIB..=200 * MIB).contains(&data), "the second data are at {data}");
    let hole = next(SeekFrom::Hole(data)).unwrap();
    assert!((201 * MIB..=202 * MIB).contains(&hole), "the second hole is at {hole}");
    assert_eq!(next(SeekFrom::Data(hole)), Err(Errno::NXIO));
    assert_eq!(next(SeekFrom::Hole(400 * MIB)), Err(Errno::NXIO));
}

#[test]
fn s41_nearly_endless() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let file = open::both(&path);
    let end = FILE_MAX_BYTES - 10_000;
    file.write_all_at(&noise(1, 5_000), end).unwrap();
    assert_eq!(file.metadata().unwrap().len(), end + 5_000);
    file.sync_all().unwrap();
    drop(file);
    daemon.restart();
    let file = File::open(&path).unwrap();
    let mut found = vec![0; 5_000];
    file.read_exact_at(&mut found, end).unwrap();
    assert!(found == noise(1, 5_000));
    file.read_exact_at(&mut found, end / 2).unwrap();
    assert!(found.iter().all(|byte| *byte == 0));
    assert_eq!(seek(&file, SeekFrom::Data(0)).map(|at| at > end - MIB), Ok(true));
    fs::remove_file(&path).unwrap();
}

#[test]
fn s42_allocation() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let file = open::both(&path);
    file.write_all_at(b"content", 0).unwrap();
    fallocate(&file, FallocateFlags::KEEP_SIZE, 0, MIB).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 7);
    fallocate(&file, FallocateFlags::empty(), 0, MIB).unwrap();
    assert_eq!(file.metadata().unwrap().len(), MIB);
    let mut wanted = vec![0; MIB as usize];
    wanted[..7].copy_from_slice(b"content");
    assert!(fs::read(&path).unwrap() == wanted);
}

#[test]
fn s43_punching_and_zeroing() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let mut wanted = noise(1, 3 << 20);
    fs::write(&path, &wanted).unwrap();
    let file = open::both(&path);
    let zero = |flags: FallocateFlags, at: usize, len: usize, wanted: &mut [u8]| {
        fallocate(&file, flags, at as u64, len as u64).unwrap();
        wanted[at..at + len].fill(0);
        assert!(fs::read(&path).unwrap() == wanted, "after {flags:?} at {at}");
    };
    zero(FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 100_001, 1_000_003, &mut wanted);
    zero(FallocateFlags::ZERO_RANGE, 2_000_001, 77, &mut wanted);
    zero(FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE, 2_500_000, 200_000, &mut wanted);
    // Beyond the end: only without KEEP_SIZE it grows.
    fallocate(&file, FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE, 3 << 20, 100).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 3 << 20);
    fallocate(&file, FallocateFlags::ZERO_RANGE, 3 << 20, 100).unwrap();
    wanted.resize((3 << 20) + 100, 0);
    file.sync_all().unwrap();
    drop(file);
    daemon.restart();
    assert!(fs::read(&path).unwrap() == wanted, "after a restart");
}

#[test]
fn s44_no_collapsing() {
    let daemon = Daemon::start();
    let file = open::both(&daemon.mount().join("file"));
    file.write_all_at(&noise(1, 100_000), 0).unwrap();
    for flags in [FallocateFlags::COLLAPSE_RANGE, FallocateFlags::INSERT_RANGE] {
        assert_eq!(fallocate(&file, flags, 4096, 4096), Err(Errno::OPNOTSUPP));
    }
}

#[test]
fn s45_counted_blocks() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    let file = open::both(&path);
    file.write_all_at(&noise(1, MIB as usize), 50 * MIB).unwrap();
    file.set_len(100 * MIB).unwrap();
    file.sync_all().unwrap();
    drop(file);
    eventually("only what is stored is counted", || {
        let bytes = fs::metadata(&path).unwrap().blocks() * 512;
        (MIB..3 * MIB).contains(&bytes)
    });
    let packed = run(tests::script(&daemon.mount(), "tar -c --sparse file | wc -c"));
    assert!(packed.trim().parse::<u64>().unwrap() < 4 * MIB);
}
