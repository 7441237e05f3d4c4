//! A scrub runs for minutes to hours: it is started, asked about, and stopped.

use std::sync::Arc;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use vfs::{Drive, PeopleError, ScrubReport};

use super::host::Host;
use crate::answers::Scrub;

/// The one scrub that runs, or the last that ran.
#[derive(Default)]
pub(super) struct ScrubJob {
    scrub: Mutex<Scrub>,
    stop: AtomicBool,
}

impl ScrubJob {
    /// How far it is.
    pub(super) fn state(&self) -> Scrub {
        let mut scrub = self.locked().clone();
        if scrub.state.is_empty() {
            scrub.state = "idle".into();
        }
        scrub
    }

    /// Asks the one that runs to end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Starts one unless one runs already; either way tells how far it is.
    ///
    /// # Errors
    /// No thread could be started.
    pub(super) fn start(
        self: &Arc<Self>,
        host: &Arc<dyn Host>,
        drive: Arc<Drive>,
        rate: Option<u64>,
    ) -> std::io::Result<Scrub> {
        {
            let mut scrub = self.locked();
            if scrub.state == "running" {
                return Ok(scrub.clone());
            }
            *scrub = Scrub { state: "running".into(), ..Scrub::default() };
            self.stop.store(false, Ordering::Relaxed);
        }
        let (job, host) = (Arc::clone(self), Arc::clone(host));
        let started =
            std::thread::Builder::new().name("scrub".into()).spawn(move || job.run(&*host, &drive, rate));
        if let Err(error) = started {
            self.locked().state = "failed".into();
            return Err(error);
        }
        Ok(self.state())
    }

    fn run(&self, host: &dyn Host, drive: &Drive, rate: Option<u64>) {
        let result = drive.scrub(rate, &mut |progress| {
            let mut scrub = self.locked();
            scrub.bytes = progress.done_bytes;
            scrub.total_bytes = progress.total_bytes;
            !self.stop.load(Ordering::Relaxed)
        });
        if let Ok(report) = &result
            && !report.stopped
        {
            // Before it is done: whoever sees that sees it in the history too.
            host.scrubbed_by_hand(report.bytes, report.bad_chunks);
        }
        let mut scrub = self.locked();
        let total_bytes = scrub.total_bytes;
        *scrub = ended(result, total_bytes);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Scrub> {
        // The state is plain data: whoever panicked while holding it left nothing half done that matters.
        self.scrub.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn ended(result: Result<ScrubReport, PeopleError>, total_bytes: u64) -> Scrub {
    match result {
        Ok(report) => Scrub {
            state: if report.stopped { "stopped" } else { "done" }.into(),
            chunks: report.chunks,
            bytes: report.bytes,
            total_bytes,
            bad_chunks: report.bad_chunks,
            healed_chunks: report.healed_chunks,
            files: report.files.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect(),
            error: None,
        },
        Err(error) => Scrub { state: "failed".into(), error: Some(error.to_string()), ..Scrub::default() },
    }
}
