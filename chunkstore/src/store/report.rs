//! What the store is told and what it tells: limits, usage, health, progress and results.

use std::time::Duration;

use crate::ids::ChunkId;

/// Bounds the user and the machine set. The first two are hard: nothing is written that would pass them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of packs on disk.
    pub contribute_bytes: u64,
    /// Bytes of the disk that stay free for others.
    pub reserve_bytes: u64,
    /// Most bytes of opened chunks kept in memory.
    pub cache_bytes: u64,
    /// A background flush begins when this many bytes lie unflushed; 0 leaves flushing to [`ChunkStore::flush`].
    ///
    /// [`ChunkStore::flush`]: crate::ChunkStore::flush
    pub write_out_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { contribute_bytes: u64::MAX, reserve_bytes: 0, cache_bytes: 8 << 20, write_out_bytes: 32 << 20 }
    }
}

/// Proof that everything stored before a flush is on disk. Only a successful
/// [`ChunkStore::flush`](crate::ChunkStore::flush) makes one.
#[derive(Debug)]
pub struct Flushed(pub(super) ());

/// What lies on disk and how much more may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Chunks stored.
    pub chunks: u64,
    /// Bytes of records of these chunks.
    pub live_bytes: u64,
    /// Bytes of all packs, with what is dead in them.
    pub pack_bytes: u64,
    /// The contribution limit.
    pub limit_bytes: u64,
    /// The disk reserve.
    pub reserve_bytes: u64,
    /// Bytes that can still be stored before a limit is met.
    pub can_store_bytes: u64,
    /// Plaintext bytes that were not stored again since the start, because they were here.
    pub saved_by_dedup_bytes: u64,
    /// By so many bytes the records of chunks put here since the start are shorter than their plaintext.
    pub saved_by_compression_bytes: u64,
    /// Chunks known to be damaged and not healed yet.
    pub damaged_chunks: u64,
    /// Damaged chunks that became whole since the start: another copy came, or the disk could read them again.
    pub healed_chunks: u64,
    /// Bytes of records that are here only because they were read, part of the living: what [`ChunkStore::evict`] can give up.
    ///
    /// [`ChunkStore::evict`]: crate::ChunkStore::evict
    pub cached_bytes: u64,
}

/// Whether the store still writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Ok,
    /// Nothing is written any more, because of this first error. Reads go on.
    Failed(String),
}

/// How far a scrub has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScrubProgress {
    /// Chunks verified so far.
    pub checked_chunks: u64,
    /// Bytes read so far.
    pub checked_bytes: u64,
    /// Bytes of all packs when the scrub began.
    pub total_bytes: u64,
    /// With a rate given: this much time should have passed since the start, at least.
    pub earliest: Duration,
}

/// What a scrub does next; its caller decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Goes on.
    Continue,
    /// Sleeps this long, then goes on.
    Wait(Duration),
    /// Ends early.
    Stop,
}

/// Result of a scrub.
#[derive(Clone, Debug, Default)]
pub struct ScrubReport {
    /// Chunks verified.
    pub checked_chunks: u64,
    /// Bytes read.
    pub checked_bytes: u64,
    /// Chunks that did not verify, at most [`MAX_REPORTED_BAD_CHUNKS`].
    pub bad: Vec<ChunkId>,
    /// All chunks that did not verify.
    pub bad_chunks: u64,
    /// How many of these the disk could not read at all.
    pub unreadable_chunks: u64,
    /// Whether every pack was read.
    pub complete: bool,
}

/// Most ids a scrub names; it marks all bad chunks.
pub const MAX_REPORTED_BAD_CHUNKS: usize = 4096;

/// Result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Chunks that stay.
    pub live_chunks: u64,
    /// Chunks given up.
    pub dead_chunks: u64,
    /// Bytes of their records, which compaction can free.
    pub dead_bytes: u64,
    /// Placed chunks that nothing names, left for a later sweep to give up.
    pub doomed_chunks: u64,
}

/// Result of a compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Packs removed.
    pub removed_packs: u64,
    /// Bytes of these packs.
    pub removed_bytes: u64,
    /// Bytes of living records that were copied on.
    pub copied_bytes: u64,
    /// Whether the budget ended the work before the packs did.
    pub more_to_do: bool,
}
