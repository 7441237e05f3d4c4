//! What was already handed on, so that a device is told once and again only when it changes.

use std::collections::HashMap;

use super::Found;

/// Devices remembered at once; on a network with more, some are told repeatedly.
const SIGHTINGS_MAX: usize = 256;

/// Last sighting by name of the service.
#[derive(Default)]
pub(super) struct Sightings {
    seen: HashMap<String, Found>,
}

impl Sightings {
    /// Whether this is news.
    pub(super) fn note(&mut self, name: &str, found: &Found) -> bool {
        if self.seen.get(name) == Some(found) {
            return false;
        }
        if self.seen.len() >= SIGHTINGS_MAX {
            self.seen.clear();
        }
        self.seen.insert(name.to_owned(), found.clone());
        true
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.seen.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Announced;
    use crate::key::PeerKey;

    fn found(port: u16) -> Found {
        let announced = Announced { key: PeerKey([1; 32]), port, groups: Vec::new(), invites: Vec::new() };
        Found { announced, addresses: Vec::new() }
    }

    #[test]
    fn only_news_is_told() {
        let mut sightings = Sightings::default();
        assert!(sightings.note("a", &found(1)));
        assert!(!sightings.note("a", &found(1)));
        assert!(sightings.note("a", &found(2)));
        sightings.forget("a");
        assert!(sightings.note("a", &found(2)));
    }

    #[test]
    fn a_crowd_is_bounded() {
        let mut sightings = Sightings::default();
        for number in 0..10 * SIGHTINGS_MAX {
            sightings.note(&number.to_string(), &found(1));
        }
        assert!(sightings.seen.len() <= SIGHTINGS_MAX);
    }
}
