//! Leaving the drive: asked for, watched, done.

use std::time::Duration;

use super::{Asked, down};
use crate::answers::{Leave, LeaveRequest};
use crate::cli::Failure;
use crate::cli::connection::Connection;
use crate::cli::shown::{count, plain};

/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn leave(asked: &mut Asked<'_>, request: LeaveRequest) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let begun: Leave = daemon.post("/leave", &request)?;
    if request.cancel {
        let told = "This computer stays: it keeps copies for the drive again.";
        return if asked.output.is_json() { asked.output.json(&begun) } else { asked.output.line(told) };
    }
    let ended = follow(asked, &daemon, begun)?;
    if ended.state != "left" {
        return Err(Failure::Failed("it was taken back: this computer stays in the drive".into()));
    }
    down::wait_until_gone(asked)?;
    if asked.output.is_json() {
        return asked.output.json(&ended);
    }
    let aside = ended.aside.as_deref().map(plain).unwrap_or_default();
    asked.output.line(format!(
        "This computer has left the drive, and its daemon has ended. What was here lies in {aside}: delete it when you need it no more."
    ))
}

/// Asks how far it is until it has ended; says what it waits for whenever that changes.
fn follow(asked: &mut Asked<'_>, daemon: &Connection, begun: Leave) -> Result<Leave, Failure> {
    let (mut leave, mut told) = (begun, String::new());
    while leave.state == "leaving" {
        let now = progress(&leave);
        if now != told && asked.output.is_watched() {
            asked.output.hint(&now);
        }
        told = now;
        std::thread::sleep(PAUSE);
        leave = daemon.get("/leave")?;
    }
    Ok(leave)
}

fn progress(leave: &Leave) -> String {
    let least = if leave.counted { "" } else { "at least " };
    let chunks = count(leave.chunks, "chunk has", "chunks have");
    let waits = leave.waits_for.as_deref().map(|what| format!("; {}", plain(what))).unwrap_or_default();
    format!(
        "{least}{chunks} still to be taken over by {}{waits}",
        count(leave.hosts, "other computer", "other computers")
    )
}
