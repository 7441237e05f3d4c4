//! What one may do at a time: counting under locks, and appending.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

use rustix::fs::{FlockOperation, fcntl_lock, flock};

use crate::Racer;

/// Bytes of a record that is appended.
const RECORD_BYTES: usize = 64;

/// Reads, adds one, writes: under a lock none is lost.
pub fn count(mut racer: Racer) {
    let (mut counted, mut flocked) = (0, 0);
    while racer.goes_on() {
        // One thread of a process does this, so that locks of processes are told apart.
        if racer.dice.percent(50) {
            let file = open(&racer, "counted");
            fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
            add_one(&file);
            counted += 1;
        } else {
            let file = open(&racer, "flocked");
            flock(&file, FlockOperation::LockExclusive).unwrap();
            add_one(&file);
            flocked += 1;
        }
    }
    println!("counted {counted}\nflocked {flocked}");
}

fn add_one(file: &File) {
    let mut count = [0; 8];
    let read = file.read_at(&mut count, 0).unwrap();
    assert!(read == 0 || read == 8);
    file.write_all_at(&(u64::from_le_bytes(count) + 1).to_le_bytes(), 0).unwrap();
}

/// Records at the end of a file that all write to: each is there once, whole.
#[expect(clippy::needless_pass_by_value, reason = "each racer is one thread's own")]
pub fn append(racer: Racer) {
    let mut file = File::options().append(true).create(true).open(racer.path("appended")).unwrap();
    let mut records = 0_u64;
    while racer.goes_on() {
        let mut record = [b'.'; RECORD_BYTES];
        let text = format!("racer {} record {records} ", racer.number);
        record[..text.len()].copy_from_slice(text.as_bytes());
        record[RECORD_BYTES - 1] = b'\n';
        file.write_all(&record).unwrap();
        records += 1;
    }
    println!("appended {} {records}", racer.number);
}

fn open(racer: &Racer, name: &str) -> File {
    let path = racer.path(name);
    File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}
