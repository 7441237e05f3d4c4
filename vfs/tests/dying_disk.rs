//! A disk that begins to answer EIO at some operation and goes on with it: to everything that changes it, to flushes alone, to reads
//! alone.
//!
//! After the first error no `fsync` says success, the drive is read-only and says so in `status`, `log` and `doctor`, and what can be
//! read is read. On a disk that works again all that was acknowledged is there.
//!
//! In the short form the errors begin at every so manieth operation; `PEERDRIVE_LONG=1` begins at each one.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a failed step ends the test; counts are told")]

mod fixture;

use std::io::ErrorKind;
use std::sync::Arc;

use chunkstore::disk::{Breaks, Fault, FaultKind, FaultPlan, FaultyDisk, MemoryDisk};
use fixture::Fixture;
use fixture::chance::rounds;
use fixture::found::{FoundNode, look_at_all};
use fixture::model::Model;
use fixture::workload::Session;
use vfs::{Drive, Error, Health, Severity};

const SHORT_STRIDE: u64 = 53;

fn says_so_everywhere(drive: &Drive, what: &str) {
    let Health::ReadOnly { why } = drive.status().unwrap().health else {
        panic!("{what}: the status does not say that the drive is read-only");
    };
    assert!(!why.is_empty(), "{what}: no reason is given");
    let log = drive.log(5, None).unwrap();
    assert!(log[0].what.contains("read-only") && log[0].what.contains(&why), "{what}: the log: {log:?}");
    let doctor = drive.doctor(&mut |_| true);
    let told = doctor.iter().find(|found| found.what.contains(&why) && found.severity == Severity::Problem);
    assert!(told.is_some_and(|found| !found.remedy.is_empty()), "{what}: the doctor: {doctor:?}");
}

fn nothing_is_kept_any_more(drive: &Drive, what: &str) {
    assert!(vfs::wait(|reply| drive.sync_all(reply)).is_err(), "{what}: a sync said success");
    assert!(vfs::wait(|reply| drive.fsync_dir(vfs::ROOT, reply)).is_err(), "{what}: a sync said success");
    let refused = drive.make_node(vfs::ROOT, b"late", fixture::node(vfs::Kind::Directory));
    assert_eq!(refused.err(), Some(Error::ReadOnly), "{what}");
}

/// Answers whether the disk was asked that often.
fn dies(breaks: Breaks, at: u64) -> bool {
    let what = format!("EIO to {breaks:?} from {at} on");
    let disk = MemoryDisk::new();
    Fixture::on(Arc::new(disk.clone())).open().close().unwrap();
    let fault = Fault::from(at, FaultKind::Fail(ErrorKind::Other)).of(breaks);
    let plan = FaultPlan::new(vec![fault]);
    let fixture = Fixture::on(Arc::new(FaultyDisk::new(Arc::new(disk.clone()), plan.clone())));
    let Ok(drive) = fixture.try_open() else { return true };
    let mut session = Session::on(&fixture, drive, Model::default(), 2);
    session.plan = (plan.hits() == 0).then(|| plan.clone());
    let outcome = session.run_script();
    let left = session.abandon();
    assert!(left.lies.is_empty(), "{what}: acknowledged after an error: {:?}", left.lies);
    if let (Err(error), Some(drive)) = (outcome, &left.drive) {
        assert!(matches!(error, Error::Io | Error::ReadOnly), "{what}: {error}");
        if breaks != Breaks::Reads {
            nothing_is_kept_any_more(drive, &what);
            says_so_everywhere(drive, &what);
            let found = look_at_all(drive);
            assert!(
                left.model.served_wrong(&found).is_empty(),
                "{what}: {:?}",
                left.model.served_wrong(&found)
            );
        }
    }
    let after = disk.cut_power(at);
    disk.switch_off();
    drop(left.drive);
    let drive = Fixture::on(Arc::new(after)).try_open().unwrap_or_else(|error| panic!("{what}: {error}"));
    if breaks == Breaks::Reads {
        // What could not be read counts as damaged until a scrub has read it.
        drive.scrub(None, &mut |_| true).unwrap();
    }
    if let Err(why) = left.model.check_after_crash(&look_at_all(&drive)) {
        panic!("{what}: {why}");
    }
    plan.hits() > 0
}

fn from_every(breaks: Breaks) {
    // There are many more reads.
    let short = if breaks == Breaks::Reads { 12 * SHORT_STRIDE } else { SHORT_STRIDE };
    let stride = rounds(short, 1);
    let mut at = 0;
    while dies(breaks, at) {
        at += stride;
    }
    println!("EIO to {breaks:?}: {} cases", at / stride);
    assert!(at > 20, "only {at} operations: the session does not reach the disk");
}

#[test]
fn a_disk_that_takes_no_changes() {
    from_every(Breaks::Changes);
}

#[test]
fn a_disk_that_cannot_flush() {
    from_every(Breaks::Flushes);
}

#[test]
fn a_disk_that_cannot_read() {
    from_every(Breaks::Reads);
}

#[test]
fn what_could_not_be_read_for_a_while_is_read_again_after_a_scrub() {
    let disk = MemoryDisk::new();
    let fixture = Fixture::on(Arc::new(disk.clone()));
    let drive = fixture.open();
    let data = fixture::noise(3, 400_000);
    fixture::write_file(&drive, vfs::ROOT, "f", &data);
    drive.close().unwrap();
    drop(drive);
    let plan = FaultPlan::new(Vec::new());
    let fixture = Fixture::on(Arc::new(FaultyDisk::new(Arc::new(disk), plan.clone())));
    let drive = fixture.open();
    plan.set(vec![Fault::from(0, FaultKind::Fail(ErrorKind::Other)).of(Breaks::Reads)]);
    let found = look_at_all(&drive);
    let unread = FoundNode::File { content: Err(Error::Io), xattrs: Default::default() };
    assert!(found.nodes.get("f").is_none_or(|node| *node == unread), "{found:?}");
    plan.set(Vec::new());
    assert_eq!(drive.scrub(None, &mut |_| true).unwrap().bad_chunks, 0);
    assert!(fixture::read_file(&drive, "f") == data);
    assert_eq!(drive.status().unwrap().health, Health::Ok);
}
