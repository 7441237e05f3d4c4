//! What was turned away, and passed on for others, for the status page and the tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::lane::Violation;

/// What an endpoint has turned away, and passed on for others, since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections of keys that are no members.
    pub strangers_refused: u64,
    /// Pairing connections while no invitation was open, or too many at once.
    pub pairings_refused: u64,
    /// Handshakes not begun because too many were under way, in all or from one address.
    pub handshakes_refused: u64,
    /// Handshakes that were asked to prove their address first.
    pub handshakes_retried: u64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: u64,
    /// Links closed for a frame larger than its lane allows.
    pub frames_too_large: u64,
    /// Links closed for anything else the framing does not allow.
    pub lanes_malformed: u64,
    /// Connections accepted from members.
    pub members_admitted: u64,
    /// Bytes of packets passed on for other members.
    pub relayed_bytes: u64,
    /// Bytes of packets that were not passed on: over the budget, or the way to the receiver was full.
    pub relay_dropped_bytes: u64,
    /// Datagrams of members that make no sense.
    pub relay_datagrams_malformed: u64,
    /// Relayed packets that came faster than they were taken.
    pub relay_datagrams_overflowed: u64,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) strangers_refused: AtomicU64,
    pub(crate) pairings_refused: AtomicU64,
    pub(crate) handshakes_refused: AtomicU64,
    pub(crate) handshakes_retried: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) frames_too_large: AtomicU64,
    pub(crate) lanes_malformed: AtomicU64,
    pub(crate) members_admitted: AtomicU64,
    pub(crate) relayed_bytes: AtomicU64,
    pub(crate) relay_dropped_bytes: AtomicU64,
    pub(crate) relay_datagrams_malformed: AtomicU64,
    pub(crate) relay_datagrams_overflowed: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    count_bytes(counter, 1);
}

pub(crate) fn count_bytes(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(bytes as u64, Ordering::Relaxed);
}

impl Tally {
    pub(crate) fn violation(&self, violation: Violation) {
        count(match violation {
            Violation::FrameTooLarge => &self.frames_too_large,
            _ => &self.lanes_malformed,
        });
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            strangers_refused: read(&self.strangers_refused),
            pairings_refused: read(&self.pairings_refused),
            handshakes_refused: read(&self.handshakes_refused),
            handshakes_retried: read(&self.handshakes_retried),
            handshakes_failed: read(&self.handshakes_failed),
            frames_too_large: read(&self.frames_too_large),
            lanes_malformed: read(&self.lanes_malformed),
            members_admitted: read(&self.members_admitted),
            relayed_bytes: read(&self.relayed_bytes),
            relay_dropped_bytes: read(&self.relay_dropped_bytes),
            relay_datagrams_malformed: read(&self.relay_datagrams_malformed),
            relay_datagrams_overflowed: read(&self.relay_datagrams_overflowed),
        }
    }
}

/// Lets one line through per second: a flood must not fill the disk with its own report.
#[derive(Default)]
pub(crate) struct LogBrake {
    last: Mutex<Option<Instant>>,
}

const LOG_EVERY: Duration = Duration::from_secs(1);

impl LogBrake {
    pub(crate) fn may_log(&self) -> bool {
        let now = Instant::now();
        let mut last = self.last.lock();
        let may = last.is_none_or(|last| now.duration_since(last) >= LOG_EVERY);
        if may {
            *last = Some(now);
        }
        may
    }
}
