//! The daemon is killed at random moments while writers log outside what was acknowledged to them: every acknowledged
//! record is there, and no file is mixed.
//!
//! `PEERDRIVE_LONG=1` does it for more rounds, `PEERDRIVE_SEED` with other numbers.

#![cfg(target_os = "linux")]

use std::time::Duration;

use tests::{Checked, Dice, Start, Witnesses, is_long, report, seed};

const ROUNDS: u64 = 5;
const LONG_ROUNDS: u64 = 50;
/// Writers at the same time.
const WRITERS: u64 = 5;
/// One round works so long at most before the crash, in milliseconds.
const WORK_MAX_MS: u64 = 1_500;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let seed = seed(1);
    // What was removed is kept as history: much is written.
    let mut daemon = Start::default().arg("--contribute").arg("40G").start();
    let mut witnesses = Witnesses::new(&daemon.mount(), WRITERS, seed);
    let mut dice = Dice::new(seed);
    let rounds = if is_long() { LONG_ROUNDS } else { ROUNDS };
    let mut one_round = |round| {
        let moment = Duration::from_millis(dice.below(WORK_MAX_MS));
        witnesses.work(|| {
            // Not to wait for something: the moment of the crash is what is drawn.
            std::thread::sleep(moment);
            daemon.kill();
        });
        daemon.start_again();
        witnesses.check(&format!("seed {seed}, round {round}"))
    };
    let checked: Checked = (0..rounds).map(&mut one_round).sum();
    report(format!("{rounds} kills: {checked}"));
    assert!(checked.acknowledged > rounds, "too little was acknowledged to tell anything: {checked}");
}
