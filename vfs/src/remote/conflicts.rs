//! Files that were changed on two devices at once.

use crate::core::{Core, now, wall_time};
use crate::people::version_text::{from_text, to_text};
use crate::people::{shown, told};
use crate::{Change, Drive, Error, Ino, PeopleError, VersionInfo};

/// A file with several newest versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictInfo {
    /// Its path from the root.
    pub path: Vec<u8>,
    /// What opens (current) and what stands beside it, the newest first.
    pub versions: Vec<VersionInfo>,
}

/// A part of all files in conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictPage {
    /// Files, in an order that stays while conflicts come and go.
    pub conflicts: Vec<ConflictInfo>,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
}

impl Drive {
    /// At most `limit` files that were changed on two devices at once behind `after` (0 to begin), and their versions.
    ///
    /// # Errors
    /// The tree cannot be read.
    pub fn conflicts(&self, after: u64, limit: usize) -> Result<ConflictPage, PeopleError> {
        let core = &self.core;
        let ledger = core.ledger.read();
        let wrong = |error| told("the conflicts cannot be read", core.ledger_error(&error));
        let mut found = Vec::new();
        let contested = ledger.conflicts(after, limit).map_err(wrong)?;
        let next = contested.last().filter(|_| contested.len() >= limit).map(|last| last.ino);
        for conflict in contested {
            let Some(path) = ledger.path(conflict.ino).map_err(wrong)? else { continue };
            let versions = conflict.versions.into_iter().map(|version| VersionInfo {
                id: to_text(version.id),
                time: version.time,
                size: version.size,
                device: core.device_name(&ledger, version.device),
                current: version.current,
                conflict: version.conflict,
                deleted: false,
            });
            found.push(ConflictInfo { path, versions: versions.collect() });
        }
        Ok(ConflictPage { conflicts: found, next })
    }

    /// Ends the conflict of the file at `path`: the version `keep` opens from now on; the others stay in the history.
    ///
    /// # Errors
    /// There is no such file or version, or the drive takes no changes.
    pub fn resolve_conflict(&self, path: &[u8], keep: &str) -> Result<(), PeopleError> {
        let core = &self.core;
        let wrong = |error| told(&format!("the conflict of {} stays", shown(path)), error);
        let Some(version) = from_text(keep) else {
            return Err(PeopleError(format!("«{keep}» is no version; `peerdrive conflicts` lists them")));
        };
        core.changeable().map_err(wrong)?;
        core.settle_all().map_err(wrong)?;
        let ino = self.resolve(path).map_err(wrong)?;
        core.merge_heads(ino, version).map_err(wrong)?;
        core.changes.wait_until_handled();
        Ok(())
    }
}

impl Core {
    fn merge_heads(&self, ino: Ino, keep: ledger::VersionId) -> Result<(), Error> {
        let names = {
            let mut ledger = self.ledger.write();
            let wrong = |error| self.ledger_error(&error);
            // The version may be of a file that this one hides.
            let versions = ledger.versions(ino).map_err(wrong)?;
            let holder = versions.iter().find(|version| version.id == keep).ok_or(Error::NotFound)?.ino;
            let (_, content) = ledger.content_of(holder, keep).map_err(wrong)?;
            self.note_live(&content);
            ledger.resolve_conflict(now(), ino, keep).map_err(wrong)?;
            ledger.touch_ctime(ledger::Now { wall: wall_time() }, ino).map_err(wrong)?;
            ledger.parents(ino).map_err(wrong)?
        };
        self.changed_elsewhere(ino, false);
        let entries = names.into_iter().map(|(dir, name)| Change::Entry { dir, name });
        self.tell_all(entries.chain([Change::Content(ino)]).collect());
        self.committer.wake();
        Ok(())
    }
}
