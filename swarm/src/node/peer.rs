//! What is known of each device, and the state of a link.

use std::collections::BTreeMap;

use ledger::identity::DeviceId;
use ledger::{Frontier, OutlineCounters};

use super::auditing::Auditing;
use super::backoff::Backoff;
use super::comparing::{CarePace, Comparing};
use super::log_sync::LogFlow;
use super::pace::Pace;
use super::push::PushFlow;
use crate::facts::{Facts, LEAVES, SignedFacts};
use crate::input::{Member, Millis};
use crate::settings::Settings;
use crate::view::{PeerState, Scrubbed};
use crate::wire::Digests;

/// A device by a small number, for as long as the node lives. [`ME`] is this device.
pub(super) type Slot = u16;
/// This device.
pub(super) const ME: Slot = 0;
/// Most devices of one workspace; further ones are not seen.
pub(super) const DEVICES_MAX: usize = 4096;

const HELLO_EVERY_MS: Millis = 1_000;
const HELLO_EVERY_MAX_MS: Millis = 30_000;
const BEAT_EVERY_MS: Millis = 1_000;
const BEAT_EVERY_MAX_MS: Millis = 32_000;
const EXCHANGE_EVERY_MS: Millis = 2_000;
const EXCHANGE_EVERY_MAX_MS: Millis = 300_000;
/// Who keeps to the exchange above asks less often.
const FRONTIERS_AT_ONCE: u64 = 4;
const FRONTIER_TOLD_EVERY_MS: Millis = 1_000;
/// New facts may change who owns what, and are passed on to all.
const FACTS_AT_ONCE: u64 = 8;
const FACTS_BELIEVED_EVERY_MS: Millis = 500;

/// All devices that were ever on the roster since start.
#[derive(Default)]
pub(super) struct Peers {
    all: Vec<Peer>,
    slots: BTreeMap<DeviceId, Slot>,
}

/// One device.
pub(super) struct Peer {
    pub device: DeviceId,
    /// As the roster has it; `None` when it is not, or not any more.
    pub member: Option<Member>,
    pub facts: Option<SignedFacts>,
    /// How often newer ones are believed.
    pub facts_pace: Pace,
    /// When it was last heard, or became known.
    pub seen_at: Millis,
    /// How long it had not been heard at that time: before this node started.
    pub silent_before: Millis,
    /// Somebody said that it will not come back.
    pub declared_lost: bool,
    /// Somebody said so while there was a link to it, which may be about to end.
    pub lost_said_at: Option<Millis>,
    /// It refused chunks for want of room while it had these facts.
    pub refused_at: Option<u64>,
    /// Chunks for it were let go from memory: the store must be walked when it comes.
    pub parked: bool,
    /// It claimed a chunk that it could not show: no copies are placed there until it shows one.
    pub distrusted: bool,
    pub comparing: Comparing,
    pub auditing: Auditing,
    /// How its own reading of all its chunks went, as it says.
    pub scrubbed: Option<Scrubbed>,
    /// How far its logs are durable there, as it told.
    pub told: Frontier,
    /// When it last told so.
    pub told_at: Option<Millis>,
    pub link: Option<Link>,
}

/// A link that is up.
pub(super) struct Link {
    /// Tells this link from earlier ones to the same peer.
    pub generation: u64,
    pub rtt: Millis,
    /// The peer's hello has come.
    pub greeted: bool,
    /// What its release can do, as its hello says.
    pub capabilities: u32,
    /// What the peer knew when it last said so.
    pub heard: Option<Digests>,
    pub hello: Backoff,
    pub beat: Backoff,
    /// When facts, roster marks and a question for the frontier may be sent again.
    pub facts_exchange: Backoff,
    pub roster_exchange: Backoff,
    /// The roster over which it was told last who is lost: who did not know a member then did not take that in.
    pub lost_told_for: Option<[u8; 32]>,
    pub frontier_question: Backoff,
    pub outline_exchange: Backoff,
    /// Counters of the outlines that it has, as far as it told.
    pub outlines: Option<OutlineCounters>,
    /// How often the peer's question for the frontier is answered.
    pub frontier_pace: Pace,
    /// How often its questions for sums, lists and proofs are.
    pub care: CarePace,
    pub log: LogFlow,
    pub push: PushFlow,
    pub guest: Guest,
}

/// What the peer may ask of this device at a time.
#[derive(Default)]
pub(super) struct Guest {
    /// Chunks of its offers that are being stored, bytes.
    pub storing_bytes: usize,
    /// Its offers that are being looked up.
    pub offers: usize,
    /// Its transactions that are being taken in, bytes.
    pub accepting_bytes: usize,
    /// Chunks it asked for that are being read.
    pub reads: usize,
    /// Chunks it wants counted, and that are being looked up.
    pub counting_ids: usize,
    /// Its roster marks are being compared.
    pub comparing: bool,
    /// Its questions for sums, lists and proofs that are being worked on.
    pub sums: usize,
    pub lists: usize,
    pub proofs: usize,
    /// Chunks it wants judged: questions that are worked on.
    pub judging: usize,
    /// Chunks asked of it that have not come, about so many bytes.
    pub asked_bytes: usize,
    /// Chunks that were asked of it and came.
    pub chunks: u64,
    /// Sizes of the chunks it sent, smoothed, bytes.
    pub usual_bytes: usize,
    /// How long it took for one, smoothed, milliseconds.
    pub usual_ms: Millis,
}

impl Guest {
    /// Bytes a second at which chunks came, one at a time.
    pub(super) fn chunk_rate(&self) -> Option<u64> {
        (self.chunks > 0).then(|| self.usual_bytes as u64 * 1000 / self.usual_ms.max(1))
    }
}

impl Peers {
    /// The slot of a device; made when it is new. `None` when there are too many.
    pub(super) fn intern(&mut self, device: DeviceId, now: Millis) -> Option<Slot> {
        if let Some(slot) = self.slots.get(&device) {
            return Some(*slot);
        }
        let slot = Slot::try_from(self.all.len()).ok().filter(|_| self.all.len() < DEVICES_MAX)?;
        self.slots.insert(device, slot);
        self.all.push(Peer::new(device, now));
        Some(slot)
    }

    pub(super) fn slot(&self, device: &DeviceId) -> Option<Slot> {
        self.slots.get(device).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> &Peer {
        &self.all[usize::from(slot)]
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Peer {
        &mut self.all[usize::from(slot)]
    }

    /// Everybody, this device included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Peer)> {
        (0..).zip(&self.all)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Slot, &mut Peer)> {
        (0..).zip(&mut self.all)
    }

    /// Slots of all devices but this one.
    pub(super) fn others(&self) -> impl Iterator<Item = Slot> + use<> {
        1..Slot::try_from(self.all.len()).expect("there are at most DEVICES_MAX")
    }

    /// Slots of peers that have greeted.
    pub(super) fn greeted(&self) -> Vec<Slot> {
        self.iter().filter(|(_, peer)| peer.is_greeted()).map(|(slot, _)| slot).collect()
    }

    /// The link to a peer that has greeted.
    pub(super) fn link(&mut self, slot: Slot) -> Option<&mut Link> {
        self.get_mut(slot).link.as_mut().filter(|link| link.greeted)
    }

    /// The same, if it is still the link of this generation.
    pub(super) fn link_of(&mut self, (slot, generation): (Slot, u64)) -> Option<&mut Link> {
        self.link(slot).filter(|link| link.generation == generation)
    }
}

impl Peer {
    fn new(device: DeviceId, now: Millis) -> Self {
        Self {
            device,
            member: None,
            facts: None,
            facts_pace: Pace::new(FACTS_AT_ONCE, FACTS_BELIEVED_EVERY_MS),
            seen_at: now,
            silent_before: 0,
            declared_lost: false,
            lost_said_at: None,
            refused_at: None,
            parked: false,
            distrusted: false,
            comparing: Comparing::new(now),
            auditing: Auditing::new(now),
            scrubbed: None,
            told: Frontier::default(),
            told_at: None,
            link: None,
        }
    }

    pub(super) fn is_greeted(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.greeted)
    }

    pub(super) fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref().map(SignedFacts::facts)
    }

    /// Whether it is a host, present or not.
    pub(super) fn hosts(&self) -> bool {
        let may = self.member.is_some_and(|member| member.may_host);
        may && self.facts().is_some_and(|facts| facts.contributed_bytes > 0)
    }

    /// Whether it may hold chunks that others want: it hosts, or did until it began to leave.
    pub(super) fn may_hold(&self) -> bool {
        let leaves = self.facts().is_some_and(|facts| facts.capabilities & LEAVES != 0);
        self.hosts() || (self.member.is_some() && leaves)
    }

    /// Whether it said, or showed, that it has no room.
    pub(super) fn is_full(&self) -> bool {
        self.facts().is_some_and(|facts| facts.full || self.refused_at == Some(facts.issued_ms))
    }

    pub(super) fn silent(&self, now: Millis) -> Millis {
        if self.is_greeted() {
            return 0;
        }
        self.silent_before.saturating_add(now.saturating_sub(self.seen_at))
    }

    pub(super) fn state(&self, now: Millis, settings: &Settings) -> PeerState {
        let silent = self.silent(now);
        if self.declared_lost || silent >= settings.lost_after_ms {
            PeerState::Lost
        } else if silent >= settings.away_after_ms {
            PeerState::Away
        } else if silent >= settings.late_after_ms {
            PeerState::Late
        } else {
            PeerState::Online
        }
    }
}

impl Link {
    pub(super) fn new(now: Millis, generation: u64, rtt: Millis, jitter: Millis, window: usize) -> Self {
        let exchange = Backoff::new(now, EXCHANGE_EVERY_MS, EXCHANGE_EVERY_MAX_MS);
        Self {
            generation,
            rtt,
            greeted: false,
            capabilities: 0,
            heard: None,
            hello: Backoff::new(now, HELLO_EVERY_MS, HELLO_EVERY_MAX_MS),
            beat: Backoff::new(now + BEAT_EVERY_MS + jitter, BEAT_EVERY_MS, BEAT_EVERY_MAX_MS + jitter),
            facts_exchange: exchange,
            roster_exchange: exchange,
            lost_told_for: None,
            frontier_question: exchange,
            outline_exchange: exchange,
            outlines: None,
            frontier_pace: Pace::new(FRONTIERS_AT_ONCE, FRONTIER_TOLD_EVERY_MS),
            care: CarePace::new(),
            log: LogFlow::new(now),
            push: PushFlow::new(now, window),
            guest: Guest { usual_bytes: 64 << 10, usual_ms: 20, ..Guest::default() },
        }
    }
}
