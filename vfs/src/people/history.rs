//! What a path held, as far back as it is kept.

use ledger::{DeletedEntry, VersionId};

use super::version_text::{from_text, to_text};
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
        Ok(self.history_before(path, None, usize::MAX)?.0)
    }

    /// At most `limit` of these, those made before the version of this id; and whether there are more.
    ///
    /// # Errors
    /// As [`Drive::history`], or `before` is no id of a version.
    pub fn history_before(
        &self,
        path: &[u8],
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<VersionInfo>, bool), PeopleError> {
        let no_version = |text| PeopleError(format!("«{text}» is no version: take the id of one"));
        let before = before.map(|text| from_text(text).ok_or_else(|| no_version(text))).transpose()?;
        let wrong = |error| told("the history cannot be read", error);
        let core = &self.core;
        // One more, to know whether there are more.
        let most = limit.saturating_add(1);
        let mut versions = Vec::new();
        let known = self.resolve(path).ok();
        let gone = self.deleted_at(path)?;
        let each = known.map(|ino| (ino, false)).into_iter().chain(gone.iter().map(|gone| (gone.ino, true)));
        for (ino, deleted) in each {
            core.versions_of(ino, deleted, (before, most), &mut versions).map_err(wrong)?;
            versions.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
            versions.truncate(most);
        }
        if versions.is_empty() && known.is_none() && before.is_none() {
            return Err(PeopleError(format!("{} is not in the drive and not in its history", shown(path))));
        }
        let more = versions.len() > limit;
        Ok((versions.into_iter().take(limit).map(|(_, version)| version).collect(), more))
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

    fn versions_of(
        &self,
        ino: Ino,
        deleted: bool,
        (before, most): (Option<VersionId>, usize),
        into: &mut Vec<(VersionId, VersionInfo)>,
    ) -> Result<(), Error> {
        let ledger = self.ledger.read();
        let versions =
            ledger.versions_before(ino, before, most).map_err(|error| self.ledger_error(&error))?;
        for version in versions {
            let info = VersionInfo {
                id: to_text(version.id),
                time: version.time,
                size: version.size,
                device: self.device_name(&ledger, version.device),
                current: version.current && !deleted,
                conflict: version.conflict,
                deleted,
            };
            into.push((version.id, info));
        }
        Ok(())
    }
}
