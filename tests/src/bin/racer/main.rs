//! One of the processes of `tests/tests/races.rs`: works on the shared names of a drive in every way there is, and ends with a
//! panic when something is seen that no order of the others' work explains.
//!
//! `racer FOLDER NUMBER SEED MILLISECONDS`; what the test has to add up is printed as lines.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a racer fails by a panic and tells by printing"
)]

mod blocks;
mod locks;
#[path = "../../../tests/semantics/map.rs"]
mod map;
mod mapped;
mod names;
mod tree;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tests::Dice;

/// What a thread of a racer knows.
pub struct Racer {
    /// Where everybody works.
    folder: PathBuf,
    /// Of this thread; no other in any process has it.
    number: u64,
    dice: Dice,
    end: Instant,
}

impl Racer {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }
}

/// The work, each in a thread of every process.
const WORK: [fn(Racer); 13] = [
    blocks::write,
    blocks::write,
    blocks::read,
    names::replace,
    names::replace,
    names::open_replaced,
    names::claim,
    names::link,
    names::list,
    locks::count,
    locks::append,
    mapped::stamp,
    tree::shuffle,
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, process, seed, millis] = arguments.as_slice() else { panic!("{arguments:?}") };
    let (process, seed): (u64, u64) = (process.parse().unwrap(), seed.parse().unwrap());
    let end = Instant::now() + Duration::from_millis(millis.parse().unwrap());
    std::thread::scope(|scope| {
        for (place, work) in (0..).zip(WORK) {
            let number = process * WORK.len() as u64 + place;
            let dice = Dice::new(seed.wrapping_mul(1009).wrapping_add(number));
            let racer = Racer { folder: folder.into(), number, dice, end };
            scope.spawn(move || work(racer));
        }
    });
}
