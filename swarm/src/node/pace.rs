//! How often a member may make this device work: a few times at once, then at a steady pace.

use crate::input::Millis;

/// So many times at once; each comes back after a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    most: u64,
    every: Millis,
    /// When all will have come back.
    whole_at: Millis,
}

impl Pace {
    pub(super) const fn new(most: u64, every: Millis) -> Self {
        Self { most, every, whole_at: 0 }
    }

    /// Whether once more is within the pace.
    pub(super) fn allows(&self, now: Millis) -> bool {
        self.whole_at.saturating_sub(now) + self.every <= self.most * self.every
    }

    /// Counts one, if it is within the pace. Whether it is.
    pub(super) fn take(&mut self, now: Millis) -> bool {
        let allowed = self.allows(now);
        if allowed {
            self.whole_at = self.whole_at.max(now) + self.every;
        }
        allowed
    }
}
