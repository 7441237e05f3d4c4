//! Walks the records of a pack, over torn and damaged stretches too.
//!
//! A record whose header does not check out ends the orderly walk; from there the marker is searched byte by byte,
//! and a record found that way counts only if its ciphertext hashes to its id. So a flipped header costs one chunk,
//! not the rest of the pack, and a tail torn by power loss yields exactly what was written whole.

use std::io;
use std::ops::ControlFlow;

use super::format::{RECORD_HEADER_BYTES, RECORD_MARKER, decode_record_header};
use super::{Location, PACK_HEADER_BYTES, Position, RecordHeader};
use crate::disk::DiskFile;
use crate::ids::ChunkId;

/// Bytes searched at a time for the next marker.
const SEARCH_WINDOW_BYTES: usize = 64 << 10;

/// A record met on a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// The chunk its header names.
    pub id: ChunkId,
    /// Where its header begins, bytes from the start of the pack.
    pub offset: u32,
    /// Length of its ciphertext, bytes.
    pub len: u32,
    /// Whether the ciphertext hashes to the id; `None` if that was not asked.
    pub is_whole: Option<bool>,
}

impl FoundRecord {
    pub(crate) fn location(&self, pack: u64) -> Location {
        Location { at: Position { pack, offset: self.offset }, len: self.len }
    }
}

/// Which ciphertexts a walk hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// All.
    All,
    /// Those found by searching only: for packs known to be flushed.
    Searched,
}

/// What a walk found, apart from the records themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanEnd {
    /// End of the last record that was not found broken, bytes; the walk's start if there is none.
    pub(crate) valid_end: u64,
    /// Whether some bytes could not be read at all.
    pub(crate) unreadable: bool,
}

/// All whole records in the bytes of a pack: what recovery would find.
#[must_use]
pub fn scan_bytes(pack: &[u8]) -> Vec<FoundRecord> {
    let mut found = Vec::new();
    let mut scan = Scan::new(&pack, pack.len() as u64, Verify::All);
    scan.run(PACK_HEADER_BYTES as u64, &mut |record, _| {
        if record.is_whole == Some(true) {
            found.push(*record);
        }
        ControlFlow::Continue(())
    });
    found
}

/// Bytes a walk reads from.
pub(crate) trait Source {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for &[u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = self.get(from..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Source for dyn DiskFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        DiskFile::read_at(self, offset, buffer)
    }
}

/// Called for each record with its ciphertext, which is empty unless it was read and verified.
pub(crate) type Visit<'a> = dyn FnMut(&FoundRecord, &[u8]) -> ControlFlow<()> + 'a;

/// One walk. Holds one record at a time.
pub(crate) struct Scan<'a, S: ?Sized> {
    source: &'a S,
    len: u64,
    verify: Verify,
    record: Vec<u8>,
    end: ScanEnd,
}

impl<'a, S: Source + ?Sized> Scan<'a, S> {
    /// A walk over a pack of `len` bytes.
    pub(crate) fn new(source: &'a S, len: u64, verify: Verify) -> Self {
        Self { source, len, verify, record: Vec::new(), end: ScanEnd::default() }
    }

    /// Walks from `start`, where a record should begin, until the end or until `visit` breaks.
    pub(crate) fn run(&mut self, start: u64, visit: &mut Visit<'_>) -> ScanEnd {
        self.end = ScanEnd { valid_end: start.min(self.len), unreadable: false };
        let mut at = start;
        let mut searched = false;
        while let Some(header) = self.header_at(at) {
            let (offset, header, by_search) = match header {
                Some(header) => (at, header, searched),
                None => match self.search(at + 1) {
                    Some((offset, header)) => (offset, header, true),
                    None => break,
                },
            };
            let after = offset + (RECORD_HEADER_BYTES as u64) + u64::from(header.len);
            if after > self.len {
                // Torn at the end, or a marker inside damage: look on behind it.
                (at, searched) = (offset + 1, true);
                continue;
            }
            let is_whole = (by_search || self.verify == Verify::All).then(|| self.is_whole(offset, &header));
            if by_search && is_whole != Some(true) {
                (at, searched) = (offset + 1, true);
                continue;
            }
            if is_whole != Some(false) {
                self.end.valid_end = after;
            }
            let found = FoundRecord { id: header.id, offset: offset as u32, len: header.len, is_whole };
            let ciphertext = if is_whole == Some(true) { &self.record[..] } else { &[] };
            if visit(&found, ciphertext).is_break() {
                break;
            }
            (at, searched) = (after, false);
        }
        self.end
    }

    /// `None` at the end of the pack, `Some(None)` where no header is.
    fn header_at(&mut self, at: u64) -> Option<Option<RecordHeader>> {
        if at + RECORD_HEADER_BYTES as u64 > self.len {
            return None;
        }
        let mut bytes = [0; RECORD_HEADER_BYTES];
        if self.source.read_at(at, &mut bytes).is_err() {
            self.end.unreadable = true;
            return Some(None);
        }
        Some(decode_record_header(&bytes))
    }

    /// The next thing at or behind `from` that has a header's form.
    fn search(&mut self, from: u64) -> Option<(u64, RecordHeader)> {
        let mut window = vec![0; SEARCH_WINDOW_BYTES];
        let mut at = from;
        while at + RECORD_HEADER_BYTES as u64 <= self.len {
            let count = window.len().min((self.len - at) as usize);
            if self.source.read_at(at, &mut window[..count]).is_err() {
                self.end.unreadable = true;
                at += count as u64;
                continue;
            }
            let hit = window[..count]
                .windows(RECORD_HEADER_BYTES)
                .enumerate()
                .filter(|(_, bytes)| bytes.starts_with(RECORD_MARKER))
                .find_map(|(index, bytes)| Some((index as u64, decode_record_header(bytes)?)));
            if let Some((index, header)) = hit {
                return Some((at + index, header));
            }
            at += (count - (RECORD_HEADER_BYTES - 1)) as u64;
        }
        None
    }

    fn is_whole(&mut self, offset: u64, header: &RecordHeader) -> bool {
        self.record.resize(header.len as usize, 0);
        match self.source.read_at(offset + RECORD_HEADER_BYTES as u64, &mut self.record) {
            Ok(()) => ChunkId::of(&self.record) == header.id,
            Err(_) => {
                self.end.unreadable = true;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pack::{encode_pack_header, encode_record_header};
    use crate::testing::noise;

    /// A pack of these ciphertexts, and where each record ends.
    fn pack_of(lengths: &[usize]) -> (Vec<u8>, Vec<(ChunkId, usize)>) {
        let mut pack = encode_pack_header([1; 16]).to_vec();
        let mut records = Vec::new();
        for (seed, len) in lengths.iter().enumerate() {
            let ciphertext = noise(seed as u64, *len);
            let id = ChunkId::of(&ciphertext);
            let mut record = vec![0; RECORD_HEADER_BYTES];
            record.extend(ciphertext);
            encode_record_header(&mut record, &id);
            pack.extend(record);
            records.push((id, pack.len()));
        }
        (pack, records)
    }

    fn ids(pack: &[u8]) -> Vec<ChunkId> {
        scan_bytes(pack).iter().map(|record| record.id).collect()
    }

    #[test]
    fn a_longer_search_crosses_windows() {
        let (mut pack, records) = pack_of(&[100, 3 * SEARCH_WINDOW_BYTES, 50]);
        pack[records[0].1] ^= 1;
        assert_eq!(ids(&pack), [records[0].0, records[2].0]);
    }

    #[test]
    fn headers_alone_suffice_where_the_pack_is_known_to_be_flushed() {
        let (mut pack, records) = pack_of(&[100, 200]);
        pack[PACK_HEADER_BYTES + RECORD_HEADER_BYTES] ^= 1;
        let mut seen = Vec::new();
        let bytes = &pack[..];
        let end = Scan::new(&bytes, pack.len() as u64, Verify::Searched).run(32, &mut |record, _| {
            seen.push((record.id, record.is_whole));
            ControlFlow::Continue(())
        });
        assert_eq!(seen, [(records[0].0, None), (records[1].0, None)]);
        assert_eq!(end.valid_end, pack.len() as u64);
    }

    proptest! {
        #[test]
        fn any_prefix_of_a_pack_holds_its_whole_records(
            lengths in proptest::collection::vec(0_usize..400, 1..8), cut in any::<prop::sample::Index>()
        ) {
            let (pack, records) = pack_of(&lengths);
            let cut = cut.index(pack.len() + 1);
            let whole: Vec<_> = records.iter().filter(|(_, end)| *end <= cut).map(|(id, _)| *id).collect();
            prop_assert_eq!(ids(&pack[..cut]), whole);
        }

        #[test]
        fn a_flipped_byte_costs_the_one_record_it_hits(
            lengths in proptest::collection::vec(1_usize..400, 1..8), hit in any::<prop::sample::Index>()
        ) {
            let (mut pack, records) = pack_of(&lengths);
            let hit = PACK_HEADER_BYTES + hit.index(pack.len() - PACK_HEADER_BYTES);
            pack[hit] ^= 0x40;
            let lost = records.iter().position(|(_, end)| hit < *end).unwrap();
            let mut expected: Vec<_> = records.iter().map(|(id, _)| *id).collect();
            expected.remove(lost);
            prop_assert_eq!(ids(&pack), expected);
        }

        #[test]
        fn random_bytes_hold_nothing_and_panic_nowhere(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(scan_bytes(&bytes).is_empty());
        }

        #[test]
        fn a_hole_in_the_middle_loses_only_what_it_covers(
            lengths in proptest::collection::vec(1_usize..400, 3..8)
        ) {
            let (mut pack, records) = pack_of(&lengths);
            pack[records[0].1..records[1].1].fill(0);
            let mut expected: Vec<_> = records.iter().map(|(id, _)| *id).collect();
            expected.remove(1);
            prop_assert_eq!(ids(&pack), expected);
        }
    }
}
