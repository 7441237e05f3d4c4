//! Folders that are made, moved into one another and removed: only what cannot be done at that moment is refused.

use std::fs::{self, File};
use std::path::PathBuf;

use rustix::io::Errno;

use crate::Racer;

const NAMES: u64 = 6;
const DEPTH: u64 = 4;
/// What may be refused for what the others do.
const EXPECTED: [Errno; 8] = [
    Errno::NOENT,
    Errno::EXIST,
    Errno::NOTEMPTY,
    Errno::NOTDIR,
    Errno::ISDIR,
    // Into itself.
    Errno::INVAL,
    // Gone while it was looked up.
    Errno::STALE,
    Errno::LOOP,
];

pub fn shuffle(mut racer: Racer) {
    while racer.goes_on() {
        let paths = [0, 1].map(|_| path(&mut racer));
        let done = match racer.dice.below(10) {
            0..4 => fs::create_dir_all(&paths[0]),
            4..6 => fs::rename(&paths[0], &paths[1]),
            6 => File::create(&paths[0]).map(drop),
            7 => fs::remove_file(&paths[0]),
            8 => fs::remove_dir(&paths[0]),
            _ => fs::read_dir(&paths[0]).and_then(|mut names| names.try_for_each(|name| name.map(drop))),
        };
        if let Err(error) = done {
            let code = Errno::from_io_error(&error);
            assert!(code.is_some_and(|code| EXPECTED.contains(&code)), "{paths:?}: {error}");
        }
    }
}

fn path(racer: &mut Racer) -> PathBuf {
    let mut path = racer.path("tree");
    for _ in 0..=racer.dice.below(DEPTH) {
        path.push(racer.dice.below(NAMES).to_string());
    }
    path
}
