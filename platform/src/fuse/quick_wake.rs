//! While the drive is busy, processors are kept from sleeping deeply.
//!
//! A request of the kernel wakes a thread here, and its answer wakes the program that asked. Where the processor has gone to sleep
//! meanwhile, each of the two wakings costs more than all the work between them: on a virtual machine, where sleeping means leaving
//! the guest, 25 µs and more of a round trip's 60. Linux takes requests against that (`Documentation/power/pm_qos_interface.rst`):
//! the largest wake-up latency in µs that somebody can bear, written to a file that is kept open. Only root may; a drive of another
//! user is as fast as it was.
//!
//! It is asked for while requests come quickly one after the other, and taken back a twentieth of a second after they stop: an idle
//! drive costs nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// Where latency is asked for.
const DEVICE: &str = "/dev/cpu_dma_latency";
/// Who decides how processors sleep.
const DRIVER: &str = "/sys/devices/system/cpu/cpuidle/current_driver";
/// The driver of a virtual machine: anything but "do not sleep at all" means leaving the guest.
const GUEST_DRIVER: &str = "haltpoll";
/// What the first state of sleep takes at most on a real processor, µs; deeper ones take ten times as long.
const SHALLOW_US: i32 = 3;
/// Says that any latency will do, µs (`PM_QOS_CPU_LATENCY_DEFAULT_VALUE`).
const ANY_US: i32 = 2_000_000_000;
/// Between two looks at how busy the drive is.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Requests between two looks that count as busy: they come a hundredth as fast as they could.
const BUSY_REQUESTS: u32 = 10;
/// Looks in a row without a busy one before it is over.
const QUIET_LOOKS: u32 = 10;

/// Counts requests, and keeps the processors awake while there are many.
pub struct QuickWake {
    shared: Arc<Shared>,
    thread: Option<Thread>,
}

#[derive(Default)]
struct Shared {
    requests: AtomicU32,
    /// The thread looks at the requests; else it sleeps until told.
    looking: AtomicBool,
    closed: AtomicBool,
}

impl QuickWake {
    /// Ready to ask; where this user may not ask, or it is not wanted, nothing is ever done.
    pub fn new(wanted: bool) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = if wanted { start(&shared) } else { None };
        Self { shared, thread }
    }

    /// A request came. Takes nanoseconds.
    pub fn touched(&self) {
        let Some(thread) = &self.thread else { return };
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
        if !self.shared.looking.load(Ordering::Relaxed) && !self.shared.looking.swap(true, Ordering::AcqRel) {
            thread.unpark();
        }
    }
}

impl Drop for QuickWake {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

fn start(shared: &Arc<Shared>) -> Option<Thread> {
    let device = match OpenOptions::new().write(true).open(DEVICE) {
        Ok(device) => device,
        Err(error) => {
            tracing::debug!(%error, "processors may sleep as they like");
            return None;
        }
    };
    // Opening alone asks for no sleep at all.
    let mut asked = Asked { device, us: 0 };
    let is_guest = fs::read_to_string(DRIVER).is_ok_and(|driver| driver.trim() == GUEST_DRIVER);
    let busy_us = if is_guest { 0 } else { SHALLOW_US };
    let shared = Arc::clone(shared);
    let watch = move || watch(&shared, &mut asked, busy_us);
    let started = std::thread::Builder::new().name("quick-wake".into()).stack_size(64 << 10).spawn(watch);
    match started {
        Ok(handle) => Some(handle.thread().clone()),
        Err(error) => {
            tracing::warn!(%error, "no thread to keep processors awake with");
            None
        }
    }
}

fn watch(shared: &Shared, asked: &mut Asked, busy_us: i32) {
    let mut quiet = QUIET_LOOKS;
    while !shared.closed.load(Ordering::Acquire) {
        let busy = shared.requests.swap(0, Ordering::Relaxed) >= BUSY_REQUESTS;
        quiet = if busy { 0 } else { quiet.saturating_add(1) };
        if let Err(error) = asked.set(if quiet < QUIET_LOOKS { busy_us } else { ANY_US }) {
            tracing::warn!(%error, "processors may sleep as they like from now on");
            return;
        }
        if quiet < QUIET_LOOKS {
            std::thread::sleep(LOOK_EVERY);
            continue;
        }
        // One more look after some time before it sleeps for good, so that a lone request does not wake it again and again.
        if shared.requests.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(LOOK_EVERY);
            continue;
        }
        shared.looking.store(false, Ordering::Release);
        while !shared.looking.load(Ordering::Acquire) && !shared.closed.load(Ordering::Acquire) {
            std::thread::park();
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What is asked of the kernel at present. Closing the file takes it back.
struct Asked {
    device: File,
    us: i32,
}

impl Asked {
    fn set(&mut self, us: i32) -> io::Result<()> {
        if self.us != us {
            self.device.write_all(&us.to_ne_bytes())?;
            self.us = us;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_only_where_somebody_looks() {
        let wake = QuickWake::new(false);
        wake.touched();
        assert_eq!(wake.shared.requests.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn busy_asks_and_quiet_takes_back() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let shared = Arc::new(Shared::default());
        let mut asked = Asked { device: path.reopen().unwrap(), us: 0 };
        shared.requests.store(BUSY_REQUESTS, Ordering::Relaxed);
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || watch(&shared, &mut asked, 0))
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        // The file takes one value after the other: nothing to ask at first, for it asks for 0 already; then the return.
        while fs::read(path.path()).unwrap() != ANY_US.to_ne_bytes() {
            assert!(std::time::Instant::now() < deadline, "it was never taken back");
            std::thread::yield_now();
        }
        shared.closed.store(true, Ordering::Release);
        thread.thread().unpark();
        thread.join().unwrap();
    }
}
