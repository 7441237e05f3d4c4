//! Drives the swarm: one task that owns it and hands it time, frames, results and wishes, and does what it says.
//!
//! ```text
//!  links ─ frames ─▶                  ─▶ frames ─ links
//!  workers ─ results ─▶  swarm::Node  ─▶ jobs ─ workers
//!  drive ─ log, fresh chunks, reads ─▶ ─▶ fetched ─ drive
//!  discovery, dialer ─ links ─▶       ─▶ facts ─ peers file
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::identity::DeviceId;
use ledger::keys::{DeviceKey, DevicePublicKey};
use ledger::roster::Copies;
use swarm::{
    Facts, FetchError, Input, Job, JobResult, Millis, Node, Output, Owned, Scrubbed, SignedFacts, View,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use transport::{CloseReason, Endpoint, Found, Lane, Link, LinkSender, PeerKey};

use super::addresses;
use super::calling;
use super::dialer::{Dialer, Due};
use super::doors::Doors;
use super::jobs::Workers;
use super::links::{Came, Incoming, Links, Taken};
use super::logs::{Kept, Members};
use super::peers_file::{self, KeptPeer, PeersFile};
use super::shared::{PeerPath, Shared};
use super::silence::{self, Silence};
use crate::hurry;
use crate::moment::wall_ms;
use crate::scrubbing::LastPass;

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
/// Facts that changed are told at most this often.
const FACTS_PAUSE: Duration = Duration::from_millis(500);
/// The computer's addresses and room are looked at this often.
const LOOK_AROUND: Duration = Duration::from_secs(30);
/// Learnt facts are written to disk at most this often.
const PEERS_FILE_PAUSE: Duration = Duration::from_secs(5);
/// When others were last heard is written at least this often: so much less silence counts after a crash.
const HEARD_PAUSE: Duration = Duration::from_secs(600);
/// Relays that are asked in one call, the nearest first.
const RELAYS_MAX: usize = 3;
/// Room below which this host says that it is full, bytes.
const FULL_BELOW_BYTES: u64 = 64 << 20;
/// Whether somebody works with the drive is looked at this often while the group has work.
const LOOK_AT_WORK: Duration = Duration::from_secs(1);
/// From so many bytes read and written a second on, somebody does; less is a line in a log now and then.
const WORK_BYTES_PER_S: u64 = 64 << 10;

/// Who asks which hosts hold some chunks: each that answers, and how many.
pub type HoldersAnswer = oneshot::Sender<Vec<(DeviceId, u64)>>;

/// What the driver is told by others than the links.
pub enum Told {
    /// A peer called.
    Arrived(Link),
    /// A call went through, or did not.
    Called { device: DeviceId, link: Option<Box<Link>> },
    /// A device showed up on the network.
    Found(Found),
    /// Some jobs are done.
    Done(Vec<(u64, JobResult)>),
    /// A reader wants a chunk in the store.
    Fetch { id: chunkstore::ChunkId, urgency: swarm::Urgency, done: vfs::FetchDone },
    /// An `fsync` waits until this computer's log is on so many computers.
    AwaitCopies { sequence: u64, copies: u8, done: vfs::CopiesDone },
    /// A person says that a device is lost, or is not.
    Declared { device: DeviceId, lost: bool },
    /// Logs went on, on disk.
    LogAdvanced,
    /// New chunks are in the store.
    Fresh,
    /// The roster may have changed.
    RosterChanged,
    /// Where the router lets others in.
    External(Option<SocketAddr>),
    /// Whether this computer passes packets on for others.
    Relays(bool),
    /// This computer leaves the drive, or stays after all.
    Leaves(bool),
    /// What this computer gives changed.
    Given { contribute_bytes: u64 },
    /// A whole pass over all chunks takes so long, seconds, and how the last one went.
    Scrubbed { every_s: u64, last: Option<LastPass> },
    /// Somebody wants to know what each host owns.
    Owned(oneshot::Sender<Vec<Owned>>),
    /// Somebody wants to know who holds these chunks.
    Holders { ids: Vec<chunkstore::ChunkId>, answer: HoldersAnswer },
    /// Somebody wants to know.
    View(oneshot::Sender<(View, BTreeMap<DeviceId, PeerPath>)>),
    /// End.
    Stop,
}

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

    /// Whoever stumbled over it, the group may have good copies. What was told before is known to it.
    fn tell_damage(&mut self) {
        let usage = self.parts.kept.store.usage();
        let damaged = usage.damaged_chunks;
        if let Some(scrubbed) = &mut self.scrubbed {
            (scrubbed.damaged_chunks, scrubbed.healed_chunks) = (damaged, usage.healed_chunks);
            let scrubbed = *scrubbed;
            self.handle(Input::Scrubbed(scrubbed));
        }
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

    fn hear(&mut self, said: Told) {
        match said {
            Told::Arrived(link) => self.arrived(link),
            Told::Called { device, link: Some(link) } => self.connected(device, *link, true),
            Told::Called { device, link: None } => self.call_failed(&device),
            Told::Found(found) => {
                if let Some(device) = self.keys.get(&found.announced.key) {
                    self.dialer.showed_up(Instant::now(), device, &found.addresses);
                }
            }
            Told::Done(done) => done.into_iter().for_each(|(job, result)| self.done(job, result)),
            Told::Fetch { id, urgency, done } => self.fetch(id, urgency, done),
            Told::AwaitCopies { sequence, copies, done } => {
                self.fresh();
                let ticket = self.ticket();
                self.copying.insert(ticket, done);
                self.handle(Input::AwaitCopies { ticket, sequence, copies: copies.into() });
            }
            Told::Declared { device, lost } => {
                self.handle(if lost {
                    Input::DeclareLost { device }
                } else {
                    Input::DeclareFound { device }
                });
                self.unsaved_since.get_or_insert_with(Instant::now);
            }
            Told::LogAdvanced => self.log_advanced(),
            Told::Fresh => {
                self.fresh_due.get_or_insert_with(|| Instant::now() + FRESH_PAUSE);
            }
            Told::RosterChanged => self.refresh_members(),
            Told::External(address) => {
                self.external = address;
                self.own_facts_due.get_or_insert(Instant::now());
            }
            Told::Relays(relays) => {
                self.is_relay = relays;
                self.own_facts_due.get_or_insert(Instant::now());
            }
            Told::Leaves(leaves) => {
                self.parts.leaves = leaves;
                self.own_facts_due = None;
                self.renew_own_facts();
            }
            Told::Given { contribute_bytes } => {
                self.parts.contribute_bytes = contribute_bytes;
                self.own_facts_due.get_or_insert(Instant::now());
            }
            Told::Scrubbed { every_s, last } => {
                let LastPass { ended_ms, bytes, bad_chunks } = last.unwrap_or_default();
                self.scrubbed =
                    Some(Scrubbed { every_s, ended_ms, bytes, bad_chunks, ..Scrubbed::default() });
                self.tell_damage();
            }
            Told::Owned(answer) => {
                // Who asked may have given up.
                let _ = answer.send(self.node.owned());
            }
            Told::Holders { ids, answer } => {
                let ticket = self.ticket();
                self.questions.retain(|_, answer| !answer.is_closed());
                self.questions.insert(ticket, answer);
                self.handle(Input::WhoHas { ticket, ids });
            }
            Told::View(answer) => {
                // Who asked may have given up.
                let _ = answer.send((self.node.view(self.now()), self.paths()));
            }
            Told::Stop => {}
        }
    }

    // Links.

    fn tell_online(&self) {
        let online = self.links.devices();
        self.parts.kept.logs.peers_wait(!online.is_empty());
        self.parts.shared.set_online(online);
    }

    fn arrived(&mut self, link: Link) {
        match self.keys.get(&link.sender.peer()) {
            Some(device) => self.connected(*device, link, false),
            // Removed since the handshake.
            None => link.sender.close(CloseReason::Removed),
        }
    }

    fn connected(&mut self, device: DeviceId, link: Link, called: bool) {
        if !self.keys.contains_key(&link.sender.peer()) {
            link.sender.close(CloseReason::Removed);
            self.dialer.not_needed(&device);
            return;
        }
        let (at, rtt, relay) = (link.sender.remote_address(), link.sender.rtt(), link.sender.relay());
        let taken = self.links.take(device, link, called);
        tracing::debug!(%device, %at, ?relay, called, ?taken, "a link");
        match (relay, taken) {
            (None, _) => self.dialer.connected(&device, at, called),
            (Some(_), Taken::Superfluous) if called => self.dialer.not_needed(&device),
            (Some(_), Taken::Superfluous) => {}
            (Some(_), _) => self.dialer.relayed(Instant::now(), &device, called),
        }
        if taken == Taken::Instead {
            self.handle(Input::Disconnected { peer: device });
        }
        if taken != Taken::Superfluous {
            let rtt_ms = u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX);
            self.handle(Input::Connected { peer: device, rtt_ms });
            self.tell_online();
            if self.relays.contains(&device) {
                self.dialer.try_all_again(Instant::now());
            }
        }
    }

    fn call_failed(&mut self, device: &DeviceId) {
        let dice = self.roll();
        self.dialer.failed(Instant::now(), device, dice);
    }

    fn disconnected(&mut self, device: DeviceId, lived: Duration) {
        tracing::debug!(%device, "a link ended");
        self.dialer.lost(Instant::now(), &device, lived);
        self.handle(Input::Disconnected { peer: device });
        self.tell_online();
    }

    fn frame(&mut self, came: Came) {
        if self.links.is_present(&came.device, came.link) {
            let lane = to_swarm(came.lane);
            self.handle(Input::Frame { peer: came.device, lane, bytes: came.bytes });
        }
    }

    fn call(&mut self, due: Due) {
        let Due { device, addresses, through_relays } = due;
        let Some(member) = self.members.device(&device) else { return };
        if self.links.to(&device).is_some_and(|link| link.relay().is_none()) {
            return self.dialer.not_needed(&device);
        }
        let relays = if through_relays { self.relays_for(&device) } else { Vec::new() };
        if addresses.is_empty() && relays.is_empty() {
            // Nothing to call: discovery or another peer may tell.
            return self.call_failed(&device);
        }
        let (endpoint, tell) = (self.parts.endpoint.clone(), self.parts.tell.clone());
        let key = peer_key(&member.key);
        tokio::spawn(async move {
            let link = calling::reach(&endpoint, &addresses, &relays, key).await.map(Box::new);
            tell.tell(Told::Called { device, link });
        });
    }

    /// The links over which a device may be called that does not answer itself.
    fn relays_for(&self, device: &DeviceId) -> Vec<LinkSender> {
        let willing = self.relays.iter().filter(|relay| *relay != device);
        let direct = willing.filter_map(|relay| self.links.to(relay)).filter(|link| link.relay().is_none());
        let mut relays: Vec<LinkSender> = direct.cloned().collect();
        relays.sort_by_key(LinkSender::rtt);
        relays.truncate(RELAYS_MAX);
        relays
    }

    fn paths(&self) -> BTreeMap<DeviceId, PeerPath> {
        let now = Instant::now();
        let of = |device: DeviceId| {
            let link = self.links.to(&device)?;
            let (address, rtt) = (link.remote_address(), link.rtt());
            let relay = link.relay().and_then(|key| self.keys.get(&key).copied());
            let relay = relay.map(|relay| (relay, self.dialer.unanswered(now, &device)));
            let (sent_bytes, received_bytes) = (link.sent_bytes(), link.received_bytes());
            let line_bytes_per_s = link.line_bytes_per_s();
            let near = addresses::is_near(address);
            let path = PeerPath { address, rtt, sent_bytes, received_bytes, line_bytes_per_s, near, relay };
            Some((device, path))
        };
        self.links.devices().into_iter().filter_map(of).collect()
    }

    // Members and facts.

    fn refresh_members(&mut self) {
        // Asked after every job that may have changed it: nothing more is done when it did not.
        let known = !self.members.devices.is_empty();
        if known && self.parts.kept.logs.roster_digest() == self.members.digest {
            return;
        }
        let members = self.parts.kept.logs.members();
        self.parts.kept.logs.roster_changed();
        let present: Vec<_> = members.present().collect();
        self.keys = present.iter().map(|device| (peer_key(&device.key), device.id)).collect();
        self.parts.doors.set_members(self.keys.keys().copied().collect());
        let ids: BTreeSet<DeviceId> = present.iter().map(|device| device.id).collect();
        self.dialer.set_members(Instant::now(), &ids);
        self.relays.retain(|relay| ids.contains(relay));
        for device in self.links.devices().iter().filter(|device| !ids.contains(*device)) {
            tracing::info!(%device, "a device that was removed is cut off");
            self.links.close(device, CloseReason::Removed);
            self.handle(Input::Disconnected { peer: *device });
            self.tell_online();
        }
        let told = present.iter().map(|device| swarm::Member {
            device: device.id,
            key: device.key,
            holds_keys: device.role.is_some_and(ledger::roster::Role::holds_keys),
            may_host: true,
        });
        let told = told.collect();
        let (digest, copies) = (members.digest, members.policy.copies);
        self.members = members.clone();
        self.parts.shared.set_members(members);
        self.handle(Input::Copies(copies));
        self.handle(Input::Members(told));
        self.handle(Input::RosterDigest(digest));
    }

    fn renew_own_facts(&mut self) {
        let usage = self.parts.kept.store.usage();
        let facts = Facts {
            device: self.me,
            issued_ms: 0,
            contributed_bytes: if self.parts.leaves { 0 } else { self.parts.contribute_bytes },
            used_bytes: usage.pack_bytes,
            full: usage.can_store_bytes < FULL_BELOW_BYTES,
            site: self.parts.site.clone(),
            addresses: self
                .external
                .into_iter()
                .chain(addresses::own(self.parts.endpoint.address()))
                .collect(),
            safe_through: self.parts.shared.own_safe_through(),
            capabilities: [(self.is_relay, swarm::RELAYS), (self.parts.leaves, swarm::LEAVES)]
                .into_iter()
                .filter_map(|(is_so, bit)| is_so.then_some(bit))
                .sum(),
        };
        if self.own_facts.as_ref().is_some_and(|before| is_as_good(before, &facts)) {
            return;
        }
        let moved = self.own_facts.as_ref().is_some_and(|before| before.addresses != facts.addresses);
        if moved {
            // On another network others may be nearer.
            self.dialer.try_all_again(Instant::now());
        }
        self.own_facts_told = Instant::now();
        self.own_facts = Some(facts.clone());
        // A clock that was set back must not make facts look old: they follow those issued before.
        let issued_ms = self.parts.shared.next_issue(wall_ms());
        let signed =
            SignedFacts::sign(&self.parts.device, self.parts.kept.workspace, Facts { issued_ms, ..facts });
        self.parts.shared.set_facts(self.me, signed.facts().clone(), signed.as_bytes().to_vec());
        self.handle(Input::OwnFacts(signed));
    }

    fn keep_facts(&mut self, signed: &SignedFacts) {
        let Some(key) = self.members.device(&signed.facts().device).map(|device| device.key) else { return };
        if signed.verify(&key, &self.parts.kept.workspace).is_err() {
            return;
        }
        let facts = signed.facts();
        let device = facts.device;
        if device == self.me {
            self.parts.shared.next_issue(facts.issued_ms);
            return;
        }
        self.dialer.learn(Instant::now(), &device, &facts.addresses);
        if facts.capabilities & swarm::RELAYS == 0 {
            self.relays.remove(&device);
        } else if self.relays.insert(device) && self.links.to(&device).is_some() {
            self.dialer.try_all_again(Instant::now());
        }
        self.parts.shared.set_facts(device, facts.clone(), signed.as_bytes().to_vec());
        self.tell_safety();
        self.unsaved_since.get_or_insert_with(Instant::now);
    }

    /// The drive counts its safe files by what each device says of its own log.
    fn tell_safety(&self) {
        let (has_peers, safe, elsewhere) = self.parts.shared.with(|known| {
            let devices = known.members.devices.iter();
            let safe = devices.map(|device| (device.id, known.safe_through(&device.id, self.me)));
            (known.members.has_peers(), safe.collect(), known.own_elsewhere_through)
        });
        self.parts.kept.logs.set_safe_through(has_peers, safe, elsewhere);
    }

    fn save_peers(&mut self) {
        self.unsaved_since = None;
        self.saved = Instant::now();
        let (view, up, wall) = (self.node.view(self.now()), self.began.elapsed(), wall_ms());
        let lost =
            |device: &DeviceId| view.peers.iter().any(|peer| peer.device == *device && peer.declared_lost);
        let peers = self.parts.shared.with(|known| {
            let others = known.signed_facts.iter().filter(|(device, _)| **device != self.me);
            let kept = others.map(|(device, facts)| KeptPeer {
                heard_ms: self.silence.heard_ms(device, &view, up, wall),
                lost: lost(device),
                facts: facts.clone(),
            });
            kept.collect()
        });
        self.parts.peers_file.write(&peers_file::Kept { placed_for: self.placed_for, peers });
    }

    /// How long others were silent before this start counts from now on.
    fn count_silence(&mut self) {
        if self.began.elapsed() < silence::COUNTS_AFTER || self.silence.is_counted() {
            return;
        }
        let view = self.node.view(self.now());
        if let Some(silent) = self.silence.due(&view, self.began.elapsed(), wall_ms()) {
            self.handle(Input::Silent(silent));
        }
    }

    // Logs and chunks.

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

    fn done(&mut self, job: u64, result: JobResult) {
        let bytes = self.jobs.remove(&job).unwrap_or_default();
        self.storing_bytes -= bytes;
        let roster_may_have_changed = matches!(result, JobResult::Accepted { .. } | JobResult::Ok);
        self.handle(Input::Done { job, result });
        if roster_may_have_changed {
            self.refresh_members();
        }
    }

    /// Does what the swarm says.
    fn work_off(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Send { peer, lane, parts } => self.links.send(&peer, to_transport(lane), parts),
                Output::Disconnect { peer, why } => {
                    tracing::info!(device = %peer, why, "a peer is cut off");
                    if let Some(lived) = self.links.close(&peer, CloseReason::Protocol(why)) {
                        self.dialer.lost(Instant::now(), &peer, lived);
                        self.call_failed(&peer);
                        self.node.handle(self.now(), Input::Disconnected { peer });
                        self.tell_online();
                    }
                }
                Output::Job { id, job } => self.give(id, job),
                Output::Fetched { ticket, result } => {
                    if let Some(done) = self.fetches.remove(&ticket) {
                        done(result.map_err(|error| to_vfs(&error)));
                    }
                }
                Output::Holders { ticket, holders, .. } => {
                    if let Some(answer) = self.questions.remove(&ticket) {
                        // Who asked may have given up.
                        let _ = answer.send(holders);
                    }
                }
                Output::FactsLearned(signed) => self.keep_facts(&signed),
                Output::ElsewhereThrough { sequence } => {
                    self.parts.shared.set_own_elsewhere_through(sequence);
                    self.tell_safety();
                }
                Output::SafeThrough { sequence } => {
                    self.parts.shared.set_own_safe_through(sequence);
                    self.tell_safety();
                    let due = Instant::now().max(self.own_facts_told + FACTS_PAUSE);
                    self.own_facts_due.get_or_insert(due);
                }
                Output::CopiesPlaced(copies) => {
                    if self.placed_for.replace(copies) != Some(copies) {
                        self.unsaved_since.get_or_insert_with(Instant::now);
                    }
                }
                Output::Copied { ticket, done } => {
                    if let Some(answer) = self.copying.remove(&ticket) {
                        answer(done);
                    }
                }
                Output::PeerFrontier { peer, frontier } => self.parts.shared.set_frontier(peer, frontier),
            }
        }
    }

    fn give(&mut self, number: u64, job: Job) {
        let bytes = if let Job::Store { bytes, .. } = &job { bytes.len() } else { 0 };
        self.storing_bytes += bytes;
        self.jobs.insert(number, bytes);
        self.parts.workers.give(number, job);
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

/// Whether telling the new facts would tell nobody anything: what is used changes all the time.
fn is_as_good(before: &Facts, now: &Facts) -> bool {
    let close = before.used_bytes.abs_diff(now.used_bytes) < (now.contributed_bytes / 100).max(16 << 20);
    close && Facts { used_bytes: now.used_bytes, issued_ms: now.issued_ms, ..before.clone() } == *now
}

async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
}

fn to_swarm(lane: Lane) -> swarm::Lane {
    match lane {
        Lane::Control => swarm::Lane::Control,
        Lane::Log => swarm::Lane::Log,
        Lane::Urgent => swarm::Lane::Urgent,
        Lane::Bulk => swarm::Lane::Bulk,
    }
}

fn to_transport(lane: swarm::Lane) -> Lane {
    match lane {
        swarm::Lane::Control => Lane::Control,
        swarm::Lane::Log => Lane::Log,
        swarm::Lane::Urgent => Lane::Urgent,
        swarm::Lane::Bulk => Lane::Bulk,
    }
}

fn to_vfs(error: &FetchError) -> vfs::FetchError {
    match error {
        FetchError::NobodyHasIt => vfs::FetchError::NobodyHasIt,
        FetchError::TimedOut => vfs::FetchError::TimedOut,
        FetchError::Store(why) => {
            tracing::warn!(why, "a chunk came and could not be stored");
            vfs::FetchError::Store
        }
    }
}

/// The key of a device, as the transport names it.
pub fn peer_key(key: &DevicePublicKey) -> PeerKey {
    PeerKey(*key.as_bytes())
}
