//! Links between machines.

use bytes::Bytes;
use swarm::Lane;

use crate::random::Random;

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Of a thousand frames.
    pub lost: u64,
    pub doubled: u64,
    /// A frame is late by up to so much more, milliseconds.
    pub jitter: u64,
}

impl Weather {
    pub const FINE: Self = Self { lost: 0, doubled: 0, jitter: 0 };
}

/// One direction of a link.
#[derive(Clone)]
pub struct Wire {
    pub latency: u64,
    pub bytes_per_ms: u64,
    /// Whether the two can reach each other at all.
    pub whole: bool,
    /// Tells frames of earlier connections.
    pub epoch: u64,
    pub connected: bool,
    /// When each lane has sent what was given to it, in thousandths of a millisecond.
    busy_until: [u64; 4],
    pub bytes: u64,
}

/// A frame on its way.
pub struct Frame {
    pub from: usize,
    pub to: usize,
    pub epoch: u64,
    pub lane: Lane,
    pub bytes: Bytes,
}

impl Wire {
    pub fn new(random: &mut Random) -> Self {
        Self {
            latency: random.within(1, 60),
            bytes_per_ms: random.within(500, 50_000),
            whole: true,
            epoch: 0,
            connected: false,
            busy_until: [0; 4],
            bytes: 0,
        }
    }

    /// When a frame arrives: not at all, once, or twice.
    pub fn arrivals(
        &mut self,
        now: u64,
        lane: Lane,
        len: usize,
        weather: Weather,
        random: &mut Random,
    ) -> Vec<u64> {
        self.bytes += len as u64;
        let busy = &mut self.busy_until[lane as usize];
        *busy = (*busy).max(now * 1000) + len as u64 * 1000 / self.bytes_per_ms;
        let sent = *busy / 1000 + self.latency;
        if random.permille(weather.lost) {
            return Vec::new();
        }
        let copies = if random.permille(weather.doubled) { 2 } else { 1 };
        (0..copies).map(|_| sent + random.below(weather.jitter + 1)).collect()
    }
}
