//! Reads all chunks of this computer once in a while, slowly and while the disk has nothing else to do, so that what goes bad is
//! found while others still have it. Hosts without keys do so too: a chunk is its own checksum.
//!
//! ```text
//!  plan ─ due ─▶ quiet? ─▶ one pack ─▶ bad ones marked in the store ─▶ the group fetches them again
//!                             └─▶ kept: where the next start goes on, a pack of 64 MiB at most is read twice
//! ```
//!
//! Where one chunk is bad, others are: once something is found damaged, by whomever, the rest is read without waiting.

mod kept;
mod plan;

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chunkstore::{ChunkStore, Pace};
use parking_lot::Mutex;
use ui::answers::{BackgroundScrub, ScrubPass};
use vfs::Time;

pub use self::kept::LastPass;
use self::kept::{Kept, ScrubFile};
use self::plan::{Next, Plan};
use crate::moment::wall_ms;

/// After a start there is more urgent work, for so long, or a tenth of a pass; but for damage.
const FIRST_REST: Duration = Duration::from_secs(600);
/// The disk was not used for so long: it is quiet.
const QUIET: Duration = Duration::from_secs(5);
/// Between two looks at whether it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The clock, what is kept, and what is known to be damaged change while nothing is due.
const REST_MAX: Duration = Duration::from_secs(10);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(60);

/// How far it is, for who asks.
pub struct Scrubbing {
    store: Arc<ChunkStore>,
    plan: Plan,
    /// Written while `state` is held, so that the newest stands in it.
    file: ScrubFile,
    state: Mutex<State>,
    tell_others: TellOthers,
}

#[derive(Clone, Copy)]
struct State {
    kept: Kept,
    /// A pack is due, and the disk has other work.
    waits: bool,
}

/// The thread that reads. Dropped, it ends, and has ended then.
pub struct Scrubber {
    awake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        drop(self.awake.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the scrubbing thread panicked");
        }
    }
}

impl Scrubbing {
    /// Starts the thread. `every`: a whole pass takes so long at most; zero: nothing is read. `tell_others`: is told of each.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(
        store: Arc<ChunkStore>,
        workspace: &Path,
        every: Duration,
        tell_others: TellOthers,
    ) -> io::Result<(Arc<Self>, Scrubber)> {
        let plan = Plan { every_ms: u64::try_from(every.as_millis()).unwrap_or(u64::MAX) };
        let file = ScrubFile::in_folder(workspace);
        let kept = plan.begun(file.read(), wall_ms());
        let state = Mutex::new(State { kept, waits: false });
        let scrubbing = Arc::new(Self { store, plan, file, state, tell_others });
        scrubbing.tell(kept.passes.last());
        let mut scrubber = Scrubber { awake: None, thread: None };
        if plan.every_ms > 0 {
            let (awake, until) = channel();
            let found = found_so_far(&scrubbing.store);
            let (shared, quiet) = (Arc::clone(&scrubbing), Quiet::default());
            let mut work = Work { shared, quiet, until, found };
            let run = move || {
                let _ = work.run();
            };
            let thread = std::thread::Builder::new().name("scrubbing".into()).stack_size(256 << 10);
            scrubber = Scrubber { awake: Some(awake), thread: Some(thread.spawn(run)?) };
        }
        Ok((scrubbing, scrubber))
    }

    /// What a person started came to its end: it stands beside those that came by themselves, which go on as they were.
    pub fn ended_by_hand(&self, bytes: u64, bad_chunks: u64) {
        let pass = LastPass { ended_ms: wall_ms().max(1), bytes, bad_chunks, by_hand: true };
        let mut state = self.state.lock();
        state.kept.passes = state.kept.passes.with(pass);
        self.file.write(&state.kept);
        drop(state);
        self.tell(Some(pass));
    }

    fn tell(&self, last: Option<LastPass>) {
        (self.tell_others)(self.plan.every_ms / 1000, last);
    }

    /// For `status`.
    pub fn told(&self) -> BackgroundScrub {
        let State { kept, waits } = *self.state.lock();
        let last = kept.passes.last();
        let begun = (self.plan.every_ms > 0 && kept.began_ms <= wall_ms()).then(|| text(kept.began_ms));
        BackgroundScrub {
            every_s: self.plan.every_ms / 1000,
            began: begun,
            checked_bytes: kept.bytes,
            total_bytes: self.store.usage().pack_bytes,
            bad_chunks: kept.bad_chunks,
            waits,
            last: last.map(|last| text(last.ended_ms)),
            last_bytes: last.map_or(0, |last| last.bytes),
            last_bad_chunks: last.map_or(0, |last| last.bad_chunks),
            passes: kept.passes.all().iter().map(told).collect(),
        }
    }
}

fn told(pass: &LastPass) -> ScrubPass {
    let LastPass { ended_ms, bytes, bad_chunks, by_hand } = *pass;
    ScrubPass { ended: text(ended_ms), bytes, bad_chunks, by_hand }
}

/// Milliseconds since 1970 as the API tells them.
pub fn text(ms: u64) -> String {
    let (secs, nanos) = (ms / 1000, (ms % 1000) * 1_000_000);
    let nanos = u32::try_from(nanos).unwrap_or_default();
    ui::moment::to_text(Time { secs: secs.cast_signed(), nanos })
}

/// Is told how long a pass takes, seconds, and the last whole one: at the start and after each.
pub type TellOthers = Box<dyn Fn(u64, Option<LastPass>) + Send + Sync>;

/// The thread's own.
struct Work {
    shared: Arc<Scrubbing>,
    quiet: Quiet,
    until: Receiver<()>,
    /// Chunks found damaged that are known here, by this thread or by others.
    found: u64,
}

/// Chunks that were found damaged since the start, or are damaged still. What was given up meanwhile is forgotten.
fn found_so_far(store: &ChunkStore) -> u64 {
    let usage = store.usage();
    usage.damaged_chunks + usage.healed_chunks
}

impl Work {
    /// Breaks at the end.
    fn run(&mut self) -> ControlFlow<()> {
        let every = Duration::from_millis(self.shared.plan.every_ms);
        let began = Instant::now();
        while began.elapsed() < FIRST_REST.min(every / 10) && !self.shared.state.lock().kept.hurried {
            self.rest(REST_MAX.min(every / 10))?;
            self.heed_others();
        }
        loop {
            self.heed_others();
            let kept = self.shared.state.lock().kept;
            let total_bytes = self.shared.store.usage().pack_bytes;
            match self.shared.plan.next(&kept, total_bytes, wall_ms()) {
                Next::Rest(time) => self.rest(time.min(REST_MAX))?,
                Next::Read => self.read(&kept, total_bytes)?,
            }
        }
    }

    /// Readers, peers and audits stumble over damage, too.
    fn heed_others(&mut self) {
        let found = found_so_far(&self.shared.store);
        if std::mem::replace(&mut self.found, found) < found {
            let mut state = self.shared.state.lock();
            state.kept = self.shared.plan.alarmed(&state.kept, wall_ms());
            self.shared.file.write(&state.kept);
        }
    }

    fn read(&mut self, kept: &Kept, total_bytes: u64) -> ControlFlow<()> {
        let shared = Arc::clone(&self.shared);
        let rate = shared.plan.rate_bytes_per_s(total_bytes);
        self.until_quiet(kept)?;
        let mut before = (0, Instant::now());
        let mut ends = false;
        let read = shared.store.scrub_pack_after(kept.after, &mut |at| {
            let bytes = at.checked_bytes - before.0;
            let time = Duration::from_millis(bytes.saturating_mul(1000) / rate);
            let rested = self.rest(time.saturating_sub(before.1.elapsed()));
            ends = rested.is_break() || self.until_quiet(kept).is_break();
            before = (at.checked_bytes, Instant::now());
            if ends { Pace::Stop } else { Pace::Continue }
        });
        if ends {
            return ControlFlow::Break(());
        }
        let mut state = shared.state.lock();
        // One that a person started may have ended meanwhile.
        let kept = &Kept { passes: state.kept.passes, ..*kept };
        let now = match &read {
            Ok(Some((pack, report))) => {
                if report.bad_chunks > 0 {
                    tracing::warn!(pack, damaged = report.bad_chunks, "scrubbing found damaged chunks");
                }
                shared.plan.read(kept, *pack, report.checked_bytes, report.bad_chunks)
            }
            Ok(None) => {
                tracing::info!(bytes = kept.bytes, damaged = kept.bad_chunks, "all chunks were read");
                shared.plan.over(kept, wall_ms())
            }
            Err(error) => {
                drop(state);
                tracing::warn!(%error, "scrubbing waits");
                return self.rest(AGAIN);
            }
        };
        shared.file.write(&now);
        state.kept = now;
        drop(state);
        if matches!(read, Ok(None)) {
            shared.tell(now.passes.last());
        }
        self.found = found_so_far(&shared.store);
        // However short a pass is, the disk is not read without a pause.
        self.rest(LOOK_EVERY)
    }

    fn until_quiet(&mut self, kept: &Kept) -> ControlFlow<()> {
        loop {
            let uses = self.shared.store.uses();
            let waits = !self.quiet.is_now(uses) && !self.shared.plan.is_urgent(kept, wall_ms());
            self.shared.state.lock().waits = waits;
            if !waits {
                return ControlFlow::Continue(());
            }
            self.rest(LOOK_EVERY)?;
        }
    }

    fn rest(&self, time: Duration) -> ControlFlow<()> {
        match self.until.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}

/// Whether the disk has nothing else to do.
struct Quiet {
    uses: u64,
    since: Instant,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { uses: 0, since: Instant::now() }
    }
}

impl Quiet {
    fn is_now(&mut self, uses: u64) -> bool {
        if std::mem::replace(&mut self.uses, uses) != uses {
            self.since = Instant::now();
        }
        self.since.elapsed() >= QUIET
    }
}
