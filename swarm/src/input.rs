//! What the driver tells a [`Node`](crate::Node).
//!
//! At start: `Members`, `OwnFacts`, `KnownFacts` (also when empty), `RosterDigest`, `LogAdvanced`, in any order. Then whatever
//! happens, as it happens.

use bytes::Bytes;
use chunkstore::ChunkId;
use ledger::identity::DeviceId;
use ledger::keys::DevicePublicKey;
use ledger::roster::Copies;
use ledger::{Frontier, OutlineCounters};

use crate::facts::SignedFacts;
use crate::output::JobResult;
use crate::view::Scrubbed;

/// Milliseconds of the driver's monotonic clock.
pub type Millis = u64;

/// One event.
#[derive(Debug)]
pub enum Input {
    /// Time passed: [`Node::next_wake`](crate::Node::next_wake) has come.
    Tick,
    /// The whole roster, this device included, whenever it changed. Who is no longer in it is dropped.
    Members(Vec<Member>),
    /// This device's own facts, signed, whenever they changed.
    OwnFacts(SignedFacts),
    /// What was learned of others before the last stop; given once at start, even when it is empty.
    KnownFacts(Vec<SignedFacts>),
    /// For how long each member had not been heard at start, milliseconds by the wall clock: the sum of [`PeerView::silent_ms`] when
    /// it was last looked at and the time since. Without it a restart counts as having heard everybody.
    ///
    /// [`PeerView::silent_ms`]: crate::PeerView::silent_ms
    Silent(Vec<(DeviceId, Millis)>),
    /// How many copies are wanted, whenever that changed and once at start.
    Copies(Copies),
    /// A link to a member is up.
    Connected {
        /// Who.
        peer: DeviceId,
        /// Round trip, milliseconds. May be told again while the link is up.
        rtt_ms: u64,
    },
    /// The link is down.
    Disconnected {
        /// Who.
        peer: DeviceId,
    },
    /// A frame as it came. Any bytes are safe.
    Frame {
        /// From whom.
        peer: DeviceId,
        /// By which lane.
        lane: Lane,
        /// The frame.
        bytes: Bytes,
    },
    /// How far every log is durable here. Chunks that own transactions name must have been told by `Fresh` before.
    LogAdvanced {
        /// The whole frontier.
        frontier: Frontier,
    },
    /// Counters of the outlines that are durable here, with every `LogAdvanced` after which they are others.
    Outlined(OutlineCounters),
    /// Digest of the roster as it is known here.
    RosterDigest([u8; 32]),
    /// Chunks that this device put and that are nowhere else yet (`UNREPLICATED` is set), in the order of putting.
    Fresh {
        /// Their ids.
        ids: Vec<ChunkId>,
        /// More were put than could be told: the store is walked for them.
        overflowed: bool,
    },
    /// Somebody wants a chunk that is not here.
    Fetch {
        /// Named in the answer.
        ticket: u64,
        /// Which.
        id: ChunkId,
        /// How urgent.
        urgency: Urgency,
    },
    /// Nobody waits for this ticket any more. No answer follows.
    CancelFetch {
        /// Which.
        ticket: u64,
    },
    /// Somebody reads or writes here, told once a second at most while that is so: copies that nobody waits for are made at a pace for
    /// the next 3 s.
    Foreground,
    /// Chunks were found to be damaged here, by whatever way.
    Damaged,
    /// How the reading of all chunks of this device went, whenever that changed. Told to the members that are connected.
    Scrubbed(Scrubbed),
    /// Somebody wants to know which hosts hold these chunks: answered by [`Output::Holders`](crate::Output::Holders), always.
    WhoHas {
        /// Named in the answer.
        ticket: u64,
        /// Which, each once. At most [`HOLDERS_MAX_IDS`](crate::HOLDERS_MAX_IDS) in all open questions, of which each counts
        /// 512 at least: beyond, nobody is asked.
        ids: Vec<ChunkId>,
    },
    /// Somebody waits until the own log is durable through `sequence` on so many computers, this one among them, with every chunk
    /// put before: answered by [`Output::Copied`](crate::Output::Copied), always.
    AwaitCopies {
        /// Named in the answer.
        ticket: u64,
        /// Of the own log; it may become durable here a moment later.
        sequence: u64,
        /// On how many computers.
        copies: usize,
    },
    /// A job ended.
    Done {
        /// Which.
        job: u64,
        /// How.
        result: JobResult,
    },
    /// A person says that this device will not come back. Told to the other members.
    DeclareLost {
        /// Which.
        device: DeviceId,
    },
    /// A person takes that back: it is waited for anew, here and by the members that are connected.
    DeclareFound {
        /// Which.
        device: DeviceId,
    },
}

/// One device on the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub device: DeviceId,
    /// Its key: what its facts are checked against.
    pub key: DevicePublicKey,
    /// Whether it can read the drive; a blind host cannot.
    pub holds_keys: bool,
    /// Whether chunks may be placed there.
    pub may_host: bool,
}

/// How long a fetch can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Read ahead: nobody waits yet.
    Soon,
    /// A reader waits.
    Now,
}

/// The streams of a link, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Small messages that keep the group going.
    Control,
    /// Transactions and roster records.
    Log,
    /// Chunks somebody waits for.
    Urgent,
    /// Chunks nobody waits for.
    Bulk,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 4] = [Self::Control, Self::Log, Self::Urgent, Self::Bulk];

    /// Most bytes of one frame of this lane.
    #[must_use]
    pub const fn frame_max_bytes(self) -> usize {
        match self {
            Self::Control => 256 << 10,
            Self::Log => 2 << 20,
            Self::Urgent | Self::Bulk => (4 << 20) + (64 << 10),
        }
    }
}
