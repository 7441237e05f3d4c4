//! Waiting for something that tells nobody when it happens.

use std::time::{Duration, Instant};

/// Far more than anything here takes, on a machine that builds something else meanwhile.
const DEADLINE: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// The same two for what the drive takes minutes for by design.
const LONG_DEADLINE: Duration = Duration::from_secs(1200);
const LONG_PAUSE: Duration = Duration::from_secs(2);

/// Looks again and again until it has happened.
///
/// # Panics
/// When it has not before the deadline.
pub fn eventually(what: &str, happened: impl FnMut() -> bool) {
    wait(DEADLINE, PAUSE, what, happened);
}

/// The same for what the drive takes minutes for by design.
///
/// # Panics
/// When it has not happened after 20 min.
pub fn eventually_long(what: &str, happened: impl FnMut() -> bool) {
    wait(LONG_DEADLINE, LONG_PAUSE, what, happened);
}

fn wait(deadline: Duration, pause: Duration, what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !happened() {
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        std::thread::sleep(pause);
    }
}
