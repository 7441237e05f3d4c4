//! What a person may see of the group.

use ledger::identity::DeviceId;
use ledger::roster::Copies;
use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::input::Millis;

/// The state of the group as this device sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// Every other member.
    pub peers: Vec<PeerView>,
    /// Chunks known to lack copies. Chunks that only the store knows are not among them: see `outbox_complete`.
    pub outbox_chunks: usize,
    /// Whether `outbox_chunks` is all: no walk through the store is due.
    pub outbox_complete: bool,
    /// Chunks being fetched.
    pub fetching: usize,
    /// Chunks that should be here, whole, and are about to be fetched for that, or being fetched.
    pub mending: usize,
    /// The last own transaction that is durable here.
    pub own_sequence: u64,
    /// The last own transaction that is safe.
    pub safe_through: u64,
    /// Transactions that others told to be durable with them and that are not here.
    pub logs_to_come: u64,
    /// What is kept in memory for what is under way.
    pub load: Load,
    /// Hosts that count, this device included.
    pub hosts: usize,
    /// There may be copies here that can be given up.
    pub surplus: bool,
    /// What copies are made for now.
    pub copies: Copies,
    /// What would be lost if this device went now.
    pub parting: Parting,
    /// What a host without keys gave up since nothing names it.
    pub garbage: GarbageView,
    /// What went wrong so far.
    pub counters: Counters,
}

/// What is kept in memory for what is under way. Each is bounded, and at rest none of it grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Jobs of the disk without an answer.
    pub jobs: usize,
    /// Chunks that are to be given, fetched or mended.
    pub chunks: usize,
    /// Transactions on their way, and logs that peers were told of or sent, over all links.
    pub log_marks: usize,
    /// Bytes of transactions on their way to the peer that most are on their way to.
    pub log_bytes: usize,
    /// Logs, outlines and devices that are known.
    pub known: usize,
}

/// Garbage on a host without keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GarbageView {
    /// Chunks given up since the start.
    pub collected_chunks: u64,
    /// Chunks that nothing named when a member looked, since the start, and that wait for the second look.
    pub doomed_chunks: u64,
    /// Members that must be heard before more is given up.
    pub unheard: Vec<DeviceId>,
}

/// Whether this device may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parting {
    /// Other hosts that count.
    pub hosts: usize,
    /// Every chunk and every log that is here is known to be on one other host at least.
    pub elsewhere: bool,
    /// This device owns nothing, all it holds is on as many others as are wanted, and nobody counts on its copies.
    pub given_over: bool,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Who.
    pub device: DeviceId,
    /// How long it has been silent, in words.
    pub state: PeerState,
    /// A person said that it will not come back.
    pub declared_lost: bool,
    /// For how long it has not been heard.
    pub silent_ms: Millis,
    /// Whether a link is up and both sides greeted.
    pub connected: bool,
    /// Round trip of the link, milliseconds.
    pub rtt_ms: Option<Millis>,
    /// Chunks it should get and has not acknowledged.
    pub copies_outstanding: usize,
    /// Transactions durable here and not there, as far as it told.
    pub sync_lag: u64,
    /// What it says of itself.
    pub facts: Option<Facts>,
    /// Bytes a second at which chunks came from it, one at a time; none where none came over this link.
    pub chunk_rate: Option<u64>,
    /// Whether it could show that it holds what it should.
    pub audit: Audit,
    /// How its own reading of all its chunks went, as it last said; none where it did not say so since the start.
    pub scrubbed: Option<Scrubbed>,
}

/// How a device's own reading of all its chunks went, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scrubbed {
    /// A whole pass takes so long, seconds; 0: nothing is read without being asked.
    pub every_s: u64,
    /// When its last whole pass ended, milliseconds since 1970; 0: none has.
    pub ended_ms: u64,
    /// Bytes that this pass read.
    pub bytes: u64,
    /// Damaged chunks that it found.
    pub bad_chunks: u64,
    /// Chunks that are damaged there now.
    pub damaged_chunks: u64,
    /// Damaged chunks that became whole again since that device's daemon started.
    pub healed_chunks: u64,
}

/// What one host owns by placement: where copies that are made now go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The host.
    pub device: DeviceId,
    /// Partitions that it owns, of [`chunkstore::PARTITIONS`].
    pub partitions: u16,
    /// How many of each [`OWNED_GROUP_PARTITIONS`] partitions, in order.
    pub groups: Vec<u8>,
}

/// Partitions in each group of [`Owned`].
pub const OWNED_GROUP_PARTITIONS: u16 = 64;

/// How a host answered when it was asked, out of the blue, to prove that it holds a chunk. Since start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audit {
    /// How often it was asked.
    pub asked: u64,
    /// The proof was right.
    pub right: u64,
    /// It claimed to have the chunk, and the proof was wrong.
    pub wrong: u64,
    /// It said that the chunk is not there.
    pub missing: u64,
    /// No answer came in time.
    pub silent: u64,
}

/// How long a peer has been silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerState {
    /// Here, or gone for a moment.
    Online,
    /// Silent for a while.
    Late,
    /// Reads go elsewhere.
    Away,
    /// Its chunks are copied elsewhere.
    Lost,
}

/// Since start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Transactions that will never get in.
    pub refused: u64,
    /// Transactions that waited for something.
    pub held: u64,
    /// Frames that were no message, or one that was not due.
    pub bad_messages: u64,
    /// Chunks whose bytes did not fit their id.
    pub bad_chunks: u64,
    /// Chunks taken in for others.
    pub chunks_hosted: u64,
    /// Chunks fetched.
    pub chunks_fetched: u64,
    /// Of these: chunks that were damaged or missing here and are whole again, without anybody reading them.
    pub chunks_mended: u64,
    /// Frames sent.
    pub frames_sent: u64,
    /// Bytes of them.
    pub bytes_sent: u64,
}
