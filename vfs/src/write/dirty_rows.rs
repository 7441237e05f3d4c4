//! Dirty extents: what `fsync` keeps of a file that is not settled, as rows of the tree.
//!
//! ```text
//! unsettled  inode (8, BE)               -> version 2 | base limit, size, mtime, ctime, base version (postcard)
//! extents    inode (8, BE) ‖ block (8, BE) -> start in block (2, LE) ‖ bytes
//! ```
//!
//! A block is 4 KiB; a row holds the one run of bytes that is known of it. Rows are committed with everything else, so a small
//! `fsync` is one commit and no chunk; settling replaces them by a version in one batch. They name the version they were made on:
//! laid over another one, the changes of two devices would mix.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use ledger::identity::DeviceTag;
use ledger::{Ledger, LedgerError, LocalSpace, Stamp, VersionId};
use serde::{Deserialize, Serialize};

use crate::content::manifest::Manifest;
use crate::content::overlay::Source;
use crate::content::view::FileContent;
use crate::core::Core;
use crate::node::{Dirty, State};
use crate::{Error, Ino, Time};

/// Most memory of a file that `fsync` keeps as rows; a file with more is settled instead. Bytes.
const ROWS_MAX_BYTES: usize = 1 << 20;
/// Most rows' worth of bytes before a busy file is settled though it is not quiet. Bytes.
pub(crate) const ROWS_BUSY_BYTES: usize = 16 << 20;
const BLOCK_BYTES: u64 = 4096;
const VERSION: u8 = 2;
/// Rows without a base version; they are laid over whatever the file has.
const VERSION_WITHOUT_BASE: u8 = 1;
const UNSETTLED: LocalSpace = LocalSpace(1);
const EXTENTS: LocalSpace = LocalSpace(2);
/// Unsettled files read back at once at start.
const RECOVER_STEP: usize = 256;

#[derive(Serialize, Deserialize)]
struct Unsettled {
    /// [`VERSION`], the first byte.
    version: u8,
    base_limit: u64,
    size: u64,
    mtime: (i64, u32),
    ctime: (i64, u32),
}

/// The version that the rows were made on, behind the rest of the row: clock and device tag. None for a file without content.
#[derive(Serialize, Deserialize)]
struct Base(Option<(u64, u64)>);

impl Base {
    fn version(&self) -> Option<VersionId> {
        self.0.map(|(clock, device)| VersionId(Stamp { clock, device: DeviceTag(device) }))
    }
}

/// Reads an unsettled file's row; the base is lacking in rows of the first version.
fn decode(row: &[u8]) -> Result<(Unsettled, Option<Base>), postcard::Error> {
    let (head, rest) = postcard::take_from_bytes::<Unsettled>(row)?;
    let base = if head.version == VERSION_WITHOUT_BASE { None } else { Some(postcard::from_bytes(rest)?) };
    Ok((head, base))
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

    /// Whether the changes can be kept as rows where nothing better can be done: chunks and zeros among them are read for it. A
    /// file whose changes cannot be settled takes no more of them than this.
    pub(crate) fn fits_in_rows_at_all(&self, state: &State) -> bool {
        fresh_bytes(state) <= (self.settings.write_buffer_bytes / 2) as u64
    }

    /// Puts what changed since the last `fsync` into the ledger's next batch.
    pub(crate) fn keep_as_rows(&self, ino: Ino, state: &mut State) -> Result<(), Error> {
        let Some(dirty) = state.dirty else { return Ok(()) };
        let stale = std::mem::take(&mut state.rows_stale);
        if stale {
            // What was cut off must not come back from an older row when the file grew again.
            let changed: Vec<_> =
                state.content().overlay.iter().map(|(start, segment)| (start, start + segment.len)).collect();
            changed.into_iter().for_each(|(start, end)| state.fresh.add(start, end));
        }
        let rows = self.rows(state)?;
        let replaces = state.replaces;
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
        let shown = ledger.inode(ino).map_err(|error| self.ledger_error(&error))?;
        if shown.is_none_or(|inode| inode.nlink == 0) && !state.elsewhere.revives() {
            // Rows of a file that was deleted here would bring it back at the next start.
            state.rows_stale = true;
            return Ok(());
        }
        let put = |ledger: &mut Ledger, space, key: &[u8], value: &[u8]| {
            ledger.local_put(space, key, value).map_err(|error| self.ledger_error(&error))
        };
        if stale {
            self.drop_dirty_rows(&mut ledger, ino)?;
        }
        put(&mut ledger, UNSETTLED, &ino.to_be_bytes(), &head)?;
        for (block, row) in rows {
            put(&mut ledger, EXTENTS, &extent_key(ino, block), &row)?;
        }
        drop(ledger);
        state.fresh.clear();
        state.persisted = true;
        state.kept_as_of = Some(dirty.last);
        Ok(())
    }

    fn rows(&self, state: &mut State) -> Result<BTreeMap<u64, Vec<u8>>, Error> {
        let fresh: Vec<(u64, u64)> = state.fresh.iter().collect();
        let content = state.content();
        let mut rows = BTreeMap::new();
        for (start, end) in fresh {
            let end = end.min(content.size);
            for block in start / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES) {
                if let std::collections::btree_map::Entry::Vacant(row) = rows.entry(block)
                    && let Some(bytes) = self.row(content, block)?
                {
                    row.insert(bytes);
                }
            }
        }
        Ok(rows)
    }

    /// The run of a block from its first to its last changed byte; gaps between are read.
    fn row(&self, content: &FileContent, block: u64) -> Result<Option<Vec<u8>>, Error> {
        let (from, to) = (block * BLOCK_BYTES, ((block + 1) * BLOCK_BYTES).min(content.size));
        let (mut first, mut last) = (None, from);
        let mut at = from;
        while let Some((start, segment)) = content.overlay.at_or_after(at).filter(|(start, _)| *start < to) {
            first.get_or_insert(start.max(from));
            last = (start + segment.len).min(to);
            at = last.max(at + 1);
            if at >= to {
                break;
            }
        }
        let Some(first) = first else { return Ok(None) };
        let mut row = u16::try_from(first - from).expect("inside a block").to_le_bytes().to_vec();
        row.extend_from_slice(&content.bytes(&self.store, first, last)?);
        Ok(Some(row))
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

    /// Settles every file whose rows a crash left behind; a few at a time, so that memory stays bounded.
    pub(crate) fn recover_dirty_rows(&self) -> Result<u64, Error> {
        let mut recovered = 0;
        let mut after = 0u64;
        loop {
            let mut found = Vec::new();
            self.ledger
                .read()
                .local_scan(UNSETTLED, (Included(&after.to_be_bytes()), Unbounded), &mut |key, value| {
                    found.push((key.to_vec(), value.to_vec()));
                    found.len() < RECOVER_STEP
                })
                .map_err(|error| self.ledger_error(&error))?;
            let Some((last, _)) = found.last() else { return Ok(recovered) };
            after = inode_of(last).saturating_add(1);
            for (key, value) in &found {
                if self.recover_file(inode_of(key), value)? {
                    recovered += 1;
                }
            }
            self.commit()?;
        }
    }

    fn recover_file(&self, ino: Ino, head: &[u8]) -> Result<bool, Error> {
        let (node, outcome) =
            self.nodes.with(ino, |node, state| (node.clone(), self.read_back(ino, state, head)));
        if outcome? {
            return match self.settle(&node) {
                Ok(()) => Ok(true),
                // A full drive starts all the same: the file is read from its rows, and settled when there is room.
                // What lacks a chunk is settled when other computers can be asked.
                Err(Error::Missing(_)) => {
                    tracing::warn!(
                        ino,
                        "a file that was synced before the last stop waits for other computers"
                    );
                    Ok(false)
                }
                Err(Error::ReadOnly) if self.access.is_barred() => {
                    tracing::warn!(ino, "changes of a file wait until this computer may write again");
                    Ok(false)
                }
                Err(Error::NoSpace) => {
                    node.lock().failure = None;
                    tracing::warn!(ino, "no room to settle a file that was synced before the last stop");
                    Ok(false)
                }
                Err(error) => Err(error),
            };
        }
        self.drop_dirty_rows(&mut self.ledger.write(), ino)?;
        Ok(false)
    }

    /// Loads the version that rows were made on, in whose place the next one comes.
    fn load_base(&self, ino: Ino, state: &mut State, base: Option<VersionId>) -> Result<(), Error> {
        let kept = match base {
            Some(version) => self.ledger.read().content_of(ino, version),
            None => Ok((0, ledger::Content::Inline(Vec::new()))),
        };
        match kept {
            Ok((size, content)) => {
                let manifest = Manifest::load(&self.store, &content)?;
                state.fixed = manifest.fixed();
                state.content = Some(FileContent::settled(Arc::new(manifest), size));
            }
            Err(LedgerError::NotFound | LedgerError::Expired) => {
                tracing::warn!(
                    ino,
                    "the version that synced changes were made on is no longer kept; they are laid over the newest, as a conflict"
                );
                self.load(ino, state)?;
            }
            Err(error) => return Err(self.ledger_error(&error)),
        }
        state.replaces = base;
        Ok(())
    }

    fn read_back(&self, ino: Ino, state: &mut State, head: &[u8]) -> Result<bool, Error> {
        if !matches!(head.first(), Some(&(VERSION | VERSION_WITHOUT_BASE))) {
            tracing::error!(
                ino,
                "an unsettled file was kept by a newer version; update before starting again"
            );
            return Err(Error::Unsupported);
        }
        let (head, base) = match decode(head) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::error!(ino, %error, "an unsettled file's row is damaged; its last version stands");
                return Ok(false);
            }
        };
        let deleted = self.is_deleted(ino)?;
        match base {
            None if deleted => return Ok(false),
            None => self.load(ino, state)?,
            Some(base) => {
                self.load_base(ino, state, base.version())?;
                // Who deletes a file here takes its rows along: it was deleted elsewhere.
                if deleted {
                    state.elsewhere.revive();
                }
            }
        }
        let content = state.content();
        content.resize(head.base_limit.min(content.size));
        content.resize(head.size);
        self.ledger
            .read()
            .local_scan(
                EXTENTS,
                (Included(&extent_key(ino, 0)), Excluded(&extent_key(ino + 1, 0))),
                &mut |key, row| {
                    if let (Some(block), Some((start, bytes))) = (block_of(key), row.split_first_chunk::<2>())
                    {
                        let offset = block * BLOCK_BYTES + u64::from(u16::from_le_bytes(*start));
                        let fits = head.size.saturating_sub(offset).min(bytes.len() as u64);
                        content.overlay.write(offset, &bytes[..usize::try_from(fits).unwrap_or(0)]);
                    }
                    true
                },
            )
            .map_err(|error| self.ledger_error(&error))?;
        let now = std::time::Instant::now();
        let time = |(secs, nanos)| Time { secs, nanos };
        state.dirty = Some(Dirty { since: now, last: now, mtime: time(head.mtime), ctime: time(head.ctime) });
        state.kept_as_of = Some(now);
        state.persisted = true;
        Ok(true)
    }
}

fn fresh_bytes(state: &State) -> u64 {
    state.fresh.iter().map(|(start, end)| end - start).sum()
}

fn extent_key(ino: Ino, block: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&ino.to_be_bytes());
    key[8..].copy_from_slice(&block.to_be_bytes());
    key
}

fn inode_of(key: &[u8]) -> Ino {
    key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn block_of(key: &[u8]) -> Option<u64> {
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
        assert_eq!(new, [2, 5, 6, 2, 3, 4, 5, 1, 0xac, 2, 7]);
        let version = decode(&new).unwrap().1.unwrap().version();
        assert_eq!(version, Some(VersionId(Stamp { clock: 300, device: DeviceTag(7) })));
        assert!(decode(&new[..7]).is_err(), "the base is cut off");
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe_to_decode(row in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&row);
        }
    }
}
