//! Every write, flush, rename and removal of the store fails, tears or is lost once, the Nth for every N of a session that does one of
//! everything.
//!
//! *Fail, tear*: what was acknowledged is there after the power is cut, nothing is mixed, and after the failure no `fsync` says
//! success. *Lost* (the disk says that it is done, and did nothing): what the drive then shows is right, or it says by itself that
//! something is wrong.
//!
//! In the short form every so manieth operation breaks; `PEERDRIVE_LONG=1` breaks each one.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a failed step ends the test; counts are told")]

mod fixture;

use std::io::ErrorKind;
use std::sync::Arc;

use chunkstore::disk::{Breaks, Fault, FaultKind, FaultPlan, FaultyDisk, MemoryDisk};
use fixture::Fixture;
use fixture::chance::rounds;
use fixture::found::{Found, look_at_all};
use fixture::model::Model;
use fixture::workload::Session;
use vfs::{Drive, Error, Health, Severity};

const SHORT_STRIDE: u64 = 31;
/// The session asks the disk for at least so much, or it does not reach it.
const MIN_OPERATIONS: u64 = 150;

/// What became of a session in which one operation broke.
struct Broken {
    disk: MemoryDisk,
    plan: Arc<FaultPlan>,
    model: Model,
    outcome: Result<(), Error>,
    /// Still open, unless it did not open.
    drive: Option<Arc<Drive>>,
    lies: Vec<&'static str>,
}

fn healthy(disk: &MemoryDisk) -> Fixture {
    Fixture::on(Arc::new(disk.clone()))
}

fn run(fault: Fault) -> Broken {
    let disk = MemoryDisk::new();
    // The drive exists and holds something before anything breaks.
    let fixture = healthy(&disk);
    let mut before = Session::on(&fixture, fixture.open(), Model::default(), 1);
    let id = before.create("before").unwrap();
    before.write(id, 0, 50_000).unwrap();
    before.sync_everything().unwrap();
    before.drive().close().unwrap();
    let model = before.abandon().model;

    let plan = FaultPlan::new(vec![fault]);
    let fixture = Fixture::on(Arc::new(FaultyDisk::new(Arc::new(disk.clone()), plan.clone())));
    let Ok(drive) = fixture.try_open() else {
        return Broken { disk, plan, model, outcome: Err(Error::Io), drive: None, lies: Vec::new() };
    };
    let mut session = Session::on(&fixture, drive, model, 2);
    // What broke while it was opened was seen and dealt with.
    session.plan = (plan.hits() == 0).then(|| plan.clone());
    let outcome = session.run_script();
    let left = session.abandon();
    Broken { disk, plan, model: left.model, outcome, drive: left.drive, lies: left.lies }
}

/// Runs the session for each N until the disk is not asked that often; answers how many there were.
fn every(kind: FaultKind, breaks: Breaks, mut verify: impl FnMut(u64, Broken)) -> u64 {
    let stride = rounds(SHORT_STRIDE, 1);
    let (mut at, mut cases) = (0, 0);
    loop {
        let broken = run(Fault::once(at, kind).of(breaks));
        if broken.plan.count() <= at {
            break;
        }
        if broken.plan.hits() > 0 {
            verify(at, broken);
            cases += 1;
        }
        at += stride;
    }
    println!("{kind:?} of {breaks:?}: {cases} cases of {at} operations");
    assert!(at > MIN_OPERATIONS, "only {at} operations were seen: the session does not reach the disk");
    cases
}

/// After a failure the drive says so, and keeps nothing more.
fn says_that_it_is_broken(drive: &Drive, what: &str) {
    let Health::ReadOnly { why } = drive.status().unwrap().health else {
        panic!("{what}: the status does not say that the drive is read-only");
    };
    assert!(!why.is_empty(), "{what}: no reason is given");
    let doctor = drive.doctor(&mut |_| true);
    assert!(
        doctor.iter().any(|found| found.severity == Severity::Problem && found.what.contains(&why)),
        "{what}: the doctor does not tell of it"
    );
    assert!(vfs::wait(|reply| drive.sync_all(reply)).is_err(), "{what}: a sync said success");
    assert!(vfs::wait(|reply| drive.fsync_dir(vfs::ROOT, reply)).is_err(), "{what}: a sync said success");
}

fn nothing_acknowledged_is_lost(kind: FaultKind) {
    every(kind, Breaks::Changes, |at, broken| {
        let what = format!("{kind:?} at {at}");
        assert!(broken.lies.is_empty(), "{what}: acknowledged after the failure: {:?}", broken.lies);
        if let (Err(error), Some(drive)) = (broken.outcome, &broken.drive) {
            assert!(matches!(error, Error::Io | Error::ReadOnly), "{what}: {error}");
            says_that_it_is_broken(drive, &what);
        }
        let after = broken.disk.cut_power(at);
        broken.disk.switch_off();
        drop(broken.drive);
        let drive = healthy(&after).try_open().unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = look_at_all(&drive);
        assert!(found.errors.is_empty(), "{what}: {:?}", found.errors);
        if let Err(why) = broken.model.check_after_crash(&found) {
            panic!("{what}: {why}");
        }
    });
}

#[test]
fn any_failing_operation_loses_nothing_acknowledged() {
    nothing_acknowledged_is_lost(FaultKind::Fail(ErrorKind::Other));
}

#[test]
fn any_torn_write_loses_nothing_acknowledged() {
    nothing_acknowledged_is_lost(FaultKind::Tear);
}

/// What the drive tells by itself of damage: at opening, to a reader, by `scrub`, by `doctor`.
fn tells_of_damage(drive: &Drive, found: &Found) -> Option<String> {
    if let Some((path, error)) = found.errors.first() {
        return Some(format!("{path}: {error}"));
    }
    let unreadable = found.nodes.iter().find_map(|(path, node)| match node {
        fixture::found::FoundNode::File { content: Err(error), .. } => Some(format!("{path}: {error}")),
        _ => None,
    });
    if unreadable.is_some() {
        return unreadable;
    }
    match drive.scrub(None, &mut |_| true) {
        Err(error) => return Some(error.to_string()),
        Ok(report) if report.bad_chunks > 0 => return Some(format!("{report:?}")),
        Ok(_) => {}
    }
    drive
        .doctor(&mut |_| true)
        .into_iter()
        .find(|found| found.severity == Severity::Problem)
        .map(|found| found.what)
}

#[derive(Debug, Default)]
struct Lost {
    right: u64,
    told: u64,
    untold: Vec<String>,
}

/// The session goes on as if nothing had happened; then the drive is opened again, after an orderly end or after a cut.
fn lost(breaks: Breaks, with_cut: bool) {
    let mut tally = Lost::default();
    every(FaultKind::Drop, breaks, |at, broken| {
        let disk = if with_cut {
            let after = broken.disk.cut_power(at);
            broken.disk.switch_off();
            after
        } else {
            if let Some(drive) = &broken.drive {
                let _ = drive.close();
            }
            broken.disk.clone()
        };
        drop(broken.drive);
        let drive = match healthy(&disk).try_open() {
            Ok(drive) => drive,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                tally.told += 1;
                return;
            }
        };
        let found = look_at_all(&drive);
        let wrong = broken.model.served_wrong(&found);
        assert!(wrong.is_empty(), "lost at {at}, cut: {with_cut}: {wrong:?}");
        let compared = match (with_cut, broken.outcome) {
            (false, Ok(())) => broken.model.check_now(&found),
            _ => broken.model.check_after_crash(&found).map(drop),
        };
        match compared {
            Ok(()) => tally.right += 1,
            Err(_) if tells_of_damage(&drive, &found).is_some() => tally.told += 1,
            Err(why) => tally.untold.push(format!("{at}: {why}")),
        }
    });
    println!("{breaks:?} lost, cut: {with_cut}: {tally:#?}");
    assert!(tally.untold.is_empty(), "served wrong and not told: {:#?}", tally.untold);
}

#[test]
fn a_lost_write_is_noticed_or_harmless() {
    lost(Breaks::Changes, false);
}

#[test]
fn a_lost_write_before_a_cut_is_noticed_or_harmless() {
    lost(Breaks::Changes, true);
}
