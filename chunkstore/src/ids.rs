//! The names and keys of chunks.
//!
//! ```text
//!  plaintext ──keyed BLAKE3 (dedup secret)──▶ fingerprint ‖ key      both stay with the members
//!  key + plaintext ──seal──▶ ciphertext ──BLAKE3──▶ ChunkId          what hosts see and verify
//! ```

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of every id, key and fingerprint, bytes.
pub const ID_BYTES: usize = 32;

/// The secret of one workspace from which fingerprints, chunk keys and the cutter's seed are derived. Chunks
/// deduplicate among those who hold the same secret and never across workspaces. Shown by neither `Debug` nor
/// `Display`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DedupSecret([u8; ID_BYTES]);

impl DedupSecret {
    /// Takes the 32 secret bytes as the key ring holds them.
    #[must_use]
    pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

/// The public name of a chunk: BLAKE3 of its ciphertext, so that anyone who holds the bytes can verify them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub [u8; ID_BYTES]);

/// Number of partitions ids fall into: the unit of placement and anti-entropy.
pub const PARTITIONS: u16 = 1 << 12;

impl ChunkId {
    /// The id of this ciphertext.
    #[must_use]
    pub fn of(ciphertext: &[u8]) -> Self {
        Self(*blake3::hash(ciphertext).as_bytes())
    }

    /// The 32 bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// The smallest id of a partition.
    #[must_use]
    pub(crate) const fn first_of(partition: u16) -> Self {
        let mut id = [0; ID_BYTES];
        (id[0], id[1]) = ((partition >> 4) as u8, (partition << 4) as u8);
        Self(id)
    }

    /// The first 12 bits: which of the [`PARTITIONS`] this chunk belongs to.
    #[must_use]
    pub const fn partition(&self) -> u16 {
        ((self.0[0] as u16) << 4) | ((self.0[1] as u16) >> 4)
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkId({self})")
    }
}

/// The key that seals exactly one plaintext. It lies in manifests, never on a host's disk; `Debug` and `Display`
/// do not show it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ChunkKey(pub [u8; ID_BYTES]);

/// The local dedup key of a plaintext. It never leaves the members of a workspace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; ID_BYTES]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// Everything needed to fetch, verify and open one chunk.
#[derive(Clone, PartialEq, Eq)]
pub struct ChunkRef {
    /// Name of the ciphertext.
    pub id: ChunkId,
    /// Key that opens it.
    pub key: ChunkKey,
    /// Length of the plaintext, bytes.
    pub len: u32,
}

impl fmt::Debug for ChunkRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkRef").field("id", &self.id).field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_is_the_first_twelve_bits() {
        let mut bytes = [0xff; ID_BYTES];
        (bytes[0], bytes[1]) = (0xab, 0xcd);
        assert_eq!(ChunkId(bytes).partition(), 0xabc);
        assert_eq!(ChunkId([0xff; ID_BYTES]).partition(), PARTITIONS - 1);
    }

    #[test]
    fn an_id_shows_as_hex_and_a_reference_hides_its_key() {
        let id = ChunkId([0x0f; ID_BYTES]);
        assert_eq!(id.to_string(), "0f".repeat(32));
        let shown = format!("{:?}", ChunkRef { id, key: ChunkKey([0xee; ID_BYTES]), len: 7 });
        assert!(!shown.contains("238") && !shown.contains("ee"), "{shown}");
    }
}
