//! What must hold.

use std::collections::BTreeSet;

use chunkstore::ChunkId;
use ledger::Content;
use ledger::identity::DeviceId;
use swarm::Urgency;
use swarm::placement::{HostWeight, owners};

use crate::machine::Machine;
use crate::world::World;

/// Chunks named by any kept version in a member's tree.
pub fn live_chunks(machine: &mut Machine) -> BTreeSet<ChunkId> {
    let mut live = BTreeSet::new();
    let Some(ledger) = machine.log.ledger() else { return live };
    let mut cursor = Some(ledger::Cursor::default());
    while let Some(at) = cursor {
        cursor = ledger
            .for_each_live_content(at, 1000, &mut |content| {
                if let Content::Inline(ids) = content {
                    let (ids, _) = ids.as_chunks::<32>();
                    live.extend(ids.iter().map(|id| ChunkId(*id)));
                }
            })
            .unwrap();
    }
    live
}

impl World {
    /// Machines that host and are not gone for good.
    pub fn hosts(&self) -> Vec<usize> {
        let hosts = self.machines.iter().filter(|machine| {
            machine.gives() > 0 && !machine.destroyed && !self.removed.contains(&machine.index)
        });
        hosts.map(|machine| machine.index).collect()
    }

    /// At the moment when a node calls its log safe: transactions and chunks are durable on enough machines.
    pub fn check_safe(&self, author: usize, sequence: u64) {
        let hosts = self.hosts();
        let roomy = hosts.iter().filter(|host| !self.machines[**host].full).count();
        // Of hosts that it never met a node knows nothing.
        let known = self.machines[author].node.view(self.now).hosts;
        let needed = roomy.min(known).min(self.least_target).max(2);
        let device = self.machines[author].device();
        let has_log = |host: &&usize| self.machines[**host].log.frontier().0.get(&device) >= Some(&sequence);
        let logs = hosts.iter().filter(has_log).count();
        let seed = self.seed;
        assert!(
            logs >= needed.min(hosts.len()),
            "seed {seed}: log of {author} through {sequence} on {logs} hosts"
        );
        let committed = self.machines[author].committed.iter().filter(|(number, _)| *number <= sequence);
        // What was called safe before may be dead by now.
        let given_up = |id: &&ChunkId| {
            self.machines.iter().any(|machine| machine.swept.contains(id) || machine.collected.contains(id))
        };
        for id in committed.flat_map(|(_, ids)| ids).filter(|id| !given_up(id)) {
            // What rotted elsewhere after its receipt is not the author's to know.
            let counts = |host: &&usize| {
                let disk = &self.machines[**host].disk;
                if **host == author { disk.durable(id) } else { disk.flushed(id) }
            };
            let copies = hosts.iter().filter(counts).count();
            assert!(
                copies >= needed,
                "seed {seed}: {id} of {author} is called safe through {sequence}: {copies} copies, needs {needed}: {}",
                self.whereabouts(id)
            );
        }
    }

    /// Runs until everything that must come true in quiet times is true. How long it took.
    pub fn settle(&mut self, most: u64) -> u64 {
        let start = self.now;
        loop {
            match self.unsettled() {
                None => return self.now - start,
                Some(what) if self.now - start > most => {
                    panic!("seed {}: not settled after {most} ms: {what}", self.seed)
                }
                Some(_) => self.run(500),
            }
        }
    }

    fn unsettled(&mut self) -> Option<String> {
        self.logs_apart().or_else(|| self.chunks_apart()).or_else(|| self.not_idle())
    }

    fn standing(&self) -> Vec<usize> {
        let standing =
            self.machines.iter().filter(|machine| machine.up && !self.removed.contains(&machine.index));
        standing.map(|machine| machine.index).collect()
    }

    fn logs_apart(&self) -> Option<String> {
        let standing = self.standing();
        if let Some(busy) = standing.iter().find(|index| self.machines[**index].commit_due) {
            return Some(format!("{busy} has something to commit"));
        }
        let first = &self.machines[standing[0]];
        for machine in standing.iter().map(|index| &self.machines[*index]) {
            if machine.log.frontier() != first.log.frontier() {
                let (a, b) = (machine.log.frontier(), first.log.frontier());
                return Some(format!("logs of {} and {} differ: {a:?} {b:?}", machine.index, first.index));
            }
            if machine.log.roster_digest() != first.log.roster_digest() {
                return Some(format!("rosters of {} and {} differ", machine.index, first.index));
            }
        }
        let digests: BTreeSet<_> =
            standing.iter().filter_map(|index| self.machines[*index].log.digest()).collect();
        assert_eq!(digests.len(), 1, "seed {}: equal logs, different trees", self.seed);
        None
    }

    fn chunks_apart(&mut self) -> Option<String> {
        let weights: Vec<HostWeight> =
            self.hosts().iter().map(|host| self.machines[*host].weight()).collect();
        let member = self.standing().into_iter().find(|index| !self.machines[*index].kind.blind)?;
        // A host that ran full keeps what it has, and others take its place for what is new: then only the number of copies is told.
        let any_full = weights.iter().any(|weight| weight.full);
        let target = usize::from(self.machines[member].log.roster().policy().copies.target);
        let needed = weights.iter().filter(|weight| !weight.full).count().min(target);
        for id in live_chunks(&mut self.machines[member]) {
            let placed = |host: &&usize| self.machines[**host].disk.placed(&id);
            let copies = self.hosts().iter().filter(placed).count();
            let owners = owners(id.partition(), &weights, target);
            let lacks = |owner: &&DeviceId| !self.machines[self.index_of(owner)].disk.placed(&id);
            let lacking = owners.iter().find(lacks).filter(|_| !any_full);
            if copies < needed || lacking.is_some() {
                let lacking = lacking.map(|owner| self.index_of(owner));
                return Some(format!("{id} lacks copies ({lacking:?}): {}", self.whereabouts(&id)));
            }
        }
        None
    }

    /// Runs until no machine keeps for good what is not its share.
    pub fn settle_exactly(&mut self, most: u64) {
        let start = self.now;
        while let Some(what) = self.unsettled().or_else(|| self.surplus()) {
            assert!(self.now - start <= most, "seed {}: after {most} ms: {what}", self.seed);
            self.run(500);
        }
    }

    fn surplus(&mut self) -> Option<String> {
        let weights: Vec<HostWeight> =
            self.hosts().iter().map(|host| self.machines[*host].weight()).collect();
        let member = self.standing().into_iter().find(|index| !self.machines[*index].kind.blind)?;
        let most = usize::from(self.machines[member].log.roster().policy().copies.max);
        for id in live_chunks(&mut self.machines[member]) {
            let keepers = owners(id.partition(), &weights, most);
            let beyond = |index: &usize| {
                let machine = &self.machines[*index];
                machine.disk.placed(&id) && !keepers.contains(&machine.device())
            };
            if let Some(beyond) = self.standing().into_iter().find(beyond) {
                return Some(format!("{beyond} keeps {id}, of which enough are elsewhere"));
            }
        }
        None
    }

    fn whereabouts(&self, id: &ChunkId) -> String {
        let holds = |machine: &Machine| {
            let held = machine.disk.chunks.get(id)?;
            let (index, flushed, lacks) = (machine.index, held.flushed, held.unreplicated);
            Some(format!("on {index}: flushed {flushed}, placed {}, unreplicated {lacks}", held.placed))
        };
        self.machines.iter().filter_map(holds).collect::<Vec<_>>().join("; ")
    }

    fn not_idle(&self) -> Option<String> {
        for machine in self.standing().into_iter().map(|index| &self.machines[index]) {
            let view = machine.node.view(self.now);
            if view.outbox_chunks > 0 || !view.outbox_complete {
                return Some(format!("{} has {} chunks to give", machine.index, view.outbox_chunks));
            }
            if view.safe_through < view.own_sequence {
                let (safe, own) = (view.safe_through, view.own_sequence);
                return Some(format!("{} is safe through {safe} of {own}", machine.index));
            }
            if !machine.tickets.is_empty() {
                return Some(format!("{} still fetches", machine.index));
            }
        }
        None
    }

    /// In quiet times every member can read whatever the tree names.
    pub fn check_reads(&mut self) {
        let members: Vec<_> =
            self.standing().into_iter().filter(|index| !self.machines[*index].kind.blind).collect();
        for index in members {
            self.machines[index].fetched.clear();
            let live = live_chunks(&mut self.machines[index]);
            let far: Vec<_> =
                live.into_iter().filter(|id| !self.machines[index].disk.chunks.contains_key(id)).collect();
            far.iter().take(5).for_each(|id| self.fetch(index, *id, Urgency::Now));
            self.run(15_000);
            let fetched = std::mem::take(&mut self.machines[index].fetched);
            assert_eq!(fetched.len(), far.len().min(5));
            assert!(fetched.iter().all(|(_, result)| result.is_ok()), "{index} cannot read: {fetched:?}");
        }
    }

    /// All that was ever sent is not much more than what had to be: chunks to their hosts, logs to all, and some talk.
    pub fn check_traffic(&self) {
        let kept: usize = self.machines.iter().map(|machine| machine.disk.used).sum();
        let pairs = (self.machines.len() * (self.machines.len() - 1)) as u64;
        let talk = 50_000 * pairs;
        let most = 3 * kept as u64 + talk;
        self.say(&format!("{} bytes sent, {kept} kept, {pairs} pairs", self.traffic()));
        assert!(self.traffic() <= most, "{} bytes sent, {most} would be much", self.traffic());
    }

    /// After a quiet while each pair of machines says next to nothing.
    pub fn check_idle_traffic(&mut self) {
        self.run(120_000);
        let before = self.traffic();
        let seconds = 120;
        self.run(seconds * 1000);
        let machines = self.standing().len() as u64;
        let pairs = machines * (machines - 1);
        let rate = (self.traffic() - before) / seconds;
        assert!(
            rate <= 5 * pairs,
            "seed {}: {rate} bytes a second among {machines} idle machines",
            self.seed
        );
    }
}
