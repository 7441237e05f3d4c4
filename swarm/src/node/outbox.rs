//! Chunks that lack copies, in the order in which they came, and for each who has it.
//!
//! ```text
//!  Fresh, walk ─► entry ─► every owner that is here: its queue (push.rs) ─► confirmed by all owners (unnamed.rs) ─► Replicated
//!                   └────► owners missing that are not here: parked; beyond PARKED_MAX_CHUNKS the store alone knows
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chunkstore::ChunkId;

use super::Node;
use super::jobs::Waiting;
use super::peer::{ME, Slot};
use super::unreadable::Unreadable;
use crate::input::Millis;
use crate::output::{Job, JobResult, Keep};
use crate::settings::COPIES_MAX;

/// Most chunks in memory that lack copies.
pub(super) const OUTBOX_MAX_CHUNKS: usize = 64 << 10;
/// Of which wait for hosts that are not here.
pub(super) const PARKED_MAX_CHUNKS: usize = 16 << 10;
/// From so many on, chunks that only a slow host lacks are let go too, not more often than this.
const SHED_CHUNKS: usize = OUTBOX_MAX_CHUNKS / 4 * 3;
const SHED_EVERY_MS: Millis = 1_000;
/// A host is slow while so many chunks are queued to it.
const SLOW_QUEUE_CHUNKS: usize = 4096;
/// Ids in one job.
const REPLICATED_MAX_IDS: usize = 4096;
/// Such jobs at a time.
const CLEARING_MAX_JOBS: usize = 4;

/// Why a chunk is to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A person wrote it here, and nobody else has it.
    Written,
    /// Owners changed, or copies are in doubt: others have it too.
    Healing,
}

/// A chunk that lacks copies.
pub(super) struct Entry {
    pub id: ChunkId,
    cause: Cause,
    confirmed: [Slot; COPIES_MAX],
    copies: u8,
}

/// Chunks that lack copies, by position.
#[derive(Default)]
pub(super) struct Outbox {
    entries: BTreeMap<u64, Entry>,
    positions: HashMap<ChunkId, u64>,
    next: u64,
    parked: BTreeSet<u64>,
    pub unreadable: Unreadable,
    /// Nothing below this position is here alone.
    alone_from: u64,
    /// Peers came or went, or owners changed: the queues must be made anew.
    pub unassigned: bool,
    /// Chunks were let go from memory because there were too few hosts.
    pub parked_for_hosts: bool,
    replicated: Vec<ChunkId>,
    shed_at: Millis,
    clearing_jobs: usize,
    /// Those in `replicated`, and those that the disk is being told of; and whether they were put again since.
    clearing: HashMap<ChunkId, bool>,
}

impl Entry {
    /// Others have it already.
    pub(super) fn for_healing(self) -> Self {
        Self { cause: Cause::Healing, ..self }
    }

    fn confirmed(&self) -> &[Slot] {
        &self.confirmed[..usize::from(self.copies)]
    }

    fn confirm(&mut self, slot: Slot, owners: &[Slot]) {
        if self.confirmed().contains(&slot) {
            return;
        }
        if usize::from(self.copies) == COPIES_MAX {
            let kept: Vec<_> =
                self.confirmed().iter().copied().filter(|slot| owners.contains(slot)).collect();
            self.copies = 0;
            kept.into_iter().take(COPIES_MAX - 1).for_each(|slot| self.push(slot));
        }
        self.push(slot);
    }

    fn push(&mut self, slot: Slot) {
        self.confirmed[usize::from(self.copies)] = slot;
        self.copies += 1;
    }
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The position the next chunk gets: everything put so far has a smaller one.
    pub(super) fn next_position(&self) -> u64 {
        self.next
    }

    /// Every chunk below this position that ever was here is on its hosts, or was let go from memory.
    pub(super) fn low_water(&self) -> u64 {
        self.entries.keys().next().copied().unwrap_or(self.next)
    }

    /// Every chunk below this position that ever was here is on some other device, or was let go from memory. What is confirmed
    /// stays so, and what is put in comes last: nothing is looked at twice.
    pub(super) fn alone_low_water(&mut self) -> u64 {
        let alone = self.entries.range(self.alone_from..).find(|(_, entry)| entry.copies == 0);
        self.alone_from = alone.map_or(self.next, |(position, _)| *position);
        self.alone_from
    }

    /// The chunk at a position, unless this peer has it.
    pub(super) fn lacking(&self, position: u64, slot: Slot) -> Option<ChunkId> {
        let entry = self.entries.get(&position)?;
        (!entry.confirmed().contains(&slot)).then_some(entry.id)
    }

    /// How many others have confirmed the chunk at a position.
    pub(super) fn copies(&self, position: u64) -> usize {
        self.entries.get(&position).map_or(0, |entry| entry.confirmed().len())
    }

    /// Nothing lacks copies, and the disk knows of all that has them.
    pub(super) fn is_done(&self) -> bool {
        self.entries.is_empty() && self.clearing.is_empty()
    }

    /// Whether each chunk is on one of these hosts at least.
    pub(super) fn all_on_one_of(&self, hosts: &[Slot]) -> bool {
        let confirmed = |entry: &Entry| entry.confirmed().iter().any(|slot| hosts.contains(slot));
        self.entries.values().all(confirmed)
    }

    /// The chunk is not in the store any more: there is nothing to copy.
    pub(super) fn forget(&mut self, position: u64) {
        self.take(position);
    }

    fn take(&mut self, position: u64) -> Option<Entry> {
        let entry = self.entries.remove(&position)?;
        self.positions.remove(&entry.id);
        self.parked.remove(&position);
        self.unreadable.remove(position);
        Some(entry)
    }

    /// Why the chunk at a position is to be copied.
    pub(super) fn cause(&self, position: u64) -> Option<Cause> {
        self.entries.get(&position).map(|entry| entry.cause)
    }

    pub(super) fn is_healing(&self, position: Option<u64>) -> bool {
        position.and_then(|position| self.cause(position)) == Some(Cause::Healing)
    }

    pub(super) fn position(&self, id: &ChunkId) -> Option<u64> {
        self.positions.get(id).copied()
    }

    pub(super) fn id_at(&self, position: u64) -> Option<ChunkId> {
        self.entries.get(&position).map(|entry| entry.id)
    }

    /// The disk is to be told.
    pub(super) fn is_replicated(&mut self, id: ChunkId) {
        self.clearing.insert(id, false);
        self.replicated.push(id);
    }

    pub(super) fn insert(&mut self, entry: Entry) -> u64 {
        let position = self.next;
        self.next += 1;
        self.positions.insert(entry.id, position);
        self.entries.insert(position, entry);
        position
    }
}

impl Node {
    pub(super) fn take_fresh(&mut self, ids: Vec<ChunkId>, overflowed: bool) {
        let mut all = !overflowed;
        for id in ids {
            if let Some(again) = self.outbox.clearing.get_mut(&id) {
                *again = true;
            }
            all &= self.put_in_outbox(id, Cause::Written);
        }
        if !all {
            self.walk.owe(Cause::Written);
        }
    }

    /// A chunk is to be offered to its owners, whoever confirmed it before. Whether there was room.
    pub(super) fn put_in_outbox(&mut self, id: ChunkId, cause: Cause) -> bool {
        self.unnamed.remove(&id);
        if let Some(position) = self.outbox.positions.get(&id).copied() {
            if cause == Cause::Written {
                self.note_written(position);
            }
            return true;
        }
        if self.outbox.len() >= OUTBOX_MAX_CHUNKS {
            return false;
        }
        self.put_back_in_outbox(Entry { id, cause, confirmed: [ME; COPIES_MAX], copies: 0 });
        true
    }

    /// A person wrote what was to be copied for healing: it does not wait any more.
    fn note_written(&mut self, position: u64) {
        let Some(entry) = self.outbox.entries.get_mut(&position) else { return };
        if std::mem::replace(&mut entry.cause, Cause::Written) == Cause::Written {
            return;
        }
        // Where it is under way already, it is offered twice at most.
        for slot in self.missing(position).unwrap_or_default() {
            if let Some(link) = self.peers.link(slot) {
                link.push.queue(position, Cause::Written);
            }
        }
    }

    /// The same for owners that have not confirmed it; beyond all bounds, which those who call this keep.
    pub(super) fn put_back_in_outbox(&mut self, entry: Entry) {
        let position = self.outbox.insert(entry);
        self.assign_one(position, None);
        self.bound_parked();
        self.shed();
    }

    /// Makes all queues anew.
    pub(super) fn assign(&mut self) {
        let mut busy = HashMap::new();
        for slot in self.peers.others() {
            if let Some(link) = self.peers.link(slot) {
                busy.insert(slot, link.push.unqueue());
            }
        }
        let positions: Vec<_> = self.outbox.entries.keys().copied().collect();
        for position in positions {
            self.assign_one(position, Some(&busy));
        }
        self.bound_parked();
        self.reassign_unnamed();
    }

    /// Queues a chunk to each owner that lacks it and is here; finishes or parks it when there is none.
    pub(super) fn assign_one(&mut self, position: u64, busy: Option<&HashMap<Slot, HashSet<u64>>>) {
        let Some(cause) = self.outbox.cause(position) else { return };
        let missing = self.missing(position).unwrap_or_default();
        let mut queued = false;
        for slot in &missing {
            let under_way = busy.and_then(|busy| busy.get(slot)).is_some_and(|busy| busy.contains(&position));
            if let Some(link) = self.peers.link(*slot) {
                queued = true;
                if !under_way {
                    link.push.queue(position, cause);
                }
            }
        }
        self.settle_entry(position, &missing, queued);
    }

    /// Owners that have not confirmed the chunk, this device not among them.
    fn missing(&self, position: u64) -> Option<Vec<Slot>> {
        self.outbox.entries.get(&position).map(|entry| self.lacking_owners(entry))
    }

    pub(super) fn lacking_owners(&self, entry: &Entry) -> Vec<Slot> {
        let owners = self.hosts.owners(entry.id.partition());
        let lacks = |slot: &&Slot| **slot != ME && !entry.confirmed().contains(slot);
        owners.iter().filter(lacks).copied().collect()
    }

    pub(super) fn has_enough_owners(&self, id: &ChunkId) -> bool {
        self.hosts.owners(id.partition()).len() >= self.settings.copies_min()
    }

    /// What it lacks is looked at anew.
    pub(super) fn resettle(&mut self, position: u64) {
        let Some(missing) = self.missing(position) else { return };
        let under_way = missing.iter().any(|slot| self.peers.get(*slot).is_greeted());
        self.settle_entry(position, &missing, under_way);
    }

    fn settle_entry(&mut self, position: u64, missing: &[Slot], under_way: bool) {
        let Some(entry) = self.outbox.entries.get(&position) else { return };
        // What cannot be read here is no copy.
        let owns = self.hosts.owners(entry.id.partition()).contains(&ME);
        let mine_counts = !owns || !self.outbox.unreadable.contains(position);
        if missing.is_empty() && self.has_enough_owners(&entry.id) && mine_counts {
            if let Some(entry) = self.outbox.take(position) {
                self.hold_until_named(entry);
            }
        } else if under_way || !mine_counts {
            self.outbox.parked.remove(&position);
        } else {
            self.outbox.parked.insert(position);
        }
    }

    /// A peer has the chunk, durably.
    pub(super) fn confirm(&mut self, position: u64, slot: Slot) {
        let Some(entry) = self.outbox.entries.get_mut(&position) else { return };
        entry.confirm(slot, self.hosts.owners(entry.id.partition()));
        self.moved_at = Some(self.now);
        self.resettle(position);
        self.bound_parked();
    }

    /// One slow host must not take the room of chunks that others wait for: what only slow hosts lack is left to the store, which is
    /// walked when they have caught up.
    fn shed(&mut self) {
        if self.outbox.len() < SHED_CHUNKS || self.now < self.outbox.shed_at {
            return;
        }
        self.outbox.shed_at = self.now + SHED_EVERY_MS;
        let slow: HashSet<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.link.as_ref().is_some_and(|link| link.push.queued() > SLOW_QUEUE_CHUNKS))
            .map(|(slot, _)| slot)
            .collect();
        let positions: Vec<_> = self.outbox.entries.keys().copied().collect();
        for position in positions {
            let missing = self.missing(position).unwrap_or_default();
            let copied = self.outbox.entries.get(&position).is_some_and(|entry| entry.copies > 0);
            if copied && !missing.is_empty() && missing.iter().all(|slot| slow.contains(slot)) {
                self.let_go(position, &missing);
            }
        }
    }

    fn let_go(&mut self, position: u64, missing: &[Slot]) {
        for slot in missing {
            self.peers.get_mut(*slot).parked = true;
        }
        let cause = self.outbox.cause(position).unwrap_or(Cause::Healing);
        self.outbox.forget(position);
        self.walk.owe_later(cause);
    }

    /// A host that has caught up gets what was let go meanwhile.
    pub(super) fn note_caught_up(&mut self, slot: Slot) {
        let peer = self.peers.get_mut(slot);
        let idle = peer.link.as_ref().is_some_and(|link| link.greeted && link.push.is_idle());
        if peer.parked && idle {
            peer.parked = false;
            self.walk.wanted = true;
        }
    }

    /// Lets go of parked chunks beyond the bound. The store still knows them: it is walked when their hosts come.
    fn bound_parked(&mut self) {
        while self.outbox.parked.len() > PARKED_MAX_CHUNKS {
            let Some(position) = self.outbox.parked.first().copied() else { return };
            let missing = self.missing(position).unwrap_or_default();
            self.outbox.parked_for_hosts |= missing.is_empty();
            self.let_go(position, &missing);
        }
    }

    /// Tells the disk what needs no more care.
    pub(super) fn pump_replicated(&mut self) {
        while !self.outbox.replicated.is_empty() && self.outbox.clearing_jobs < CLEARING_MAX_JOBS {
            let rest = self.outbox.replicated.len().saturating_sub(REPLICATED_MAX_IDS);
            let ids = self.outbox.replicated.split_off(rest);
            let all_mine = ids.iter().all(|id| self.hosts.may_keep(id.partition()));
            let agreeing = if all_mine { BTreeSet::new() } else { self.agreeing() };
            let mut by_keep: BTreeMap<(Keep, bool), Vec<ChunkId>> = BTreeMap::new();
            for id in ids {
                by_keep.entry(self.keep_of(id.partition(), &agreeing)).or_default().push(id);
            }
            for ((keep, surplus), ids) in by_keep {
                self.outbox.clearing_jobs += 1;
                let waiting = Waiting::Replicated { surplus, ids: ids.clone() };
                self.job(Job::Replicated { ids, keep }, waiting);
            }
        }
    }

    pub(super) fn cleared(&mut self, surplus: bool, ids: Vec<ChunkId>, result: &JobResult) {
        self.outbox.clearing_jobs -= 1;
        // What was put again meanwhile, by a file that is not published yet, must stay after all.
        let put_again = ids.into_iter().filter(|id| self.outbox.clearing.remove(id) == Some(true)).collect();
        self.doubt_again(put_again);
        if let (true, JobResult::Ids(placed)) = (surplus, result) {
            self.surplus.add(placed.iter().map(ChunkId::partition));
        }
    }

    fn doubt_again(&mut self, ids: Vec<ChunkId>) {
        if !ids.is_empty() {
            self.job(Job::Doubt { ids }, Waiting::DoubtAgain);
        }
    }

    /// Entries from this position on and before `end`, up to the first that is on fewer computers, this one among them: where that
    /// is, or `end`.
    pub(super) fn copied_through(&self, from: u64, end: u64, copies: usize) -> u64 {
        let hosts = self.hosts.slots();
        let enough = |position: u64, entry: &Entry| {
            let here = usize::from(!self.outbox.unreadable.contains(position));
            here + entry.confirmed().iter().filter(|slot| hosts.contains(slot)).count() >= copies
        };
        let mut entries = self.outbox.entries.range(from..end);
        entries.find(|(position, entry)| !enough(**position, entry)).map_or(end, |(position, _)| *position)
    }

    /// Chunks in memory that this peer should get and has not confirmed.
    pub(super) fn outstanding(&self, slot: Slot) -> usize {
        let lacks = |entry: &&Entry| {
            self.hosts.owners(entry.id.partition()).contains(&slot) && !entry.confirmed().contains(&slot)
        };
        self.outbox.entries.values().filter(lacks).count()
    }
}
