//! What must hold.

use std::collections::BTreeSet;

use chunkstore::ChunkId;
use ledger::identity::DeviceId;
use ledger::{Content, Frontier};
use swarm::placement::{HostWeight, owners};
use swarm::{PeerState, PeerView, Urgency};

use crate::machine::Machine;
use crate::scenarios::MINUTE_MS;
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
        let hosts = self
            .machines
            .iter()
            .filter(|machine| machine.gives() > 0 && !machine.destroyed && self.is_member(machine.index));
        hosts.map(|machine| machine.index).collect()
    }

    /// Whether it is on the roster.
    pub fn is_member(&self, index: usize) -> bool {
        self.machines[index].joined && !self.removed.contains(&index)
    }

    /// At the moment when a node calls its log safe: transactions and chunks are durable on enough machines.
    pub fn check_safe(&self, author: usize, sequence: u64) {
        // Who was removed and has not heard of it says what nobody listens to: of its log, others take less as true than they took in.
        if self.removed.contains(&author) {
            return;
        }
        // What befell another one after its receipt is not the author's to know: what was there then counts.
        let hosts = self.hosts_as_known_to(author);
        let roomy = hosts.iter().filter(|host| !self.machines[**host].was_full).count();
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
        // When hosts come or go for good, what was called safe before stays so while it gets more copies; and of what was on its
        // hosts before, and is called safe just then, one copy may be on its way to another.
        let dead = self.machines.iter().any(|machine| machine.destroyed);
        let steady = self.tally.joined == 0 && self.removed.is_empty() && !dead;
        let (before, needed) =
            if steady { (0, needed) } else { (self.machines[author].safe_ever, needed.min(2)) };
        let newly = before + 1..=sequence;
        let committed = self.machines[author].committed.iter().filter(|(number, _)| newly.contains(number));
        // What was called safe before may be dead by now.
        let given_up = |id: &&ChunkId| {
            self.machines.iter().any(|machine| machine.swept.contains(id) || machine.collected.contains(id))
        };
        for id in committed.flat_map(|(_, ids)| ids).filter(|id| !given_up(id)) {
            let copies = hosts.iter().filter(|host| self.machines[**host].disk.counts(id)).count();
            assert!(
                copies >= needed,
                "seed {seed}: {id} of {author} is called safe through {sequence}: {copies} copies of {hosts:?}, needs {needed}: {}",
                self.whereabouts(id)
            );
        }
    }

    /// What is said to be on another host is, log and chunks.
    pub fn check_elsewhere(&self, author: usize, sequence: u64) {
        let (device, seed) = (self.machines[author].device(), self.seed);
        let others = || self.machines.iter().enumerate().filter(|(at, _)| *at != author);
        let has_log = others().any(|(_, other)| other.log.frontier().0.get(&device) >= Some(&sequence));
        assert!(has_log, "seed {seed}: the log of {author} through {sequence} is on no other host");
        // What befell another one after its receipt is not the author's to know.
        if self.machines.iter().any(|machine| machine.destroyed) || !self.removed.is_empty() {
            return;
        }
        let newly = self.machines[author].elsewhere_ever + 1..=sequence;
        let committed = self.machines[author].committed.iter().filter(|(number, _)| newly.contains(number));
        let given_up = |id: &&ChunkId| {
            self.machines.iter().any(|machine| machine.swept.contains(id) || machine.collected.contains(id))
        };
        for id in committed.flat_map(|(_, ids)| ids).filter(|id| !given_up(id)) {
            assert!(
                others().any(|(_, other)| other.disk.counts(id)),
                "seed {seed}: {id} of {author} is said to be elsewhere through {sequence}: {}",
                self.whereabouts(id)
            );
        }
    }

    /// Machines that this one takes for hosts.
    fn hosts_as_known_to(&self, author: usize) -> Vec<usize> {
        let gives = |peer: &&PeerView| peer.facts.as_ref().is_some_and(|facts| facts.contributed_bytes > 0);
        let view = self.machines[author].node.view(self.now);
        let peers = view.peers.iter().filter(gives).filter(|peer| peer.state != PeerState::Lost);
        let mut hosts: Vec<_> = peers.map(|peer| self.index_of(&peer.device)).collect();
        hosts.extend((self.machines[author].kind.contributed > 0).then_some(author));
        hosts
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
                Some(_) => self.run(step(self.now - start)),
            }
        }
    }

    fn unsettled(&mut self) -> Option<String> {
        self.logs_apart().or_else(|| self.chunks_apart()).or_else(|| self.not_idle())
    }

    fn standing(&self) -> Vec<usize> {
        let standing = self.machines.iter().filter(|machine| machine.up && self.is_member(machine.index));
        standing.map(|machine| machine.index).collect()
    }

    fn logs_apart(&self) -> Option<String> {
        let standing = self.standing();
        if let Some(busy) = standing.iter().find(|index| self.machines[**index].commit_due) {
            return Some(format!("{busy} has something to commit"));
        }
        let first = &self.machines[standing[0]];
        for machine in standing.iter().map(|index| &self.machines[*index]) {
            let (a, b) = (machine.log.frontier(), first.log.frontier());
            if a != b {
                return Some(format!("logs of {} and {} differ: {a:?} {b:?}", machine.index, first.index));
            }
            if machine.log.roster_digest() != first.log.roster_digest() {
                return Some(format!("rosters of {} and {} differ", machine.index, first.index));
            }
        }
        let digests: BTreeSet<_> =
            standing.iter().filter_map(|index| self.machines[*index].log.digest()).collect();
        assert_eq!(digests.len(), 1, "seed {}: equal logs, different trees", self.seed);
        self.check_kept(&first.log.frontier());
        None
    }

    /// Whatever a member who may write had of a removed machine's log when that was removed, and has still, counts for all.
    fn check_kept(&self, counts: &Frontier) {
        for kept in self.kept.iter().filter(|kept| self.is_there(kept.by)) {
            let device = self.machines[kept.of].device();
            assert!(
                counts.0.get(&device) >= Some(&kept.through),
                "seed {}: {} had the log of {} through {}: {counts:?}",
                self.seed,
                kept.by,
                kept.of,
                kept.through
            );
        }
    }

    pub fn is_there(&self, index: usize) -> bool {
        self.is_member(index) && !self.machines[index].destroyed
    }

    fn chunks_apart(&mut self) -> Option<String> {
        let weights: Vec<HostWeight> =
            self.hosts().iter().map(|host| self.machines[*host].weight()).collect();
        let member = self.standing().into_iter().find(|index| !self.machines[*index].kind.blind)?;
        // A host without room keeps what it has, and others take its place for the rest: then only the number of copies is told.
        let have_room = weights.iter().filter(|host| !host.full).count();
        let any_full = have_room < weights.len();
        let target = usize::from(self.machines[member].log.roster().policy().copies.target);
        let needed = have_room.min(target);
        let spoiled = self.spoiled.clone();
        for id in live_chunks(&mut self.machines[member]).into_iter().filter(|id| !spoiled.contains(id)) {
            let placed = |host: &&usize| self.machines[**host].disk.placed(&id);
            let copies = self.hosts().iter().filter(placed).count();
            let owners = owners(id.partition(), &weights, target);
            let lacks = |owner: &&DeviceId| !self.machines[self.index_of(owner)].disk.placed(&id);
            let lacking = owners.iter().find(lacks).filter(|_| !any_full);
            if (copies < needed || lacking.is_some()) && self.is_named_by_all(&id) {
                let lacking = lacking.map(|owner| self.index_of(owner));
                return Some(format!(
                    "{id} lacks copies ({lacking:?}) in {} {:?}: {}",
                    id.partition(),
                    self.hosts().iter().map(|h| (*h, self.machines[*h].full)).collect::<Vec<_>>(),
                    self.whereabouts(&id)
                ));
            }
        }
        None
    }

    /// Who gave up history a little earlier than another does not fetch what nothing names there any more.
    fn is_named_by_all(&mut self, id: &ChunkId) -> bool {
        let mut members = self.standing();
        members.retain(|index| !self.machines[*index].kind.blind);
        members.iter().all(|index| live_chunks(&mut self.machines[*index]).contains(id))
    }

    /// Runs until no machine keeps for good what is not its share.
    pub fn settle_exactly(&mut self, most: u64) {
        let start = self.now;
        while let Some(what) = self.unsettled().or_else(|| self.surplus()) {
            assert!(self.now - start <= most, "seed {}: after {most} ms: {what}", self.seed);
            self.run(step(self.now - start));
        }
    }

    fn surplus(&mut self) -> Option<String> {
        let weights: Vec<HostWeight> =
            self.hosts().iter().map(|host| self.machines[*host].weight()).collect();
        let member = self.standing().into_iter().find(|index| !self.machines[*index].kind.blind)?;
        let copies = self.machines[member].log.roster().policy().copies;
        let (target, most) = (usize::from(copies.target), usize::from(copies.max));
        let roomy: Vec<_> =
            weights.iter().map(|weight| HostWeight { full: false, ..weight.clone() }).collect();
        for id in live_chunks(&mut self.machines[member]) {
            let mut keepers = owners(id.partition(), &weights, target);
            keepers.extend(owners(id.partition(), &roomy, most));
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
        let mut asked = Vec::new();
        for index in members {
            self.machines[index].fetched.clear();
            let live = live_chunks(&mut self.machines[index]);
            let far = |id: &ChunkId| {
                !self.machines[index].disk.chunks.contains_key(id) && !self.spoiled.contains(id)
            };
            let far: Vec<_> = live.into_iter().filter(far).take(5).collect();
            far.iter().for_each(|id| self.fetch(index, *id, Urgency::Now));
            asked.push((index, far.len()));
        }
        // All at once: two hundred, one after the other, would be an hour.
        self.run(15_000);
        for (index, count) in asked {
            let fetched = std::mem::take(&mut self.machines[index].fetched);
            assert_eq!(fetched.len(), count);
            assert!(fetched.iter().all(|(_, result)| result.is_ok()), "{index} cannot read: {fetched:?}");
        }
    }

    /// All that was ever sent is not much more than what had to be: chunks to their hosts, logs to all, and some talk.
    pub fn check_traffic(&self) {
        let kept: usize = self.machines.iter().map(|machine| machine.disk.used).sum();
        let kept = kept + self.taken_bytes;
        let machines = self.machines.len() as u64;
        let pairs = machines * (machines - 1);
        // Two that meet tell each other the facts of all, about 200 bytes each, and meet again after a split: in large groups that is
        // more than all else.
        let talk = (45_000 + 400 * machines) * pairs;
        let most = 3 * kept as u64 + talk;
        self.say(&format!("{} bytes sent, {kept} kept, {pairs} pairs", self.traffic()));
        assert!(self.traffic() <= most, "{} bytes sent, {most} would be much", self.traffic());
    }

    /// After a quiet while each pair of machines says next to nothing.
    pub fn check_idle_traffic(&mut self) {
        self.run(120_000);
        let before = self.traffic();
        // Long enough that a difference which is looked into just then does not count for much.
        let seconds = 900;
        self.run(seconds * 1000);
        // Hosts without keys may just be asking, once in a grace, about everything that they keep: 32 bytes for each chunk.
        let standing = self.standing();
        let blind = standing.iter().map(|index| &self.machines[*index]).filter(|machine| machine.kind.blind);
        let asked: u64 = blind.map(|machine| 1000 + 40 * machine.disk.chunks.len() as u64).sum();
        // Where a host has no room each other one may be going through the lists of all, twice in this time (it does so five, then ten
        // minutes after a change): 32 bytes for each chunk, and as much again where it stands in; and a question and its answer for
        // each of the 16 groups of partitions.
        let any_full = self.hosts().iter().any(|host| self.machines[*host].full);
        let kept = standing.iter().map(|index| self.machines[*index].disk.chunks.len() as u64);
        let machines = standing.len() as u64;
        let pairs = machines * (machines - 1);
        let listed = if any_full { 2 * (70 * kept.sum::<u64>() * machines + 16 * 40 * pairs) } else { 0 };
        let rate = (self.traffic() - before) / seconds;
        assert!(
            rate <= 5 * pairs + (asked + listed) / seconds,
            "seed {}: {rate} bytes a second among {machines} idle machines",
            self.seed
        );
    }
}

/// How long to wait before looking again: most is done in a moment, and looking is dear.
fn step(waited_ms: u64) -> u64 {
    if waited_ms < 2 * MINUTE_MS { 500 } else { 10_000 }
}
