//! Every file of a drive is damaged in every way, while the drive is down: emptied, cut to half, removed, replaced by another file of
//! its kind, by an older copy of itself, by garbage, by a folder. Then the drive is opened, read whole, scrubbed, looked over by the
//! doctor, and opened once more, as the doctor advises.
//!
//! What it shows is right, or an error, or it does not open and says why. Never other bytes, never a panic, and never a loss of which
//! nothing is told.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a failed step ends the test; counts are told")]

mod fixture;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chunkstore::disk::{Disk, MemoryDisk, Open};
use fixture::chance::rounds;
use fixture::found::{Found, FoundNode, look_at_all};
use fixture::model::Model;
use fixture::workload::Session;
use fixture::{Fixture, noise};
use vfs::{Drive, Severity};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Emptied,
    Halved,
    Removed,
    Swapped,
    OlderCopy,
    Garbage,
    Folder,
}

const ALL: [Damage; 7] = [
    Damage::Emptied,
    Damage::Halved,
    Damage::Removed,
    Damage::Swapped,
    Damage::OlderCopy,
    Damage::Garbage,
    Damage::Folder,
];

/// A drive that was put down in order, and what it was some time before.
struct Drives {
    older: MemoryDisk,
    newest: MemoryDisk,
    model: Model,
}

fn on(disk: &MemoryDisk) -> Fixture {
    let mut fixture = Fixture::on(Arc::new(disk.clone()));
    // Small packs, so that there are several.
    fixture.limits.contribute_bytes = 64 << 20;
    fixture
}

/// The disk as it is now, in a copy. Put down in order everything is durable, so a cut loses nothing.
fn copy_of(disk: &MemoryDisk) -> MemoryDisk {
    disk.cut_power(0)
}

fn lives(seed: u64) -> Drives {
    let disk = MemoryDisk::new();
    let fixture = on(&disk);
    let mut session = Session::on(&fixture, fixture.open(), Model::default(), seed);
    session.run_script().unwrap();
    session.run(30).unwrap();
    session.reopen().unwrap();
    session.drive().close().unwrap();
    let older = copy_of(&disk);
    session.drive = Some(fixture.open());
    session.forget_handles();
    session.run(40).unwrap();
    for number in 0..3 {
        let id = session.create(&format!("late-{number}")).unwrap();
        session.write(id, 0, 2_500_000).unwrap();
    }
    session.reopen().unwrap();
    session.drive().close().unwrap();
    let newest = copy_of(&disk);
    Drives { older, newest, model: session.abandon().model }
}

fn files_of(disk: &MemoryDisk) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::from("/data")];
    while let Some(dir) = open.pop() {
        for name in disk.list(&dir).unwrap() {
            let path = dir.join(name);
            match disk.open(&path, Open::Read) {
                Ok(_) => files.push(path),
                Err(_) => open.push(path),
            }
        }
    }
    files.sort();
    files
}

fn bytes_of(disk: &MemoryDisk, path: &Path) -> Option<Vec<u8>> {
    let file = disk.open(path, Open::Read).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

fn put(disk: &MemoryDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, Open::Create).unwrap();
    file.set_len(0).unwrap();
    file.write_at(0, bytes).unwrap();
    file.sync_data().unwrap();
}

/// Does the damage; false if there is nothing of that kind to do.
fn damage(drives: &Drives, disk: &MemoryDisk, path: &Path, how: Damage) -> bool {
    let now = bytes_of(disk, path).unwrap();
    match how {
        Damage::Emptied => put(disk, path, &[]),
        Damage::Halved => put(disk, path, &now[..now.len() / 2]),
        Damage::Removed => disk.remove(path).unwrap(),
        Damage::Garbage => put(disk, path, &noise(7, now.len())),
        Damage::Folder => {
            disk.remove(path).unwrap();
            disk.create_dir_all(path).unwrap();
        }
        Damage::OlderCopy => match bytes_of(&drives.older, path) {
            Some(older) if older != now => put(disk, path, &older),
            _ => return false,
        },
        Damage::Swapped => {
            let sibling = files_of(disk).into_iter().find(|other| {
                other != path
                    && other.extension() == path.extension()
                    && bytes_of(disk, other).as_ref() != Some(&now)
            });
            let Some(sibling) = sibling else { return false };
            let other = bytes_of(disk, &sibling).unwrap();
            put(disk, path, &other);
            put(disk, &sibling, &now);
        }
    }
    true
}

fn unreadable(found: &Found) -> usize {
    let files = found.nodes.values().filter(|node| matches!(node, FoundNode::File { content: Err(_), .. }));
    files.count() + found.errors.len()
}

fn problems(drive: &Drive) -> Vec<String> {
    let told = drive.doctor(&mut |_| true).into_iter().filter(|found| found.severity == Severity::Problem);
    told.map(|found| found.what).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Right,
    Refused(String),
    Told { unreadable: usize, problems: Vec<String> },
}

/// Opens, reads, scrubs and looks over; panics if something is served that is wrong, or lost and not told.
fn outcome(disk: &MemoryDisk, model: &Model, what: &str) -> Outcome {
    let drive = match on(disk).try_open() {
        Ok(drive) => drive,
        Err(error) => {
            let told = error.to_string();
            assert!(told.len() > 20, "{what}: refused without a word: {told}");
            return Outcome::Refused(told);
        }
    };
    let found = look_at_all(&drive);
    let wrong = model.served_wrong(&found);
    assert!(wrong.is_empty(), "{what}: {wrong:?}");
    let unread = unreadable(&found);
    let bad = drive.scrub(None, &mut |_| true).map_or(1, |report| report.bad_chunks);
    let told = problems(&drive);
    let right = model.check_now(&found);
    if unread > 0 || bad > 0 {
        assert!(!told.is_empty(), "{what}: {unread} unreadable, {bad} bad chunks, and the doctor is silent");
    }
    let _ = drive.close();
    match right {
        Ok(()) if told.is_empty() => Outcome::Right,
        Err(why) if told.is_empty() => panic!("{what}: {why}, and nobody tells"),
        _ => Outcome::Told { unreadable: unread, problems: told },
    }
}

#[test]
fn damage_to_any_file_is_told_and_never_served() {
    for seed in 1..=rounds(1, 5) {
        let drives = lives(seed);
        let undamaged = outcome(&copy_of(&drives.newest), &drives.model, "undamaged");
        assert_eq!(undamaged, Outcome::Right, "seed {seed}");
        let files = files_of(&drives.newest);
        let packs = files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "pack")).count();
        assert!(packs >= 2, "nothing to swap: {packs} packs");
        let mut cases = 0;
        for path in &files {
            for how in ALL {
                let disk = copy_of(&drives.newest);
                if !damage(&drives, &disk, path, how) {
                    continue;
                }
                let what = format!("seed {seed}: {} {how:?}", path.display());
                let first = outcome(&disk, &drives.model, &what);
                // As the doctor advises: down and up.
                let second = outcome(&disk, &drives.model, &format!("{what}, second start"));
                println!("{what}: {first:?}; then {second:?}");
                cases += 1;
                if path.ends_with("index.redb") && how != Damage::Swapped {
                    assert_eq!(second, Outcome::Right, "{what}: the index is a cache");
                }
                // The journal may still hold all that an older copy lacks.
                if path.ends_with("tree.redb") && (how != Damage::OlderCopy || first != Outcome::Right) {
                    assert!(matches!(first, Outcome::Refused(_)), "{what}: {first:?}");
                }
            }
        }
        println!("seed {seed}: {cases} cases over {} files", files.len());
    }
}

/// What cannot be told: everything at once as it was before is a drive as it was before.
#[test]
fn a_whole_folder_put_back_to_an_older_copy_is_the_older_drive() {
    let drives = lives(1);
    let drive = on(&copy_of(&drives.older)).try_open().unwrap();
    assert!(problems(&drive).is_empty());
    assert_eq!(unreadable(&look_at_all(&drive)), 0);
}
