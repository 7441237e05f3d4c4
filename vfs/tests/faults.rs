//! Every write, flush and rename of the store fails or tears once, the Nth for every N: what was acknowledged is there after the
//! power is cut, and after the first failure no `fsync` says success.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use std::io::ErrorKind;
use std::sync::Arc;

use chunkstore::disk::{Fault, FaultKind, FaultPlan, FaultyDisk, MemoryDisk};
use fixture::{Fixture, node, noise, read_file};
use vfs::{Drive, Error, Kind, ROOT, wait};

/// In the short form every so manieth operation breaks; `PEERDRIVE_LONG=1` breaks each one.
const SHORT_STRIDE: u64 = 7;

/// A name, its content, and whether `fsync` said that it is kept.
struct Written {
    name: String,
    data: Vec<u8>,
    kept: bool,
}

/// Writes small, middling and large files, some of them twice, and syncs each.
fn session(drive: &Drive) -> Vec<Written> {
    let mut written = Vec::new();
    let mut failed = false;
    for turn in 0..6u64 {
        let len = [40, 3000, 90_000, 700_000, 5000, 2_200_000][usize::try_from(turn).unwrap()];
        let data = noise(turn + 1, len);
        let name = format!("file-{turn}");
        let outcome = write_and_sync(drive, &name, &data);
        if failed {
            assert!(outcome.is_err(), "a sync said success after the store had failed");
        }
        failed |= matches!(outcome, Err(Error::Io | Error::ReadOnly));
        written.push(Written { name, data, kept: outcome.is_ok() });
    }
    written
}

fn write_and_sync(drive: &Drive, name: &str, data: &[u8]) -> Result<(), Error> {
    let (_, opened) = drive.create(ROOT, name.as_bytes(), node(Kind::File), fixture::READ_WRITE)?;
    let outcome = (|| {
        for (index, piece) in data.chunks(1 << 20).enumerate() {
            wait(|reply| drive.write(opened.handle, (index << 20) as u64, piece, reply))?;
        }
        wait(|reply| drive.fsync(opened.handle, false, reply))
    })();
    drive.release(opened.handle);
    outcome
}

/// Runs the session with one fault; answers whether the fault came into play.
fn run(kind: FaultKind, at: u64) -> bool {
    let disk = MemoryDisk::new();
    let mut fixture = Fixture::on(Arc::new(disk.clone()));
    // The drive exists and holds something before anything breaks.
    let drive = fixture.open();
    write_and_sync(&drive, "before", &noise(99, 50_000)).expect("nothing breaks yet");
    drive.close().expect("nothing breaks yet");
    drop(drive);
    let plan = FaultPlan::new(vec![Fault::once(at, kind)]);
    fixture.disk = Arc::new(FaultyDisk::new(Arc::new(disk.clone()), plan.clone()));
    let written = match fixture.try_open() {
        Ok(drive) => {
            let written = session(&drive);
            // What close says was already proved or refuted file by file.
            let _ = drive.close();
            written
        }
        Err(_) => Vec::new(),
    };
    let reached = plan.count() > at;
    fixture.disk = Arc::new(disk.cut_power(at));
    let drive = fixture.open();
    assert!(read_file(&drive, "before") == noise(99, 50_000), "{kind:?} at {at}: an older file changed");
    for Written { name, data, kept } in written {
        let there = drive.lookup(ROOT, name.as_bytes()).is_ok();
        assert!(there || !kept, "{kind:?} at {at}: {name} was acknowledged and is gone");
        if there {
            let found = read_file(&drive, &name);
            assert!(
                found == data || (!kept && found.is_empty()),
                "{kind:?} at {at}: {name} holds {} of {} bytes",
                found.len(),
                data.len()
            );
        }
    }
    reached
}

fn every(kind: FaultKind) {
    let stride = if std::env::var_os("PEERDRIVE_LONG").is_some() { 1 } else { SHORT_STRIDE };
    let mut at = 0;
    while run(kind, at) {
        at += stride;
    }
    assert!(at > 20, "only {at} operations were seen: the session does not reach the disk");
}

#[test]
fn any_failing_operation_loses_nothing_acknowledged() {
    every(FaultKind::Fail(ErrorKind::Other));
}

#[test]
fn any_torn_write_loses_nothing_acknowledged() {
    every(FaultKind::Tear);
}
