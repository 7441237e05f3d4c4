//! A file's content as a set of heads: the versions that no known version names as replaced.

use std::sync::Arc;

use crate::error::LedgerError;
use crate::node::Ino;
use crate::stamp::{Stamp, VersionId};
use crate::store::Table;
use crate::tree::{HeadRow, State, VersionBody, VersionRow, version_key};

/// Contents up to this weight stay in the inode's row, bytes: inline bytes, or four pieces.
const HEAD_IN_ROW_BYTES: usize = 4 * 72 + 4;
/// Names in [`Table::Contested`] that begin so are inodes with several heads.
pub(crate) const SEVERAL_HEADS: u8 = b'h';

impl State {
    /// Takes a published version in, whichever of its relatives have arrived.
    pub(crate) fn add_version(
        &mut self,
        ino: Ino,
        stamp: Stamp,
        body: VersionBody,
    ) -> Result<(), LedgerError> {
        let id = VersionId(stamp);
        let known = self.version(ino, id)?;
        let row = self.known_row(ino)?;
        if known.as_ref().is_some_and(|known| known.body.is_some()) || row.heads().any(|head| head == id) {
            return Ok(());
        }
        let several = !row.others.is_empty();
        for parent in body.parents.iter().filter(|parent| **parent != id) {
            self.supersede(ino, *parent, stamp)?;
        }
        let (mtime, wall) = (body.mtime, self.wall);
        let row = self.row_mut(ino)?;
        row.mtime.set(mtime, stamp);
        row.ctime = wall;
        row.expired = false;
        match known {
            // What replaced it has not come: till then it opens, or nothing would.
            Some(VersionRow { replaced: Some(by), .. }) if row.head.is_none() && row.others.is_empty() => {
                self.set_head(ino, id, body)?;
                self.mark_replaced(ino, id, by)?;
            }
            // Its successor came first.
            Some(stub) => self.put_version(ino, id, &VersionRow { body: Some(body), ..stub }),
            None => self.add_head(ino, id, body)?,
        }
        self.promote(ino)?;
        let now_several = !self.known_row(ino)?.others.is_empty();
        if several != now_several {
            self.mark_several(ino, now_several);
        }
        self.dirty.push(ino);
        Ok(())
    }

    /// Counts a head as replaced because its author says that it was, by a version that never comes here. It stays in the history
    /// like any other from `at` on; the one that opens does so until a later one comes. [`State::derive`] must follow.
    pub(crate) fn retire_head(&mut self, ino: Ino, id: VersionId, at: Stamp) -> Result<(), LedgerError> {
        let row = self.known_row(ino)?;
        if row.head.as_ref().is_some_and(|head| head.id == id) {
            // What replaces a version is later, so it is none of the others.
            return self.mark_replaced(ino, id, at);
        }
        if !row.others.contains(&id) {
            return Ok(());
        }
        self.supersede(ino, id, at)?;
        if self.known_row(ino)?.others.is_empty() {
            self.mark_several(ino, false);
        }
        self.dirty.push(ino);
        Ok(())
    }

    /// Takes in that a version replaced these, and was replaced itself by one that came, or comes.
    pub(crate) fn pass_version(
        &mut self,
        ino: Ino,
        by: Stamp,
        replaced: &[VersionId],
    ) -> Result<(), LedgerError> {
        let several = !self.known_row(ino)?.others.is_empty();
        for version in replaced {
            let row = self.known_row(ino)?;
            if row.others.is_empty() && row.head.as_ref().is_some_and(|head| head.id == *version) {
                self.mark_replaced(ino, *version, by)?;
            } else {
                self.supersede(ino, *version, by)?;
            }
        }
        self.promote(ino)?;
        let now_several = !self.known_row(ino)?.others.is_empty();
        if several != now_several {
            self.mark_several(ino, now_several);
        }
        self.dirty.push(ino);
        Ok(())
    }

    fn mark_replaced(&mut self, ino: Ino, id: VersionId, by: Stamp) -> Result<(), LedgerError> {
        let mut version = self.version(ino, id)?.unwrap_or_default();
        version.replaced = version.replaced.max(Some(by));
        self.put_version(ino, id, &version);
        Ok(())
    }

    // A head that only opened because what replaced it had not come is history now.
    fn bury_replaced_head(&mut self, ino: Ino) -> Result<(), LedgerError> {
        let Some(id) = self.known_row(ino)?.head.as_ref().map(|head| head.id) else { return Ok(()) };
        let replaced = self.version(ino, id)?.and_then(|version| version.replaced);
        replaced.map_or(Ok(()), |by| self.supersede(ino, id, by))
    }

    fn mark_several(&mut self, ino: Ino, several: bool) {
        let key = [&[SEVERAL_HEADS][..], &ino.to_be_bytes()].concat();
        if several {
            self.layers.put(Table::Contested, key, Vec::new());
        } else {
            self.layers.delete(Table::Contested, key);
        }
    }

    // `by` replaces `parent`, which may be a head, history already, or not have arrived.
    fn supersede(&mut self, ino: Ino, parent: VersionId, by: Stamp) -> Result<(), LedgerError> {
        let row = self.row_mut(ino)?;
        if row.head.as_ref().is_some_and(|head| head.id == parent) {
            let head = row.head.take().expect("looked at above");
            let known = self.version(ino, parent)?.and_then(|version| version.replaced);
            let body = self.body_of(ino, head)?;
            self.put_version(ino, parent, &VersionRow { replaced: known.max(Some(by)), body: Some(body) });
            return Ok(());
        }
        row.others.retain(|other| *other != parent);
        self.mark_replaced(ino, parent, by)
    }

    fn add_head(&mut self, ino: Ino, id: VersionId, body: VersionBody) -> Result<(), LedgerError> {
        self.bury_replaced_head(ino)?;
        let row = self.row_mut(ino)?;
        match row.head.take() {
            None => self.set_head(ino, id, body),
            Some(head) if head.id < id => {
                row.others.push(head.id);
                row.others.sort_unstable_by(|a, b| b.cmp(a));
                let (old, body_of_old) = (head.id, self.body_of(ino, head)?);
                self.put_version(ino, old, &VersionRow { replaced: None, body: Some(body_of_old) });
                self.set_head(ino, id, body)
            }
            head => {
                row.head = head;
                row.others.push(id);
                row.others.sort_unstable_by(|a, b| b.cmp(a));
                self.put_version(ino, id, &VersionRow { replaced: None, body: Some(body) });
                Ok(())
            }
        }
    }

    // With the head replaced, the greatest of the others opens.
    fn promote(&mut self, ino: Ino) -> Result<(), LedgerError> {
        let row = self.known_row(ino)?;
        let (None, Some(next)) = (&row.head, row.others.first().copied()) else { return Ok(()) };
        let body = self.version(ino, next)?.and_then(|version| version.body).ok_or(LedgerError::NotFound)?;
        self.row_mut(ino)?.others.remove(0);
        self.layers.delete(Table::Versions, version_key(ino, next));
        self.set_head(ino, next, body)
    }

    fn set_head(&mut self, ino: Ino, id: VersionId, body: VersionBody) -> Result<(), LedgerError> {
        let mut head =
            HeadRow { id, parents: body.parents.clone(), size: body.size, mtime: body.mtime, content: None };
        let weight = body.content.weight();
        if body.is_given_up() {
            self.layers.delete(Table::Versions, version_key(ino, id));
        } else if weight <= HEAD_IN_ROW_BYTES {
            head.content = Some(Arc::new(body.content));
            self.layers.active.weigh(weight);
        } else {
            self.put_version(ino, id, &VersionRow { replaced: None, body: Some(body) });
        }
        self.row_mut(ino)?.head = Some(head);
        Ok(())
    }

    fn body_of(&self, ino: Ino, head: HeadRow) -> Result<VersionBody, LedgerError> {
        let HeadRow { id, parents, size, mtime, content } = head;
        match content {
            Some(content) => Ok(VersionBody { parents, size, mtime, content: content.as_ref().clone() }),
            None => {
                let long = self.version(ino, id)?.and_then(|version| version.body);
                Ok(long.unwrap_or_else(|| VersionBody::given_up(parents, size, mtime)))
            }
        }
    }
}
