//! Who waits until the own log, with all it names, is durable on so many computers.
//!
//! Unlike *safe*, which asks for all owners, this asks for a number: of a chunk in the outbox the receipts are counted, and one that has
//! left the outbox is on all its owners.

use super::Node;
use super::peer::ME;
use crate::input::Millis;
use crate::output::Output;

/// So many may wait at a time; who comes beyond is told at once that it is not done.
const WAITING_MAX: usize = 1024;

/// Those who wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Copied {
    waiting: Vec<Waiter>,
}

struct Waiter {
    ticket: u64,
    sequence: u64,
    copies: usize,
    until: Millis,
    /// Chunks before `end` in the outbox belong to it; known once the log is durable here.
    end: Option<u64>,
    /// Before this position all are on enough computers.
    from: u64,
}

impl Copied {
    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.waiting.iter().map(|waiter| waiter.until).min()
    }
}

impl Node {
    pub(super) fn await_copies(&mut self, ticket: u64, sequence: u64, copies: usize) {
        if self.copied.waiting.len() >= WAITING_MAX {
            self.out.push_back(Output::Copied { ticket, done: false });
            return;
        }
        let until = self.now + self.settings.copies_deadline_ms;
        self.copied.waiting.push(Waiter { ticket, sequence, copies, until, end: None, from: 0 });
    }

    /// Answers those whose wait is over.
    pub(super) fn pump_copied(&mut self) {
        for mut waiter in std::mem::take(&mut self.copied.waiting) {
            let done = self.is_copied(&mut waiter);
            if done || self.now >= waiter.until {
                self.out.push_back(Output::Copied { ticket: waiter.ticket, done });
            } else {
                self.copied.waiting.push(waiter);
            }
        }
    }

    fn is_copied(&self, waiter: &mut Waiter) -> bool {
        if waiter.end.is_none() && self.log_on(1) >= waiter.sequence {
            waiter.end = Some(self.outbox.next_position());
        }
        // What was let go from memory is not known to be anywhere.
        let Some(end) = waiter.end.filter(|_| self.walk.is_settled()) else { return false };
        if self.hosts.fewest_owners() < waiter.copies || self.log_on(waiter.copies) < waiter.sequence {
            return false;
        }
        waiter.from = self.copied_through(waiter.from, end, waiter.copies);
        waiter.from == end
    }

    /// How far the own log is durable on so many computers, this one among them.
    fn log_on(&self, copies: usize) -> u64 {
        let hosts = self.hosts.slots().iter().copied().filter(|slot| *slot != ME);
        let mut reached: Vec<_> = hosts.map(|slot| self.own_log_at(slot)).collect();
        reached.sort_unstable_by(|a, b| b.cmp(a));
        let here = self.own_log_at(ME);
        copies.checked_sub(2).map_or(here, |others| reached.get(others).copied().unwrap_or(0).min(here))
    }
}
