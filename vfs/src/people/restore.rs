//! Bringing back what was.

use ledger::{DeletedEntry, VersionId, VersionInfo as LedgerVersion};

use super::version_text::{from_text, to_text};
use super::{PeopleError, RestoreAt, Restored, shown, told};
use crate::core::{Core, now};
use crate::{Change, Drive, Error, Ino, Kind, NewNode};

/// What a restore is made from.
pub(crate) struct Found {
    pub(crate) version: LedgerVersion,
    /// The deleted entry it belongs to, if it does.
    gone: Option<DeletedEntry>,
}

impl Drive {
    /// Brings a state of `path` back: in place (as a new version, so that it can be undone), under its old name if it was deleted,
    /// or as the file `to`.
    ///
    /// # Errors
    /// There is no such state, `to` is taken, or the drive takes no changes.
    pub fn restore(&self, path: &[u8], at: &RestoreAt, to: Option<&[u8]>) -> Result<Restored, PeopleError> {
        let core = &self.core;
        core.changeable().map_err(|error| told("nothing can be restored", error))?;
        // What is being written right now becomes a version first, so that it can be brought back as well.
        core.settle_all().map_err(|error| told("unsettled files stand in the way", error))?;
        let found = self.find_state(path, at)?;
        let target = to.unwrap_or(path);
        let restored = match (to, &found.gone) {
            (None, None) => core.restore_in_place(&found.version),
            (None, Some(gone)) if self.resolve(path).is_err() => self.revive(path, gone, &found.version),
            _ => self.restore_as(target, &found.version),
        };
        restored.map_err(|error| told(&format!("{} was not restored", shown(path)), error))?;
        // Whoever looks after this answer sees what was restored.
        core.changes.wait_until_handled();
        Ok(Restored { path: target.to_vec(), version: to_text(found.version.id), size: found.version.size })
    }

    pub(crate) fn find_state(&self, path: &[u8], at: &RestoreAt) -> Result<Found, PeopleError> {
        let core = &self.core;
        let wrong = |error| told("the history cannot be read", core.ledger_error(&error));
        let mut states = Vec::new();
        if let Ok(ino) = self.resolve(path) {
            let versions = core.ledger.read().versions(ino).map_err(wrong)?;
            states.extend(versions.into_iter().map(|version| Found { version, gone: None }));
        }
        for gone in self.deleted_at(path)? {
            let versions = core.ledger.read().versions(gone.ino).map_err(wrong)?;
            states.extend(versions.into_iter().map(|version| Found { version, gone: Some(gone.clone()) }));
        }
        match at {
            RestoreAt::Version(text) => {
                let wanted = from_text(text).ok_or_else(|| {
                    PeopleError(format!("«{text}» is no version; `peerdrive history` lists them"))
                })?;
                states.into_iter().find(|found| found.version.id == wanted).ok_or_else(|| {
                    PeopleError(format!(
                        "{} has no version {text}; `peerdrive history` lists them",
                        shown(path)
                    ))
                })
            }
            RestoreAt::At(time) => states
                .into_iter()
                .filter(|found| found.version.time <= *time)
                .filter(|found| found.gone.as_ref().is_none_or(|gone| gone.time > *time))
                .max_by_key(|found| found.version.time)
                .ok_or_else(|| {
                    PeopleError(format!(
                        "{} held nothing that is kept at that time; see `peerdrive history`",
                        shown(path)
                    ))
                }),
        }
    }

    /// A deleted file gets its name back; its directories too, if they were deleted with it.
    fn revive(&self, path: &[u8], gone: &DeletedEntry, version: &LedgerVersion) -> Result<(), Error> {
        let core = &self.core;
        let dir = self.directories_of(path)?;
        core.ledger
            .write()
            .revive(now(), gone.ino, dir, &gone.name)
            .map_err(|error| core.ledger_error(&error))?;
        core.changes.tell(&Change::Entry { dir, name: gone.name.clone() });
        core.changes.tell(&Change::Attributes(dir));
        core.committer.wake();
        if version.current { Ok(()) } else { core.restore_in_place(version) }
    }

    /// A file of its own with the content of a version.
    fn restore_as(&self, path: &[u8], version: &LedgerVersion) -> Result<(), Error> {
        let core = &self.core;
        let dir = self.directories_of(path)?;
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let old = core.inode(version.ino)?;
        let node =
            NewNode { kind: Kind::File, mode: old.mode, uid: old.uid, gid: old.gid, rdev: 0, target: b"" };
        let made = self.make_node(dir, name, node)?;
        core.publish_copy(made.ino, (version.ino, version.id), version.size)?;
        core.changes.tell(&Change::Entry { dir, name: name.to_vec() });
        core.changes.tell(&Change::Content(made.ino));
        core.changes.tell(&Change::Attributes(dir));
        Ok(())
    }
}

impl Core {
    fn restore_in_place(&self, version: &LedgerVersion) -> Result<(), Error> {
        self.publish_copy(version.ino, (version.ino, version.id), version.size)?;
        self.changes.tell(&Change::Content(version.ino));
        Ok(())
    }

    /// Publishes the content that a version of a file has as the next version of `ino`.
    pub(crate) fn publish_copy(
        &self,
        ino: Ino,
        (of, version): (Ino, VersionId),
        size: u64,
    ) -> Result<(), Error> {
        self.nodes.with(ino, |_, state| {
            let mut ledger = self.ledger.write();
            let wrong = |error| self.ledger_error(&error);
            let (_, content) = ledger.content_of(of, version).map_err(wrong)?;
            self.note_live(&content);
            let base =
                ledger.inode(ino).map_err(wrong)?.and_then(|inode| inode.head).map(|head| head.version);
            let new = ledger::NewVersion { base, size, mtime: crate::core::wall_time(), content };
            ledger.publish(now(), ino, new).map_err(wrong)?;
            drop(ledger);
            // Whoever has the file open reads the new content from here on.
            state.content = None;
            state.replaces = None;
            self.recount(state);
            self.committer.wake();
            Ok(())
        })
    }
}
