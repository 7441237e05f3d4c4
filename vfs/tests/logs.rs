//! A drive's own log does not grow with what is long past.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use std::time::{Duration, Instant};

use fixture::peer::now;
use fixture::{Fixture, READ_WRITE, read_file, sync_all, write, write_file};
use ledger::{Frontier, Now, OutlineCounters};
use vfs::{Drive, OpenFlags, ROOT};

const SAVES: usize = 200;
const WITHIN: Duration = Duration::from_secs(60);

fn log_rows(drive: &Drive) -> usize {
    drive.transactions_since(&Frontier::default(), usize::MAX).unwrap().len()
}

fn in_two_months() -> Now {
    let mut later = now();
    later.wall.secs += 60 * 24 * 3600;
    later
}

fn tidy(drive: &Drive, at: Now) {
    let began = Instant::now();
    while !drive.tidy_at(at) {
        assert!(began.elapsed() < WITHIN, "files are still being settled");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_is_saved_often_leaves_a_short_log_once_its_history_is_over() {
    let drive = Fixture::default().open();
    let ino = write_file(&drive, ROOT, "note", b"first");
    sync_all(&drive);
    for number in 0..SAVES {
        let truncating = OpenFlags { truncate: true, ..READ_WRITE };
        let opened = drive.open(ino, truncating).unwrap();
        write(&drive, opened.handle, 0, format!("content {number}").as_bytes());
        drive.release(opened.handle);
        sync_all(&drive);
    }
    assert!(log_rows(&drive) >= SAVES);
    tidy(&drive, now());
    assert!(log_rows(&drive) >= SAVES, "history is kept for thirty days");
    tidy(&drive, in_two_months());
    sync_all(&drive);
    assert!(log_rows(&drive) < 10, "{} transactions are left", log_rows(&drive));
    assert_eq!(drive.outlines_since(&OutlineCounters::new()).len(), 1);
    assert_eq!(read_file(&drive, "/note"), format!("content {}", SAVES - 1).as_bytes());
    assert!(drive.log(1000, None).unwrap().len() < 20);
}
