//! What is done to the disk of a computer that is stopped.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The packs in a data folder.
pub fn packs(data: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(data.join("chunks/packs")).unwrap();
    folders
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|pack| pack.unwrap().path())
        .collect()
}

/// Takes all that is in the packs away, under a daemon that runs or not.
pub fn empty(data: &Path) {
    for pack in packs(data) {
        File::options().write(true).open(&pack).unwrap().set_len(0).unwrap();
    }
}

/// Flips a bit each so many bytes in all packs. Answers how many.
pub fn rot(data: &Path, every_bytes: u64) -> u64 {
    let mut flips = 0;
    for pack in packs(data) {
        let file = File::options().read(true).write(true).open(&pack).unwrap();
        let len = file.metadata().unwrap().len();
        for at in (every_bytes / 2..len).step_by(usize::try_from(every_bytes).unwrap()) {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1], at).unwrap();
            flips += 1;
        }
    }
    flips
}
