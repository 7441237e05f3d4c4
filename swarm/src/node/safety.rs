//! What is safe: own transactions up to a sequence number, when they are on enough hosts and so is every chunk that was put before
//! them.

use std::collections::VecDeque;

use super::Node;
use super::peer::{ME, Slot};
use crate::output::Output;
use crate::view::PeerState;

/// Sequence numbers that wait for their chunks; beyond, the last two become one.
const MARKS_MAX: usize = 1024;

/// How far the own log is safe.
#[derive(Default)]
pub(super) struct Safety {
    /// (own sequence number, position in the outbox): the chunks of the one lie before the other.
    marks: VecDeque<(u64, u64)>,
    noted: u64,
    chunks_safe: u64,
    pub told: u64,
}

impl Safety {
    /// The own log is durable through `sequence`, and its chunks lie before `position`.
    pub(super) fn note(&mut self, sequence: u64, position: u64) {
        if sequence <= self.noted {
            return;
        }
        self.noted = sequence;
        let joins =
            self.marks.back().is_some_and(|(_, last)| *last == position) || self.marks.len() == MARKS_MAX;
        if joins {
            self.marks.pop_back();
        }
        self.marks.push_back((sequence, position));
    }

    /// Something is durable here and not called safe.
    pub(super) fn is_waiting(&self) -> bool {
        self.told < self.noted
    }

    /// Everything noted so far waits for the chunks before `position`.
    pub(super) fn wait_for(&mut self, position: u64) {
        self.marks.clear();
        self.chunks_safe = self.chunks_safe.min(self.told);
        if self.is_waiting() {
            self.marks.push_back((self.noted, position));
        }
    }

    /// All chunks before this position are safe.
    fn advance(&mut self, low_water: u64) {
        while self.marks.front().is_some_and(|(_, position)| *position <= low_water) {
            self.chunks_safe = self.marks.pop_front().map_or(self.chunks_safe, |(sequence, _)| sequence);
        }
    }
}

impl Node {
    pub(super) fn pump_safety(&mut self) {
        if !self.walk.is_settled() {
            return;
        }
        self.safety.advance(self.outbox.low_water());
        let sequence = self.safety.chunks_safe.min(self.log_safe());
        if sequence > self.safety.told {
            self.safety.told = sequence;
            self.out.push_back(Output::SafeThrough { sequence });
        }
    }

    /// The own log is on enough hosts through this.
    fn log_safe(&self) -> u64 {
        let mut reached: Vec<_> = self.hosts.slots().iter().map(|slot| self.own_log_at(*slot)).collect();
        reached.sort_unstable_by(|a, b| b.cmp(a));
        let needed = reached.len().min(self.settings.copies()).max(self.settings.copies_min());
        reached.get(needed - 1).copied().unwrap_or(0)
    }

    /// How far the own log is durable at a device.
    pub(super) fn own_log_at(&self, slot: Slot) -> u64 {
        let frontier = if slot == ME { &self.mine } else { &self.peers.get(slot).told };
        frontier.0.get(&self.me()).copied().unwrap_or(0)
    }

    /// Hosts that became lost since the tables were made.
    pub(super) fn note_lost(&mut self) {
        let lost = |slot: &Slot| {
            *slot != ME && self.peers.get(*slot).state(self.now, &self.settings) == PeerState::Lost
        };
        if self.hosts.slots().iter().any(lost) {
            self.hosts.dirty = true;
        }
    }
}
