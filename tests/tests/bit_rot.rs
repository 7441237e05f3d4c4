//! What time does to a data folder: flipped bytes, a lost index, torn tails of packs. Read through the mount.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;
use tests::{Daemon, Dice, noise, seed, told};

const FILES: u64 = 12;
/// Some tens of chunks each.
const FILE_BYTES: usize = 2 << 20;
/// What is read at once to see which parts of a file are lost, bytes.
const STEP_BYTES: usize = 4096;
/// The largest chunk of files of this size, bytes.
const CHUNK_MAX_BYTES: usize = 256 << 10;

#[test]
fn flipped_bytes_cost_exactly_their_chunks_and_scrub_names_the_files() {
    let (mut daemon, mut dice) = filled();
    let clean = daemon.command(["scrub"]);
    assert!(clean.status.success(), "{}", told(&clean));
    assert!(daemon.stop().success());
    // Each flip is in some chunk, which is in one file, for all are of noise.
    let flips = 4;
    for _ in 0..flips {
        flip(&daemon, &mut dice);
    }
    daemon.start_again();
    let mut bad_files = BTreeSet::new();
    for number in 0..FILES {
        let lost = lost_parts(&path_of(&daemon.mount(), number), number);
        if lost > 0 {
            bad_files.insert(format!("file{number}"));
        }
        let most = flips * CHUNK_MAX_BYTES / STEP_BYTES;
        assert!(lost <= most, "file{number}: {lost} parts are lost, more than {flips} chunks hold");
    }
    assert!((1..=flips).contains(&bad_files.len()), "{bad_files:?}");
    let scrub = daemon.command(["scrub", "--json"]);
    assert_eq!(scrub.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&scrub.stdout).unwrap();
    let named: BTreeSet<String> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| path.as_str().unwrap().trim_start_matches('/').to_owned())
        .collect();
    assert_eq!(named, bad_files, "{report}");
    assert!((1..=flips as u64).contains(&report["bad_chunks"].as_u64().unwrap()), "{report}");
    let doctor = daemon.command(["doctor"]);
    assert!(told(&doctor).contains("damaged"), "{}", told(&doctor));
    // Writing the same content again heals them.
    for name in &bad_files {
        let number = name.trim_start_matches("file").parse().unwrap();
        write_synced(&daemon.mount().join("again"), &noise(number, FILE_BYTES));
    }
    assert_all_there(&daemon);
    let healed = daemon.command(["scrub"]);
    assert!(healed.status.success(), "{}", told(&healed));
}

#[test]
fn a_lost_index_is_built_anew() {
    let (mut daemon, mut dice) = filled();
    for garbage in [false, true] {
        assert!(daemon.stop().success());
        let index = daemon.data().join("chunks/index.redb");
        if garbage {
            fs::write(&index, noise(dice.below(u64::MAX), 1 << 20)).unwrap();
        } else {
            fs::remove_file(&index).unwrap();
        }
        daemon.start_again();
        assert_all_there(&daemon);
        let scrub = daemon.command(["scrub"]);
        assert!(scrub.status.success(), "{}", told(&scrub));
        // The same content is found again, so it takes no room.
        let before = daemon.json(&["status"])["used"].as_u64().unwrap();
        write_synced(&daemon.mount().join("again"), &noise(0, FILE_BYTES));
        daemon.wait_until_settled();
        let after = daemon.json(&["status"])["used"].as_u64().unwrap();
        assert!(after - before < FILE_BYTES as u64 / 4, "{before} bytes have become {after}");
        fs::remove_file(daemon.mount().join("again")).unwrap();
    }
}

#[test]
fn torn_tails_of_packs_are_recovered() {
    let (mut daemon, mut dice) = filled();
    for tail in 0..4 {
        write_synced(&daemon.mount().join("newest"), &noise(1000 + tail, 700_000));
        daemon.kill();
        let pack = packs(&daemon.data()).pop().unwrap();
        let file = File::options().read(true).append(true).open(&pack).unwrap();
        // What a crash leaves behind what was flushed: nothing but garbage, zeros, or a part of a record.
        let garbage = match tail {
            0 => noise(dice.below(u64::MAX), 30_000),
            1 => vec![0; 100_000],
            2 => b"pdrc".to_vec(),
            _ => {
                let mut head = vec![0; 40_000];
                file.read_exact_at(&mut head, 32).unwrap();
                head
            }
        };
        (&file).write_all(&garbage).unwrap();
        drop(file);
        daemon.start_again();
        assert_all_there(&daemon);
        assert!(fs::read(daemon.mount().join("newest")).unwrap() == noise(1000 + tail, 700_000));
        write_synced(&daemon.mount().join("after"), &noise(2000 + tail, 700_000));
        daemon.restart();
        assert!(fs::read(daemon.mount().join("after")).unwrap() == noise(2000 + tail, 700_000));
        let scrub = daemon.command(["scrub"]);
        assert!(scrub.status.success(), "{}", told(&scrub));
    }
}

/// A daemon with files of noise, all of it settled and on disk.
fn filled() -> (Daemon, Dice) {
    let seed = seed(1);
    tests::report(format!("seed {seed}"));
    let daemon = Daemon::start();
    for number in 0..FILES {
        write_synced(&path_of(&daemon.mount(), number), &noise(number, FILE_BYTES));
    }
    daemon.wait_until_settled();
    (daemon, Dice::new(seed))
}

fn path_of(mount: &Path, number: u64) -> PathBuf {
    mount.join(format!("file{number}"))
}

fn write_synced(path: &Path, content: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(content).unwrap();
    file.sync_all().unwrap();
}

/// Every pack, oldest first.
fn packs(data: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(data.join("chunks/packs")).unwrap();
    let mut packs: Vec<PathBuf> = folders
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|pack| pack.unwrap().path())
        .collect();
    packs.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    packs
}

/// One bit, anywhere behind the header of a pack of files' chunks.
fn flip(daemon: &Daemon, dice: &mut Dice) {
    let packs = packs(&daemon.data());
    let file = packs[dice.below(packs.len() as u64) as usize].clone();
    let file = File::options().read(true).write(true).open(file).unwrap();
    // The largest part of a pack that these tests make is data; a header of a record may be hit too.
    let at = 100 + dice.below(file.metadata().unwrap().len().min(FILES * FILE_BYTES as u64) - 100);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << dice.below(8)], at).unwrap();
}

/// How many parts of the file cannot be read; the others must be right.
fn lost_parts(path: &Path, number: u64) -> usize {
    let file = File::open(path).unwrap();
    // Read-ahead would make the kernel give up more than what is damaged.
    fadvise(&file, 0, None, Advice::Random).unwrap();
    let wanted = noise(number, FILE_BYTES);
    let mut lost = 0;
    for (place, wanted) in wanted.chunks(STEP_BYTES).enumerate() {
        let mut found = vec![0; wanted.len()];
        match file.read_exact_at(&mut found, (place * STEP_BYTES) as u64) {
            Ok(()) => assert!(found == wanted, "{} serves wrong bytes at part {place}", path.display()),
            Err(error) => {
                assert_eq!(Errno::from_io_error(&error), Some(Errno::IO), "{error}");
                lost += 1;
            }
        }
    }
    lost
}

fn assert_all_there(daemon: &Daemon) {
    for number in 0..FILES {
        let path = path_of(&daemon.mount(), number);
        assert!(fs::read(&path).unwrap() == noise(number, FILE_BYTES), "{} has changed", path.display());
    }
}
