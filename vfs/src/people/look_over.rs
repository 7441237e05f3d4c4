//! Looking over all that the tree says: its pages, its rows, and whether the chunks of every version are here.
//!
//! Chunks are looked up, not read: that is what a scrub does.

use std::collections::HashSet;

use chunkstore::ChunkId;
use ledger::{Content, Cursor, DamagedRow, RowCursor, StoreError, Table};

use crate::Error;
use crate::content::manifest::each_chunk;
use crate::core::Core;

/// Rows looked at under one hold of the ledger's lock.
const STEP_ROWS: u64 = 1024;
/// Inodes whose versions are looked at under one hold.
const STEP_INODES: usize = 256;
/// Damaged rows and missing chunks kept to name what they belong to; more are counted.
const NAMED_MAX: usize = 1000;
/// Looks at the pages of the tree that found a reader at work before it is left for another time.
const PAGE_TRIES: usize = 16;

/// How far a look over is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DoctorProgress {
    /// Rows of the tree looked at.
    pub rows: u64,
    /// Versions whose chunks were looked up.
    pub versions: u64,
    /// Files and folders whose versions were looked at, about, of [`DoctorProgress::inodes_total`].
    pub inodes: u64,
    /// Files and folders that are shown; deleted ones that are kept come on top.
    pub inodes_total: u64,
}

/// What was found.
#[derive(Default)]
pub(super) struct LookOver {
    pub(super) progress: DoctorProgress,
    /// The pages could be compared with the database's own sums.
    pub(super) pages: Option<Result<(), StoreError>>,
    pub(super) damaged_rows: u64,
    pub(super) rows: Vec<DamagedRow>,
    pub(super) missing_chunks: u64,
    pub(super) chunks: HashSet<ChunkId>,
    /// Versions whose list of chunks cannot be read.
    pub(super) unlisted_versions: u64,
    /// Why it did not come to the end, if it did not.
    pub(super) ended_by: Option<String>,
    pub(super) stopped: bool,
}

impl Core {
    /// Looks everything over; `go_on` is told how far it is.
    pub(super) fn look_over(&self, go_on: &mut dyn FnMut(&DoctorProgress) -> bool) -> LookOver {
        let mut seen = LookOver { pages: self.look_at_pages(), ..LookOver::default() };
        let stats = self.ledger.read().stats();
        seen.progress.inodes_total = stats.files + stats.directories;
        let outcome =
            self.look_at_rows(&mut seen, go_on).and_then(|()| self.look_at_versions(&mut seen, go_on));
        seen.ended_by = outcome.err().map(|error| error.to_string());
        seen
    }

    /// None: there was always somebody reading; or the disk takes no changes, and reading would end with the comparison, which writes.
    fn look_at_pages(&self) -> Option<Result<(), StoreError>> {
        if self.writable().is_err() {
            return None;
        }
        let writer = self.ledger.read().writer();
        (0..PAGE_TRIES).find_map(|_| match writer.verify() {
            Ok(true) => Some(Ok(())),
            Ok(false) => {
                std::thread::yield_now();
                None
            }
            Err(error) => Some(Err(error)),
        })
    }

    fn look_at_rows(
        &self,
        seen: &mut LookOver,
        go_on: &mut dyn FnMut(&DoctorProgress) -> bool,
    ) -> Result<(), Error> {
        let mut next = Some(RowCursor::default());
        while let Some(cursor) = next {
            if seen.stopped {
                break;
            }
            let mut damaged = Vec::new();
            let (rows, after) = self
                .ledger
                .read()
                .check_rows(&cursor, STEP_ROWS, &mut |row| damaged.push(row))
                .map_err(|error| self.ledger_error(&error))?;
            seen.progress.rows += rows;
            seen.damaged_rows += damaged.len() as u64;
            let room = NAMED_MAX - seen.rows.len();
            seen.rows.extend(damaged.into_iter().take(room));
            seen.stopped = !go_on(&seen.progress);
            next = after;
        }
        Ok(())
    }

    fn look_at_versions(
        &self,
        seen: &mut LookOver,
        go_on: &mut dyn FnMut(&DoctorProgress) -> bool,
    ) -> Result<(), Error> {
        let mut next = Some(Cursor::default());
        while let Some(cursor) = next {
            if seen.stopped {
                break;
            }
            let mut contents = Vec::new();
            next = self
                .ledger
                .read()
                .for_each_live_content(cursor, STEP_INODES, &mut |content| contents.push(content.clone()))
                .map_err(|error| self.ledger_error(&error))?;
            for content in &contents {
                self.look_up(content, seen)?;
            }
            seen.progress.versions += contents.len() as u64;
            seen.progress.inodes += STEP_INODES as u64;
            seen.stopped = !go_on(&seen.progress);
        }
        Ok(())
    }

    fn look_up(&self, content: &Content, seen: &mut LookOver) -> Result<(), Error> {
        let mut outcome = Ok(());
        let listed = each_chunk(&self.store, content, &mut |id| match self.store.contains(id) {
            Ok(true) => {}
            Ok(false) => {
                seen.missing_chunks += 1;
                if seen.chunks.len() < NAMED_MAX {
                    seen.chunks.insert(*id);
                }
            }
            Err(error) => outcome = Err(crate::content::store_error(&error)),
        });
        seen.unlisted_versions += u64::from(listed.is_err());
        outcome
    }

    /// A damaged row in words.
    pub(super) fn row_in_words(&self, row: &DamagedRow) -> String {
        let what = match row.table {
            Table::Inodes => "the attributes",
            Table::Children => "a name in the folder",
            Table::Versions => "an older version",
            Table::Xattrs => "an extended attribute",
            Table::Graves => "a deleted name in the folder",
            Table::Local => return "something synced and not settled".into(),
            Table::Log => return "a transaction of the log".into(),
            _ => return format!("a row of the table {:?}", row.table),
        };
        let path = row.ino.and_then(|ino| self.ledger.read().path(ino).ok().flatten());
        match (path, row.ino) {
            (Some(path), _) => format!("{what} {}", String::from_utf8_lossy(&path)),
            (None, Some(ino)) => format!("{what} of inode {ino}"),
            (None, None) => what.into(),
        }
    }
}
