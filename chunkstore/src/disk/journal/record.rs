//! One record: where it stands in the order of all, and what it holds, sealed.
//!
//! ```text
//! offset  bytes
//!      0      4  magic "PDjr"
//!      4      2  version, LE
//!      6      2  zero
//!      8      4  bytes of the body, LE
//!     12      4  generation of the database that the record builds on, LE
//!     16      8  sequence number, LE
//!     24   body  AES-256-GCM-SIV(key, nonce = sequence (8, LE) ‖ 0 (4), associated data = the 24 bytes above)
//!            16  tag
//!             …  zeros up to a whole block of 4096 bytes
//! ```
//!
//! Whole blocks, so that writing a record never touches the bytes of another. A sequence number is used again only for a record
//! whose first writing was never acknowledged; GCM-SIV (RFC 8452) then shows no more than whether the two were equal.

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit, Nonce, Tag};

/// Records begin at multiples of this, bytes.
pub const BLOCK_BYTES: u64 = 4096;
/// Bytes in front of a body.
pub const HEADER_BYTES: usize = 24;
/// Bytes behind a body.
pub const TAG_BYTES: usize = 16;

const MAGIC: &[u8; 4] = b"PDjr";
const VERSION: u16 = 1;

/// What a block that begins a record says of it; nothing is verified yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body.
    pub body_bytes: u32,
    /// The generation of the database that the record builds on.
    pub generation: u32,
    /// The record's place in the order of all.
    pub sequence: u64,
}

/// What the first bytes of a block are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// A record, perhaps.
    Record(Header),
    /// A record of a newer version.
    Newer(u16),
    /// Nothing of ours.
    Nothing,
}

impl Header {
    /// Looks at the first bytes of a block.
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Begins {
        let field = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..4] != *MAGIC {
            return Begins::Nothing;
        }
        match u16::from_le_bytes([bytes[4], bytes[5]]) {
            VERSION => {}
            newer if newer > VERSION => return Begins::Newer(newer),
            _ => return Begins::Nothing,
        }
        let sequence = u64::from(field(16)) | u64::from(field(20)) << 32;
        Begins::Record(Self { body_bytes: field(8), generation: field(12), sequence })
    }

    fn bytes(self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(MAGIC);
        out[4..6].copy_from_slice(&VERSION.to_le_bytes());
        out[8..12].copy_from_slice(&self.body_bytes.to_le_bytes());
        out[12..16].copy_from_slice(&self.generation.to_le_bytes());
        out[16..].copy_from_slice(&self.sequence.to_le_bytes());
        out
    }

    /// Bytes of the whole record on disk.
    #[must_use]
    pub fn record_bytes(self) -> u64 {
        record_bytes(self.body_bytes as usize)
    }

    fn nonce(self) -> Nonce<Aes256GcmSiv> {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.sequence.to_le_bytes());
        nonce.into()
    }
}

/// Bytes on disk of a record with a body so long.
#[must_use]
pub fn record_bytes(body_bytes: usize) -> u64 {
    ((HEADER_BYTES + body_bytes + TAG_BYTES) as u64).next_multiple_of(BLOCK_BYTES)
}

/// Puts the record of a body into `out`, which is replaced. It is number `sequence` and builds on the database's `generation`.
///
/// # Panics
/// If the body has 4 GiB or more: a journal is far smaller.
pub fn seal(key: &[u8; 32], sequence: u64, generation: u32, body: &[u8], out: &mut Vec<u8>) {
    let body_bytes = u32::try_from(body.len()).expect("a record fits into its journal");
    let header = Header { body_bytes, generation, sequence };
    let associated = header.bytes();
    out.clear();
    out.reserve(header.record_bytes() as usize);
    out.extend_from_slice(&associated);
    out.extend_from_slice(body);
    let tag = Aes256GcmSiv::new(key.into())
        .encrypt_inout_detached(&header.nonce(), &associated, (&mut out[HEADER_BYTES..]).into())
        .expect("a record is far below the cipher's length limit");
    out.extend_from_slice(&tag);
    out.resize(header.record_bytes() as usize, 0);
}

/// The body of a record; `record` holds at least the header, the body and the tag. `None` if it is not what was sealed.
#[must_use]
pub fn open(key: &[u8; 32], record: &[u8]) -> Option<Vec<u8>> {
    let head = record.first_chunk::<HEADER_BYTES>()?;
    let Begins::Record(header) = Header::parse(head) else { return None };
    let rest = &record[HEADER_BYTES..];
    let body_bytes = header.body_bytes as usize;
    let tag = rest.get(body_bytes..)?.get(..TAG_BYTES)?;
    let tag = Tag::<Aes256GcmSiv>::try_from(tag).ok()?;
    let mut body = rest[..body_bytes].to_vec();
    Aes256GcmSiv::new(key.into())
        .decrypt_inout_detached(&header.nonce(), &header.bytes(), body.as_mut_slice().into(), &tag)
        .ok()?;
    // Bytes that the header's own form leaves out are not part of it.
    (*head == header.bytes()).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_record_are_what_they_were() {
        for (generation, field, golden) in
            [(0, b"\0\0\0\0", GOLDEN_FIRST), (0x0a0b_0c0d, b"\x0d\x0c\x0b\x0a", GOLDEN)]
        {
            let mut record = Vec::new();
            seal(&[7; 32], 0x0102_0304_0506_0708, generation, b"body", &mut record);
            assert_eq!(record.len(), 4096);
            let head =
                [&b"PDjr\x01\0\0\0\x04\0\0\0"[..], field, b"\x08\x07\x06\x05\x04\x03\x02\x01"].concat();
            assert_eq!(record[..HEADER_BYTES], head);
            assert_eq!(blake3::hash(&record).to_hex().as_str(), golden);
            assert_eq!(open(&[7; 32], &record).unwrap(), b"body");
        }
    }

    const GOLDEN: &str = "67c6785c135c77fc5fc00cef5cec874c3be5f8c5475b695ccdc11b084ab04564";
    const GOLDEN_FIRST: &str = "d261942d5ad51c268ad8cb44e4aa1ccfd176d15d031b5762db2e054acd9ec275";

    #[test]
    fn a_changed_record_is_refused() {
        let mut record = Vec::new();
        seal(&[7; 32], 9, 0, b"some body", &mut record);
        let used = HEADER_BYTES + 9 + TAG_BYTES;
        for at in 0..used {
            let mut bad = record.clone();
            bad[at] ^= 1;
            assert_eq!(open(&[7; 32], &bad), None, "byte {at}");
            assert_eq!(open(&[7; 32], &record[..at]), None);
        }
        assert_eq!(open(&[8; 32], &record), None);
        assert!(open(&[7; 32], &record[..used]).is_some());
    }
}
