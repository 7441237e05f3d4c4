//! Chunks that all their owners have, until something durable at these owners names them.
//!
//! ```text
//!  confirmed by all owners ─► held: asked whether own transactions name it ─► those are durable at its owners ─► Replicated
//!        ▲                      │ receipts grow old
//!        └──────────────────────┘
//! ```
//!
//! Owners sweep what nothing names, an hour after they last said that they have it. A chunk of a file that is written for hours, or whose
//! transaction is held up, must therefore stay here, and be offered again in time. Only what is *Replicated* may be given up here.

use std::collections::{BTreeMap, HashMap};

use chunkstore::ChunkId;

use super::Node;
use super::jobs::Waiting;
use super::outbox::{Cause, Entry};
use super::peer::ME;
use crate::input::Millis;
use crate::output::{Job, JobResult};

/// Chunks held at most. Of what is beyond, the store alone knows that it must stay.
const HELD_MAX_CHUNKS: usize = 32 << 10;
/// Receipts are renewed when they are so old: half of the time for which a sweep spares what nothing names.
const RENEW_MS: Millis = 30 * 60_000;
/// Between chunks being held, or an answer, and the next question.
const ASK_PAUSE_MS: Millis = 1_000;
/// Ids in one question.
const ASK_MAX_IDS: usize = 16 << 10;

/// What waits for a name.
#[derive(Default)]
pub(super) struct Unnamed {
    /// In the order in which their receipts were complete.
    held: BTreeMap<u64, Held>,
    numbers: HashMap<ChunkId, u64>,
    next: u64,
    /// Chunks without an answer; those that are asked about are not among them.
    to_ask: usize,
    asking: bool,
    ask_at: Option<Millis>,
    /// Something happened that may let chunks go.
    pub due: bool,
    /// Since when there are chunks that were let go from memory.
    let_go_since: Option<Millis>,
}

struct Held {
    entry: Entry,
    since: Millis,
    name: Name,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Unknown,
    Asked,
    /// Own transactions up to here name it, if any ever will.
    Through(u64),
}

impl Unnamed {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.let_go_since.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn has(&self, id: &ChunkId) -> bool {
        self.numbers.contains_key(id)
    }

    /// Whether it was held.
    pub(super) fn remove(&mut self, id: &ChunkId) -> bool {
        let number = self.numbers.get(id).copied();
        number.is_some_and(|number| self.take(number).is_some())
    }

    fn take(&mut self, number: u64) -> Option<Entry> {
        let held = self.held.remove(&number)?;
        self.numbers.remove(&held.entry.id);
        self.to_ask -= usize::from(held.name == Name::Unknown);
        Some(held.entry)
    }

    fn hold(&mut self, entry: Entry, now: Millis) {
        if self.held.len() >= HELD_MAX_CHUNKS {
            self.let_go_since.get_or_insert(now);
            return;
        }
        self.numbers.insert(entry.id, self.next);
        self.held.insert(self.next, Held { entry, since: now, name: Name::Unknown });
        self.next += 1;
        self.to_ask += 1;
        self.ask_soon(now);
    }

    fn ask_soon(&mut self, now: Millis) {
        if self.to_ask > 0 && !self.asking {
            self.ask_at.get_or_insert(now + ASK_PAUSE_MS);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        let renew = self.held.first_key_value().map(|(_, held)| held.since + RENEW_MS);
        let walk = self.let_go_since.map(|since| since + RENEW_MS);
        [renew, walk, self.ask_at].into_iter().flatten().min()
    }
}

impl Node {
    /// All owners have the chunk.
    pub(super) fn hold_until_named(&mut self, entry: Entry) {
        self.unnamed.hold(entry, self.now);
    }

    /// What other owners lack now, or has too few, goes back to the outbox.
    pub(super) fn reassign_unnamed(&mut self) {
        let lack = |held: &Held| {
            !self.lacking_owners(&held.entry).is_empty() || !self.has_enough_owners(&held.entry.id)
        };
        let numbers: Vec<u64> =
            self.unnamed.held.iter().filter(|(_, held)| lack(held)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(entry) = self.unnamed.take(number) {
                self.put_back_in_outbox(entry.for_healing());
            }
        }
        self.unnamed.due = true;
    }

    /// One that all owners had, this device among them, is held no more: its copy here is bad.
    pub(super) fn take_held_of_own(&mut self, id: &ChunkId) -> Option<Entry> {
        let owns = self.hosts.owners(id.partition()).contains(&ME);
        let number = self.unnamed.numbers.get(id).copied().filter(|_| owns)?;
        self.unnamed.take(number)
    }

    /// Offers again what was confirmed long ago.
    pub(super) fn renew_receipts(&mut self) {
        let now = self.now;
        let is_old = |since: Millis| since + RENEW_MS <= now;
        while let Some((number, held)) = self.unnamed.held.first_key_value()
            && is_old(held.since)
        {
            let number = *number;
            if let Some(entry) = self.unnamed.take(number)
                && !self.put_in_outbox(entry.id, Cause::Written)
            {
                self.walk.owe(Cause::Written);
            }
        }
        if self.unnamed.let_go_since.is_some_and(is_old) {
            self.unnamed.let_go_since = None;
            self.walk.owe(Cause::Written);
        }
    }

    pub(super) fn pump_unnamed(&mut self) {
        self.ask_for_names();
        if std::mem::take(&mut self.unnamed.due) {
            self.release_named();
        }
        if self.unnamed.held.is_empty() && self.unnamed.let_go_since.take().is_some() {
            self.walk.wanted = true;
        }
    }

    fn ask_for_names(&mut self) {
        let unnamed = &mut self.unnamed;
        if unnamed.asking || unnamed.ask_at.is_none_or(|at| at > self.now) {
            return;
        }
        unnamed.ask_at = None;
        let unknown = unnamed.held.iter_mut().filter(|(_, held)| held.name == Name::Unknown);
        let (mut numbers, mut ids) = (Vec::new(), Vec::new());
        for (number, held) in unknown.take(ASK_MAX_IDS) {
            held.name = Name::Asked;
            numbers.push(*number);
            ids.push(held.entry.id);
        }
        unnamed.to_ask -= ids.len();
        if !ids.is_empty() {
            unnamed.asking = true;
            self.job(Job::Named { ids }, Waiting::Named { numbers });
        }
    }

    pub(super) fn names_told(&mut self, numbers: &[u64], result: &JobResult) {
        let unnamed = &mut self.unnamed;
        unnamed.asking = false;
        for number in numbers {
            // What was put again meanwhile is not here any more.
            let Some(held) = unnamed.held.get_mut(number) else { continue };
            held.name = match result {
                JobResult::Named { open, sequence } if !open.contains(&held.entry.id) => {
                    Name::Through(*sequence)
                }
                _ => Name::Unknown,
            };
            unnamed.to_ask += usize::from(held.name == Name::Unknown);
        }
        unnamed.ask_soon(self.now);
        unnamed.due = true;
    }

    /// Lets go what is named by transactions that all its owners have, and that are called safe: should an owner be lost before, the next
    /// one gets the chunk from here, and it is known here when it has it.
    fn release_named(&mut self) {
        let safe = self.safety.told;
        let is_there = |held: &Held| {
            let Name::Through(sequence) = held.name else { return false };
            if sequence > safe {
                return false;
            }
            let owners = self.hosts.owners(held.entry.id.partition());
            owners.iter().all(|slot| *slot == ME || self.own_log_at(*slot) >= sequence)
        };
        let numbers: Vec<u64> =
            self.unnamed.held.iter().filter(|(_, held)| is_there(held)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(entry) = self.unnamed.take(number) {
                self.outbox.is_replicated(entry.id);
            }
        }
    }
}
