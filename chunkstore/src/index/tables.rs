//! The tables of `index.redb` and the bytes of their rows. Integers are little endian.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | name | `format` u32; `valid_to` pack u64, offset u32; `damaged` chunks u64; `cached` bytes u64; `progress/OWNER` u64 |
//! | `chunks` | `ChunkId` | pack u64, offset u32, ciphertext length u32, state u32, last use u32 (0: unknown) |
//! | `prints` | fingerprint | `ChunkId` |
//! | `partitions` | u16 | wrapping sum of its ids (256 bit), count u64 |
//! | `packs` | pack u64 | bytes u64, bytes of living records u64 |

use redb::TableDefinition;

use super::{Entry, PartitionSum};
use crate::ids::ID_BYTES;
use crate::pack::{Location, Position};

pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
pub(super) const CHUNKS: TableDefinition<'_, [u8; ID_BYTES], [u8; 24]> = TableDefinition::new("chunks");
pub(super) const PRINTS: TableDefinition<'_, [u8; ID_BYTES], [u8; ID_BYTES]> = TableDefinition::new("prints");
pub(super) const PARTITION_SUMS: TableDefinition<'_, u16, [u8; 40]> = TableDefinition::new("partitions");
pub(super) const PACKS: TableDefinition<'_, u64, [u8; 16]> = TableDefinition::new("packs");

pub(super) const FORMAT: &str = "format";
pub(super) const VALID_TO: &str = "valid_to";
/// How many chunks are known to be damaged.
pub(super) const DAMAGED: &str = "damaged";
/// How many bytes of records are evictable.
pub(super) const CACHED: &str = "cached";
/// How far an owner of chunks has come; the owner's name follows.
pub(super) const PROGRESS: &str = "progress/";
/// Newest version of the index.
pub(super) const INDEX_VERSION: u32 = 1;

pub(super) fn entry_row(entry: &Entry) -> [u8; 24] {
    let mut row = [0; 24];
    row[..8].copy_from_slice(&entry.place.at.pack.to_le_bytes());
    row[8..12].copy_from_slice(&entry.place.at.offset.to_le_bytes());
    row[12..16].copy_from_slice(&entry.place.len.to_le_bytes());
    row[16..20].copy_from_slice(&entry.state.0.to_le_bytes());
    row
}

pub(super) fn row_entry(row: &[u8; 24]) -> Entry {
    let at = Position { pack: wide(row, 0), offset: word(row, 8) };
    Entry { place: Location { at, len: word(row, 12) }, state: super::ChunkState(word(row, 16)) }
}

pub(super) fn position_row(at: Position) -> [u8; 12] {
    let mut row = [0; 12];
    row[..8].copy_from_slice(&at.pack.to_le_bytes());
    row[8..].copy_from_slice(&at.offset.to_le_bytes());
    row
}

pub(super) fn row_position(row: &[u8]) -> Option<Position> {
    (row.len() == 12).then(|| Position { pack: wide(row, 0), offset: word(row, 8) })
}

pub(super) fn sum_row(sum: &PartitionSum) -> [u8; 40] {
    let mut row = [0; 40];
    row[..32].copy_from_slice(&sum.sum);
    row[32..].copy_from_slice(&sum.count.to_le_bytes());
    row
}

pub(super) fn row_sum(row: &[u8; 40]) -> PartitionSum {
    let mut sum = [0; ID_BYTES];
    sum.copy_from_slice(&row[..32]);
    PartitionSum { sum, count: wide(row, 32) }
}

pub(super) fn pack_row(bytes: u64, live_bytes: u64) -> [u8; 16] {
    let mut row = [0; 16];
    row[..8].copy_from_slice(&bytes.to_le_bytes());
    row[8..].copy_from_slice(&live_bytes.to_le_bytes());
    row
}

/// Bytes and living bytes.
pub(super) fn row_pack(row: &[u8; 16]) -> (u64, u64) {
    (wide(row, 0), wide(row, 8))
}

fn wide(row: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*row[at..].first_chunk().expect("rows are as long as their table says"))
}

fn word(row: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*row[at..].first_chunk().expect("rows are as long as their table says"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::ChunkState;

    #[test]
    fn the_bytes_of_rows_never_change() {
        let place = Location { at: Position { pack: 0x0102, offset: 0x0304 }, len: 0x0506 };
        let entry = Entry { place, state: ChunkState(0x0708) };
        let row = entry_row(&entry);
        assert_eq!(row, [2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 6, 5, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0]);
        assert_eq!(row_entry(&row), entry);
        assert_eq!(position_row(place.at), [2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0]);
        assert_eq!(row_position(&position_row(place.at)), Some(place.at));
        assert_eq!(row_position(&[0; 11]), None);
        let sum = PartitionSum { sum: [5; 32], count: 6 };
        assert_eq!(row_sum(&sum_row(&sum)), sum);
        assert_eq!(row_pack(&pack_row(7, 8)), (7, 8));
    }
}
