//! Dirty extents: what `fsync` keeps of a file that is not settled, as rows of the tree.
//!
//! ```text
//! unsettled  inode (8, BE)               -> version 3 | base limit, size, mtime, ctime, base version (postcard)
//! extents    inode (8, BE) ‖ block (8, BE) -> one run: start in block (2, LE) ‖ bytes
//!                                             several: 0x8000 | count (2, LE) ‖ (start, length) each (2 + 2, LE) ‖ their bytes
//! ```
//!
//! A block is 4 KiB; a row holds the runs of bytes that are known of it, so that nothing below them is needed. Rows are committed with
//! everything else, so a small `fsync` is one commit and no chunk; settling replaces them by a version in one batch. They name the
//! version they were made on: laid over another one, the changes of two devices would mix.

use std::ops::Bound::{Excluded, Included};

use bytes::Bytes;
use ledger::identity::DeviceTag;
use ledger::{Ledger, LocalSpace, Stamp, VersionId};
use serde::{Deserialize, Serialize};

use crate::content::overlay::Source;
use crate::content::view::FileContent;
use crate::core::Core;
use crate::node::State;
use crate::{Error, Ino};

/// Most memory of a file that `fsync` keeps as rows; a file with more is settled instead. Bytes.
const ROWS_MAX_BYTES: usize = 1 << 20;
/// Most rows' worth of bytes before a busy file is settled though it is not quiet. Bytes.
pub(crate) const ROWS_BUSY_BYTES: usize = 16 << 20;
/// Bytes of rows gathered before they are committed.
const STEP_BYTES: usize = 4 << 20;
pub(super) const BLOCK_BYTES: u64 = 4096;
/// With several runs in a row.
const VERSION: u8 = 3;
/// One run in each row.
const VERSION_OF_ONE_RUN: u8 = 2;
/// Rows without a base version; they are laid over whatever the file has.
const VERSION_WITHOUT_BASE: u8 = 1;
/// Set in the first number of a row with several runs; a start is far below.
const SEVERAL: u16 = 0x8000;
pub(super) const UNSETTLED: LocalSpace = LocalSpace(1);
pub(super) const EXTENTS: LocalSpace = LocalSpace(2);

#[derive(Serialize, Deserialize)]
pub(super) struct Unsettled {
    /// [`VERSION`], the first byte.
    pub(super) version: u8,
    pub(super) base_limit: u64,
    pub(super) size: u64,
    pub(super) mtime: (i64, u32),
    pub(super) ctime: (i64, u32),
}

/// The version that the rows were made on, behind the rest of the row: clock and device tag. None for a file without content.
#[derive(Serialize, Deserialize)]
pub(super) struct Base(Option<(u64, u64)>);

impl Base {
    pub(super) fn version(&self) -> Option<VersionId> {
        self.0.map(|(clock, device)| VersionId(Stamp { clock, device: DeviceTag(device) }))
    }
}

/// Reads an unsettled file's row; the base is lacking in rows of the first version.
pub(super) fn decode(row: &[u8]) -> Result<(Unsettled, Option<Base>), postcard::Error> {
    let (head, rest) = postcard::take_from_bytes::<Unsettled>(row)?;
    let base = if head.version == VERSION_WITHOUT_BASE { None } else { Some(postcard::from_bytes(rest)?) };
    Ok((head, base))
}

/// Whether this release knows the row's form.
pub(super) fn is_known(row: &[u8]) -> bool {
    matches!(row.first(), Some(&(VERSION | VERSION_OF_ONE_RUN | VERSION_WITHOUT_BASE)))
}

/// A row of runs: where each starts in its block, and its bytes.
fn encode_runs(runs: &[(u16, Bytes)]) -> Vec<u8> {
    if let [(start, bytes)] = runs {
        return [&start.to_le_bytes()[..], bytes].concat();
    }
    let count = u16::try_from(runs.len()).expect("a block has fewer bytes");
    let mut row = (SEVERAL | count).to_le_bytes().to_vec();
    for (start, bytes) in runs {
        row.extend(start.to_le_bytes());
        row.extend(u16::try_from(bytes.len()).expect("inside a block").to_le_bytes());
    }
    runs.iter().for_each(|(_, bytes)| row.extend_from_slice(bytes));
    row
}

/// Hands out the runs of a row, as far as it is whole and they lie in the block.
pub(super) fn each_run(row: &[u8], each: &mut dyn FnMut(u64, &[u8])) {
    let mut tell = |start: u16, bytes: &[u8]| {
        if u64::from(start) + bytes.len() as u64 <= BLOCK_BYTES {
            each(u64::from(start), bytes);
        }
    };
    let Some((first, rest)) = row.split_first_chunk::<2>() else { return };
    let first = u16::from_le_bytes(*first);
    if first & SEVERAL == 0 {
        return tell(first, rest);
    }
    let Some((heads, mut bytes)) = rest.split_at_checked(4 * usize::from(first & !SEVERAL)) else { return };
    for head in heads.chunks_exact(4) {
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let Some((run, behind)) = bytes.split_at_checked(usize::from(number(2))) else { return };
        tell(number(0), run);
        bytes = behind;
    }
}

impl Core {
    /// Whether a file's changes are few enough, and of the kind, to be kept as rows.
    pub(crate) fn fits_in_rows(state: &mut State) -> bool {
        let content = state.content();
        content.overlay.memory_bytes()
            <= ROWS_MAX_BYTES.max(if state.persisted { ROWS_BUSY_BYTES } else { 0 })
            && fresh_bytes(state) <= ROWS_MAX_BYTES as u64
            && state.content().overlay.iter().all(|(_, segment)| matches!(segment.source, Source::Memory(_)))
    }

    /// Puts what changed since the last `fsync` into the ledger's next batch; much of it is committed in steps.
    pub(crate) fn keep_as_rows(&self, ino: Ino, state: &mut State) -> Result<(), Error> {
        let Some(dirty) = state.dirty.filter(|_| state.content.is_some()) else { return Ok(()) };
        if state.rows_stale {
            // What was cut off must not come back from an older row when the file grew again.
            let changed: Vec<_> =
                state.content().overlay.iter().map(|(start, segment)| (start, start + segment.len)).collect();
            changed.into_iter().for_each(|(start, end)| state.fresh.add(start, end));
        }
        let blocks = fresh_blocks(state);
        let mut gathered = self.gather(state, &blocks, 0)?;
        if gathered.next == blocks.len() {
            if !self.put_rows(ino, state, state.rows_stale, &gathered.rows)? {
                return Ok(());
            }
        } else {
            let old = if state.rows_stale { self.blocks_with_rows(ino)? } else { Vec::new() };
            // The head is there from the first step on: rows without one would be found by nobody, and laid over what comes later.
            while self.put_rows(ino, state, false, &gathered.rows)? {
                state.persisted = true;
                if gathered.next == blocks.len() {
                    break;
                }
                self.commit()?;
                gathered = self.gather(state, &blocks, gathered.next)?;
            }
            if gathered.next < blocks.len() {
                return Ok(());
            }
            let stale = old.into_iter().filter(|block| blocks.binary_search(block).is_err());
            self.delete_rows(ino, stale)?;
        }
        state.rows_stale = false;
        state.fresh.clear();
        state.persisted = true;
        state.kept_as_of = Some(dirty.last);
        Ok(())
    }

    /// Puts rows and the head, instead of all that was there or beside it. False if nobody wants them: rows of a file that was
    /// deleted here would bring it back at the next start.
    fn put_rows(
        &self,
        ino: Ino,
        state: &mut State,
        instead: bool,
        rows: &[(u64, Vec<u8>)],
    ) -> Result<bool, Error> {
        let (Some(dirty), replaces) = (state.dirty, state.replaces) else { return Ok(false) };
        let content = state.content();
        let head = Unsettled {
            version: VERSION,
            base_limit: content.base_limit,
            size: content.size,
            mtime: (dirty.mtime.secs, dirty.mtime.nanos),
            ctime: (dirty.ctime.secs, dirty.ctime.nanos),
        };
        let head = postcard::to_stdvec(&(head, Base(replaces.map(|base| (base.0.clock, base.0.device.0)))))
            .expect("plain numbers always encode");
        let mut ledger = self.ledger.write();
        let wrong = |error| self.ledger_error(&error);
        let shown = ledger.inode(ino).map_err(wrong)?;
        if shown.is_none_or(|inode| inode.nlink == 0) && !state.elsewhere.revives() {
            state.rows_stale = true;
            return Ok(false);
        }
        if instead {
            self.drop_dirty_rows(&mut ledger, ino)?;
        }
        ledger.local_put(UNSETTLED, &ino.to_be_bytes(), &head).map_err(wrong)?;
        for (block, row) in rows {
            ledger.local_put(EXTENTS, &extent_key(ino, *block), row).map_err(wrong)?;
        }
        Ok(true)
    }

    fn delete_rows(&self, ino: Ino, blocks: impl Iterator<Item = u64>) -> Result<(), Error> {
        let mut ledger = self.ledger.write();
        for block in blocks {
            let deleted = ledger.local_delete(EXTENTS, &extent_key(ino, block));
            deleted.map_err(|error| self.ledger_error(&error))?;
        }
        Ok(())
    }

    /// The rows of these blocks from the first on, a step of them.
    fn gather(&self, state: &mut State, blocks: &[u64], first: usize) -> Result<Gathered, Error> {
        let content = state.content();
        let mut gathered = Gathered { rows: Vec::new(), next: first };
        let mut bytes = 0;
        for block in &blocks[first..] {
            if bytes >= STEP_BYTES {
                break;
            }
            let runs = self.runs(content, *block)?;
            if !runs.is_empty() {
                let row = encode_runs(&runs);
                bytes += row.len();
                gathered.rows.push((*block, row));
            }
            gathered.next += 1;
        }
        Ok(gathered)
    }

    /// The changed bytes of a block. Runs that meet are one.
    fn runs(&self, content: &FileContent, block: u64) -> Result<Vec<(u16, Bytes)>, Error> {
        let (from, to) = (block * BLOCK_BYTES, ((block + 1) * BLOCK_BYTES).min(content.size));
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let mut at = from;
        while let Some((start, segment)) = content.overlay.at_or_after(at).filter(|(start, _)| *start < to) {
            let (start, end) = (start.max(from), (start + segment.len).min(to));
            match ranges.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => ranges.push((start, end)),
            }
            at = end.max(at + 1);
            if at >= to {
                break;
            }
        }
        let run = |(start, end): (u64, u64)| {
            let place = u16::try_from(start - from).expect("inside a block");
            Ok((place, content.bytes(&self.store, start, end)?))
        };
        ranges.into_iter().map(run).collect()
    }

    fn blocks_with_rows(&self, ino: Ino) -> Result<Vec<u64>, Error> {
        let mut blocks = Vec::new();
        let (first, end) = (extent_key(ino, 0), extent_key(ino + 1, 0));
        self.ledger
            .read()
            .local_scan(EXTENTS, (Included(&first), Excluded(&end)), &mut |key, _| {
                blocks.extend(block_of(key));
                true
            })
            .map_err(|error| self.ledger_error(&error))?;
        Ok(blocks)
    }

    /// Takes the rows of a file out again: a version holds it now, or nobody wants it any more.
    pub(crate) fn drop_dirty_rows(&self, ledger: &mut Ledger, ino: Ino) -> Result<(), Error> {
        let mut keys = Vec::new();
        let wrong = |error| self.ledger_error(&error);
        ledger
            .local_scan(
                EXTENTS,
                (Included(&extent_key(ino, 0)), Excluded(&extent_key(ino + 1, 0))),
                &mut |key, _| {
                    keys.push(key.to_vec());
                    true
                },
            )
            .map_err(wrong)?;
        for key in keys {
            ledger.local_delete(EXTENTS, &key).map_err(wrong)?;
        }
        ledger.local_delete(UNSETTLED, &ino.to_be_bytes()).map_err(wrong)
    }
}

/// A step of rows, and the index of the first block that is not in it.
struct Gathered {
    rows: Vec<(u64, Vec<u8>)>,
    next: usize,
}

/// Blocks that changed since rows were kept, rising.
fn fresh_blocks(state: &mut State) -> Vec<u64> {
    let fresh: Vec<(u64, u64)> = state.fresh.iter().collect();
    let size = state.content().size;
    let mut blocks: Vec<u64> = fresh
        .into_iter()
        .flat_map(|(start, end)| start / BLOCK_BYTES..end.min(size).div_ceil(BLOCK_BYTES))
        .collect();
    blocks.dedup();
    blocks
}

fn fresh_bytes(state: &State) -> u64 {
    state.fresh.iter().map(|(start, end)| end - start).sum()
}

pub(super) fn extent_key(ino: Ino, block: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&ino.to_be_bytes());
    key[8..].copy_from_slice(&block.to_be_bytes());
    key
}

pub(super) fn inode_of(key: &[u8]) -> Ino {
    key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn block_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step ends the test")]
    use proptest::prelude::*;

    use super::*;

    const OLD: [u8; 7] = [1, 5, 6, 2, 3, 4, 5];

    #[test]
    fn rows_keep_their_bytes_and_old_ones_are_read() {
        let (old, base) = decode(&OLD).unwrap();
        assert!(base.is_none());
        assert_eq!((old.base_limit, old.size, old.mtime, old.ctime), (5, 6, (1, 3), (2, 5)));
        let new =
            postcard::to_stdvec(&(Unsettled { version: VERSION, ..old }, Base(Some((300, 7))))).unwrap();
        assert_eq!(new, [3, 5, 6, 2, 3, 4, 5, 1, 0xac, 2, 7]);
        assert!([1, 2, 3].iter().all(|version| is_known(&[*version])) && !is_known(&[4]) && !is_known(&[]));
        let version = decode(&new).unwrap().1.unwrap().version();
        assert_eq!(version, Some(VersionId(Stamp { clock: 300, device: DeviceTag(7) })));
        assert!(decode(&new[..7]).is_err(), "the base is cut off");
    }

    fn runs_of(row: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut runs = Vec::new();
        each_run(row, &mut |start, bytes| runs.push((start, bytes.to_vec())));
        runs
    }

    #[test]
    fn rows_of_one_and_of_several_runs_keep_their_bytes() {
        let one = encode_runs(&[(258, Bytes::from_static(b"ab"))]);
        assert_eq!(one, [2, 1, b'a', b'b']);
        assert_eq!(runs_of(&one), [(258, b"ab".to_vec())]);
        let two = encode_runs(&[(1, Bytes::from_static(b"a")), (258, Bytes::from_static(b"bc"))]);
        assert_eq!(two, [2, 0x80, 1, 0, 1, 0, 2, 1, 2, 0, b'a', b'b', b'c']);
        assert_eq!(runs_of(&two), [(1, b"a".to_vec()), (258, b"bc".to_vec())]);
        assert_eq!(runs_of(&two[..12]), [(1, b"a".to_vec())], "cut off");
        assert!(runs_of(&[0xff, 0x7f, 1]).is_empty(), "outside the block");
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe_to_decode(row in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&row);
            let mut total = 0;
            each_run(&row, &mut |start, bytes| {
                assert!(start + bytes.len() as u64 <= BLOCK_BYTES);
                total += bytes.len();
            });
            assert!(total <= row.len());
        }
    }
}
