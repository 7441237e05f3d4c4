//! Files that were synced before the last stop and not settled: their rows are read back and settled at the start.
//!
//! A file whose base is on another computer waits like any other: its node holds nothing but the promise that there are rows, and
//! whoever needs the content reads them back first, when the chunk came. Versions that rows were made on are kept as long as the rows
//! are: laid over another one, the changes of two devices would mix.

use std::collections::HashSet;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;
use std::time::Instant;

use ledger::{LedgerError, VersionId};

use super::dirty_rows::{
    BLOCK_BYTES, Base, EXTENTS, UNSETTLED, Unsettled, block_of, decode, each_run, extent_key, inode_of,
    is_known,
};
use crate::content::manifest::Manifest;
use crate::content::overlay::{Segment, Source};
use crate::content::view::FileContent;
use crate::core::Core;
use crate::node::{Dirty, State};
use crate::{Error, Ino, Time};

/// Unsettled files read back at once.
const RECOVER_STEP: usize = 256;
/// Where a run that is read back begins a new segment, bytes: each chunk cut from a segment moves the rest of it.
const SEGMENT_BYTES: u64 = 1 << 20;

impl Core {
    /// Settles every file whose rows a crash left behind; a few at a time, so that memory stays bounded.
    pub(crate) fn recover_dirty_rows(&self) -> Result<u64, Error> {
        let mut recovered = 0;
        self.each_unsettled(|found| {
            for (ino, head) in found {
                recovered += u64::from(self.recover_file(*ino, head)?);
            }
            self.commit()
        })?;
        Ok(recovered)
    }

    /// The versions that unsettled changes were made on.
    pub(crate) fn bases_of_changes(&self) -> Result<HashSet<VersionId>, Error> {
        let mut bases = HashSet::new();
        for node in self.nodes.all() {
            let state = node.lock();
            bases.extend(state.replaces.filter(|_| state.dirty.is_some()));
        }
        self.each_unsettled(|found| {
            let heads =
                found.iter().filter(|(_, head)| is_known(head)).filter_map(|(_, head)| decode(head).ok());
            bases.extend(heads.filter_map(|(_, base)| base?.version()));
            Ok(())
        })?;
        Ok(bases)
    }

    /// Hands out all unsettled files and their rows, some at a time.
    fn each_unsettled(
        &self,
        mut each: impl FnMut(&[(Ino, Vec<u8>)]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut from = 0u64;
        loop {
            let mut found = Vec::new();
            self.ledger
                .read()
                .local_scan(UNSETTLED, (Included(&from.to_be_bytes()), Unbounded), &mut |key, value| {
                    found.push((inode_of(key), value.to_vec()));
                    found.len() < RECOVER_STEP
                })
                .map_err(|error| self.ledger_error(&error))?;
            let Some((last, _)) = found.last() else { return Ok(()) };
            from = last.saturating_add(1);
            each(&found)?;
        }
    }

    fn recover_file(&self, ino: Ino, row: &[u8]) -> Result<bool, Error> {
        let Some((head, base)) = read_head(ino, row)? else {
            self.drop_dirty_rows(&mut self.ledger.write(), ino)?;
            return Ok(false);
        };
        let deleted = self.is_deleted(ino)?;
        if deleted && base.is_none() {
            self.drop_dirty_rows(&mut self.ledger.write(), ino)?;
            return Ok(false);
        }
        let (node, outcome) = self.nodes.with(ino, |node, state| {
            // Who deletes a file here takes its rows along: it was deleted elsewhere.
            if deleted {
                state.elsewhere.revive();
            }
            let read = match self.read_back(ino, state, &head, base.as_ref()) {
                Err(Error::Missing(_)) => {
                    state.rows_unread = Some(head.size);
                    state.become_kept(&head);
                    Ok(())
                }
                read => read,
            };
            (node.clone(), read)
        });
        outcome?;
        match self.settle(&node) {
            Ok(()) => Ok(true),
            // A full drive starts all the same: the file is read from its rows, and settled when there is room.
            // What lacks a chunk is settled when other computers can be asked.
            Err(Error::Missing(_)) => {
                tracing::warn!(ino, "a file that was synced before the last stop waits for other computers");
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
        }
    }

    /// The content of a file whose rows could not be read back at the start.
    pub(crate) fn read_rows(&self, ino: Ino, state: &mut State) -> Result<(), Error> {
        let row = self.ledger.read().local_get(UNSETTLED, &ino.to_be_bytes());
        let row = row.map_err(|error| self.ledger_error(&error))?;
        let Some((head, base)) = row.map(|row| read_head(ino, &row)).transpose()?.flatten() else {
            return Err(Error::Io);
        };
        self.read_back(ino, state, &head, base.as_ref())?;
        state.rows_unread = None;
        self.keeper.wake(false);
        Ok(())
    }

    /// Lays the rows over the version they were made on. The state holds no content after an error.
    fn read_back(
        &self,
        ino: Ino,
        state: &mut State,
        head: &Unsettled,
        base: Option<&Base>,
    ) -> Result<(), Error> {
        match base {
            None => self.load_shown(ino, state)?,
            Some(base) => self.load_base(ino, state, base.version())?,
        }
        let content = state.content();
        content.resize(head.base_limit.min(content.size));
        content.resize(head.size);
        let (first, end) = (extent_key(ino, 0), extent_key(ino + 1, 0));
        let scanned =
            self.ledger.read().local_scan(EXTENTS, (Included(&first), Excluded(&end)), &mut |key, row| {
                let Some(block) = block_of(key) else { return true };
                each_run(row, &mut |start, bytes| {
                    let offset = block.saturating_mul(BLOCK_BYTES).saturating_add(start);
                    let fits = head.size.saturating_sub(offset).min(bytes.len() as u64);
                    let bytes = &bytes[..usize::try_from(fits).unwrap_or(0)];
                    if offset.is_multiple_of(SEGMENT_BYTES) {
                        let source = Source::Memory(bytes.to_vec());
                        content.overlay.put(offset, Segment { len: fits, source });
                    } else {
                        content.overlay.write(offset, bytes);
                    }
                });
                true
            });
        if let Err(error) = scanned {
            state.content = None;
            return Err(self.ledger_error(&error));
        }
        state.become_kept(head);
        Ok(())
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
                self.load_shown(ino, state)?;
            }
            Err(error) => return Err(self.ledger_error(&error)),
        }
        state.replaces = base;
        Ok(())
    }
}

impl State {
    /// Rows of the tree hold all its changes.
    fn become_kept(&mut self, head: &Unsettled) {
        let now = Instant::now();
        let time = |(secs, nanos)| Time { secs, nanos };
        self.dirty = Some(Dirty { since: now, last: now, mtime: time(head.mtime), ctime: time(head.ctime) });
        self.kept_as_of = Some(now);
        self.persisted = true;
    }
}

/// None where a row is damaged: then the file's last version stands.
fn read_head(ino: Ino, row: &[u8]) -> Result<Option<(Unsettled, Option<Base>)>, Error> {
    if !is_known(row) {
        tracing::error!(ino, "an unsettled file was kept by a newer version; update before starting again");
        return Err(Error::Unsupported);
    }
    match decode(row) {
        Ok(decoded) => Ok(Some(decoded)),
        Err(error) => {
            tracing::error!(ino, %error, "an unsettled file's row is damaged; its last version stands");
            Ok(None)
        }
    }
}
