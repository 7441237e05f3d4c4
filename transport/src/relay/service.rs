//! How much this device passes on for others: a budget of its own, beneath the limits of its whole network use.

use std::time::Instant;

use parking_lot::Mutex;

use crate::rates::TokenBucket;

/// The budget; without one nothing is passed on.
#[derive(Default)]
pub(crate) struct Service {
    bucket: Mutex<Option<TokenBucket>>,
}

impl Service {
    /// Passes so many bytes a second on; 0: none at all.
    pub(crate) fn set(&self, bytes_per_s: u64) {
        let mut bucket = self.bucket.lock();
        let now = Instant::now();
        match &mut *bucket {
            Some(bucket) if bytes_per_s > 0 => bucket.set_rate(bytes_per_s, now),
            _ => *bucket = (bytes_per_s > 0).then(|| TokenBucket::new(bytes_per_s, now)),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.bucket.lock().is_some()
    }

    /// Takes a packet's bytes out of the budget, if it has any left.
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let mut bucket = self.bucket.lock();
        bucket.as_mut().is_some_and(|bucket| bucket.charge_if_free(bytes as u64, Instant::now()))
    }
}
