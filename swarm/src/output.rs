//! What a [`Node`](crate::Node) asks of its driver: frames to send, and jobs on the disk that end in an
//! [`Input::Done`](crate::Input::Done) each.

use std::collections::HashSet;

use bytes::Bytes;
use chunkstore::{ChunkId, PartitionSum};
use ledger::identity::DeviceId;
use ledger::roster::Copies;
use ledger::{Frontier, OutlineCounters};
use thiserror::Error;

use crate::facts::SignedFacts;
use crate::input::Lane;

/// Most ids in all open questions for who holds them, 1 MiB.
pub const HOLDERS_MAX_IDS: usize = 32 << 10;

/// What shows that somebody holds a chunk: only who has its sealed bytes can make it, and for each nonce anew.
#[must_use]
pub fn audit_proof(nonce: &[u8; 32], sealed: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(nonce, sealed).as_bytes()
}

/// One request to the driver.
#[derive(Debug)]
pub enum Output {
    /// Send one frame, made of these parts. Lost when the link is down.
    Send {
        /// To whom.
        peer: DeviceId,
        /// By which lane.
        lane: Lane,
        /// The frame in pieces, so that chunks are not copied.
        parts: Vec<Bytes>,
    },
    /// Close the link. The driver says `Disconnected` when it is closed.
    Disconnect {
        /// To whom.
        peer: DeviceId,
        /// For the log.
        why: &'static str,
    },
    /// Do something with the disk and answer with [`Input::Done`](crate::Input::Done).
    Job {
        /// Named in the answer.
        id: u64,
        /// What.
        job: Job,
    },
    /// A fetch ended.
    Fetched {
        /// Whose.
        ticket: u64,
        /// `Ok`: the chunk is in the store.
        result: Result<(), FetchError>,
    },
    /// Who holds the chunks of a [`WhoHas`](crate::Input::WhoHas), within 3 s.
    Holders {
        /// Whose.
        ticket: u64,
        /// Every host that answered, and how many of the chunks it holds, for good or as cache. This device is not among them.
        holders: Vec<(DeviceId, u64)>,
        /// So many connected hosts were asked: none when there were too many ids.
        asked: u32,
        /// So many connected hosts gave no answer: what they hold is not known.
        silent: u32,
    },
    /// Newer facts of a member: to be kept on disk, and its addresses to be tried.
    FactsLearned(SignedFacts),
    /// Own transactions up to here and all chunks they name are on enough hosts.
    SafeThrough {
        /// Of the own log.
        sequence: u64,
    },
    /// Own transactions up to here and all chunks they name are on one other host at least: not enough, and not here alone.
    ElsewhereThrough {
        /// Of the own log.
        sequence: u64,
    },
    /// The tables were made for these, and what that concerns was marked: to be kept on disk for the next start.
    CopiesPlaced(Copies),
    /// What somebody waited for is so, or was not in time.
    Copied {
        /// Whose.
        ticket: u64,
        /// `false`: 30 s are over, or too many wait.
        done: bool,
    },
    /// How far the logs are durable at a peer.
    PeerFrontier {
        /// Who.
        peer: DeviceId,
        /// Its whole frontier, as far as it was told.
        frontier: Frontier,
    },
}

/// Why a fetched chunk is not here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// All hosts are connected and none has it.
    #[error("no host has this chunk: it is lost, or its author has not been connected since")]
    NobodyHasIt,
    /// Nobody who may have it could be asked in time.
    #[error("nobody who has this chunk could be reached in time: start another computer of the drive")]
    TimedOut,
    /// It came and could not be kept.
    #[error("the fetched chunk could not be stored: {0}")]
    Store(String),
}

/// Work on the disk. The driver may answer in any order, except that a `Flush` covers every `Store` answered before it was asked
/// for.
#[derive(Debug)]
pub enum Job {
    /// Read the sealed bytes of a chunk → [`JobResult::Chunk`], or [`JobResult::Failed`] when it is here and cannot be read.
    /// They are for `peer`: while much waits to be sent there, the driver
    /// should let the read wait.
    Read {
        /// Which.
        id: ChunkId,
        /// How urgent.
        for_whom: Priority,
        /// Who gets it.
        peer: DeviceId,
    },
    /// Store a chunk after checking its id → [`JobResult::Stored`]. It need not be flushed.
    Store {
        /// Which.
        id: ChunkId,
        /// Its sealed bytes.
        bytes: Bytes,
        /// Why it is kept.
        why: Reason,
    },
    /// Make everything stored before durable → [`JobResult::Flushed`].
    Flush,
    /// Which of these are held, whole and durable (the driver flushes first) → [`JobResult::Have`]. They were offered by placement:
    /// those held only as cache become placed.
    Have {
        /// Which.
        ids: Vec<ChunkId>,
    },
    /// Which of these are held in any way, durable or not → [`JobResult::Have`]. Nothing changes: cache stays cache, nothing is
    /// flushed.
    Count {
        /// Which.
        ids: Vec<ChunkId>,
    },
    /// Which of these, all put before, belong to files that are open and not published yet; and how far own transactions go that name
    /// the rest → [`JobResult::Named`], once those are durable here. A host without keys publishes nothing.
    Named {
        /// Which.
        ids: Vec<ChunkId>,
    },
    /// These are on enough hosts: clear `UNREPLICATED` → [`JobResult::Ids`]: those that were placed and stay so though
    /// `keep` is [`Keep::AsItIs`].
    Replicated {
        /// Which.
        ids: Vec<ChunkId>,
        /// What they are here from now on.
        keep: Keep,
    },
    /// Ids of chunks with `UNREPLICATED` set, rising, after this one → [`JobResult::Ids`]; fewer than `max` when the walk is over.
    Unreplicated {
        /// Where to go on.
        after: Option<ChunkId>,
        /// Most ids.
        max: usize,
    },
    /// Other hosts own these partitions now: set `UNREPLICATED` durably on all chunks of theirs that are here → [`JobResult::Ok`].
    Requeue {
        /// Which.
        partitions: Vec<u16>,
    },
    /// This device need not keep chunks of these partitions: set `UNREPLICATED` durably on those that are placed here →
    /// [`JobResult::Ok`]. They are given up once their owners are found to have them.
    RequeueSurplus {
        /// Which.
        partitions: Vec<u16>,
    },
    /// These are not known to be on enough hosts any more: set `UNREPLICATED` → [`JobResult::Ok`].
    Doubt {
        /// Which.
        ids: Vec<ChunkId>,
    },
    /// What of these partitions is kept for good, each summed up → [`JobResult::Sums`].
    Sums {
        /// Which, in order.
        partitions: Vec<u16>,
    },
    /// Chunks of these partitions that are kept for good, in order, after this one → [`JobResult::Ids`].
    Kept {
        /// Which, in order.
        partitions: Vec<u16>,
        /// Where to go on.
        after: Option<ChunkId>,
        /// Most ids.
        max: usize,
        /// Only those that are known to be on enough hosts.
        confirmed: bool,
    },
    /// Which of these should be here and are not, or are damaged → [`JobResult::Ids`]. Another owner of theirs keeps them: those held
    /// only as cache become placed; those that nothing names any more are not wanted.
    Lacking {
        /// Which.
        ids: Vec<ChunkId>,
    },
    /// Chunks that are damaged here, in order of ids, after this one → [`JobResult::Ids`].
    Damaged {
        /// Where to go on.
        after: Option<ChunkId>,
        /// Most ids.
        max: usize,
    },
    /// Read a chunk and prove it with [`audit_proof`] → [`JobResult::Proof`], or [`JobResult::Failed`] when it is here and cannot be
    /// read.
    Prove {
        /// Which.
        id: ChunkId,
        /// For this audit only.
        nonce: [u8; 32],
    },
    /// Chunks that were doomed, in order of ids, after this one → [`JobResult::Ids`].
    Doomed {
        /// Where to go on.
        after: Option<ChunkId>,
        /// Most ids.
        max: usize,
    },
    /// Nothing names these, says a member: keep its word durably, then doom them → [`JobResult::Ok`]. Doomed chunks stay, are not
    /// among [`Job::Kept`], and are so no more when they are stored again or found by [`Job::Have`].
    Doom {
        /// Which.
        ids: Vec<ChunkId>,
        /// The signed judgement.
        proof: Bytes,
    },
    /// The same was said again: keep that word durably, then give up what of `dead` is doomed still, and spare `alive` →
    /// [`JobResult::Collected`].
    Collect {
        /// What nothing names.
        dead: Vec<ChunkId>,
        /// What something names after all.
        alive: Vec<ChunkId>,
        /// The signed judgement.
        proof: Bytes,
    },
    /// A host without keys asks which of these no version names that is retained here: read how far the logs are, then look, then
    /// sign that with [`judge`](crate::judge) → [`JobResult::Judgement`].
    Judge {
        /// Who asks.
        asker: DeviceId,
        /// Which.
        ids: Vec<ChunkId>,
    },
    /// Durable transactions that `frontier` lacks → [`JobResult::Transactions`]: about `max_bytes`, at least one if there is any.
    LogSince {
        /// What the peer has.
        frontier: Frontier,
        /// About how much.
        max_bytes: usize,
    },
    /// Take transactions in → [`JobResult::Accepted`]. Later, when they are durable, the driver says `LogAdvanced`.
    Accept {
        /// Sealed.
        transactions: Vec<Bytes>,
        /// Who sent them.
        from: DeviceId,
    },
    /// Outlines that are newer than these → [`JobResult::Outlines`].
    OutlinesSince {
        /// What the peer has.
        counters: OutlineCounters,
    },
    /// Take outlines in → [`JobResult::Accepted`]. Later, when they are durable, the driver says `LogAdvanced` and `Outlined`.
    AcceptOutlines {
        /// Signed.
        outlines: Vec<Bytes>,
    },
    /// All records of the roster → [`JobResult::Records`].
    RosterRecords,
    /// Take roster records in → [`JobResult::Ok`]. The driver then says `RosterDigest` and `Members`.
    AcceptRecords {
        /// In the clear, signed.
        records: Vec<Bytes>,
    },
}

/// Who waits for a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A reader at a peer.
    Reader,
    /// A peer's read-ahead.
    ReadAhead,
    /// Replication.
    Replication,
}

/// What a chunk is here once it is on enough hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keep {
    /// This device is one of the hosts.
    Placed,
    /// What was placed stays so; what was only written here becomes cache.
    AsItIs,
    /// Nobody counts on this copy: cache.
    Cache,
}

/// Why a chunk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Placement names this device.
    Placed,
    /// It was read here.
    Cached,
}

/// Why a chunk was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StoreRefusal {
    /// No room within the contribution or the disk's reserve.
    #[error("no room is left for it")]
    Full,
    /// The bytes do not have this id.
    #[error("its bytes do not fit its id")]
    Wrong,
    /// The disk failed.
    #[error("the disk failed")]
    Failed,
}

/// How a job ended.
#[derive(Debug)]
pub enum JobResult {
    /// Of `Read`; `None` when it is not here, since it was given up: nothing lacks copies of it then. Never for a damaged one.
    Chunk(Option<Bytes>),
    /// Of `Store`.
    Stored(Result<(), StoreRefusal>),
    /// Of `Flush`: whether it succeeded.
    Flushed(bool),
    /// Of `Have` and `Count`: one answer for each id.
    Have(Vec<bool>),
    /// Of `Named`.
    Named {
        /// Those that nothing durable names yet.
        open: HashSet<ChunkId>,
        /// Own transactions up to here, all durable, name the others, or none ever will.
        sequence: u64,
    },
    /// Of `Unreplicated`, `Replicated`, `Kept`, `Lacking`, `Damaged` and `Doomed`.
    Ids(Vec<ChunkId>),
    /// Of `Sums`: one for each partition.
    Sums(Vec<PartitionSum>),
    /// Of `Prove`; `None` when it is not here.
    Proof(Option<[u8; 32]>),
    /// Of `Collect`: so many chunks were given up.
    Collected(u64),
    /// Of `Judge`; `None` when it cannot be told.
    Judgement(Option<Bytes>),
    /// Of `LogSince`.
    Transactions(Vec<Bytes>),
    /// Of `OutlinesSince`.
    Outlines(Vec<Bytes>),
    /// Of `Accept` and `AcceptOutlines`.
    Accepted {
        /// With what was just taken in, durable or not.
        frontier_now: Frontier,
        /// So many will never get in.
        refused: u32,
        /// So many wait for something.
        held: u32,
    },
    /// Of `RosterRecords`.
    Records(Vec<Bytes>),
    /// Of `Requeue`, `RequeueSurplus`, `Doubt`, `Doom`, `AcceptRecords`.
    Ok,
    /// Of any job: the disk failed. What it was for is tried again later.
    Failed,
}
