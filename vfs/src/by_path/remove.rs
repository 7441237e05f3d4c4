//! Deleting, and taking that back.

use ledger::DeletedEntry;

use super::name_notices;
use super::relocate::STEP_ENTRIES;
use crate::core::{Core, now};
use crate::people::{PeopleError, shown, told};
use crate::{Attr, Drive, Error, Ino, Kind, Time};

/// Names told to the listeners at once.
const NOTICES_AT_ONCE: usize = 1024;

/// What a deletion did; [`Drive::undelete`] takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// Names that went.
    pub entries: u64,
    /// Everything that it deleted was deleted since then.
    pub since: Time,
}

impl Drive {
    /// Deletes a file, or a folder with all that is in it. What was not settled becomes a version first, so that it can be brought back.
    /// What went before a failure stays gone until it is undeleted.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] for the root, [`Error::ReadOnly`].
    pub fn remove_path(&self, path: &[u8]) -> Result<Removed, Error> {
        let (dir, name) = self.place(path)?;
        let since = self.core.latest_edit();
        let attr = self.lookup(dir, name)?;
        let mut entries = 0;
        let removed = self.remove_tree(dir, name, &attr, &mut entries);
        self.core.told_names(&[(dir, name)]);
        removed.map(|()| Removed { entries, since })
    }

    fn remove_tree(&self, dir: Ino, name: &[u8], attr: &Attr, removed: &mut u64) -> Result<(), Error> {
        // Folders whose content goes before they do: an explicit stack, or a deep tree would end the thread's.
        let mut open = vec![(dir, name.to_vec(), attr.ino, attr.kind)];
        while let Some((dir, name, ino, kind)) = open.last().cloned() {
            if kind == Kind::Directory {
                let below = self.remove_files_in(ino, removed)?;
                if !below.is_empty() {
                    open.extend(below.into_iter().map(|(name, sub)| (ino, name, sub, Kind::Directory)));
                    continue;
                }
            }
            self.remove_one(dir, &name, ino, kind)?;
            *removed += 1;
            open.pop();
        }
        Ok(())
    }

    /// Removes all but the folders in a folder, and gives those.
    fn remove_files_in(&self, dir: Ino, removed: &mut u64) -> Result<Vec<(Vec<u8>, Ino)>, Error> {
        let (mut folders, mut notices) = (Vec::new(), Vec::new());
        let done = self.core.each_entry(dir, &mut |name, ino| {
            let kind = match self.attr(ino) {
                Err(Error::NotFound) => return Ok(()),
                attr => attr?.kind,
            };
            if kind == Kind::Directory {
                folders.push((name.to_vec(), ino));
                return Ok(());
            }
            self.remove_one(dir, name, ino, kind)?;
            *removed += 1;
            notices.extend(name_notices(dir, name));
            if notices.len() >= NOTICES_AT_ONCE {
                self.core.tell_all(std::mem::take(&mut notices));
            }
            Ok(())
        });
        self.core.tell_all(notices);
        done.map(|()| folders)
    }

    fn remove_one(&self, dir: Ino, name: &[u8], ino: Ino, kind: Kind) -> Result<(), Error> {
        let gone = match kind {
            Kind::Directory => self.remove_dir(dir, name),
            _ => self.core.settle_one(ino).and_then(|()| self.unlink(dir, name)),
        };
        // Somebody else was faster: what was wanted is so.
        if gone == Err(Error::NotFound) { Ok(()) } else { gone }
    }

    /// Brings back what was last deleted at `path`; of a folder also what was deleted in it since `since`. Answers how many names came
    /// back.
    ///
    /// # Errors
    /// Nothing is kept of it, the name is taken again, or the drive takes no changes.
    pub fn undelete(&self, path: &[u8], since: Time) -> Result<u64, PeopleError> {
        let core = &self.core;
        let wrong = |error| told(&format!("{} does not come back", shown(path)), error);
        core.writable().map_err(wrong)?;
        if self.resolve(path).is_ok() {
            return Err(wrong(Error::Exists));
        }
        let gone = self.deleted_at(path)?.into_iter().find(|gone| gone.time >= since);
        let gone = gone.ok_or_else(|| {
            PeopleError(format!("nothing is kept of {}: it was never there, or too long ago", shown(path)))
        })?;
        let dir = self.directories_of(path).map_err(wrong)?;
        let back = core.revive_tree(&gone, dir, since).map_err(wrong);
        core.changes.wait_until_handled();
        back
    }
}

impl Core {
    fn revive_tree(&self, top: &DeletedEntry, dir: Ino, since: Time) -> Result<u64, Error> {
        let mut back = 0;
        let mut open = vec![(top.clone(), dir)];
        while let Some((gone, dir)) = open.pop() {
            let revived = self.ledger.write().revive(now(), gone.ino, dir, &gone.name);
            match revived {
                // It came back by another of its names, or another file took this one.
                Err(ledger::LedgerError::Exists) if gone.ino != top.ino => continue,
                revived => revived.map_err(|error| self.ledger_error(&error))?,
            }
            back += 1;
            self.tell_all(name_notices(dir, &gone.name).into());
            if gone.kind == Kind::Directory {
                let below = self.deleted_since(gone.ino, since)?;
                open.extend(below.into_iter().map(|below| (below, gone.ino)));
            }
        }
        self.committer.wake();
        Ok(back)
    }

    fn deleted_since(&self, dir: Ino, since: Time) -> Result<Vec<DeletedEntry>, Error> {
        let (mut found, mut after) = (Vec::new(), Vec::new());
        loop {
            let listed = self.ledger.read().deleted(dir, &after, STEP_ENTRIES);
            let (entries, next) = listed.map_err(|error| self.ledger_error(&error))?;
            found.extend(entries.into_iter().filter(|gone| gone.time >= since));
            match next {
                Some(position) => after = position,
                None => return Ok(found),
            }
        }
    }
}
