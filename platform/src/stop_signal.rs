//! The system's ways of asking a program to end: Ctrl+C, SIGTERM, a closed terminal, a shutdown.

use std::io;

/// Catches them all, from its making on. Needs a tokio runtime around it.
pub struct StopSignals {
    #[cfg(unix)]
    caught: Vec<tokio::signal::unix::Signal>,
}

impl StopSignals {
    /// Begins to catch.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(unix)]
    pub fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut caught = vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        // Under `nohup` a closed terminal is to be ignored, and stays so.
        if !is_hangup_ignored() {
            caught.push(signal(SignalKind::hangup())?);
        }
        Ok(Self { caught })
    }

    /// Waits for the next request to end.
    #[cfg(unix)]
    pub async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut caught = self.caught.iter_mut();
            if caught.any(|signal| signal.poll_recv(context).is_ready()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }

    /// Begins to catch.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(not(unix))]
    pub fn catch() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next request to end.
    #[cfg(not(unix))]
    pub async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    const HANGUP_BIT: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & HANGUP_BIT != 0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_caught_and_does_not_end_the_process() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals = StopSignals::catch().unwrap();
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
            signals.next().await;
        });
    }
}
