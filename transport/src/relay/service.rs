//! How much this device passes on for others: a budget of its own, beneath the limits of its whole network use.

use std::time::Instant;

use parking_lot::Mutex;

use crate::rates::TokenBucket;

/// The budget; without one nothing is passed on.
#[derive(Default)]
pub(crate) struct Service {
    state: Mutex<Option<Budget>>,
}

struct Budget {
    bytes_per_s: u64,
    bucket: TokenBucket,
}

impl Service {
    /// Passes so many bytes a second on; 0: none at all.
    pub(crate) fn set(&self, bytes_per_s: u64) {
        let mut state = self.state.lock();
        if state.as_ref().map_or(0, |budget| budget.bytes_per_s) != bytes_per_s {
            let bucket = TokenBucket::new(bytes_per_s, Instant::now());
            *state = (bytes_per_s > 0).then_some(Budget { bytes_per_s, bucket });
        }
    }

    /// What was set.
    pub(crate) fn bytes_per_s(&self) -> u64 {
        self.state.lock().as_ref().map_or(0, |budget| budget.bytes_per_s)
    }

    /// Takes a packet's bytes out of the budget, if it has any left.
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let mut state = self.state.lock();
        state.as_mut().is_some_and(|budget| budget.bucket.charge_if_free(bytes as u64, Instant::now()))
    }
}
