//! The rate limits at work: buckets shared by all links, and two for each.
//!
//! ```text
//!  writer of a lane: charge(piece) ─▶ paced lane? wait for both buckets ─▶ QUIC
//!  reader of a lane: QUIC ─▶ charge(piece) ─▶ paced lane? wait, so that the peer's window fills
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::lane::Lane;
use crate::rates::{Allowed, Rates, TokenBucket};

/// Longest sleep before the limits are looked at again: they may have changed.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Under a limit, bytes pass in pieces of this, so that it is felt evenly.
const PIECE_BYTES: usize = 64 << 10;

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Up,
    Down,
}

/// The limits of an endpoint.
pub(crate) struct Limits {
    state: Mutex<State>,
    /// Whether there is any limit at all: mostly there is none, and then nothing is locked or counted.
    limited: AtomicBool,
}

struct State {
    rates: Rates,
    minute_of_week: Option<u16>,
    all: Buckets,
    /// Counts changes, so that links notice.
    generation: u64,
}

impl State {
    fn allowed(&self) -> Allowed {
        match self.minute_of_week {
            Some(minute) => self.rates.effective(minute),
            None => Rates { hours: Vec::new(), ..self.rates.clone() }.effective(0),
        }
    }
}

struct Buckets {
    up: TokenBucket,
    down: TokenBucket,
}

impl Buckets {
    fn new(up: u64, down: u64, now: Instant) -> Self {
        Self { up: TokenBucket::new(up, now), down: TokenBucket::new(down, now) }
    }

    fn set(&mut self, up: u64, down: u64, now: Instant) {
        self.up.set_rate(up, now);
        self.down.set_rate(down, now);
    }

    fn of(&mut self, way: Way) -> &mut TokenBucket {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

impl Limits {
    pub(crate) fn new(rates: Rates) -> Arc<Self> {
        let all = Buckets::new(0, 0, Instant::now());
        let state = State { rates: Rates::default(), minute_of_week: None, all, generation: 0 };
        let limits = Self { state: Mutex::new(state), limited: AtomicBool::new(false) };
        limits.set_rates(rates);
        Arc::new(limits)
    }

    pub(crate) fn set_rates(&self, rates: Rates) {
        self.change(|state| state.rates = rates);
    }

    pub(crate) fn set_minute_of_week(&self, minute: u16) {
        self.change(|state| state.minute_of_week = Some(minute));
    }

    /// What all links together may use now.
    pub(crate) fn allowed(&self) -> Allowed {
        self.state.lock().allowed()
    }

    fn change(&self, edit: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        edit(&mut state);
        let allowed = state.allowed();
        state.all.set(allowed.up_bytes_per_s, allowed.down_bytes_per_s, Instant::now());
        state.generation += 1;
        let rates = &state.rates;
        let limits =
            [allowed.up_bytes_per_s, allowed.down_bytes_per_s, rates.per_peer_up, rates.per_peer_down];
        self.limited.store(limits.iter().any(|limit| *limit > 0), Ordering::Relaxed);
    }
}

/// The limits of one link.
pub(crate) struct Pace {
    limits: Arc<Limits>,
    own: Mutex<Own>,
}

struct Own {
    buckets: Buckets,
    generation: u64,
}

impl Pace {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        let state = limits.state.lock();
        let buckets = Buckets::new(state.rates.per_peer_up, state.rates.per_peer_down, Instant::now());
        let own = Mutex::new(Own { buckets, generation: state.generation });
        drop(state);
        Self { limits, own }
    }

    /// How many bytes should pass at once.
    pub(crate) fn piece_bytes(&self, lane: Lane) -> usize {
        if lane.is_paced() && self.is_limited() { PIECE_BYTES } else { usize::MAX }
    }

    /// Counts bytes that pass, and on a paced lane waits until they may.
    pub(crate) async fn pass(&self, way: Way, lane: Lane, bytes: usize) {
        if !self.is_limited() {
            return;
        }
        if !lane.is_paced() {
            self.count(way, |bucket, now| bucket.note(bytes as u64, now));
            return;
        }
        let wait = self.count(way, |bucket, now| bucket.charge(bytes as u64, now));
        self.wait_for_room(way, wait).await;
    }

    /// Counts bytes that pass now or never; false if they may not. Whatever can wait goes before them.
    pub(crate) fn pass_at_once(&self, way: Way, bytes: usize) -> bool {
        if !self.is_limited() {
            return true;
        }
        let free = self.count(way, |_, _| ()).is_zero();
        if free {
            self.count(way, |bucket, now| bucket.charge(bytes as u64, now));
        }
        free
    }

    fn is_limited(&self) -> bool {
        self.limits.limited.load(Ordering::Relaxed)
    }

    async fn wait_for_room(&self, way: Way, mut wait: Duration) {
        while wait > Duration::ZERO {
            tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
            wait = self.count(way, |_, _| ());
        }
    }

    /// How long to wait after that.
    fn count(&self, way: Way, take: impl Fn(&mut TokenBucket, Instant)) -> Duration {
        let now = Instant::now();
        let mut state = self.limits.state.lock();
        let mut own = self.own.lock();
        if own.generation != state.generation {
            own.generation = state.generation;
            own.buckets.set(state.rates.per_peer_up, state.rates.per_peer_down, now);
        }
        let wait = |bucket: &mut TokenBucket| {
            take(bucket, now);
            bucket.wait(now)
        };
        wait(state.all.of(way)).max(wait(own.buckets.of(way)))
    }
}
