//! The disk of `PeerDrive`: chunks are cut, sealed, packed, found again, counted, scrubbed and reclaimed here. Knows
//! nothing of files, peers or async runtimes.
//!
//! ```text
//!  bytes ─cut─▶ chunk ─seal─▶ ciphertext ─append─▶ packs/ab/<seq>.pack     the truth
//!                                         └───────▶ index.redb              a cache of the packs
//!  everything ─▶ disk::Disk: the one seam for real, remembered and broken disks
//! ```
//!
//! | to change | open |
//! |---|---|
//! | where chunks end | [`cut`] |
//! | how a chunk is enciphered | [`seal`] |
//! | the bytes of a pack | [`pack`] |
//! | what is remembered about a chunk | `index` |
//! | order of writes, limits, damage | `store` |
//! | fault injection, database encryption | [`disk`] |
//!
//! The byte formats are described in `docs/formats/chunkstore.md`.

pub mod cut;
pub mod disk;
mod error;
mod ids;
mod index;
pub mod pack;
mod pool;
pub mod seal;
mod store;
#[cfg(test)]
mod testing;

pub use cut::{Cutter, Cutting, MAX_CHUNK_BYTES};
pub use error::{Damage, FullLimit, StoreError, StoreErrorKind};
pub use ids::{ChunkId, ChunkKey, ChunkRef, DedupSecret, Fingerprint, ID_BYTES, PARTITIONS};
pub use index::{ChunkState, PartitionSum};
pub use pool::{FULL_PENDING_BYTES, SealDone, SealJob, SealPool};
pub use store::{
    ChunkStore, CompactReport, Flushed, Fresh, Health, Limits, MAX_REPORTED_BAD_CHUNKS, Pace, ScrubProgress,
    ScrubReport, Sweep, SweepReport, Usage,
};
