//! A file that is being uploaded.
//!
//! ```text
//! begin ─▶ .NAME.TAG.partial, with a note as an extended attribute     durable, sealed and counted like any file
//!   write … sync … (a crash, a restart) … write
//! finish ─▶ its content becomes the next version of NAME, in one step  the partial goes
//! ```
//!
//! So what was uploaded survives a restart without a byte in clear outside the drive, and nobody ever opens half a file under its own
//! name. What stood there before is an earlier version.

use ledger::{NameCursor, VersionId};

use super::name_notices;
use super::search::STEP_NAMES;
use crate::core::Core;
use crate::ops::NAME_MAX_BYTES;
use crate::{AttrChange, Change, Drive, Error, Ino, Kind, Time, XattrMode, wait};

/// How the name of a partial file ends.
pub const PARTIAL_SUFFIX: &[u8] = b".partial";
/// Extended attribute with the note.
const NOTE: &[u8] = b"trusted.peerdrive.partial";
/// Longest note, bytes.
const NOTE_MAX_BYTES: usize = 4096;
/// Abandoned files told at once.
pub const ABANDONED_MAX: usize = 1000;

impl Drive {
    /// Makes the partial file of what is to become `path`; folders above it are made. The note is what [`Drive::partial_note`] gives back,
    /// after a restart too.
    ///
    /// # Errors
    /// [`Error::IsDirectory`] when a folder has this name, [`Error::NoSpace`], [`Error::ReadOnly`].
    pub fn begin_partial(&self, path: &[u8], tag: &str, note: &[u8]) -> Result<Ino, Error> {
        if note.len() > NOTE_MAX_BYTES {
            return Err(Error::TooLarge);
        }
        let dir = self.directories_of(path)?;
        let (_, name) = self.place(path)?;
        crate::ops::check_name(name)?;
        match self.lookup(dir, name) {
            Ok(attr) if attr.kind != Kind::File => return Err(Error::IsDirectory),
            Ok(_) | Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
        let partial = partial_name(name, tag);
        let ino = self.make_node(dir, &partial, self.node_like(dir, Kind::File)?)?.ino;
        self.set_xattr(ino, NOTE, note, XattrMode::Create)?;
        self.core.tell_all(name_notices(dir, &partial).into());
        Ok(ino)
    }

    /// The note of a partial file; none if it is no such file (any more).
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn partial_note(&self, ino: Ino) -> Result<Option<Vec<u8>>, Error> {
        match self.core.inode(ino) {
            Ok(inode) if inode.nlink > 0 => {}
            Ok(_) | Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        }
        match self.get_xattr(ino, NOTE) {
            Err(Error::NoAttribute) => Ok(None),
            note => note.map(Some),
        }
    }

    /// Gives a partial file another note, instead of the one it has.
    ///
    /// # Errors
    /// [`Error::NoAttribute`] for what is no partial file, [`Error::TooLarge`], [`Error::ReadOnly`].
    pub fn set_partial_note(&self, ino: Ino, note: &[u8]) -> Result<(), Error> {
        if note.len() > NOTE_MAX_BYTES {
            return Err(Error::TooLarge);
        }
        self.set_xattr(ino, NOTE, note, XattrMode::Replace)
    }

    /// Cuts a partial file to this length.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ReadOnly`].
    pub fn cut_partial(&self, ino: Ino, size: u64) -> Result<(), Error> {
        wait(|reply| {
            self.set_attr(ino, None, AttrChange { size: Some(size), ..AttrChange::default() }, reply);
        })
        .map(drop)
    }

    /// Partial files that nobody wrote to since `time`, [`ABANDONED_MAX`] of them at most.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn abandoned_partials(&self, time: Time) -> Result<Vec<Ino>, Error> {
        let core = &self.core;
        let (mut cursor, mut names, mut found) = (Some(NameCursor::default()), Vec::new(), Vec::new());
        while let Some(from) = cursor.filter(|_| found.len() < ABANDONED_MAX) {
            let mut is_wanted = |name: &[u8]| is_partial_name(name);
            let scanned =
                core.ledger.read().scan_names((&from, None), STEP_NAMES, &mut is_wanted, &mut names);
            cursor = scanned.map_err(|error| core.ledger_error(&error))?;
            for (_, entry) in names.drain(..) {
                let is_old = self.attr(entry.ino).is_ok_and(|attr| attr.mtime < time);
                if is_old && self.partial_note(entry.ino)?.is_some() {
                    found.push(entry.ino);
                }
            }
        }
        found.truncate(ABANDONED_MAX);
        Ok(found)
    }

    /// The content of the partial file becomes the next version of the file at `path`; answers when that is on disk. If it fails, the
    /// partial file is there as before.
    ///
    /// # Errors
    /// [`Error::IsDirectory`] when a folder took the name meanwhile, [`Error::NotFound`], [`Error::NoSpace`], [`Error::ReadOnly`].
    pub fn finish_partial(&self, ino: Ino, path: &[u8]) -> Result<(), Error> {
        let core = &self.core;
        core.settle_one(ino)?;
        let dir = self.directories_of(path)?;
        let (_, name) = self.place(path)?;
        let target = match self.lookup(dir, name) {
            Ok(attr) if attr.kind == Kind::File => attr.ino,
            Ok(_) => return Err(Error::IsDirectory),
            Err(Error::NotFound) => self.make_node(dir, name, self.node_like(dir, Kind::File)?)?.ino,
            Err(error) => return Err(error),
        };
        // What somebody writes there right now becomes a version, and stays one.
        core.settle_one(target)?;
        // An empty upload has no content at all, as a new file has none.
        if let Some((version, size)) = core.head_of(ino)? {
            core.publish_copy(target, (ino, version), size)?;
        } else {
            core.resize(target, 0)?;
        }
        self.drop_partial(ino)?;
        core.tell_all(name_notices(dir, name).into_iter().chain([Change::Content(target)]).collect());
        core.changes.wait_until_handled();
        wait(|reply| core.make_durable(reply))
    }

    /// Gives a partial file up.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ReadOnly`].
    pub fn drop_partial(&self, ino: Ino) -> Result<(), Error> {
        let names = self.names_of(ino);
        if names.is_empty() {
            return Err(Error::NotFound);
        }
        for (dir, name) in names {
            self.unlink(dir, &name)?;
            self.core.tell_all(name_notices(dir, &name).into());
        }
        Ok(())
    }
}

impl Core {
    fn head_of(&self, ino: Ino) -> Result<Option<(VersionId, u64)>, Error> {
        Ok(self.head_content(ino)?.map(|(version, size, _)| (version, size)))
    }
}

/// Whether an upload's file may be called so.
pub fn is_partial_name(name: &[u8]) -> bool {
    name.starts_with(b".") && name.ends_with(PARTIAL_SUFFIX)
}

/// `.NAME.TAG.partial`, the name cut where it would become too long.
fn partial_name(name: &[u8], tag: &str) -> Vec<u8> {
    let rest = 2 + tag.len() + PARTIAL_SUFFIX.len();
    let mut kept = name.len().min(NAME_MAX_BYTES.saturating_sub(rest));
    // Not inside a character.
    while kept > 0 && kept < name.len() && name[kept] & 0xc0 == 0x80 {
        kept -= 1;
    }
    [b".", &name[..kept], b".", tag.as_bytes(), PARTIAL_SUFFIX].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_name_always_fits() {
        assert_eq!(partial_name(b"a.txt", "0f"), b".a.txt.0f.partial");
        let long = "ä".repeat(127);
        let name = partial_name(long.as_bytes(), "0123456789abcdef");
        assert!(name.len() <= NAME_MAX_BYTES && String::from_utf8(name).is_ok());
    }
}
