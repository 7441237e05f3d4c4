//! Random work, and the power goes at a random moment: before any operation of the disk, or between two calls. What was not flushed is
//! kept, lost, torn or reordered. Then the drive is opened again, sometimes with one more cut while it recovers, compared with what
//! it had acknowledged, and the work goes on over the same store.
//!
//! `PEERDRIVE_LONG=1` makes 1000 cuts, `PEERDRIVE_SEED=n` begins with another seed; a failure tells its seed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a failed step ends the test; counts are told")]

mod fixture;

use std::io::ErrorKind;
use std::sync::Arc;

use chunkstore::disk::{Fault, FaultKind, FaultPlan, FaultyDisk, MemoryDisk};
use fixture::Fixture;
use fixture::chance::{Chance, first_seed, rounds};
use fixture::found::look_at_all;
use fixture::model::Model;
use fixture::workload::Session;

/// Stores, each of which is cut this many times in a row.
const CUTS_IN_A_ROW: u64 = 4;
const STORES: u64 = 8;
const STORES_LONG: u64 = 250;
/// Steps of one life at most.
const STEPS: u64 = 60;
/// Operations of the disk in one life, roughly: where cuts are spread over.
const DISK_OPERATIONS: u64 = 200;
/// Operations of the disk while a drive is opened, roughly.
const OPENING_OPERATIONS: u64 = 40;

/// What the cuts had to do with, to see that they cut something.
#[derive(Default, Debug)]
struct Tally {
    cuts: u64,
    inside_an_operation: u64,
    inside_recovery: u64,
    acknowledged: u64,
}

fn faulty(disk: &MemoryDisk, dies_at: Option<u64>) -> Fixture {
    let plan = FaultPlan::new(
        dies_at.map(|at| Fault::from(at, FaultKind::Fail(ErrorKind::Other))).into_iter().collect(),
    );
    Fixture::on(Arc::new(FaultyDisk::new(Arc::new(disk.clone()), plan)))
}

/// One life of a store: some work, then the cut; answers the disk after it and what was asked of it.
fn live(disk: &MemoryDisk, model: Model, chance: &mut Chance, tally: &mut Tally) -> (MemoryDisk, Model) {
    let dies_at = (!chance.one_in(4)).then(|| chance.below(DISK_OPERATIONS));
    let fixture = faulty(disk, dies_at);
    let Ok(drive) = fixture.try_open() else {
        // The power went while it was opened: nothing was asked of it.
        tally.inside_recovery += 1;
        return (disk.cut_power(chance.next()), model);
    };
    let mut session = Session::on(&fixture, drive, model, chance.next());
    let outcome = session.run(usize::try_from(chance.below(STEPS)).unwrap());
    tally.inside_an_operation += u64::from(outcome.is_err());
    assert!(outcome.is_ok() || dies_at.is_some(), "a step failed on a good disk: {outcome:?}");
    let after = disk.cut_power(chance.next());
    disk.switch_off();
    tally.acknowledged += session.acknowledged;
    (after, session.abandon().model)
}

/// Opens the drive with the power going once more while it recovers.
fn cut_recovery(disk: &MemoryDisk, chance: &mut Chance, tally: &mut Tally) -> MemoryDisk {
    let fixture = faulty(disk, Some(chance.below(OPENING_OPERATIONS)));
    let opened = fixture.try_open();
    tally.inside_recovery += u64::from(opened.is_err());
    let after = disk.cut_power(chance.next());
    disk.switch_off();
    after
}

fn store(seed: u64, tally: &mut Tally) {
    let mut chance = Chance(seed);
    let (mut disk, mut model) = (MemoryDisk::new(), Model::default());
    for cut in 0..CUTS_IN_A_ROW {
        (disk, model) = live(&disk, model, &mut chance, tally);
        tally.cuts += 1;
        while chance.one_in(3) {
            disk = cut_recovery(&disk, &mut chance, tally);
            tally.cuts += 1;
        }
        let drive = Fixture::on(Arc::new(disk.clone()))
            .try_open()
            .unwrap_or_else(|error| panic!("seed {seed}, cut {cut}: the drive does not open: {error}"));
        let found = look_at_all(&drive);
        assert!(found.errors.is_empty(), "seed {seed}, cut {cut}: {:?}", found.errors);
        model = match model.check_after_crash(&found) {
            Ok(model) => model,
            Err(why) => panic!("seed {seed}, cut {cut}: {why}"),
        };
        let damaged = drive.scrub(None, &mut |_| true).unwrap();
        assert_eq!(damaged.bad_chunks, 0, "seed {seed}, cut {cut}");
        drive.close().unwrap();
    }
}

#[test]
fn what_was_acknowledged_is_there_after_any_cut() {
    let first = first_seed();
    let mut tally = Tally::default();
    for seed in first..first + rounds(STORES, STORES_LONG) {
        store(seed, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.cuts >= rounds(30, 1000));
    assert!(
        tally.inside_an_operation > 0 && tally.acknowledged > tally.cuts,
        "{tally:?}: the cuts cut nothing"
    );
}

#[test]
fn a_drive_whose_making_was_cut_off_is_made_at_the_next_start() {
    for at in 0..200 {
        let mut made = false;
        for seed in 0..rounds(1, 8) {
            let disk = MemoryDisk::new();
            made = faulty(&disk, Some(at)).try_open().is_ok();
            let drive = Fixture::on(Arc::new(disk.cut_power(seed)))
                .try_open()
                .unwrap_or_else(|error| panic!("cut {at}, seed {seed}: {error}"));
            assert_eq!(look_at_all(&drive), fixture::found::Found::default());
        }
        if made {
            return;
        }
    }
    panic!("making a drive takes more operations than were cut");
}
