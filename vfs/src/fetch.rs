//! Chunks that are not here: who waits for them, and how what failed for want of one is tried again.
//!
//! ```text
//! read ─Missing─▶ flight (one for each chunk) ─▶ Group::fetch ─▶ done ─▶ pool thread: the read again, from its start ─▶ reply
//! ```
//!
//! Nobody waits for the network under a lock or on an adapter's thread. The pool's threads begin when there is work, and end when
//! there was none for a while; while a flight is under way one of them stays, to end it should the group never answer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chunkstore::ChunkId;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::core::Core;
use crate::group::{FetchError, Group, Urgency};

/// Threads that ask and try again, at most.
const POOL_MAX_THREADS: usize = 8;
/// A thread without work ends after this time.
const POOL_LINGER: Duration = Duration::from_secs(3);
/// Chunks waited for at most; more fail at once. An adapter's own bound on requests is far below.
const FLIGHTS_MAX_CHUNKS: usize = 4096;
/// Chunks fetched ahead at once; further wishes are dropped.
const AHEAD_MAX_CHUNKS: usize = 512;
/// Waiters of one chunk at most; more fail at once.
const WAITERS_MAX: usize = 1024;
/// A flight that the group did not end by then has failed. Longer than the group's own deadline.
const FLIGHT_DEADLINE: Duration = Duration::from_secs(20);

/// Told how it went, on a thread of the pool.
pub(crate) type Waiter = Box<dyn FnOnce(&Arc<Core>, Result<(), FetchError>) + Send>;
type Job = Box<dyn FnOnce(&Arc<Core>) + Send>;

/// See the module.
pub(crate) struct Fetcher {
    group: RwLock<Option<Arc<dyn Group>>>,
    state: Mutex<State>,
    more: Condvar,
    ended: Condvar,
    deadline_millis: AtomicU64,
}

#[derive(Default)]
struct State {
    flights: HashMap<ChunkId, Flight>,
    ahead: usize,
    jobs: VecDeque<Job>,
    threads: usize,
    resting: usize,
    last_number: u64,
    closed: bool,
}

struct Flight {
    number: u64,
    urgency: Urgency,
    until: Instant,
    waiters: Vec<Waiter>,
}

/// Ends a flight, also when the group drops it.
struct Landing {
    core: std::sync::Weak<Core>,
    id: ChunkId,
    number: u64,
    outcome: Result<(), FetchError>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.fetcher.land(&core, &self.id, self.number, self.outcome);
        }
    }
}

impl Default for Fetcher {
    fn default() -> Self {
        Self {
            group: RwLock::default(),
            state: Mutex::default(),
            more: Condvar::new(),
            ended: Condvar::new(),
            deadline_millis: AtomicU64::new(FLIGHT_DEADLINE.as_millis() as u64),
        }
    }
}

impl Fetcher {
    pub(crate) fn join(&self, group: Arc<dyn Group>) {
        *self.group.write() = Some(group);
    }

    pub(crate) fn group(&self) -> Option<Arc<dyn Group>> {
        self.group.read().clone()
    }

    pub(crate) fn has_group(&self) -> bool {
        self.group.read().is_some()
    }

    fn set_deadline(&self, deadline: Duration) {
        self.deadline_millis
            .store(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Fails who waits, and waits for the threads to end.
    pub(crate) fn close(&self, core: &Arc<Core>) {
        let group = self.group.write().take();
        let flights = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.flights)
        };
        self.more.notify_all();
        for waiter in flights.into_values().flat_map(|flight| flight.waiters) {
            waiter(core, Err(FetchError::NobodyHasIt));
        }
        let mut state = self.state.lock();
        while state.threads > 0 {
            self.ended.wait(&mut state);
        }
        drop(state);
        drop(group);
    }

    /// Asks for a chunk that will probably be read soon; dropped where there is no group or there are many wishes already.
    pub(crate) fn wish(&self, core: &Arc<Core>, id: ChunkId) {
        if self.has_group() && self.state.lock().ahead < AHEAD_MAX_CHUNKS {
            self.ask(core, id, Urgency::Soon, None);
        }
    }

    /// Asks for a chunk; the waiter is told on a thread of the pool, or here when nothing can be asked.
    pub(crate) fn ask(&self, core: &Arc<Core>, id: ChunkId, urgency: Urgency, waiter: Option<Waiter>) {
        let refused = self.begin(core, id, urgency, waiter);
        if let Some(waiter) = refused {
            waiter(core, Err(FetchError::NobodyHasIt));
        }
    }

    fn begin(
        &self,
        core: &Arc<Core>,
        id: ChunkId,
        urgency: Urgency,
        waiter: Option<Waiter>,
    ) -> Option<Waiter> {
        if !self.has_group() {
            return waiter;
        }
        let mut state = self.state.lock();
        if state.closed {
            return waiter;
        }
        let deadline = Duration::from_millis(self.deadline_millis.load(Ordering::Relaxed));
        let (next, is_full) = (state.last_number + 1, state.flights.len() >= FLIGHTS_MAX_CHUNKS);
        let number = match state.flights.get_mut(&id) {
            Some(flight) => {
                if flight.waiters.len() >= WAITERS_MAX {
                    return waiter;
                }
                flight.waiters.extend(waiter);
                if flight.urgency >= urgency {
                    return None;
                }
                flight.urgency = urgency;
                let number = flight.number;
                state.ahead -= 1;
                number
            }
            None if is_full => return waiter,
            None => {
                let until = Instant::now() + deadline;
                let waiters = waiter.into_iter().collect();
                state.flights.insert(id, Flight { number: next, urgency, until, waiters });
                state.last_number = next;
                state.ahead += usize::from(urgency == Urgency::Soon);
                next
            }
        };
        let job: Job = Box::new(move |core| core.fetcher.depart(core, id, number, urgency));
        self.push(state, core, job);
        None
    }

    /// Asks the group, on a thread of the pool.
    fn depart(&self, core: &Arc<Core>, id: ChunkId, number: u64, urgency: Urgency) {
        let mut landing =
            Landing { core: Arc::downgrade(core), id, number, outcome: Err(FetchError::NobodyHasIt) };
        let group = self.group.read().clone();
        if let Some(group) = group {
            group.fetch(
                id,
                urgency,
                Box::new(move |outcome| {
                    landing.outcome = outcome;
                    drop(landing);
                }),
            );
        }
    }

    fn land(&self, core: &Arc<Core>, id: &ChunkId, number: u64, outcome: Result<(), FetchError>) {
        let mut state = self.state.lock();
        if state.flights.get(id).is_none_or(|flight| flight.number != number) {
            return;
        }
        let flight = state.flights.remove(id).expect("it was there, under the same lock");
        state.ahead -= usize::from(flight.urgency == Urgency::Soon);
        for waiter in flight.waiters {
            state.jobs.push_back(Box::new(move |core| waiter(core, outcome)));
        }
        self.serve(state, core);
    }

    fn push(&self, mut state: parking_lot::MutexGuard<'_, State>, core: &Arc<Core>, job: Job) {
        state.jobs.push_back(job);
        self.serve(state, core);
    }

    /// Sees to it that somebody does the jobs.
    fn serve(&self, mut state: parking_lot::MutexGuard<'_, State>, core: &Arc<Core>) {
        if state.jobs.len() > state.resting && state.threads < POOL_MAX_THREADS && !state.closed {
            state.threads += 1;
            let worker = core.clone();
            let begun = std::thread::Builder::new().name("fetch".into()).spawn(move || work(&worker));
            if let Err(error) = begun {
                state.threads -= 1;
                tracing::warn!(%error, "no thread for a fetch; the ones there are do it");
            }
        }
        drop(state);
        self.more.notify_one();
    }

    /// The next job; none when the thread is to end.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        let rests_until = Instant::now() + POOL_LINGER;
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            let overdue = state.overdue();
            if !overdue.is_empty() {
                state.jobs.extend(
                    overdue.into_iter().map(|waiter| -> Job {
                        Box::new(move |core| waiter(core, Err(FetchError::TimedOut)))
                    }),
                );
                continue;
            }
            // The last thread stays while somebody is waited for.
            let is_watch = state.threads == 1 && !state.flights.is_empty();
            if state.closed || (Instant::now() >= rests_until && !is_watch) {
                state.threads -= 1;
                drop(state);
                self.ended.notify_all();
                return None;
            }
            let first = state.flights.values().map(|flight| flight.until).min();
            let until = match first {
                Some(first) if is_watch => first,
                Some(first) => first.min(rests_until),
                None => rests_until,
            };
            state.resting += 1;
            self.more.wait_until(&mut state, until);
            state.resting -= 1;
        }
    }
}

impl State {
    /// Takes out flights that nobody ended in time.
    fn overdue(&mut self) -> Vec<Waiter> {
        let now = Instant::now();
        let late: Vec<ChunkId> =
            self.flights.iter().filter(|(_, flight)| flight.until <= now).map(|(id, _)| *id).collect();
        let mut waiters = Vec::new();
        for id in late {
            if let Some(flight) = self.flights.remove(&id) {
                self.ahead -= usize::from(flight.urgency == Urgency::Soon);
                waiters.extend(flight.waiters);
            }
        }
        waiters
    }
}

fn work(core: &Arc<Core>) {
    while let Some(job) = core.fetcher.next() {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(core))).is_err() {
            tracing::error!("an operation broke an invariant while it was tried again; see the log");
        }
    }
}

impl crate::Drive {
    /// How long the group may take for one chunk.
    #[doc(hidden)]
    pub fn set_fetch_deadline(&self, deadline: Duration) {
        self.core.fetcher.set_deadline(deadline);
    }
}
