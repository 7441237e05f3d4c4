//! After `fsync` nothing is lost; what was not synced is old or new.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use std::sync::Arc;

use chunkstore::disk::{Disk, MemoryDisk};
use fixture::{Fixture, READ_WRITE, create, noise, read_file, sync_all, write, write_file};
use vfs::{Error, OpenFlags, ROOT, RenameMode, RestoreAt, wait};

/// A drive that is never closed: what a crash leaves.
fn crash(drive: Arc<vfs::Drive>) {
    std::mem::forget(drive);
}

#[test]
fn a_synced_file_is_there_after_a_power_cut() {
    for seed in 0..20 {
        let disk = MemoryDisk::default();
        let mut fixture = Fixture::on(Arc::new(disk.clone()));
        let drive = fixture.open();
        let small = noise(seed, 5000);
        let large = noise(seed + 100, 3 << 20);
        for (name, data) in [("small", &small), ("large", &large)] {
            let (_, handle) = create(&drive, ROOT, name);
            write(&drive, handle, 0, data);
            wait(|reply| drive.fsync(handle, false, reply)).unwrap();
        }
        let (_, handle) = create(&drive, ROOT, "unsynced");
        write(&drive, handle, 0, &large);
        let after: Arc<dyn Disk> = Arc::new(disk.cut_power(seed));
        crash(drive);
        fixture.disk = after;
        let drive = fixture.open();
        assert!(read_file(&drive, "small") == small, "seed {seed}");
        assert!(read_file(&drive, "large") == large, "seed {seed}");
        if drive.lookup(ROOT, b"unsynced").is_ok() {
            let unsynced = read_file(&drive, "unsynced");
            assert!(unsynced.is_empty() || unsynced == large, "seed {seed}: a mixed file");
        }
    }
}

#[test]
fn small_syncs_inside_a_file_survive_and_make_one_version() {
    let disk = MemoryDisk::default();
    let mut fixture = Fixture::on(Arc::new(disk.clone()));
    let drive = fixture.open();
    let mut data = noise(1, 300_000);
    let ino = write_file(&drive, ROOT, "db", &data);
    sync_all(&drive);
    let versions = drive.history(b"db").unwrap().len();
    let handle = drive.open(ino, READ_WRITE).unwrap().handle;
    for round in 0..200u64 {
        let at = usize::try_from(round * 7919 % 299_000).unwrap();
        let bytes = noise(round, 100);
        write(&drive, handle, at as u64, &bytes);
        data[at..at + 100].copy_from_slice(&bytes);
        wait(|reply| drive.fsync(handle, true, reply)).unwrap();
    }
    write(&drive, handle, 10, b"never synced");
    fixture.disk = Arc::new(disk.cut_power(3));
    crash(drive);
    let drive = fixture.open();
    assert!(read_file(&drive, "db") == data);
    let more = drive.history(b"db").unwrap().len() - versions;
    assert!(more <= 2, "{more} versions for 200 syncs");
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    let disk = MemoryDisk::default();
    let mut fixture = Fixture::on(Arc::new(disk.clone()));
    let drive = fixture.open();
    let (ino, handle) = create(&drive, ROOT, "f");
    write(&drive, handle, 0, &noise(1, 50_000));
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    let to = |size| vfs::AttrChange { size: Some(size), ..vfs::AttrChange::default() };
    wait(|reply| drive.set_attr(ino, Some(handle), to(100), reply)).unwrap();
    wait(|reply| drive.set_attr(ino, Some(handle), to(40_000), reply)).unwrap();
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    fixture.disk = Arc::new(disk.cut_power(1));
    crash(drive);
    let drive = fixture.open();
    let mut expected = noise(1, 100);
    expected.resize(40_000, 0);
    assert!(read_file(&drive, "f") == expected);
}

#[test]
fn a_file_that_replaces_another_is_old_or_new_after_a_power_cut() {
    for seed in 0..20 {
        let disk = MemoryDisk::default();
        let mut fixture = Fixture::on(Arc::new(disk.clone()));
        let drive = fixture.open();
        let (old, new) = (noise(1, 60_000), noise(2, 2 << 20));
        write_file(&drive, ROOT, "doc", &old);
        sync_all(&drive);
        write_file(&drive, ROOT, "doc.tmp", &new);
        wait(|reply| drive.rename(ROOT, b"doc.tmp", ROOT, b"doc", RenameMode::Replace, reply)).unwrap();
        if seed % 2 == 0 {
            wait(|reply| drive.fsync_dir(ROOT, reply)).unwrap();
        }
        fixture.disk = Arc::new(disk.cut_power(seed));
        crash(drive);
        let drive = fixture.open();
        let doc = read_file(&drive, "doc");
        assert!(doc == new || (doc == old && seed % 2 == 1), "seed {seed}: neither old nor new");
    }
}

#[test]
fn an_overwritten_and_a_deleted_file_come_back() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let ino = write_file(&drive, ROOT, "letter", b"dear reader");
    sync_all(&drive);
    let handle = drive.open(ino, OpenFlags { truncate: true, ..READ_WRITE }).unwrap().handle;
    write(&drive, handle, 0, b"oops");
    drive.release(handle);
    sync_all(&drive);
    let history = drive.history(b"letter").unwrap();
    assert_eq!(history.iter().map(|version| version.size).collect::<Vec<_>>(), [4, 11]);
    assert!(history[0].current && !history[1].current);
    drive.restore(b"letter", &RestoreAt::Version(history[1].id.clone()), None).unwrap();
    assert_eq!(read_file(&drive, "letter"), b"dear reader");
    drive.restore(b"letter", &RestoreAt::Version(history[0].id.clone()), Some(b"copies/letter")).unwrap();
    assert_eq!(read_file(&drive, "copies/letter"), b"oops");
    drive.unlink(ROOT, b"letter").unwrap();
    drive.close().unwrap();
    let drive = fixture.open();
    let history = drive.history(b"letter").unwrap();
    assert!(history.iter().all(|version| version.deleted));
    drive.restore(b"letter", &RestoreAt::Version(history[0].id.clone()), None).unwrap();
    assert_eq!(read_file(&drive, "letter"), b"dear reader");
    assert!(drive.restore(b"nothing", &RestoreAt::Version(history[0].id.clone()), None).is_err());
}

#[test]
fn a_sweep_drops_what_nothing_names_and_nothing_else() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let kept = noise(1, 1 << 20);
    write_file(&drive, ROOT, "kept", &kept);
    let (_, handle) = create(&drive, ROOT, "orphan");
    write(&drive, handle, 0, &noise(2, 6 << 20));
    sync_all(&drive);
    drive.unlink(ROOT, b"orphan").unwrap();
    let full = drive.status().unwrap().chunks;
    drive.release(handle);
    sync_all(&drive);
    // It says when files are just being settled.
    while !drive.tidy() {
        std::thread::yield_now();
    }
    let status = drive.status().unwrap();
    assert!(status.chunks <= full);
    assert!(read_file(&drive, "kept") == kept);
}

#[test]
fn a_drive_without_room_starts_with_what_was_synced() {
    let disk = MemoryDisk::default();
    let mut fixture = Fixture::on(Arc::new(disk.clone()));
    let drive = fixture.open();
    let old = noise(1, 4 << 20);
    let ino = write_file(&drive, ROOT, "old", &old);
    sync_all(&drive);
    let synced = noise(2, 50_000);
    let (_, handle) = create(&drive, ROOT, "synced");
    write(&drive, handle, 0, &synced);
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    let after = disk.cut_power(1);
    fixture.disk = Arc::new(after.clone());
    crash(drive);

    let room = std::mem::replace(&mut fixture.limits.contribute_bytes, 4 << 20);
    let drive = fixture.open();
    assert!(read_file(&drive, "synced") == synced);
    assert!(read_file(&drive, "old") == old);
    let handle = drive.open(ino, READ_WRITE).unwrap().handle;
    let refused = wait(|reply| drive.write(handle, 0, b"no room", reply));
    assert_eq!(refused, Err(Error::NoSpace));
    // A second start without room, then one with it.
    fixture.disk = Arc::new(after.cut_power(2));
    crash(drive);
    assert!(read_file(&fixture.open(), "synced") == synced);
    fixture.limits.contribute_bytes = room;
    let drive = fixture.open();
    assert_eq!(drive.status().unwrap().pending_files, 0);
    assert!(read_file(&drive, "synced") == synced);
}

#[test]
fn a_full_drive_says_so_and_loses_nothing() {
    let mut fixture = Fixture::default();
    fixture.limits.contribute_bytes = 24 << 20;
    let drive = fixture.open();
    let kept = noise(1, 4 << 20);
    write_file(&drive, ROOT, "kept", &kept);
    sync_all(&drive);
    let (_, handle) = create(&drive, ROOT, "big");
    let mut refused = None;
    for piece in 0..64u64 {
        let data = noise(piece + 10, 1 << 20);
        if let Err(error) = wait(|reply| drive.write(handle, piece << 20, &data, reply)) {
            refused = Some(error);
            break;
        }
    }
    assert_eq!(refused, Some(Error::NoSpace));
    assert!(read_file(&drive, "kept") == kept);
    drive.release(handle);
    drive.unlink(ROOT, b"big").unwrap();
    assert_eq!(drive.lookup(ROOT, b"big").err(), Some(Error::NotFound));
    assert!(read_file(&drive, "kept") == kept);
}
