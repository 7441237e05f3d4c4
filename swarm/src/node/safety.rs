//! What is safe: own transactions up to a sequence number, when they are on enough hosts and so is every chunk that was put before
//! them. And what is on another host at all: one that is slow to take its copies makes nothing exist here alone that others have.

use std::collections::VecDeque;

use super::Node;
use super::peer::{ME, Slot};
use crate::output::Output;
use crate::view::PeerState;

/// Sequence numbers that wait for their chunks; beyond, the last two become one.
const MARKS_MAX: usize = 1024;

/// How far the own log is safe, and how far it is on any other host at all.
#[derive(Default)]
pub(super) struct Safety {
    noted: u64,
    /// Chunks that are on enough hosts.
    enough: Marks,
    /// Chunks that are on one other host.
    elsewhere: Marks,
    pub told: u64,
    told_elsewhere: u64,
}

/// Sequence numbers that wait for chunks.
#[derive(Default)]
struct Marks {
    /// (own sequence number, position in the outbox): the chunks of the one lie before the other.
    waiting: VecDeque<(u64, u64)>,
    reached: u64,
}

impl Marks {
    fn note(&mut self, sequence: u64, position: u64) {
        let joins =
            self.waiting.back().is_some_and(|(_, last)| *last == position) || self.waiting.len() == MARKS_MAX;
        if joins {
            self.waiting.pop_back();
        }
        self.waiting.push_back((sequence, position));
    }

    /// What was not told yet, through `noted`, waits for the chunks before `position`.
    fn wait_for(&mut self, noted: u64, told: u64, position: u64) {
        self.waiting.clear();
        self.reached = self.reached.min(told);
        if told < noted {
            self.waiting.push_back((noted, position));
        }
    }

    /// All chunks before this position are there.
    fn advance(&mut self, low_water: u64) {
        while self.waiting.front().is_some_and(|(_, position)| *position <= low_water) {
            self.reached = self.waiting.pop_front().map_or(self.reached, |(sequence, _)| sequence);
        }
    }
}

impl Safety {
    /// The own log is durable through `sequence`, and its chunks lie before `position`.
    pub(super) fn note(&mut self, sequence: u64, position: u64) {
        if sequence <= self.noted {
            return;
        }
        self.noted = sequence;
        self.enough.note(sequence, position);
        self.elsewhere.note(sequence, position);
    }

    /// Everything noted so far waits for the chunks before `position`.
    pub(super) fn wait_for(&mut self, position: u64) {
        self.enough.wait_for(self.noted, self.told, position);
        self.elsewhere.wait_for(self.noted, self.told_elsewhere, position);
    }
}

impl Node {
    pub(super) fn pump_safety(&mut self) {
        if !self.walk.is_settled() {
            return;
        }
        self.safety.enough.advance(self.outbox.low_water());
        self.safety.elsewhere.advance(self.outbox.alone_low_water());
        // Each event comes by here, and at rest nothing waits: only where something does all hosts are looked at.
        if self.safety.enough.reached > self.safety.told {
            let sequence = self.safety.enough.reached.min(self.log_safe());
            if sequence > self.safety.told {
                self.safety.told = sequence;
                self.unnamed.due = true;
                self.out.push_back(Output::SafeThrough { sequence });
            }
        }
        if self.safety.elsewhere.reached > self.safety.told_elsewhere {
            let sequence = self.safety.elsewhere.reached.min(self.log_elsewhere());
            if sequence > self.safety.told_elsewhere {
                self.safety.told_elsewhere = sequence;
                self.out.push_back(Output::ElsewhereThrough { sequence });
            }
        }
    }

    /// The own log is on one other host through this.
    fn log_elsewhere(&self) -> u64 {
        let others = self.hosts.slots().iter().filter(|slot| **slot != ME);
        others.map(|slot| self.own_log_at(*slot)).max().unwrap_or(0)
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
