//! What a path held, as far back as it is kept.

use ledger::DeletedEntry;

use super::version_text::to_text;
use super::{PeopleError, VersionInfo, shown, told};
use crate::core::Core;
use crate::{Drive, Error, Ino, Kind};

/// Deleted files of one name that are looked at, latest first.
const DELETED_SHOWN_MAX: usize = 64;
/// Deleted entries looked at under one hold of the ledger's lock.
const DELETED_STEP_ENTRIES: usize = 512;

impl Drive {
    /// Every kept version of the file at `path`, and of deleted files that had this name; the newest first.
    ///
    /// # Errors
    /// The path never was, or is no longer kept.
    pub fn history(&self, path: &[u8]) -> Result<Vec<VersionInfo>, PeopleError> {
        let core = &self.core;
        let mut versions = Vec::new();
        if let Ok(ino) = self.resolve(path) {
            core.versions_of(ino, false, &mut versions)
                .map_err(|error| told("the history cannot be read", error))?;
        }
        for gone in self.deleted_at(path)? {
            core.versions_of(gone.ino, true, &mut versions)
                .map_err(|error| told("the history cannot be read", error))?;
        }
        if versions.is_empty() && self.resolve(path).is_err() {
            return Err(PeopleError(format!("{} is not in the drive and not in its history", shown(path))));
        }
        versions.sort_by(|one, other| other.time.cmp(&one.time).then_with(|| other.id.cmp(&one.id)));
        Ok(versions)
    }

    /// Deleted entries of this name, latest first.
    pub(crate) fn deleted_at(&self, path: &[u8]) -> Result<Vec<DeletedEntry>, PeopleError> {
        let core = &self.core;
        let Some((dir, name)) = self.parent_of(path) else { return Ok(Vec::new()) };
        core.deleted_named(dir, name).map_err(|error| told("the history cannot be read", error))
    }

    /// The directory that a path lies in, deleted directories included, and the last name.
    pub(crate) fn parent_of<'a>(&self, path: &'a [u8]) -> Option<(Ino, &'a [u8])> {
        let mut parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        let name = parts.next_back()?;
        let mut dir = crate::ROOT;
        for part in parts {
            dir = match self.lookup(dir, part) {
                Ok(attr) => attr.ino,
                Err(_) => {
                    let gone = self.core.deleted_named(dir, part).ok()?;
                    gone.iter().find(|gone| gone.kind == Kind::Directory)?.ino
                }
            };
        }
        Some((dir, name))
    }
}

impl Core {
    /// Deleted entries of one name in a directory, latest first.
    fn deleted_named(&self, dir: Ino, name: &[u8]) -> Result<Vec<DeletedEntry>, Error> {
        let mut found = Vec::new();
        let mut after = Vec::new();
        loop {
            let (entries, next) = self
                .ledger
                .read()
                .deleted(dir, &after, DELETED_STEP_ENTRIES)
                .map_err(|error| self.ledger_error(&error))?;
            found.extend(entries.into_iter().filter(|gone| gone.name == name));
            match next {
                Some(position) => after = position,
                None => break,
            }
        }
        found.sort_by_key(|gone| std::cmp::Reverse(gone.time));
        found.truncate(DELETED_SHOWN_MAX);
        Ok(found)
    }

    fn versions_of(&self, ino: Ino, deleted: bool, into: &mut Vec<VersionInfo>) -> Result<(), Error> {
        let ledger = self.ledger.read();
        let versions = ledger.versions(ino).map_err(|error| self.ledger_error(&error))?;
        for version in versions {
            into.push(VersionInfo {
                id: to_text(version.id),
                time: version.time,
                size: version.size,
                device: self.device_name(&ledger, version.device),
                current: version.current && !deleted,
                conflict: version.conflict,
                deleted,
            });
        }
        Ok(())
    }
}
