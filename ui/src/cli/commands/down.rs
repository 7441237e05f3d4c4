//! Stopping the daemon.

use std::time::{Duration, Instant};

use super::Asked;
use crate::answers::Done;
use crate::cli::Failure;

/// Storing what is in memory takes seconds at most; a disk that hangs must not hang the command forever.
const END_WAIT: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn down(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let _: Done = asked.connect()?.post("/down", &Done {})?;
    wait_until_gone(asked)?;
    if asked.output.is_json() { asked.output.json(&Done {}) } else { asked.output.line("The drive is down.") }
}

/// The daemon gives its folder free as the last thing it does, after the mount is off.
pub(super) fn wait_until_gone(asked: &Asked<'_>) -> Result<(), Failure> {
    let deadline = Instant::now() + END_WAIT;
    while asked.computer.daemon_runs(&asked.data) {
        if Instant::now() >= deadline {
            let told = "the daemon has not ended after two minutes: its log says what it waits for";
            return Err(Failure::Failed(told.into()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}
