//! Waiting for something that tells nobody when it happens.

use std::time::{Duration, Instant};

/// Far more than anything here takes, on a machine that builds something else meanwhile.
const DEADLINE: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until it has happened.
///
/// # Panics
/// When it has not before the deadline.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !happened() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}
