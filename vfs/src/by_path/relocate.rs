//! Moving and copying.

use ledger::Content;

use super::name_notices;
use crate::core::Core;
use crate::{Attr, Drive, Error, Ino, Kind, NewNode, RenameMode, wait};

/// Entries that one copy takes at most.
const COPY_ENTRIES_MAX: u64 = 100_000;
/// Entries of a folder read under one hold of the ledger's lock.
pub(super) const STEP_ENTRIES: usize = 256;

impl Drive {
    /// Moves a file or folder to a path that is free. Not for threads that answer a kernel.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotFound`], [`Error::Invalid`] for a folder into itself.
    pub fn move_path(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let (source, target) = (self.place(from)?, self.place(to)?);
        wait(|reply| {
            self.rename(source.0, source.1, target.0, target.1, RenameMode::NoReplace, reply);
        })?;
        self.core.told_names(&[source, target]);
        Ok(())
    }

    /// Copies a file, symlink or whole folder to a path that is free: the chunks are shared, no data moves. Answers how many entries
    /// were made. What was copied before a failure stays.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotFound`], [`Error::NoSpace`], [`Error::Invalid`] for a folder into itself, [`Error::Unsupported`]
    /// for what has no content, [`Error::TooLarge`] beyond 100,000 entries.
    pub fn copy_path(&self, from: &[u8], to: &[u8]) -> Result<u64, Error> {
        let source = self.attr(self.resolve(from)?)?;
        let (dir, name) = self.place(to)?;
        if source.kind == Kind::Directory && self.is_inside(dir, source.ino)? {
            return Err(Error::Invalid);
        }
        let copied = self.copy_tree(&source, dir, name);
        self.core.told_names(&[(dir, name)]);
        copied
    }

    fn is_inside(&self, dir: Ino, of: Ino) -> Result<bool, Error> {
        let core = &self.core;
        let mut at = dir;
        while at != crate::ROOT && at != of {
            let above = core.ledger.read().parents(at).map_err(|error| core.ledger_error(&error))?;
            at = above.first().map_or(crate::ROOT, |(parent, _)| *parent);
        }
        Ok(at == of)
    }

    fn copy_tree(&self, source: &Attr, dir: Ino, name: &[u8]) -> Result<u64, Error> {
        let mut made = 0;
        let mut open = Vec::new();
        if let Some(folder) = self.copy_one(source, dir, name)? {
            open.push((source.ino, folder));
        }
        made += 1;
        while let Some((from, into)) = open.pop() {
            let mut notices = Vec::new();
            let done = self.core.each_entry(from, &mut |name, ino| {
                let copied = match self.attr(ino) {
                    Err(Error::NotFound) => return Ok(()),
                    attr => self.copy_one(&attr?, into, name)?,
                };
                open.extend(copied.map(|folder| (ino, folder)));
                notices.extend(name_notices(into, name));
                made += 1;
                if made > COPY_ENTRIES_MAX { Err(Error::TooLarge) } else { Ok(()) }
            });
            self.core.tell_all(notices);
            done?;
        }
        Ok(made)
    }

    /// Makes one entry; the folder to go on with, if it is one.
    fn copy_one(&self, source: &Attr, dir: Ino, name: &[u8]) -> Result<Option<Ino>, Error> {
        let target = if source.kind == Kind::Symlink { self.read_link(source.ino)? } else { Vec::new() };
        let node = NewNode {
            kind: source.kind,
            mode: source.mode,
            uid: source.uid,
            gid: source.gid,
            rdev: 0,
            target: &target,
        };
        match source.kind {
            Kind::Directory => Ok(Some(self.make_node(dir, name, node)?.ino)),
            Kind::Symlink => self.make_node(dir, name, node).map(|_| None),
            Kind::File => {
                self.core.settle_one(source.ino)?;
                let made = self.make_node(dir, name, node)?.ino;
                if let Some((version, size, _)) = self.core.head_content(source.ino)? {
                    self.core.publish_copy(made, (source.ino, version), size)?;
                }
                Ok(None)
            }
            _ => Err(Error::Unsupported),
        }
    }
}

/// What is done with each name of a folder.
type EachEntry<'a> = dyn FnMut(&[u8], Ino) -> Result<(), Error> + 'a;

impl Core {
    /// The current content of a file; none before the first.
    pub(super) fn head_content(&self, ino: Ino) -> Result<Option<(ledger::VersionId, u64, Content)>, Error> {
        self.ledger.read().content(ino).map_err(|error| self.ledger_error(&error))
    }

    /// Every entry of a folder, in steps, with no lock held while `each` runs.
    pub(super) fn each_entry(&self, dir: Ino, each: &mut EachEntry<'_>) -> Result<(), Error> {
        let (mut after, mut entries) = (0, Vec::new());
        loop {
            entries.clear();
            self.ledger
                .read()
                .list(dir, after, STEP_ENTRIES, &mut entries)
                .map_err(|error| self.ledger_error(&error))?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.cookie;
            for entry in &entries {
                each(&entry.name, entry.ino)?;
            }
        }
    }
}
