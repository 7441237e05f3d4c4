//! The bytes of pack and record headers. Integers are little endian.
//!
//! ```text
//!  pack header, 32 bytes                      record header, 44 bytes
//!   0  magic "PDRVPACK"                        0  marker "pdrc"
//!   8  version u32 (1)                         4  ChunkId, 32 bytes
//!  12  random pack id, 16 bytes               36  length of the ciphertext u32
//!  28  CRC32 of bytes 0..28                   40  CRC32 of bytes 0..40
//! ```

use super::RecordHeader;
use crate::ids::{ChunkId, ID_BYTES};
use crate::seal::{HEAD_ROOM_BYTES, MAX_SEALED_BYTES};

/// Length of a pack's header, bytes.
pub const PACK_HEADER_BYTES: usize = 32;
/// Length of a record's header, bytes.
pub const RECORD_HEADER_BYTES: usize = HEAD_ROOM_BYTES;
/// Newest version of the format.
pub(crate) const PACK_VERSION: u32 = 1;

const PACK_MAGIC: &[u8; 8] = b"PDRVPACK";
pub(super) const RECORD_MARKER: &[u8; 4] = b"pdrc";

/// What a pack header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackHeader {
    /// Random, made with the pack.
    pub pack_id: [u8; 16],
}

/// A pack header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackHeaderError {
    /// Cut short, or not a pack.
    #[error("not a pack header")]
    Malformed,
    /// Written by a newer version: nothing of the pack may be touched.
    #[error("pack format {0} is newer than this program knows")]
    Newer(u32),
}

pub(crate) fn encode_pack_header(pack_id: [u8; 16]) -> [u8; PACK_HEADER_BYTES] {
    let mut bytes = [0; PACK_HEADER_BYTES];
    bytes[..8].copy_from_slice(PACK_MAGIC);
    bytes[8..12].copy_from_slice(&PACK_VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(&pack_id);
    let sum = crc32fast::hash(&bytes[..28]);
    bytes[28..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads a pack header from the first bytes of a pack.
///
/// # Errors
/// [`PackHeaderError`].
pub fn decode_pack_header(bytes: &[u8]) -> Result<PackHeader, PackHeaderError> {
    let bytes: &[u8; PACK_HEADER_BYTES] = bytes.first_chunk().ok_or(PackHeaderError::Malformed)?;
    if &bytes[..8] != PACK_MAGIC || word(bytes, 28) != crc32fast::hash(&bytes[..28]) {
        return Err(PackHeaderError::Malformed);
    }
    match word(bytes, 8) {
        PACK_VERSION => {
            let mut pack_id = [0; 16];
            pack_id.copy_from_slice(&bytes[12..28]);
            Ok(PackHeader { pack_id })
        }
        0 => Err(PackHeaderError::Malformed),
        newer => Err(PackHeaderError::Newer(newer)),
    }
}

/// Fills the head room of a sealed record.
pub(crate) fn encode_record_header(record: &mut [u8], id: &ChunkId) {
    let len = (record.len() - RECORD_HEADER_BYTES) as u32;
    record[..RECORD_HEADER_BYTES].copy_from_slice(&record_header(id, len));
}

/// What stands before a ciphertext of `len` bytes.
pub(crate) fn record_header(id: &ChunkId, len: u32) -> [u8; RECORD_HEADER_BYTES] {
    let mut header = [0; RECORD_HEADER_BYTES];
    header[..4].copy_from_slice(RECORD_MARKER);
    header[4..36].copy_from_slice(id.as_bytes());
    header[36..40].copy_from_slice(&len.to_le_bytes());
    let sum = crc32fast::hash(&header[..40]);
    header[40..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// Reads a record header; `None` if the bytes are none, or name a length no chunk has.
#[must_use]
pub fn decode_record_header(bytes: &[u8]) -> Option<RecordHeader> {
    let bytes: &[u8; RECORD_HEADER_BYTES] = bytes.first_chunk()?;
    let len = word(bytes, 36);
    let is_one = &bytes[..4] == RECORD_MARKER
        && len as usize <= MAX_SEALED_BYTES
        && word(bytes, 40) == crc32fast::hash(&bytes[..40]);
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&bytes[4..36]);
    is_one.then_some(RecordHeader { id: ChunkId(id), len })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("headers are longer than their fields"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_pack_never_change() {
        let mut expected = b"PDRVPACK\x01\0\0\0".to_vec();
        expected.extend([0x11; 16]);
        expected.extend(GOLDEN_PACK_SUM);
        assert_eq!(encode_pack_header([0x11; 16]).to_vec(), expected);
        let mut record = [0; RECORD_HEADER_BYTES + 3];
        encode_record_header(&mut record, &ChunkId([0x22; 32]));
        let mut expected = b"pdrc".to_vec();
        expected.extend([0x22; 32]);
        expected.extend([3, 0, 0, 0]);
        expected.extend(GOLDEN_RECORD_SUM);
        assert_eq!(record[..RECORD_HEADER_BYTES], expected);
    }

    const GOLDEN_PACK_SUM: [u8; 4] = [232, 255, 177, 185];
    const GOLDEN_RECORD_SUM: [u8; 4] = [52, 225, 253, 69];

    #[test]
    fn headers_come_back_and_any_flipped_bit_is_noticed() {
        let header = encode_pack_header([7; 16]);
        assert_eq!(decode_pack_header(&header), Ok(PackHeader { pack_id: [7; 16] }));
        let mut record = [0; RECORD_HEADER_BYTES + 100];
        let id = ChunkId([9; 32]);
        encode_record_header(&mut record, &id);
        assert_eq!(decode_record_header(&record), Some(RecordHeader { id, len: 100 }));
        for bit in 0..PACK_HEADER_BYTES * 8 {
            let mut flipped = header;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_pack_header(&flipped), Err(PackHeaderError::Malformed));
        }
        for bit in 0..RECORD_HEADER_BYTES * 8 {
            let mut flipped = record;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_record_header(&flipped), None);
        }
        assert_eq!(decode_record_header(&record[..43]), None);
    }

    #[test]
    fn a_newer_pack_is_told_apart_from_a_broken_one() {
        let mut header = encode_pack_header([7; 16]);
        header[8] = 2;
        let sum = crc32fast::hash(&header[..28]);
        header[28..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(decode_pack_header(&header), Err(PackHeaderError::Newer(2)));
    }
}
