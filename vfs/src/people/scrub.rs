//! Reading everything once to see that it is still what was written.

use std::collections::HashSet;
use std::time::Instant;

use chunkstore::{ChunkId, Pace};

use super::{PeopleError, ScrubProgress, ScrubReport, told};
use crate::content::manifest::each_chunk;
use crate::core::Core;
use crate::{Drive, Error, Ino, Kind};

/// Files named in a report at most.
const FILES_NAMED_MAX: usize = 1000;
/// Names looked at under one hold of the ledger's lock.
const STEP_ENTRIES: usize = 512;

impl Drive {
    /// Verifies every chunk held here, at most so many bytes a second, and names the files that lose content by what is damaged.
    /// `progress` answers whether to go on.
    ///
    /// # Errors
    /// The store cannot be read at all.
    pub fn scrub(
        &self,
        bytes_per_second: Option<u64>,
        progress: &mut dyn FnMut(&ScrubProgress) -> bool,
    ) -> Result<ScrubReport, PeopleError> {
        let core = &self.core;
        let mut stopped = false;
        let began = Instant::now();
        let report = core
            .store
            .scrub(bytes_per_second, &mut |at| {
                let go_on =
                    progress(&ScrubProgress { done_bytes: at.checked_bytes, total_bytes: at.total_bytes });
                stopped |= !go_on;
                match at.earliest.checked_sub(began.elapsed()) {
                    _ if !go_on => Pace::Stop,
                    Some(wait) => Pace::Wait(wait),
                    None => Pace::Continue,
                }
            })
            .map_err(|error| PeopleError(format!("the scrub failed: {error}")))?;
        let bad: HashSet<ChunkId> = report.bad.iter().copied().collect();
        let files = if bad.is_empty() {
            Vec::new()
        } else {
            core.files_with(&bad).map_err(|error| told("the damaged files cannot be named", error))?
        };
        Ok(ScrubReport {
            chunks: report.checked_chunks,
            bytes: report.checked_bytes,
            bad_chunks: report.bad_chunks,
            files,
            stopped,
        })
    }
}

impl Core {
    /// The paths whose current version needs one of these chunks.
    pub(super) fn files_with(&self, chunks: &HashSet<ChunkId>) -> Result<Vec<Vec<u8>>, Error> {
        let mut paths = Vec::new();
        let mut open = vec![(crate::ROOT, Vec::new())];
        while let Some((dir, path)) = open.pop() {
            let mut after = 0;
            loop {
                let mut entries = Vec::new();
                self.ledger
                    .read()
                    .list(dir, after, STEP_ENTRIES, &mut entries)
                    .map_err(|error| self.ledger_error(&error))?;
                let Some(last) = entries.last() else { break };
                after = last.cookie;
                for entry in entries {
                    let path = [path.as_slice(), b"/", &entry.name].concat();
                    match entry.kind {
                        Kind::Directory => open.push((entry.ino, path)),
                        Kind::File if self.needs_one_of(entry.ino, chunks)? => paths.push(path),
                        _ => {}
                    }
                    if paths.len() == FILES_NAMED_MAX {
                        return Ok(paths);
                    }
                }
            }
        }
        Ok(paths)
    }

    fn needs_one_of(&self, ino: Ino, chunks: &HashSet<ChunkId>) -> Result<bool, Error> {
        let content = self.ledger.read().content(ino).map_err(|error| self.ledger_error(&error))?;
        let Some((_, _, content)) = content else { return Ok(false) };
        let mut hit = false;
        // A page that cannot be read any more is damage as well.
        let readable = each_chunk(&self.store, &content, &mut |id| hit |= chunks.contains(id));
        Ok(hit || readable.is_err())
    }
}
