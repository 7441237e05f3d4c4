//! Packs: append-only files of many sealed chunks.
//!
//! ```text
//!  packs/ab/<seq>.pack     ab = low byte of seq, seq = 16 hex digits, counted up and never reused
//!  ┌────────────┬───────────────┬────────────┬───────────────┬────────────┬─
//!  │ header 32  │ record head 44│ ciphertext │ record head 44│ ciphertext │ ...   up to 64 MiB, then sealed
//!  └────────────┴───────────────┴────────────┴───────────────┴────────────┴─
//! ```
//!
//! Bytes once written are never edited. All appends of a store go to one pack at a time, so that a `Position`
//! tells old from new: what lies before a flushed position is durable.

mod folder;
mod format;
mod scan;

pub(crate) use folder::PackFolder;
pub use format::{
    PACK_HEADER_BYTES, PackHeader, PackHeaderError, RECORD_HEADER_BYTES, decode_pack_header,
    decode_record_header,
};
pub(crate) use format::{PACK_VERSION, encode_pack_header, encode_record_header, record_header};
pub use scan::{FoundRecord, scan_bytes};
pub(crate) use scan::{Scan, Verify};

use crate::ids::ChunkId;

/// A pack that would grow beyond this, or beyond what suits a small contribution, is sealed and the next one begun;
/// bytes.
pub(crate) const MAX_PACK_BYTES: u32 = 64 << 20;

/// A place in the sequence of all packs; later appends have greater positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub(crate) pack: u64,
    /// Of a record's header, bytes from the start of the pack.
    pub(crate) offset: u32,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) at: Position,
    /// Length of the ciphertext, bytes.
    pub(crate) len: u32,
}

impl Location {
    /// Bytes the record takes in its pack.
    pub(crate) fn record_bytes(&self) -> u64 {
        RECORD_HEADER_BYTES as u64 + u64::from(self.len)
    }

    /// Where the ciphertext begins in the pack.
    pub(crate) fn ciphertext_at(&self) -> u64 {
        u64::from(self.at.offset) + RECORD_HEADER_BYTES as u64
    }
}

/// What a record header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The chunk.
    pub id: ChunkId,
    /// Length of its ciphertext, bytes.
    pub len: u32,
}
