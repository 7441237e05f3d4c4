//! A timer that asks less and less often while nothing comes of it.

use crate::input::Millis;

/// Due at `next`, then after twice as long, up to `most`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    first: Millis,
    most: Millis,
    every: Millis,
    pub(super) next: Millis,
}

impl Backoff {
    /// Due at `next` for the first time.
    pub(super) fn new(next: Millis, first: Millis, most: Millis) -> Self {
        Self { first, most, every: first, next }
    }

    /// Whether it is due; if so, it is wound up again for longer.
    pub(super) fn take(&mut self, now: Millis) -> bool {
        let due = now >= self.next;
        if due {
            self.grow(now);
        }
        due
    }

    /// Winds it up from now on, for longer the next time.
    pub(super) fn grow(&mut self, now: Millis) {
        self.next = now + self.every;
        self.every = (self.every * 2).min(self.most);
    }

    /// Something came of it: short again, from now on.
    pub(super) fn reset(&mut self, now: Millis) {
        self.every = self.first;
        self.next = now + self.first;
    }

    /// Something changed: short again, and due soon if it was not.
    pub(super) fn hasten(&mut self, now: Millis) {
        self.every = self.first;
        self.next = self.next.min(now + self.first);
    }
}
