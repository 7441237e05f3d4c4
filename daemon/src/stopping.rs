//! Who asked the daemon to end.
//!
//! The first request begins an orderly end. A second Ctrl+C or SIGTERM, later, ends the process at once, as a power cut
//! would: what was synced is kept.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use platform::stop_signal::StopSignals;

/// Exit code of a hurried end, as shells know it for Ctrl+C.
const HURRIED_EXIT_CODE: i32 = 130;

/// A request this soon after the first is the same one: `timeout` and some supervisors signal a process and its group.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Ctrl+C, SIGTERM and the like.
    Signal,
    /// `peerdrive down`.
    Command,
    /// Somebody else unmounted the drive.
    Unmounted,
    /// This computer joined another drive: the daemon opens that one now.
    Joined,
    /// This computer left the drive: what it held is put aside.
    Left,
}

/// Asks the daemon to end.
#[derive(Debug, Clone)]
pub struct Stop {
    ask: Arc<SyncSender<Reason>>,
}

/// Where the daemon waits to be asked.
#[derive(Debug)]
pub struct Stopped {
    asked: Receiver<Reason>,
}

/// A pair of both.
pub fn channel() -> (Stop, Stopped) {
    let (ask, asked) = sync_channel(1);
    (Stop { ask: Arc::new(ask) }, Stopped { asked })
}

impl Stop {
    /// Asks; only the first request counts.
    pub fn ask(&self, reason: Reason) {
        // Full: somebody asked before. Closed: it has ended.
        let _ = self.ask.try_send(reason);
    }
}

impl Stopped {
    /// Who asked, if somebody did.
    pub fn asked(&self) -> Option<Reason> {
        self.asked.try_recv().ok()
    }

    /// Waits until somebody asks.
    pub fn wait(&self) -> Reason {
        // Nobody is left who could ask: there is nothing to wait for.
        self.asked.recv().unwrap_or(Reason::Command)
    }
}

/// Turns the system's requests into ours.
pub async fn listen(mut signals: StopSignals, stop: Stop) {
    signals.next().await;
    tracing::info!("asked to end");
    stop.ask(Reason::Signal);
    let first = Instant::now();
    while first.elapsed() < SAME_REQUEST {
        signals.next().await;
    }
    tracing::warn!("asked again: ending at once; what was not synced may be lost");
    std::process::exit(HURRIED_EXIT_CODE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_counts() {
        let (stop, stopped) = channel();
        assert_eq!(stopped.asked(), None);
        stop.ask(Reason::Command);
        stop.clone().ask(Reason::Signal);
        assert_eq!(stopped.wait(), Reason::Command);
        drop(stop);
        assert_eq!(stopped.wait(), Reason::Command);
    }
}
