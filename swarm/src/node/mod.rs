//! One device's part in the group.
//!
//! ```text
//! greeting.rs  members, links, hello, beats     gossip.rs    facts, lost devices, roster records
//! log_sync.rs  who lacks which transactions     hosts.rs     who hosts, who owns which partition
//! outlines.rs  who lacks word of what is cleaned
//! outbox.rs    chunks that lack copies          walk.rs      the backlog that is on disk alone
//! push.rs      offers, chunks, receipts         hosting.rs   the other side of it
//! fetch.rs     chunks that are read here        serve.rs     the other side of it
//! safety.rs    what is safe                     copied.rs    who waits for copies
//! surplus.rs   copies that may be given up      status.rs    what a person sees
//! timers.rs    what is due                      holders.rs   who holds what
//! unreadable.rs  chunks of the outbox that are damaged here
//! parting.rs   whether this device may go
//! comparing.rs  what others keep and this device lacks    auditing.rs  whether others hold what they should
//! mending.rs   chunks that should be here, whole   garbage.rs   what a host without keys gives up
//! scrubbed.rs  how each one's reading of all its chunks went
//! background.rs  what is copied for healing yields to people
//! ```

mod auditing;
mod background;
mod backoff;
mod comparing;
mod copied;
mod fetch;
mod garbage;
mod gossip;
mod greeting;
mod holders;
mod hosting;
mod hosts;
mod jobs;
mod log_sync;
mod mending;
mod outbox;
mod outlines;
mod pace;
mod parting;
mod peer;
mod push;
mod safety;
mod scrubbed;
mod serve;
mod status;
mod surplus;
#[cfg(test)]
mod tests;
mod timers;
mod unnamed;
mod unreadable;
mod walk;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ledger::identity::{DeviceId, WorkspaceId};
use ledger::{Frontier, OutlineCounters};

use self::background::Background;
use self::comparing::Probes;
use self::copied::Copied;
use self::fetch::Fetches;
use self::garbage::Garbage;
use self::greeting::Telling;
use self::holders::Holders;
use self::hosting::Hosting;
use self::hosts::Hosts;
use self::jobs::Jobs;
use self::mending::Mending;
use self::outbox::Outbox;
use self::peer::{ME, Peers, Slot};
use self::safety::Safety;
use self::surplus::Surplus;
use self::unnamed::Unnamed;
use self::walk::Walk;
use crate::input::{Input, Lane, Millis, Urgency};
use crate::output::{JobResult, Output};
use crate::settings::Settings;
use crate::view::{Counters, Scrubbed};
use crate::wire::Message;

const DRAW_CONTEXT: &str = "peerdrive 2026 audit draw v1";

/// One device in one workspace.
pub struct Node {
    workspace: WorkspaceId,
    settings: Settings,
    now: Millis,
    random: u64,
    generations: u64,
    out: VecDeque<Output>,
    jobs: Jobs,
    peers: Peers,
    roster_digest: [u8; 32],
    telling: Telling,
    /// What is durable here.
    mine: Frontier,
    /// Counters of the outlines that are durable here.
    outlines: OutlineCounters,
    /// Logs of others that wait a moment before they are passed on, since their author may well do so.
    held_down: BTreeMap<DeviceId, Millis>,
    hosts: Hosts,
    outbox: Outbox,
    walk: Walk,
    safety: Safety,
    copied: Copied,
    surplus: Surplus,
    unnamed: Unnamed,
    hosting: Hosting,
    fetches: Fetches,
    holders: Holders,
    mending: Mending,
    probes: Probes,
    garbage: Garbage,
    /// How the reading of all chunks of this device went; none while it did not say.
    scrubbed: Option<Scrubbed>,
    background: Background,
    /// When chunks last came or went: what hosts keep differs meanwhile.
    moved_at: Option<Millis>,
    /// When logs last came to be durable here.
    logs_at: Millis,
    /// What nonces are drawn from.
    secret: [u8; 32],
    drawn: u64,
    counters: Counters,
}

impl Node {
    /// A node that knows nobody yet. `seed` spreads its timers.
    #[must_use]
    pub fn new(me: DeviceId, workspace: WorkspaceId, settings: Settings, seed: u64) -> Self {
        let mut peers = Peers::default();
        peers.intern(me, 0).expect("the first device has a slot");
        let garbage = Garbage::new(&settings);
        Self {
            workspace,
            settings,
            now: 0,
            random: seed,
            generations: 0,
            out: VecDeque::new(),
            jobs: Jobs::default(),
            peers,
            roster_digest: [0; 32],
            telling: Telling::default(),
            mine: Frontier::default(),
            outlines: OutlineCounters::new(),
            held_down: BTreeMap::new(),
            hosts: Hosts::default(),
            outbox: Outbox::default(),
            walk: Walk::default(),
            safety: Safety::default(),
            copied: Copied::default(),
            surplus: Surplus::default(),
            unnamed: Unnamed::default(),
            hosting: Hosting::default(),
            fetches: Fetches::default(),
            holders: Holders::default(),
            mending: Mending::default(),
            probes: Probes::default(),
            garbage,
            scrubbed: None,
            background: Background::default(),
            moved_at: None,
            logs_at: 0,
            secret: blake3::derive_key(DRAW_CONTEXT, &seed.to_le_bytes()),
            drawn: 0,
            counters: Counters::default(),
        }
    }

    /// Takes one event. Then [`Node::poll`] is to be called until it is empty.
    pub fn handle(&mut self, now: Millis, input: Input) {
        self.now = self.now.max(now);
        self.take(input);
        self.on_time();
        self.pump();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Members(members) => self.take_members(&members),
            Input::OwnFacts(facts) => self.take_own_facts(facts),
            Input::KnownFacts(facts) => self.take_known_facts(facts),
            Input::Silent(silent) => self.take_silent(silent),
            Input::Copies(copies) => self.take_copies(copies),
            Input::Connected { peer, rtt_ms } => self.connected(peer, rtt_ms),
            Input::Disconnected { peer } => self.disconnected(peer),
            Input::Frame { peer, lane, bytes } => self.take_frame(peer, lane, &bytes),
            Input::LogAdvanced { frontier } => self.log_advanced(frontier),
            Input::Outlined(counters) => self.outlined(counters),
            Input::RosterDigest(digest) => self.take_roster_digest(digest),
            Input::Fresh { ids, overflowed } => self.take_fresh(ids, overflowed),
            Input::Fetch { ticket, id, urgency } => {
                if urgency == Urgency::Now {
                    self.note_foreground();
                }
                self.fetch(ticket, id, urgency);
            }
            Input::Foreground => self.note_foreground(),
            Input::CancelFetch { ticket } => self.cancel_fetch(ticket),
            Input::Damaged => self.note_damage(),
            Input::Scrubbed(scrubbed) => self.take_own_scrubbed(scrubbed),
            Input::WhoHas { ticket, ids } => self.who_has(ticket, &ids),
            Input::AwaitCopies { ticket, sequence, copies } => self.await_copies(ticket, sequence, copies),
            Input::Done { job, result } => self.done(job, result),
            Input::DeclareLost { device } => self.declare_lost(device),
            Input::DeclareFound { device } => self.declare_found(device),
        }
    }

    /// Everything that may go on after something happened.
    fn pump(&mut self) {
        self.settle_hosts();
        self.pump_surplus();
        self.pump_walk();
        self.background.look_again();
        for slot in self.in_turn() {
            self.pump_log(slot);
            self.pump_push(slot);
        }
        self.pump_mending();
        self.pump_receipts();
        self.pump_safety();
        self.pump_unnamed();
        self.pump_replicated();
        self.pump_copied();
    }

    fn done(&mut self, job: u64, result: JobResult) {
        if let Some(waiting) = self.jobs.take(job) {
            self.job_done(waiting, result);
        }
    }

    fn me(&self) -> DeviceId {
        self.peers.get(ME).device
    }

    fn send(&mut self, slot: Slot, message: &Message) {
        self.send_parts(slot, message, message.lane(), Vec::new());
    }

    fn send_parts(&mut self, slot: Slot, message: &Message, lane: Lane, raw: Vec<Bytes>) {
        let mut parts = vec![message.encode()];
        parts.extend(raw);
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        debug_assert!(bytes <= lane.frame_max_bytes(), "a frame of {bytes} bytes for {lane:?}");
        self.counters.frames_sent += 1;
        self.counters.bytes_sent += bytes as u64;
        self.out.push_back(Output::Send { peer: self.peers.get(slot).device, lane, parts });
    }

    fn send_all(&mut self, message: &Message, except: Option<Slot>) {
        for slot in self.peers.greeted() {
            if Some(slot) != except {
                self.send(slot, message);
            }
        }
    }

    fn disconnect(&mut self, slot: Slot, why: &'static str) {
        let peer = self.peers.get(slot).device;
        self.out.push_back(Output::Disconnect { peer, why });
        self.drop_link(slot);
    }

    /// 32 bytes that nobody who saw earlier ones can guess.
    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        *blake3::keyed_hash(&self.secret, &self.drawn.to_le_bytes()).as_bytes()
    }

    /// SplitMix64: a number nobody needs to guess, below `most`.
    fn jitter(&mut self, most: Millis) -> Millis {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most.max(1)
    }
}
