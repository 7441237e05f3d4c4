//! Every file of the data folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tests::{Daemon, Dice, is_long, noise, report, seed};

use crate::{refusal, refusal_anyhow};

/// From what lies in the tree itself to many chunks.
const SIZES: [usize; 4] = [20, 5_000, 200_000, 1_500_000];

/// Bits flipped in each database, one at a time.
const FLIPS: usize = 8;
const LONG_FLIPS: usize = 150;

type Files = BTreeMap<PathBuf, Vec<u8>>;

#[test]
fn garbage_in_a_file_of_the_data_folder() {
    let mut daemon = filled();
    let data = daemon.data();
    let sound = files_of(&data);
    assert!(sound.len() >= 7, "{:?}", sound.keys());
    for (path, bytes) in &sound {
        // The lock's content says nothing.
        let name = path.to_str().unwrap();
        if name == "lock" {
            continue;
        }
        for (how, garbage) in spoiled(bytes) {
            let what = format!("{name}, {how}");
            fs::write(data.join(path), &garbage).unwrap();
            match refusal(&mut daemon, &what) {
                Some(line) => {
                    assert!(line.contains(path.file_name().unwrap().to_str().unwrap()), "{what}: {line}");
                    report(format!("{what}: {line}"));
                    assert!(fs::read(data.join(path)).unwrap() == garbage, "{what}: it was changed");
                }
                None => {
                    report(format!("{what}: it starts"));
                    assert_no_wrong_byte(&daemon.mount(), &what);
                    daemon.stop();
                }
            }
            assert_nothing_deleted(&data, &sound, &what);
            restore(&data, &sound);
        }
    }
    daemon.start_again();
    for size in SIZES {
        assert!(fs::read(daemon.mount().join(format!("file{size}"))).unwrap() == noise(1, size));
    }
}

#[test]
fn flipped_bits_in_the_databases() {
    let mut daemon = filled();
    let data = daemon.data();
    let sound = files_of(&data);
    let seed = seed(1);
    let mut dice = Dice::new(seed);
    let (mut refused, mut served) = (0, 0);
    for (path, bytes) in sound.iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "redb"))
    {
        // What nothing was ever written to is all zeros, and says nothing.
        let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        for _ in 0..if is_long() { LONG_FLIPS } else { FLIPS } {
            let mut flipped = bytes.clone();
            let at = used[dice.below(used.len() as u64) as usize];
            flipped[at] ^= 1 << dice.below(8);
            let what = format!("{}, byte {at}, seed {seed}", path.display());
            fs::write(data.join(path), &flipped).unwrap();
            // The database library's own panics over damaged pages are caught, and told as damage.
            if refusal_anyhow(&mut daemon, &what).is_some() {
                refused += 1;
            } else {
                served += 1;
                assert_no_wrong_byte(&daemon.mount(), &what);
                daemon.stop();
            }
            assert_nothing_deleted(&data, &sound, &what);
            restore(&data, &sound);
        }
    }
    report(format!("seed {seed}: {refused} refused, {served} started"));
}

#[test]
fn newer_formats_are_refused_and_not_touched() {
    let mut daemon = filled();
    let data = daemon.data();
    let sound = files_of(&data);
    let mut seen = 0;
    for (path, bytes) in &sound {
        let Some(newer) = newer(path, bytes) else { continue };
        fs::write(data.join(path), &newer).unwrap();
        let what = path.display().to_string();
        let line = refusal(&mut daemon, &what).unwrap_or_else(|| panic!("{what}: a newer format was opened"));
        assert!(line.contains("newer") || line.contains("update PeerDrive"), "{what}: {line}");
        assert!(fs::read(data.join(path)).unwrap() == newer, "{what}: it was changed");
        assert_nothing_deleted(&data, &sound, &what);
        restore(&data, &sound);
        seen += 1;
    }
    assert_eq!(seen, 4, "device key, user key, keyring and a pack");
}

fn filled() -> Daemon {
    let mut daemon = Daemon::start();
    for size in SIZES {
        fs::write(daemon.mount().join(format!("file{size}")), noise(1, size)).unwrap();
    }
    assert!(daemon.stop().success());
    daemon
}

fn spoiled(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut flipped = bytes.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let mut longer = bytes.to_vec();
    longer.extend(noise(8, 100));
    vec![
        ("noise", noise(7, bytes.len())),
        ("noise of another length", noise(7, 333)),
        ("zeros", vec![0; bytes.len()]),
        ("cut to half", bytes[..bytes.len() / 2].to_vec()),
        ("a flipped bit", flipped),
        ("more at the end", longer),
    ]
}

/// The file as a later version would begin it; none of a file without a version that can be reached.
fn newer(path: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut newer = bytes.to_vec();
    match path.file_name()?.to_str()? {
        // Magic of 8 bytes, then the version as a big-endian word.
        "device.key" | "user.key" | "keyring" => newer[8..10].copy_from_slice(&999_u16.to_be_bytes()),
        // Magic of 8 bytes, the version, a random id, a sum of all that.
        name if name.ends_with("1.pack") => {
            newer[8..12].copy_from_slice(&999_u32.to_le_bytes());
            let sum = crc32(&newer[..28]);
            newer[28..32].copy_from_slice(&sum.to_le_bytes());
        }
        _ => return None,
    }
    Some(newer)
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
    }
    !sum
}

/// Every name is there, and what is served is what was written.
fn assert_no_wrong_byte(mount: &Path, what: &str) {
    for size in SIZES {
        let path = mount.join(format!("file{size}"));
        match fs::read(&path) {
            Ok(content) => assert!(content == noise(1, size), "{what}: {} is wrong", path.display()),
            Err(error) => assert_eq!(Errno::from_io_error(&error), Some(Errno::IO), "{what}: {error}"),
        }
    }
}

fn files_of(data: &Path) -> Files {
    let mut files = Files::new();
    let mut open = vec![data.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.insert(path.strip_prefix(data).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn assert_nothing_deleted(data: &Path, sound: &Files, what: &str) {
    let left = files_of(data);
    let gone: Vec<_> = sound.keys().filter(|path| !left.contains_key(*path)).collect();
    assert!(gone.is_empty(), "{what}: {gone:?} were deleted");
}

fn restore(data: &Path, sound: &Files) {
    for path in files_of(data).keys().filter(|path| !sound.contains_key(*path)) {
        fs::remove_file(data.join(path)).unwrap();
    }
    for (path, bytes) in sound {
        fs::write(data.join(path), bytes).unwrap();
    }
}
