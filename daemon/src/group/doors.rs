//! Who is let in: devices of the roster. Everybody else may try to pair, which is bounded and tells nothing.

use std::collections::HashSet;

use parking_lot::RwLock;
use transport::{Admission, PeerKey};

/// The present members' keys.
#[derive(Debug, Default)]
pub struct Doors {
    members: RwLock<HashSet<PeerKey>>,
}

impl Doors {
    pub fn set_members(&self, members: HashSet<PeerKey>) {
        *self.members.write() = members;
    }
}

impl Admission for Doors {
    fn admits(&self, key: &PeerKey) -> bool {
        self.members.read().contains(key)
    }

    /// Always: a user whose devices are all gone comes this way, with nothing but the recovery phrase.
    fn pairing_open(&self) -> bool {
        true
    }
}
