//! The clock and all that happens.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use chunkstore::ChunkId;
use ledger::identity::DeviceId;
use ledger::keys::{DeviceKey, DevicePublicKey};
use swarm::{Input, Job, JobResult, Lane, Member, Output, Settings, Urgency};

use crate::cast::CAST;
use crate::log::{Log, decided};
use crate::machine::{Kind, Machine};
use crate::network::{Frame, Weather, Wire};
use crate::random::Random;
use crate::tally::Tally;

/// More jobs of one machine at a time would be a leak.
const JOBS_MAX: usize = 20_000;

pub enum Event {
    Deliver(Frame),
    Wake { machine: usize, life: u64 },
    Work { machine: usize, life: u64, id: u64, job: Job },
    Commit { machine: usize, life: u64 },
    HangUp { a: usize, b: usize, epoch: u64 },
    Dial { a: usize, b: usize },
}

/// How far a machine had the log of one that was removed, on its disk.
pub struct Kept {
    pub of: usize,
    pub by: usize,
    pub through: u64,
}

pub struct World {
    pub seed: u64,
    pub now: u64,
    pub random: Random,
    events: BTreeMap<(u64, u64), Event>,
    counter: u64,
    pub machines: Vec<Machine>,
    pub wires: Vec<Vec<Wire>>,
    pub weather: Weather,
    pub settings: Settings,
    /// The fewest copies that were ever wanted: what was called safe then stays so.
    pub least_target: usize,
    /// Devices that are no longer on the roster.
    pub removed: Vec<usize>,
    /// What members had of the logs of machines that were removed.
    pub kept: Vec<Kept>,
    /// Chunks that were lost with a machine before anybody called them safe.
    pub spoiled: BTreeSet<ChunkId>,
    pub tally: Tally,
    /// Bytes of the good copies that faults took: they have to be sent again.
    pub taken_bytes: usize,
    trace: blake3::Hasher,
    loud: bool,
    pub disconnects: Vec<&'static str>,
    pub events_done: u64,
}

impl World {
    pub fn new(seed: u64, kinds: &[Kind], settings: Settings) -> Self {
        let mut random = Random::new(seed);
        let make = |index: usize, kind: &Kind, random: &mut Random| {
            let log = match (index, kind.blind) {
                (0, _) => Log::found(&first_devices(kinds)[1..]),
                (_, true) => Log::blind(),
                (_, false) => Log::join(index),
            };
            Machine::new(index, kind.clone(), log, &settings, random.next())
        };
        let machines: Vec<_> =
            kinds.iter().enumerate().map(|(index, kind)| make(index, kind, &mut random)).collect();
        let count = kinds.len();
        let mut row = || (0..count).map(|_| Wire::new(&mut random)).collect::<Vec<_>>();
        let wires = (0..count).map(|_| row()).collect();
        let mut world = Self {
            seed,
            now: 1,
            random,
            events: BTreeMap::new(),
            counter: 0,
            machines,
            wires,
            weather: Weather::FINE,
            least_target: usize::from(settings.copies.target),
            settings,
            removed: Vec::new(),
            kept: Vec::new(),
            spoiled: BTreeSet::new(),
            taken_bytes: 0,
            tally: Tally { seeds: 1, hosts: kinds.len() as u64, ..Tally::default() },
            trace: blake3::Hasher::new(),
            loud: std::env::var("PEERDRIVE_SEED").is_ok_and(|loud| loud == seed.to_string()),
            disconnects: Vec::new(),
            events_done: 0,
        };
        world.machines[0].commit(1);
        world
    }

    pub fn say(&self, what: &str) {
        if self.loud {
            println!("{:>9} {what}", self.now);
        }
    }

    /// One number for all that happened.
    pub fn trace(&self) -> [u8; 32] {
        *self.trace.finalize().as_bytes()
    }

    pub fn schedule(&mut self, after: u64, event: Event) {
        self.counter += 1;
        self.events.insert((self.now + after, self.counter), event);
    }

    /// Who is a member as this machine knows it. Before its roster came, it knows what it was told at its pairing.
    pub fn members(&self, index: usize) -> Vec<Member> {
        let holds_keys = |device: &DeviceId| {
            self.machines.iter().all(|machine| machine.device() != *device || !machine.kind.blind)
        };
        let member = |device: DeviceId, key: DevicePublicKey| Member {
            device,
            key,
            holds_keys: holds_keys(&device),
            may_host: true,
        };
        let present = self.machines[index].log.roster().devices().filter(|device| !device.removed);
        let told: Vec<_> = present.map(|device| member(device.id(), device.key)).collect();
        if !told.is_empty() {
            return told;
        }
        let first = self.machines.iter().filter(|machine| !machine.kind.joins);
        let key = |machine: &Machine| CAST.devices[machine.index].public();
        first.map(|machine| member(machine.device(), key(machine))).collect()
    }

    /// Tells a node who is a member if that changed, and calls those that are new.
    fn tell_members(&mut self, index: usize) {
        let members = self.members(index);
        if members != self.machines[index].members {
            self.machines[index].members.clone_from(&members);
            self.feed(index, Input::Members(members));
            self.dial_all(index);
        }
    }

    /// Gives one event to a node and does what it asks for.
    pub fn feed(&mut self, index: usize, input: Input) {
        if !self.machines[index].up {
            return;
        }
        let now = self.now;
        self.machines[index].node.handle(now, input);
        while let Some(output) = self.machines[index].node.poll() {
            self.perform(index, output);
        }
        let machine = &mut self.machines[index];
        if let Some(at) = machine.node.next_wake().map(|at| at.max(now + 1))
            && machine.wake_at.is_none_or(|known| at < known)
        {
            machine.wake_at = Some(at);
            let life = machine.life;
            self.schedule(at - now, Event::Wake { machine: index, life });
        }
    }

    fn perform(&mut self, index: usize, output: Output) {
        match output {
            Output::Send { peer, lane, parts } => self.transmit(index, self.index_of(&peer), lane, &parts),
            Output::Disconnect { peer, why } => {
                let other = self.index_of(&peer);
                self.say(&format!("{index} hangs up on {other}: {why}"));
                self.disconnects.push(why);
                let epoch = self.wires[index][other].epoch;
                self.schedule(0, Event::HangUp { a: index, b: other, epoch });
            }
            Output::Job { id, job } => {
                let machine = &mut self.machines[index];
                machine.jobs += 1;
                assert!(machine.jobs < JOBS_MAX, "{index} asks its disk for too much");
                let life = machine.life;
                let takes = self.random.below(if matches!(job, Job::Flush) { 15 } else { 4 });
                self.schedule(takes, Event::Work { machine: index, life, id, job });
            }
            Output::Fetched { ticket, result } => {
                let machine = &mut self.machines[index];
                let id = machine.tickets.remove(&ticket).expect("each ticket is answered once");
                if result.is_ok() {
                    assert!(machine.disk.chunks.contains_key(&id), "what was fetched is there");
                }
                machine.fetched.push((id, result));
            }
            Output::Holders { ticket, holders, asked, silent } => {
                self.machines[index].holders.push((ticket, holders, asked, silent));
            }
            Output::FactsLearned(facts) => {
                self.machines[index].known.insert(facts.facts().device, facts);
            }
            Output::SafeThrough { sequence } => {
                self.say(&format!("{index} is safe through {sequence}"));
                let machine = &mut self.machines[index];
                machine.safe_through = sequence;
                self.check_safe(index, sequence);
                let machine = &mut self.machines[index];
                machine.safe_ever = machine.safe_ever.max(sequence);
            }
            Output::ElsewhereThrough { sequence } => {
                self.check_elsewhere(index, sequence);
                let machine = &mut self.machines[index];
                machine.elsewhere_ever = machine.elsewhere_ever.max(sequence);
            }
            Output::CopiesPlaced(copies) => self.machines[index].placed_for = copies,
            Output::Copied { ticket, done } => self.machines[index].copied.push((ticket, done)),
            Output::PeerFrontier { .. } => {}
        }
    }

    pub fn index_of(&self, device: &DeviceId) -> usize {
        self.machines.iter().position(|machine| machine.device() == *device).unwrap()
    }

    fn transmit(&mut self, from: usize, to: usize, lane: Lane, parts: &[Bytes]) {
        let wire = &mut self.wires[from][to];
        if !wire.connected {
            return;
        }
        let mut whole = BytesMut::new();
        parts.iter().for_each(|part| whole.extend_from_slice(part));
        let bytes = whole.freeze();
        self.trace.update(&self.now.to_be_bytes());
        self.trace.update(&[from as u8, to as u8, lane as u8]);
        self.trace.update(blake3::hash(&bytes).as_bytes());
        let epoch = wire.epoch;
        let arrivals = wire.arrivals(self.now, lane, bytes.len(), self.weather, &mut self.random);
        self.tally.frames_lost += u64::from(arrivals.is_empty());
        self.tally.frames_doubled += u64::from(arrivals.len() == 2);
        for at in arrivals {
            let frame = Frame { from, to, epoch, lane, bytes: bytes.clone() };
            self.schedule(at - self.now, Event::Deliver(frame));
        }
    }

    /// Lets the world go on for so long.
    pub fn run(&mut self, millis: u64) {
        let until = self.now + millis;
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= until) {
            self.now = entry.key().0;
            let event = entry.remove();
            self.events_done += 1;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(frame) => {
                let wire = &self.wires[frame.from][frame.to];
                if wire.connected && wire.epoch == frame.epoch {
                    let peer = self.machines[frame.from].device();
                    self.feed(frame.to, Input::Frame { peer, lane: frame.lane, bytes: frame.bytes });
                }
            }
            Event::Wake { machine, life } => {
                let woken = &mut self.machines[machine];
                if woken.life == life && woken.wake_at == Some(self.now) {
                    woken.wake_at = None;
                    self.feed(machine, Input::Tick);
                }
            }
            Event::Work { machine, life, id, job } if self.machines[machine].life == life => {
                self.work(machine, id, job);
            }
            Event::Commit { machine, life } if self.machines[machine].life == life => {
                let now = self.now;
                self.machines[machine].commit(now);
                let frontier = self.machines[machine].log.frontier();
                self.feed(machine, Input::LogAdvanced { frontier });
                let counters = self.machines[machine].log.outline_counters();
                self.feed(machine, Input::Outlined(counters));
                // With a batch it may have vouched for what it has of a removed one's log.
                if self.machines[machine].told_roster != self.machines[machine].log.roster_digest() {
                    self.tell_roster(machine);
                }
            }
            Event::HangUp { a, b, epoch } => {
                if self.wires[a][b].epoch == epoch {
                    self.hang_up(a, b);
                    let after = self.random.within(500, 3000);
                    self.schedule(after, Event::Dial { a: a.min(b), b: a.max(b) });
                }
            }
            Event::Dial { a, b } => self.dial(a, b),
            Event::Work { .. } | Event::Commit { .. } => {}
        }
    }

    fn work(&mut self, index: usize, id: u64, job: Job) {
        let accepting =
            matches!(job, Job::Accept { .. } | Job::AcceptRecords { .. } | Job::AcceptOutlines { .. });
        let now = self.now;
        let machine = &mut self.machines[index];
        machine.jobs -= 1;
        let bad = machine.disk.damaged.len();
        let result = machine.work(now, job);
        let stumbled = machine.disk.damaged.len() > bad;
        let ran_full = matches!(result, JobResult::Stored(Err(swarm::StoreRefusal::Full))) && !machine.full;
        machine.full |= ran_full;
        machine.was_full |= ran_full;
        self.feed(index, Input::Done { job: id, result });
        if accepting {
            self.commit_soon(index);
            self.tell_roster(index);
        }
        if stumbled {
            self.feed(index, Input::Damaged);
        }
        if ran_full {
            self.tally.disks_full += 1;
            self.tell_facts(index);
        }
    }

    /// A machine says anew what it gives.
    pub fn tell_facts(&mut self, index: usize) {
        let facts = self.machines[index].facts(self.now);
        self.feed(index, Input::OwnFacts(facts));
    }

    pub fn tell_roster(&mut self, index: usize) {
        let log = &self.machines[index].log;
        let (copies, digest) = (log.roster().policy().copies, log.roster_digest());
        self.machines[index].told_roster = digest;
        self.feed(index, Input::Copies(copies));
        self.tell_members(index);
        self.feed(index, Input::RosterDigest(digest));
    }

    /// A person decides how many copies are wanted.
    pub fn decide(&mut self, index: usize, target: u8) {
        self.say(&format!("{index} decides for {target} copies"));
        self.least_target = self.least_target.min(usize::from(target));
        self.tally.decisions_for_copies += 1;
        let now = self.machines[index].wall(self.now);
        self.machines[index].log.ledger().unwrap().change_roster(now, decided(target)).unwrap();
        self.tell_roster(index);
        self.commit_soon(index);
    }

    pub fn commit_soon(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if !std::mem::replace(&mut machine.commit_due, true) {
            let life = machine.life;
            let after = self.random.within(5, 200);
            self.schedule(after, Event::Commit { machine: index, life });
        }
    }

    /// Puts a chunk on a machine's disk, as writing a file there does.
    pub fn put_chunk(&mut self, index: usize, bytes: Bytes) -> ChunkId {
        self.tally.chunks += 1;
        let id = self.machines[index].disk.put(bytes);
        for machine in &mut self.machines {
            machine.swept.remove(&id);
            machine.collected.remove(&id);
        }
        self.machines[index].fresh.push(id);
        self.feed(index, Input::Fresh { ids: vec![id], overflowed: false });
        id
    }

    pub fn fetch(&mut self, index: usize, id: ChunkId, urgency: Urgency) {
        let machine = &mut self.machines[index];
        let ticket = machine.next_ticket;
        machine.next_ticket += 1;
        machine.tickets.insert(ticket, id);
        self.feed(index, Input::Fetch { ticket, id, urgency });
    }

    /// What it lived through so far.
    pub fn tally(&self) -> Tally {
        let (events, bytes_sent) = (self.events_done, self.traffic());
        Tally { events, bytes_sent, virtual_minutes: self.now / 60_000, ..self.tally }
    }

    /// Bytes sent so far by anybody.
    pub fn traffic(&self) -> u64 {
        self.wires.iter().flatten().map(|wire| wire.bytes).sum()
    }
}

/// Keys of those that are members from the start.
fn first_devices(kinds: &[Kind]) -> Vec<DeviceKey> {
    let first = kinds.iter().zip(&CAST.devices).filter(|(kind, _)| !kind.joins);
    first.map(|(_, device)| device.clone()).collect()
}
