//! One computer of the group.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chunkstore::ChunkId;
use ledger::Now;
use ledger::identity::DeviceId;
use ledger::roster::Copies;
use swarm::placement::{HostWeight, weight_of};
use swarm::{Facts, FetchError, Job, JobResult, Member, Node, Settings, SignedFacts};

use crate::cast::{CAST, START_MS, wall};
use crate::disk::Disk;
use crate::log::Log;
use crate::verdict::live_chunks;

/// What a machine is.
#[derive(Clone, Debug)]
pub struct Kind {
    pub blind: bool,
    pub contributed: u64,
    pub site: String,
    /// Room of its disk, bytes.
    pub room: usize,
    /// How much its clock is ahead, milliseconds.
    pub ahead_ms: i64,
    /// It is no member at first.
    pub joins: bool,
}

/// Ticket, holders, asked, silent.
pub type Answer = (u64, Vec<(DeviceId, u64)>, u32, u32);

pub struct Machine {
    pub index: usize,
    pub kind: Kind,
    pub up: bool,
    /// It will never come back.
    pub destroyed: bool,
    /// Somebody said so.
    pub declared_lost: bool,
    /// It is on the roster, or was.
    pub joined: bool,
    /// How much its clock is ahead just now, milliseconds.
    pub ahead_ms: i64,
    /// Who it was told is a member.
    pub members: Vec<Member>,
    /// Digest of the roster that it told its node.
    pub told_roster: [u8; 32],
    /// Tells events of earlier lives.
    pub life: u64,
    pub node: Node,
    pub log: Log,
    pub disk: Disk,
    pub known: BTreeMap<DeviceId, SignedFacts>,
    /// What its tables were made for when that was last told to the disk.
    pub placed_for: Copies,
    /// Answers to who waited for copies.
    pub copied: Vec<(u64, bool)>,
    issued: u64,
    pub full: bool,
    /// It was full once: what was put then is safe without it.
    pub was_full: bool,
    /// It says that it leaves.
    pub leaves: bool,
    /// Chunks put since the last commit.
    pub fresh: Vec<ChunkId>,
    /// Chunks of files that are being written: nothing names them yet.
    pub open: BTreeSet<ChunkId>,
    /// Own transactions and the chunks put for them, as they became durable.
    pub committed: Vec<(u64, Vec<ChunkId>)>,
    pub commit_due: bool,
    pub wake_at: Option<u64>,
    pub safe_through: u64,
    /// The most that it ever called safe.
    pub safe_ever: u64,
    /// The most that it ever said to be on another host.
    pub elsewhere_ever: u64,
    pub tickets: BTreeMap<u64, ChunkId>,
    pub next_ticket: u64,
    pub fetched: Vec<(ChunkId, Result<(), FetchError>)>,
    /// Answers to who holds what.
    pub holders: Vec<Answer>,
    pub jobs: usize,
    /// What it was told is dead, as signed.
    pub proofs: Vec<Bytes>,
    /// What it gave up itself, since nothing names it.
    pub swept: BTreeSet<ChunkId>,
    /// What it gave up on that.
    pub collected: BTreeSet<ChunkId>,
}

impl Machine {
    pub fn new(index: usize, kind: Kind, log: Log, settings: &Settings, seed: u64) -> Self {
        let node = Node::new(CAST.devices[index].id(), CAST.keyring.workspace, settings.clone(), seed);
        let disk = Disk { limit: kind.room, ..Disk::default() };
        Self {
            index,
            up: false,
            destroyed: false,
            declared_lost: false,
            joined: !kind.joins,
            ahead_ms: kind.ahead_ms,
            members: Vec::new(),
            told_roster: [0; 32],
            kind,
            life: 0,
            node,
            log,
            disk,
            known: BTreeMap::new(),
            placed_for: settings.copies,
            copied: Vec::new(),
            issued: 0,
            full: false,
            was_full: false,
            leaves: false,
            fresh: Vec::new(),
            open: BTreeSet::new(),
            committed: Vec::new(),
            commit_due: false,
            wake_at: None,
            safe_through: 0,
            safe_ever: 0,
            elsewhere_ever: 0,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            fetched: Vec::new(),
            holders: Vec::new(),
            jobs: 0,
            proofs: Vec::new(),
            swept: BTreeSet::new(),
            collected: BTreeSet::new(),
        }
    }

    pub fn device(&self) -> DeviceId {
        CAST.devices[self.index].id()
    }

    /// What its clock shows.
    pub fn wall(&self, now: u64) -> Now {
        wall(now, self.ahead_ms)
    }

    /// What it gives to the others, bytes.
    pub fn gives(&self) -> u64 {
        if self.leaves { 0 } else { self.kind.contributed }
    }

    pub fn facts(&mut self, now: u64) -> SignedFacts {
        self.issued = (self.issued + 1).max(self.wall(now).wall.millis());
        let facts = Facts {
            device: self.device(),
            issued_ms: self.issued,
            contributed_bytes: self.gives(),
            used_bytes: self.disk.used as u64,
            full: self.full,
            site: self.kind.site.clone(),
            addresses: Vec::new(),
            safe_through: self.safe_through,
            capabilities: if self.leaves { swarm::LEAVES } else { 0 },
        };
        SignedFacts::sign(&CAST.devices[self.index], CAST.keyring.workspace, facts)
    }

    pub fn weight(&self) -> HostWeight {
        let weight = weight_of(self.gives());
        HostWeight { device: self.device(), weight, site: self.kind.site.clone(), full: self.full }
    }

    /// What the disk answers.
    pub fn work(&mut self, now: u64, job: Job) -> JobResult {
        match job {
            Job::Read { id, .. } | Job::Prove { id, .. } if self.disk.stumbles(&id) => JobResult::Failed,
            Job::Read { id, .. } => {
                JobResult::Chunk(self.disk.chunks.get(&id).map(|held| held.bytes.clone()))
            }
            Job::Store { id, bytes, why } => JobResult::Stored(self.disk.store(id, bytes, why)),
            Job::Flush => {
                self.disk.flush();
                JobResult::Flushed(true)
            }
            Job::Have { ids } => JobResult::Have(self.disk.have(&ids)),
            Job::Count { ids } => JobResult::Have(self.disk.count(&ids)),
            Job::Named { ids } => {
                let uncommitted = |id: &ChunkId| self.commit_due && self.fresh.contains(id);
                let sequence = self.log.frontier().0.get(&self.device()).copied().unwrap_or(0);
                let open = |id: &ChunkId| self.open.contains(id) || uncommitted(id);
                JobResult::Named { open: ids.into_iter().filter(open).collect(), sequence }
            }
            Job::Replicated { ids, keep } => JobResult::Ids(self.disk.replicated(&ids, keep)),
            Job::Unreplicated { after, max } => JobResult::Ids(self.disk.unreplicated(after, max)),
            Job::Requeue { partitions } => {
                self.disk.requeue(&partitions, false);
                JobResult::Ok
            }
            Job::RequeueSurplus { partitions } => {
                self.disk.requeue(&partitions, true);
                JobResult::Ok
            }
            Job::Doubt { ids } => {
                self.disk.doubt(&ids);
                JobResult::Ok
            }
            Job::Sums { partitions } => JobResult::Sums(self.disk.sums(&partitions)),
            Job::Kept { partitions, after, max, confirmed } => {
                JobResult::Ids(self.disk.kept(&partitions, after, confirmed).take(max).collect())
            }
            Job::Lacking { ids } => JobResult::Ids(self.lacking(&ids)),
            Job::Damaged { after, max } => JobResult::Ids(self.disk.bad(after, max)),
            Job::Doomed { after, max } => JobResult::Ids(self.disk.doomed(after, max)),
            Job::Doom { ids, proof } => {
                self.proofs.push(proof);
                self.disk.doomed.extend(ids);
                JobResult::Ok
            }
            Job::Collect { dead, alive, proof } => {
                self.proofs.push(proof);
                self.disk.doomed.retain(|id| !alive.contains(id));
                let gone = self.disk.give_up(&dead);
                self.collected.extend(&gone);
                JobResult::Collected(gone.len() as u64)
            }
            Job::Judge { asker, ids } => {
                let (logs, live) = (self.log.frontier(), live_chunks(self));
                let dead = ids.into_iter().filter(|id| !live.contains(id)).collect();
                let parties = (CAST.keyring.workspace, asker);
                JobResult::Judgement(swarm::judge(
                    &CAST.devices[self.index],
                    parties,
                    START_MS + now,
                    logs,
                    dead,
                ))
            }
            Job::Prove { id, nonce } => JobResult::Proof(self.disk.proof(&id, &nonce)),
            Job::LogSince { frontier, max_bytes } => {
                JobResult::Transactions(self.log.since(&frontier, max_bytes))
            }
            Job::Accept { transactions, .. } => {
                let taken = self.log.accept(self.wall(now), &transactions);
                let mut frontier_now = self.log.frontier();
                frontier_now.0.extend(taken.newest);
                JobResult::Accepted { frontier_now, refused: taken.refused, held: taken.held }
            }
            Job::OutlinesSince { counters } => JobResult::Outlines(self.log.outlines_since(&counters)),
            Job::AcceptOutlines { outlines } => {
                let frontier_now = self.log.accept_outlines(self.wall(now), &outlines);
                JobResult::Accepted { frontier_now, refused: 0, held: 0 }
            }
            Job::RosterRecords => JobResult::Records(self.log.records()),
            Job::AcceptRecords { records } => {
                self.log.accept_records(self.wall(now), &records);
                JobResult::Ok
            }
        }
    }

    /// What is wanted here of what another owner has. A blind host cannot tell what nothing names any more.
    fn lacking(&mut self, ids: &[ChunkId]) -> Vec<ChunkId> {
        // What is doomed here is not wanted because another keeps it still.
        let have = if self.kind.blind { self.disk.look_for(ids) } else { self.disk.have(ids) };
        let mut lacking: Vec<_> = ids.iter().zip(have).filter(|(_, have)| !have).map(|(id, _)| *id).collect();
        if !self.kind.blind {
            let live = live_chunks(self);
            lacking.retain(|id| live.contains(id));
        }
        lacking
    }

    /// Makes everything durable, chunks first.
    pub fn commit(&mut self, now: u64) {
        self.disk.flush();
        self.log.commit(self.wall(now));
        let own = self.log.frontier().0.get(&self.device()).copied().unwrap_or(0);
        // Chunks of an edit that came to nothing are named by no transaction yet.
        if self.committed.last().is_none_or(|(last, _)| *last < own) {
            self.committed.push((own, std::mem::take(&mut self.fresh)));
        }
        self.commit_due = false;
    }

    /// Power is gone.
    pub fn crash(&mut self, now: u64) {
        self.up = false;
        self.life += 1;
        self.disk.crash();
        self.log.crash(self.index, self.wall(now));
        self.fresh.clear();
        self.open.clear();
        self.commit_due = false;
        self.wake_at = None;
        self.tickets.clear();
        self.jobs = 0;
    }

    /// All chunks are gone. What of them was nowhere else this machine cannot call safe any more, and does not know it.
    pub fn wipe(&mut self) {
        for (_, ids) in &mut self.committed {
            ids.retain(|id| self.disk.chunks.get(id).is_none_or(|held| !held.unreplicated));
        }
        self.disk.wipe();
        self.full = false;
    }

    /// Chunks of what it ever called safe.
    pub fn acknowledged(&self) -> impl Iterator<Item = &ChunkId> {
        let safe = self.committed.iter().filter(|(number, _)| *number <= self.safe_ever);
        safe.flat_map(|(_, ids)| ids)
    }
}
