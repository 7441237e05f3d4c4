//! Who was seen on this network: kept for a while, for those who look for the computer that has their code open.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use transport::{Found, PeerKey};

/// Computers remembered at most.
const SEEN_MAX: usize = 256;
/// How long a sighting counts.
const FRESH: Duration = Duration::from_secs(600);

/// The sightings, shared by who sees and who looks.
#[derive(Clone, Default)]
pub struct Sightings {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    seen: Mutex<BTreeMap<PeerKey, (Instant, Found)>>,
    changed: Notify,
    looking: std::sync::atomic::AtomicBool,
}

impl Sightings {
    /// Discovery runs.
    pub fn set_looking(&self, looking: bool) {
        self.inner.looking.store(looking, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether discovery runs.
    pub fn is_looking(&self) -> bool {
        self.inner.looking.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Somebody was seen.
    pub fn saw(&self, found: Found) {
        let now = Instant::now();
        let mut seen = self.inner.seen.lock();
        seen.retain(|_, (at, _)| now.duration_since(*at) < FRESH);
        if seen.len() < SEEN_MAX || seen.contains_key(&found.announced.key) {
            seen.insert(found.announced.key, (now, found));
        }
        drop(seen);
        self.inner.changed.notify_waiters();
    }

    /// Addresses of all who have an invitation of this number open; waits for one to show up.
    pub async fn with_invitation(&self, number: u16, patience: Duration) -> Option<Vec<SocketAddr>> {
        let search = async {
            loop {
                let changed = self.inner.changed.notified();
                let found = self.now_with(number);
                if !found.is_empty() {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, search).await.ok()
    }

    /// Addresses of whoever was seen, without these; waits for some to show up.
    pub async fn others_than(
        &self,
        known: &BTreeSet<SocketAddr>,
        deadline: tokio::time::Instant,
    ) -> Option<Vec<SocketAddr>> {
        let search = async {
            loop {
                let changed = self.inner.changed.notified();
                let found: Vec<SocketAddr> = {
                    let seen = self.inner.seen.lock();
                    let all = seen.values().flat_map(|(_, found)| found.addresses.iter().copied());
                    all.filter(|address| !known.contains(address)).collect()
                };
                if !found.is_empty() {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout_at(deadline, search).await.ok()
    }

    fn now_with(&self, number: u16) -> Vec<SocketAddr> {
        let seen = self.inner.seen.lock();
        let matching = seen.values().filter(|(_, found)| found.announced.invites.contains(&number));
        matching.flat_map(|(_, found)| found.addresses.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use transport::Announced;

    use super::*;

    fn found(key: u8, invites: Vec<u16>) -> Found {
        let announced = Announced { key: PeerKey([key; 32]), port: 1, groups: Vec::new(), invites };
        Found { announced, addresses: vec![SocketAddr::from(([10, 0, 0, key], 1))] }
    }

    #[tokio::test]
    async fn who_looks_finds_whoever_shows_up() {
        let sightings = Sightings::default();
        sightings.saw(found(1, vec![3]));
        let nobody = sightings.with_invitation(7, Duration::ZERO).await;
        assert_eq!(nobody, None);
        let looking = tokio::spawn({
            let sightings = sightings.clone();
            async move { sightings.with_invitation(7, Duration::from_secs(60)).await }
        });
        sightings.saw(found(2, vec![7]));
        assert_eq!(looking.await.unwrap().unwrap(), [SocketAddr::from(([10, 0, 0, 2], 1))]);
        sightings.saw(found(2, Vec::new()));
        assert_eq!(sightings.with_invitation(7, Duration::ZERO).await, None);
    }
}
