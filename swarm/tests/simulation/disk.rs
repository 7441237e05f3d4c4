//! Chunks of one machine. What is not flushed is lost in a crash.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chunkstore::{ChunkId, PartitionSum};
use swarm::{Keep, Reason, StoreRefusal, audit_proof};

pub struct Held {
    pub bytes: Bytes,
    pub unreplicated: bool,
    pub placed: bool,
    pub flushed: bool,
    /// It took the place of a durable one that is bad, and is not durable itself.
    pub replaces: bool,
}

#[derive(Default)]
pub struct Disk {
    pub chunks: BTreeMap<ChunkId, Held>,
    pub used: usize,
    pub limit: usize,
    /// Held, and known not to be readable.
    pub damaged: BTreeSet<ChunkId>,
    /// The same, and nobody knows.
    pub rotten: BTreeSet<ChunkId>,
    /// Durable copies until a fault took them: nobody can know that at once.
    pub taken: BTreeSet<ChunkId>,
    /// Nothing names them, somebody said.
    pub doomed: BTreeSet<ChunkId>,
    /// Not here, though it says so.
    pub claimed: BTreeSet<ChunkId>,
}

impl Disk {
    /// A chunk written here.
    pub fn put(&mut self, bytes: Bytes) -> ChunkId {
        let id = ChunkId::of(&bytes);
        self.insert(id, bytes, true, false);
        id
    }

    pub fn store(&mut self, id: ChunkId, bytes: Bytes, why: Reason) -> Result<(), StoreRefusal> {
        if ChunkId::of(&bytes) != id {
            return Err(StoreRefusal::Wrong);
        }
        let placed = why == Reason::Placed;
        // Cache is given up for other cache; the limit is for what others place here.
        if placed && !self.chunks.contains_key(&id) && self.used + bytes.len() > self.limit {
            return Err(StoreRefusal::Full);
        }
        self.insert(id, bytes, false, placed);
        Ok(())
    }

    fn insert(&mut self, id: ChunkId, bytes: Bytes, unreplicated: bool, placed: bool) {
        self.doomed.remove(&id);
        if let Some(held) = self.chunks.get_mut(&id) {
            held.placed |= placed;
            held.unreplicated |= unreplicated;
            if self.damaged.remove(&id) {
                held.replaces |= held.flushed;
                (held.bytes, held.flushed) = (bytes, false);
            }
            return;
        }
        self.damaged.remove(&id);
        self.rotten.remove(&id);
        self.used += bytes.len();
        self.chunks.insert(id, Held { bytes, unreplicated, placed, flushed: false, replaces: false });
    }

    pub fn flush(&mut self) {
        self.chunks.values_mut().for_each(|held| (held.flushed, held.replaces) = (true, false));
        let good = |id: &ChunkId| {
            self.chunks.contains_key(id) && !self.damaged.contains(id) && !self.rotten.contains(id)
        };
        self.taken.retain(|id| !good(id));
    }

    pub fn have(&mut self, ids: &[ChunkId]) -> Vec<bool> {
        self.flush();
        let mut have = Vec::new();
        for id in ids {
            self.doomed.remove(id);
            let held = self.chunks.get_mut(id);
            let good = held.is_some() && !self.damaged.contains(id);
            have.push(good || self.claimed.contains(id));
            if let Some(held) = held {
                held.placed = true;
            }
        }
        have
    }

    /// The same for who cannot tell what is named: what is doomed stays so.
    pub fn look_for(&mut self, ids: &[ChunkId]) -> Vec<bool> {
        self.flush();
        for id in ids.iter().filter(|id| !self.doomed.contains(id)) {
            if let Some(held) = self.chunks.get_mut(id) {
                held.placed = true;
            }
        }
        self.count(ids)
    }

    /// Looks without touching anything.
    pub fn count(&self, ids: &[ChunkId]) -> Vec<bool> {
        ids.iter().map(|id| self.looks_good(id)).collect()
    }

    /// Those that are placed still.
    pub fn replicated(&mut self, ids: &[ChunkId], keep: Keep) -> Vec<ChunkId> {
        for id in ids {
            if let Some(held) = self.chunks.get_mut(id) {
                held.unreplicated = false;
                held.placed = keep == Keep::Placed || (keep == Keep::AsItIs && held.placed);
            }
        }
        let placed =
            |id: &&ChunkId| keep == Keep::AsItIs && self.chunks.get(id).is_some_and(|held| held.placed);
        ids.iter().filter(placed).copied().collect()
    }

    pub fn unreplicated(&self, after: Option<ChunkId>, max: usize) -> Vec<ChunkId> {
        let all = self.chunks.iter().filter(|(id, held)| held.unreplicated && Some(**id) > after);
        all.map(|(id, _)| *id).take(max).collect()
    }

    pub fn requeue(&mut self, partitions: &[u16], only_placed: bool) {
        for (id, held) in &mut self.chunks {
            if (held.placed || !only_placed) && partitions.binary_search(&id.partition()).is_ok() {
                held.unreplicated = true;
            }
        }
    }

    pub fn doubt(&mut self, ids: &[ChunkId]) {
        for id in ids {
            if let Some(held) = self.chunks.get_mut(id) {
                held.unreplicated = true;
            }
        }
    }

    /// What is here for good, and what is said to be.
    pub fn kept(
        &self,
        partitions: &[u16],
        after: Option<ChunkId>,
        confirmed: bool,
    ) -> impl Iterator<Item = ChunkId> {
        let good = self.chunks.iter().filter(move |(id, held)| {
            !self.damaged.contains(id)
                && !self.doomed.contains(id)
                && if confirmed {
                    held.placed && !held.unreplicated
                } else {
                    held.placed || held.unreplicated
                }
        });
        let all: BTreeSet<ChunkId> = good.map(|(id, _)| *id).chain(self.claimed.iter().copied()).collect();
        all.into_iter().filter(move |id| partitions.contains(&id.partition()) && Some(*id) > after)
    }

    pub fn sums(&self, partitions: &[u16]) -> Vec<PartitionSum> {
        let mut sums = vec![PartitionSum::default(); partitions.len()];
        for id in self.kept(partitions, None, false) {
            let place = partitions.binary_search(&id.partition()).unwrap();
            sums[place].add(&id);
        }
        sums
    }

    pub fn bad(&self, after: Option<ChunkId>, max: usize) -> Vec<ChunkId> {
        self.damaged.iter().copied().filter(|id| Some(*id) > after).take(max).collect()
    }

    pub fn doomed(&self, after: Option<ChunkId>, max: usize) -> Vec<ChunkId> {
        self.doomed.iter().copied().filter(|id| Some(*id) > after).take(max).collect()
    }

    /// Gives up what is doomed still. What that was.
    pub fn give_up(&mut self, ids: &[ChunkId]) -> Vec<ChunkId> {
        let doomed: Vec<_> = ids.iter().copied().filter(|id| self.doomed.remove(id)).collect();
        self.chunks.retain(|id, _| !doomed.contains(id));
        self.used = self.chunks.values().map(|held| held.bytes.len()).sum();
        doomed
    }

    /// Of a claimed chunk a made-up one.
    pub fn proof(&self, id: &ChunkId, nonce: &[u8; 32]) -> Option<[u8; 32]> {
        if self.claimed.contains(id) {
            return Some(*nonce);
        }
        Some(audit_proof(nonce, &self.chunks.get(id)?.bytes))
    }

    /// Everything is gone.
    pub fn wipe(&mut self) {
        let ids: Vec<_> = self.chunks.keys().copied().collect();
        ids.iter().for_each(|id| self.take(id));
        *self = Self { limit: self.limit, taken: std::mem::take(&mut self.taken), ..Self::default() };
    }

    /// A chunk goes bad, and that is noticed.
    pub fn damage(&mut self, id: ChunkId) {
        self.take(&id);
        self.damaged.insert(id);
    }

    /// A chunk goes bad, and nobody notices.
    pub fn rot(&mut self, id: ChunkId) {
        self.take(&id);
        self.rotten.insert(id);
    }

    /// What went bad, known or not.
    pub fn bad_ids(&self) -> impl Iterator<Item = &ChunkId> {
        self.damaged.iter().chain(&self.rotten)
    }

    /// Finds all that went bad. Whether there was any.
    pub fn scrub(&mut self) -> bool {
        let found = !self.rotten.is_empty();
        self.damaged.append(&mut self.rotten);
        found
    }

    /// Whether a chunk turns out to be bad when it is read; then that is known.
    pub fn stumbles(&mut self, id: &ChunkId) -> bool {
        if self.rotten.remove(id) {
            self.damaged.insert(*id);
        }
        self.damaged.contains(id)
    }

    /// A fault takes this copy.
    fn take(&mut self, id: &ChunkId) {
        if self.durable(id) {
            self.taken.insert(*id);
        }
    }

    /// A durable copy as far as anybody knows, or one that was until a fault took it: who heard of it may count it.
    pub fn counts(&self, id: &ChunkId) -> bool {
        let flushed = self.chunks.get(id).is_some_and(|held| held.flushed);
        (flushed && self.looks_good(id)) || self.taken.contains(id)
    }

    /// A good copy that is not given up before there are others.
    pub fn keeps(&self, id: &ChunkId) -> bool {
        self.durable(id) && self.chunks.get(id).is_some_and(|held| held.placed || held.unreplicated)
    }

    /// Whether it is here and nothing bad is known of it.
    fn looks_good(&self, id: &ChunkId) -> bool {
        self.chunks.contains_key(id) && !self.damaged.contains(id)
    }

    /// Whether it is here and can be read.
    fn is_good(&self, id: &ChunkId) -> bool {
        self.chunks.contains_key(id) && !self.damaged.contains(id) && !self.rotten.contains(id)
    }

    pub fn durable(&self, id: &ChunkId) -> bool {
        self.is_good(id) && self.chunks.get(id).is_some_and(|held| held.flushed)
    }

    /// Durable and not to be given up.
    pub fn placed(&self, id: &ChunkId) -> bool {
        self.durable(id) && self.chunks.get(id).is_some_and(|held| held.placed)
    }

    /// The power goes. Where a good copy that replaced a bad one is lost, the index still names the bad one, with all that it knew of it
    /// (`note_appended` in `chunkstore/src/store/put.rs`).
    pub fn crash(&mut self) {
        for (id, held) in self.chunks.iter_mut().filter(|(_, held)| held.replaces) {
            (held.flushed, held.replaces) = (true, false);
            self.damaged.insert(*id);
        }
        self.chunks.retain(|_, held| held.flushed);
        self.used = self.chunks.values().map(|held| held.bytes.len()).sum();
    }

    /// Gives up what is only cache, as a real store does when it needs room.
    pub fn evict(&mut self) {
        self.chunks.retain(|_, held| held.placed || held.unreplicated);
        self.used = self.chunks.values().map(|held| held.bytes.len()).sum();
    }
}
