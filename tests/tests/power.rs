//! The power goes: the daemon is killed, and of what its disk had not flushed each block, length and name is kept or lost
//! by chance. What `fsync` of a file or folder acknowledged on the drive is there by its name, whole.
//!
//! The disk is a file system of the test's own under the data folder (`UnreliableDisk`). `PEERDRIVE_LONG=1` cuts more
//! often, `PEERDRIVE_SEED` with other numbers.

#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use tests::{Checked, Daemon, Dice, Start, UnreliableDisk, Witnesses, is_long, report, seed};

const CUTS: u64 = 3;
const LONG_CUTS: u64 = 120;
/// Writers at the same time.
const WRITERS: u64 = 4;
/// Work before a cut takes so long at most, in milliseconds.
const WORK_MAX_MS: u64 = 1_000;
/// After so many cuts the drive is begun anew, so that young ones are cut too.
const CUTS_PER_DRIVE: u64 = 12;

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    let seed = seed(1);
    let cuts = if is_long() { LONG_CUTS } else { CUTS };
    let checked: Checked =
        (0..cuts).step_by(CUTS_PER_DRIVE as usize).map(|from| one_drive(seed, from, cuts)).sum();
    report(format!("{cuts} cuts: {checked}"));
    assert!(checked.acknowledged > cuts, "too little was acknowledged to tell anything: {checked}");
}

fn one_drive(seed: u64, from: u64, cuts: u64) -> Checked {
    let mut daemon = Daemon::prepare(Start::default().arg("--contribute").arg("4G"));
    fs::create_dir(daemon.data()).expect("a new folder");
    let disk = UnreliableDisk::mount(&daemon.data());
    daemon.start_again();
    let mut dice = Dice::new(seed.wrapping_add(from));
    let mut witnesses = Witnesses::new(&daemon.mount(), WRITERS, seed.wrapping_add(from));
    let mut checked = Vec::new();
    for number in from..cuts.min(from + CUTS_PER_DRIVE) {
        let moment = Duration::from_millis(dice.below(WORK_MAX_MS));
        let mut lost = None;
        witnesses.work(|| {
            // Not to wait for something: the moment of the cut is what is drawn.
            std::thread::sleep(moment);
            daemon.kill();
            lost = Some(disk.cut(&mut dice));
        });
        report(format!("cut {number}: {lost:?}"));
        daemon.start_again();
        checked.push(witnesses.check(&format!("seed {seed}, cut {number}, {lost:?}")));
    }
    drop(daemon);
    checked.into_iter().sum()
}
