//! The drive's own housekeeping: quiet files are settled, old history is pruned, garbage is swept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ledger::Now;
use parking_lot::{Condvar, Mutex};

use crate::Error;
use crate::believed_time::BelievedTime;
use crate::core::{Core, now, wall_time};
use crate::node::State;

/// How often unsettled files are looked at.
const TICK: Duration = Duration::from_millis(500);
/// A file without a change for this long is settled though it is open.
const QUIET: Duration = Duration::from_secs(1);
/// A file that never is quiet is settled this long after its first change.
const OLDEST: Duration = Duration::from_secs(30);
/// Between two sweeps for want of room, at least; and so many times as long as the last one took.
const ROOM_PAUSE: Duration = Duration::from_secs(10);
const ROOM_PAUSE_FACTOR: u32 = 10;
/// How often the logs are looked through for what they no longer need, at most.
const CLEAN_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Edits looked at under one hold of the ledger's lock.
const CLEAN_STEP_EDITS: usize = 512;
/// Rows pruned under one hold of the ledger's lock.
const PRUNE_STEP_ROWS: usize = 512;

/// The keeper's alarm clock.
#[derive(Default)]
pub(crate) struct Keeper {
    state: Mutex<Wish>,
    more: Condvar,
    active: AtomicBool,
    /// When the logs were last looked through to their end.
    cleaned: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Wish {
    active: bool,
    pressure: bool,
    room: bool,
    closed: bool,
}

impl Keeper {
    /// There are unsettled files; `pressure` says that memory is short.
    pub(crate) fn wake(&self, pressure: bool) {
        if self.active.load(Ordering::Relaxed) && !pressure {
            return;
        }
        let mut wish = self.state.lock();
        if wish.active && (wish.pressure || !pressure) {
            return;
        }
        wish.active = true;
        wish.pressure |= pressure;
        self.active.store(true, Ordering::Relaxed);
        self.more.notify_one();
    }

    /// Something was refused for want of room: sweep before the hour is over, so that what was deleted makes room.
    pub(crate) fn want_room(&self) {
        let mut wish = self.state.lock();
        if !std::mem::replace(&mut wish.room, true) {
            self.more.notify_one();
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.more.notify_one();
    }
}

/// Starts the thread.
pub(crate) fn start(core: &Arc<Core>) -> std::io::Result<JoinHandle<()>> {
    let core = core.clone();
    std::thread::Builder::new().name("keeper".into()).spawn(move || keep(&core))
}

fn keep(core: &Arc<Core>) {
    let mut time = BelievedTime::begun(core.ledger.read().latest_edit(), wall_time());
    let mut care = CareDue::begun(core.settings.care_every);
    let mut starved_until = None;
    loop {
        let pressure = {
            let mut wish = core.keeper.state.lock();
            if wish.closed {
                return;
            }
            if !wish.pressure {
                let due = care.due(wish.room);
                let look = if wish.active { due.min(Instant::now() + TICK) } else { due };
                let look = starved_until.map_or(look, |until| look.min(until));
                core.keeper.more.wait_until(&mut wish, look);
            }
            if wish.closed {
                return;
            }
            std::mem::take(&mut wish.pressure)
        };
        let queued = core.queue_quiet_files(pressure);
        starved_until = queued.starved_until;
        if !queued.unsettled {
            rest(core);
        }
        let wants_room = core.keeper.state.lock().room;
        if Instant::now() >= care.due(wants_room) {
            core.keeper.state.lock().room = false;
            let began = Instant::now();
            let swept = core.care(Now { wall: time.now(wall_time()) });
            care.done(began, swept);
        }
    }
}

/// What a look at the unsettled files found.
#[derive(Default)]
struct Looked {
    /// Some could be settled now or soon.
    unsettled: bool,
    /// When the first of those that wait for other computers is tried again.
    starved_until: Option<Instant>,
}

/// When history is pruned and garbage swept next.
struct CareDue {
    every: Duration,
    regular: Instant,
    /// From then on also when room is wanted.
    soonest: Instant,
}

impl CareDue {
    fn begun(every: Duration) -> Self {
        let now = Instant::now();
        Self { every, regular: now + every, soonest: now }
    }

    fn due(&self, wants_room: bool) -> Instant {
        if wants_room { self.soonest.min(self.regular) } else { self.regular }
    }

    fn done(&mut self, began: Instant, swept: bool) {
        let now = Instant::now();
        if swept {
            self.regular = now + self.every;
            // A drive that stays full must not be swept all the time.
            self.soonest = now + ROOM_PAUSE + ROOM_PAUSE_FACTOR * (now - began);
        } else {
            self.regular = now + TICK;
            self.soonest = self.regular;
        }
    }
}

/// Nothing is unsettled: sleep until the next change, unless one came just now.
fn rest(core: &Core) {
    core.keeper.state.lock().active = false;
    core.keeper.active.store(false, Ordering::Relaxed);
    let is_due = |state: &State| state.dirty.is_some() && state.starved_until().is_none();
    if core.nodes.all().iter().any(|node| is_due(&node.lock())) {
        core.keeper.wake(false);
        return;
    }
    core.note_progress();
    if let Err(error) = core.store.checkpoint_index() {
        tracing::warn!(%error, "the chunk index was not written");
    }
}

impl Core {
    /// Queues what is quiet, old, or in the way.
    fn queue_quiet_files(&self, pressure: bool) -> Looked {
        let now = Instant::now();
        let mut looked = Looked::default();
        for node in self.nodes.all() {
            // Whoever holds it is using it: it is not quiet.
            let mut state = node.lock();
            let Some(dirty) = state.dirty else { continue };
            if let Some(until) = state.starved_until() {
                looked.starved_until =
                    Some(looked.starved_until.map_or(until, |first: Instant| first.min(until)));
                continue;
            }
            looked.unsettled = true;
            let due = (pressure && state.seals_under_way == 0)
                || state.opens == 0
                || now.duration_since(dirty.last) >= QUIET
                || now.duration_since(dirty.since) >= OLDEST;
            if due && self.failure().is_none() {
                self.queue(&node, &mut state);
            }
        }
        looked
    }

    /// Prunes history outside the retention window, then sweeps. False if the sweep has to be tried again soon.
    pub(crate) fn care(&self, now: Now) -> bool {
        if self.failure().is_some() {
            return true;
        }
        let bases = match self.bases_of_changes() {
            Ok(bases) => bases,
            Err(error) => {
                tracing::warn!(%error, "history was not pruned");
                return true;
            }
        };
        let keeps = |version| bases.contains(&version);
        loop {
            let retention = self.settings.retention;
            let pruned = self.ledger.write().prune_except(now, retention, PRUNE_STEP_ROWS, &keeps);
            match pruned {
                Ok(report) if !report.finished => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "history was not pruned");
                    return true;
                }
            }
        }
        if let Err(error) = self.clean_logs(now) {
            tracing::warn!(%error, "the logs were not cleaned");
        }
        // Reads wait while the tree is compacted: only when nobody has a file open.
        if self.handles.is_idle() {
            let writer = self.ledger.read().writer();
            if let Err(error) = writer.compact() {
                tracing::warn!(%error, "the tree's database was not compacted");
            }
        }
        match self.collect_garbage() {
            Ok(swept) => swept,
            Err(error) => {
                tracing::warn!(%error, "no sweep: nothing was dropped");
                true
            }
        }
    }
}

impl Core {
    /// Declares what was found last time, looks through the logs once a day, and declares what is found if it is safe already.
    fn clean_logs(&self, now: Now) -> Result<(), Error> {
        self.declare_cleaned(now)?;
        let due = self.keeper.cleaned.lock().is_none_or(|at| at.elapsed() >= CLEAN_EVERY);
        if !due || self.ledger.read().has_to_declare() {
            return Ok(());
        }
        while !self.clean_step(now, CLEAN_STEP_EDITS)? {}
        *self.keeper.cleaned.lock() = Some(Instant::now());
        self.commit()?;
        self.declare_cleaned(now)
    }

    fn declare_cleaned(&self, now: Now) -> Result<(), Error> {
        let safe_through = self.own_safe_through();
        let declared = self.ledger.write().declare_cleaned(now, safe_through);
        let dropped = declared.map_err(|error| self.ledger_error(&error))?;
        if dropped > 0 {
            tracing::info!(dropped, "transactions that nothing needs any more are gone from the log");
            self.committer.wake();
        }
        Ok(())
    }
}

impl crate::Drive {
    /// Prunes history outside the retention window and drops what nothing names, now instead of within the hour. False if files
    /// were being settled: try again.
    #[must_use]
    pub fn tidy(&self) -> bool {
        self.tidy_at(now())
    }

    /// The same at another time.
    #[must_use]
    #[doc(hidden)]
    pub fn tidy_at(&self, now: Now) -> bool {
        *self.core.keeper.cleaned.lock() = None;
        self.core.care(now)
    }
}
