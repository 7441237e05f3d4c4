//! How often each may ask: nobody keeps the daemon so busy that others wait.
//!
//! Each client has a bucket of requests that fills steadily. Whoever empties it is told when to come back (429, Retry-After). Who has
//! neither token nor session shares one small bucket with all such others, and cannot use up anybody else's.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests of one client each second, over time.
const REQUESTS_PER_S: u32 = 200;
/// Requests of one client at once.
const BURST_REQUESTS: u32 = 1000;
/// The same of all strangers together.
const STRANGERS_REQUESTS_PER_S: u32 = 10;
const STRANGERS_BURST_REQUESTS: u32 = 100;
/// Clients that are remembered: more than there can be sessions and tokens. The one that was quiet longest is forgotten, as its
/// bucket is the fullest.
const MAX_CLIENTS: usize = 64;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// A program that has the token of `api.token`.
    Program,
    /// A browser in this session.
    Session(u64),
    /// A program with this token.
    Token(u64),
    /// Nobody knows.
    Stranger,
}

/// The buckets of all clients.
#[derive(Default)]
pub(super) struct Rates {
    buckets: Mutex<Vec<Bucket>>,
}

struct Bucket {
    client: Client,
    /// The moment at which it will be full again.
    full_at: Instant,
}

impl Client {
    /// Time in which one request comes back, and how many there are at once.
    fn limits(self) -> (Duration, u32) {
        match self {
            Self::Stranger => (Duration::from_secs(1) / STRANGERS_REQUESTS_PER_S, STRANGERS_BURST_REQUESTS),
            _ => (Duration::from_secs(1) / REQUESTS_PER_S, BURST_REQUESTS),
        }
    }
}

impl Rates {
    /// Takes one request out of a client's bucket; else how long until there is one.
    pub(super) fn take(&self, client: Client, now: Instant) -> Result<(), Duration> {
        // Moments, each replaced whole: a panic elsewhere left nothing half done.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let at = buckets.iter().position(|bucket| bucket.client == client).unwrap_or_else(|| {
            if buckets.len() == MAX_CLIENTS {
                let fullest = buckets.iter().enumerate().min_by_key(|(_, bucket)| bucket.full_at);
                let fullest = fullest.map_or(0, |(at, _)| at);
                buckets.swap_remove(fullest);
            }
            buckets.push(Bucket { client, full_at: now });
            buckets.len() - 1
        });
        let (each, burst) = client.limits();
        let full_at = buckets[at].full_at.max(now) + each;
        let over = full_at.duration_since(now).saturating_sub(each * burst);
        if over > Duration::ZERO {
            return Err(over);
        }
        buckets[at].full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (rates, start) = (Rates::default(), Instant::now());
        for _ in 0..BURST_REQUESTS {
            rates.take(Client::Program, start).unwrap();
        }
        let wait = rates.take(Client::Program, start).unwrap_err();
        assert!(wait <= Duration::from_millis(5), "{wait:?}");
        rates.take(Client::Token(1), start).unwrap();
        let later = start + Duration::from_secs(1);
        let taken = (0..BURST_REQUESTS).filter(|_| rates.take(Client::Program, later).is_ok()).count();
        assert_eq!(taken, REQUESTS_PER_S as usize);
    }

    #[test]
    fn strangers_use_up_only_their_own() {
        let (rates, now) = (Rates::default(), Instant::now());
        while rates.take(Client::Stranger, now).is_ok() {}
        rates.take(Client::Session(1), now).unwrap();
        for n in 0..10 * MAX_CLIENTS as u64 {
            rates.take(Client::Session(n), now).unwrap();
        }
        assert!(rates.buckets.lock().unwrap().len() <= MAX_CLIENTS);
    }
}
