//! Drives the swarm: one task that owns it and hands it time, frames, results and wishes, and does what it says.
//!
//! ```text
//!  links ─ frames ─▶                  ─▶ frames ─ links
//!  workers ─ results ─▶  swarm::Node  ─▶ jobs ─ workers
//!  drive ─ log, fresh chunks, reads ─▶ ─▶ fetched ─ drive
//!  discovery, dialer ─ links ─▶       ─▶ facts ─ peers file
//! ```
//!
//! | file | is |
//! |---|---|
//! | `mod.rs` | the task and what is due by time; fresh chunks and reads |
//! | `told.rs` | what others tell it |
//! | `links.rs` | links that come and go |
//! | `members.rs` | members and their facts |
//! | `outputs.rs` | what the swarm says |

mod links;
mod members;
mod outputs;
mod told;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::identity::DeviceId;
use ledger::keys::{DeviceKey, DevicePublicKey};
use ledger::roster::Copies;
use swarm::{Facts, Input, Millis, Node, Scrubbed, SignedFacts};
use tokio::sync::mpsc::UnboundedReceiver;
use transport::{CloseReason, Endpoint, PeerKey};

pub use self::told::{HoldersAnswer, Told};
use super::dialer::Dialer;
use super::doors::Doors;
use super::jobs::Workers;
use super::links::{Incoming, Links};
use super::logs::{Kept, Members};
use super::peers_file::{self, KeptPeer, PeersFile};
use super::shared::Shared;
use super::silence::Silence;
use crate::hurry;

/// Jobs under way at which no more chunks are taken in.
const JOBS_MAX: usize = 512;
/// Bytes being stored at which no more chunks are taken in.
const STORING_MAX_BYTES: usize = 48 << 20;
/// Chunks that the drive waits for at most.
const FETCHES_MAX: usize = 4096;
/// New chunks are gathered so long before the swarm is told of them: small files would wake it, and then the others, one by one.
const FRESH_PAUSE: Duration = Duration::from_millis(4);
/// Ids handed to the swarm at once.
const FRESH_AT_ONCE: usize = 4096;
/// The computer's addresses and room are looked at this often.
const LOOK_AROUND: Duration = Duration::from_secs(30);
/// Learnt facts are written to disk at most this often.
const PEERS_FILE_PAUSE: Duration = Duration::from_secs(5);
/// When others were last heard is written at least this often: so much less silence counts after a crash.
const HEARD_PAUSE: Duration = Duration::from_secs(600);
/// Whether somebody works with the drive is looked at this often while the group has work.
const LOOK_AT_WORK: Duration = Duration::from_secs(1);
/// From so many bytes read and written a second on, somebody does; less is a line in a log now and then.
const WORK_BYTES_PER_S: u64 = 64 << 10;

/// What the driver starts with.
pub struct Parts {
    pub kept: Kept,
    pub device: DeviceKey,
    pub endpoint: Endpoint,
    pub doors: Arc<Doors>,
    pub shared: Arc<Shared>,
    pub peers_file: PeersFile,
    pub workers: Workers,
    pub contribute_bytes: u64,
    pub site: String,
    /// This computer is leaving the drive.
    pub leaves: bool,
    pub seed: u64,
    /// Where the driver itself is told things.
    pub tell: super::Tell,
}

/// The task's state.
pub struct Driver {
    parts: Parts,
    me: DeviceId,
    node: Node,
    began: Instant,
    links: Links,
    dialer: Dialer,
    members: Members,
    keys: HashMap<PeerKey, DeviceId>,
    unsaved_since: Option<Instant>,
    saved: Instant,
    kept_at_start: Vec<KeptPeer>,
    placed_for: Option<Copies>,
    silence: Silence,
    /// Those that say they pass packets on.
    relays: BTreeSet<DeviceId>,
    own_facts: Option<Facts>,
    external: Option<SocketAddr>,
    is_relay: bool,
    own_facts_due: Option<Instant>,
    own_facts_told: Instant,
    looked_around: Instant,
    fresh_due: Option<Instant>,
    fetches: HashMap<u64, vfs::FetchDone>,
    copying: HashMap<u64, vfs::CopiesDone>,
    questions: HashMap<u64, HoldersAnswer>,
    next_ticket: u64,
    jobs: HashMap<u64, usize>,
    storing_bytes: usize,
    dice: u64,
    /// Damaged chunks that the swarm was told of.
    damaged_told: u64,
    /// How the reading of all chunks here went; none until it was told.
    scrubbed: Option<Scrubbed>,
    /// When it was looked whether somebody works, and how much had been read and written then.
    work_seen: (Instant, u64),
}

impl Driver {
    pub fn new(parts: Parts) -> (Self, Incoming) {
        let me = parts.device.id();
        let (links, incoming) = Links::new(me);
        let peers_file::Kept { placed_for, peers } = parts.peers_file.read();
        let copies = placed_for.unwrap_or_else(|| parts.kept.logs.members().policy.copies);
        let settings = with_pauses(swarm::Settings { copies, ..swarm::Settings::default() });
        let node = Node::new(me, parts.kept.workspace, settings, parts.seed);
        let now = Instant::now();
        let driver = Self {
            me,
            node,
            began: now,
            links,
            dialer: Dialer::new(me, now),
            members: Members::default(),
            keys: HashMap::new(),
            unsaved_since: None,
            saved: now,
            kept_at_start: peers,
            placed_for,
            silence: Silence::default(),
            relays: BTreeSet::new(),
            own_facts: None,
            external: None,
            is_relay: false,
            own_facts_due: Some(now),
            own_facts_told: now,
            looked_around: now,
            fresh_due: None,
            fetches: HashMap::new(),
            copying: HashMap::new(),
            questions: HashMap::new(),
            next_ticket: 0,
            jobs: HashMap::new(),
            storing_bytes: 0,
            dice: parts.seed | 1,
            damaged_told: 0,
            scrubbed: None,
            work_seen: (now, 0),
            parts,
        };
        (driver, incoming)
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self, mut incoming: Incoming, mut told: UnboundedReceiver<Told>) {
        self.begin();
        loop {
            self.settle();
            let takes_bulk = self.jobs.len() < JOBS_MAX && self.storing_bytes < STORING_MAX_BYTES;
            let wake = self.next_wake();
            tokio::select! {
                biased;
                said = told.recv() => match said {
                    Some(Told::Stop) | None => break,
                    Some(said) => self.hear(said),
                },
                Some(ended) = incoming.ended.recv() => {
                    if let Some(lived) = self.links.ended(ended) {
                        self.disconnected(ended.device, lived);
                    }
                }
                Some(came) = incoming.frames.recv() => self.frame(came),
                Some(came) = incoming.bulk.recv(), if takes_bulk => self.frame(came),
                () = sleep_until(wake) => self.handle(Input::Tick),
            }
        }
        self.end().await;
    }

    fn begin(&mut self) {
        self.refresh_members();
        let kept: Vec<(SignedFacts, KeptPeer)> = std::mem::take(&mut self.kept_at_start)
            .into_iter()
            .filter_map(|peer| Some((SignedFacts::decode(&peer.facts).ok()?, peer)))
            .collect();
        self.silence = Silence::of(kept.iter().map(|(facts, peer)| (facts.facts().device, peer)));
        for (facts, _) in &kept {
            self.keep_facts(facts);
        }
        let lost = kept.iter().filter(|(_, peer)| peer.lost);
        let lost: Vec<DeviceId> = lost.map(|(facts, _)| facts.facts().device).collect();
        self.handle(Input::KnownFacts(kept.into_iter().map(|(facts, _)| facts).collect()));
        self.tell_damage();
        self.log_advanced();
        self.own_facts_due = None;
        // That it leaves must make a difference to the first tables: what it means may not have been done before the last stop.
        let leaves = std::mem::take(&mut self.parts.leaves);
        self.renew_own_facts();
        self.parts.leaves = leaves;
        self.renew_own_facts();
        // After the first tables were made: what the loss means may not have been done before the last stop.
        for device in lost {
            self.handle(Input::DeclareLost { device });
        }
    }

    async fn end(mut self) {
        self.save_peers();
        // Who waits for copies is told that they are not there, by being let go.
        self.copying.clear();
        for (_, done) in self.fetches.drain() {
            done(Err(vfs::FetchError::NobodyHasIt));
        }
        for device in self.links.devices() {
            self.links.close(&device, CloseReason::Done);
        }
        self.parts.endpoint.close().await;
        let workers = self.parts.workers;
        // They may be in the middle of a flush.
        let _ = tokio::task::spawn_blocking(move || workers.stop()).await;
    }

    fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        self.node.handle(now, input);
        self.work_off();
    }

    /// What is due by time, besides the swarm's own.
    fn settle(&mut self) {
        let now = Instant::now();
        for due in self.dialer.due(now) {
            self.call(due);
        }
        if now.duration_since(self.looked_around) >= LOOK_AROUND {
            self.looked_around = now;
            self.parts.workers.give_care();
            self.tell_scrubbed();
            self.tell_damage();
            self.own_facts_due.get_or_insert(now);
        }
        if self.fresh_due.is_some_and(|due| due <= now) {
            self.fresh();
        }
        if self.own_facts_due.is_some_and(|due| due <= now) {
            self.own_facts_due = None;
            self.renew_own_facts();
        }
        let unsaved = self.unsaved_since.is_some_and(|since| now.duration_since(since) >= PEERS_FILE_PAUSE);
        if unsaved || now.duration_since(self.saved) >= HEARD_PAUSE {
            self.save_peers();
        }
        self.count_silence();
        self.tell_work(now);
    }

    /// Copies that nobody waits for yield to who works here.
    fn tell_work(&mut self, now: Instant) {
        let (seen_at, seen) = self.work_seen;
        let passed = now.duration_since(seen_at);
        if passed < LOOK_AT_WORK {
            return;
        }
        let used = self.parts.kept.store.plain_bytes();
        self.work_seen = (now, used);
        let least = WORK_BYTES_PER_S * passed.as_secs();
        if used - seen >= least {
            self.handle(Input::Foreground);
        }
    }

    /// How the reading of all chunks went, with what is damaged and was mended by now.
    fn tell_scrubbed(&mut self) {
        let Some(scrubbed) = &mut self.scrubbed else { return };
        let usage = self.parts.kept.store.usage();
        (scrubbed.damaged_chunks, scrubbed.healed_chunks) = (usage.damaged_chunks, usage.healed_chunks);
        let scrubbed = *scrubbed;
        self.handle(Input::Scrubbed(scrubbed));
    }

    /// Whoever stumbled over it, the group may have good copies. What was told before is known to it.
    fn tell_damage(&mut self) {
        let damaged = self.parts.kept.store.usage().damaged_chunks;
        if std::mem::replace(&mut self.damaged_told, damaged) < damaged {
            self.handle(Input::Damaged);
        }
    }

    fn next_wake(&self) -> Instant {
        let swarm = self.node.next_wake().map(|at| self.began + Duration::from_millis(at));
        let save = self.unsaved_since.map(|since| since + PEERS_FILE_PAUSE);
        let around = Some(self.looked_around + LOOK_AROUND);
        let all = [swarm, save, around, self.fresh_due, self.own_facts_due, self.dialer.next()];
        all.into_iter().flatten().min().unwrap_or_else(Instant::now)
    }

    fn log_advanced(&mut self) {
        let frontier = self.parts.kept.logs.frontier();
        // Every chunk that these logs name was put before: it must be told before.
        self.fresh();
        self.handle(Input::LogAdvanced { frontier });
        let counters = self.parts.kept.logs.outline_counters();
        self.handle(Input::Outlined(counters));
        // With a batch this device may have vouched for what it has of a removed one's log.
        self.refresh_members();
    }

    fn fresh(&mut self) {
        self.fresh_due = None;
        loop {
            let fresh = self.parts.kept.store.take_fresh(FRESH_AT_ONCE);
            if fresh.ids.is_empty() && !fresh.overflowed {
                return;
            }
            self.handle(Input::Fresh { ids: fresh.ids, overflowed: fresh.overflowed });
        }
    }

    fn fetch(&mut self, id: chunkstore::ChunkId, urgency: swarm::Urgency, done: vfs::FetchDone) {
        if self.fetches.len() >= FETCHES_MAX {
            return done(Err(vfs::FetchError::TimedOut));
        }
        let ticket = self.ticket();
        self.fetches.insert(ticket, done);
        self.handle(Input::Fetch { ticket, id, urgency });
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// A cheap die for pauses (xorshift; G. Marsaglia, 2003).
    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }
}

/// In a test garbage does not wait for days.
fn with_pauses(settings: swarm::Settings) -> swarm::Settings {
    let Some(pause) = hurry::garbage_pause() else { return settings };
    tracing::warn!(?pause, "garbage is given up early: this is for tests");
    let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    swarm::Settings { garbage_grace_ms: pause, garbage_pause_max_ms: pause, ..settings }
}

async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
}

/// The key of a device, as the transport names it.
pub fn peer_key(key: &DevicePublicKey) -> PeerKey {
    PeerKey(*key.as_bytes())
}
