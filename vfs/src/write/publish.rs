//! Publishing: a settled content becomes the file's next version in the ledger.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledger::{Content, INLINE_MAX_BYTES, NewVersion, Now, Piece};

use crate::content::manifest::Manifest;
use crate::content::paging::PieceWriter;
use crate::content::to_ledger;
use crate::content::view::{FileContent, Visible, What};
use crate::core::{Core, now};
use crate::node::State;
use crate::{Error, Ino};

impl Core {
    /// Publishes what `state` holds; everything in it is chunks, holes, or short enough for the tree itself. Answers whether the
    /// file still had a name: a version of one without would bring its last name back.
    pub(crate) fn publish(&self, ino: Ino, state: &mut State) -> Result<bool, Error> {
        let Some(dirty) = state.dirty else { return Ok(true) };
        let fixed = state.fixed;
        let file = state.content();
        let content = self.describe(file, fixed)?;
        self.note_live(&content);
        let base = Arc::new(Manifest::load(&self.store, &content)?);
        let size = file.size;
        let new = NewVersion { base: state.replaces, size, mtime: dirty.mtime, content };
        {
            let mut ledger = self.ledger.write();
            // Asked under the lock that who takes the name away holds, too.
            let shown = ledger.inode(ino).map_err(|error| self.ledger_error(&error))?;
            let revives = state.elsewhere.revives();
            let Some(inode) = shown.filter(|inode| inode.nlink > 0 || revives) else { return Ok(false) };
            // A change of names since the last write may have set a later time: it never goes back.
            let ctime = inode.ctime.max(dirty.ctime);
            let version = ledger.publish(now(), ino, new).map_err(|error| self.ledger_error(&error))?;
            ledger.touch_ctime(Now { wall: ctime }, ino).map_err(|error| self.ledger_error(&error))?;
            if state.persisted {
                self.drop_dirty_rows(&mut ledger, ino)?;
            }
            state.replaces = Some(version);
            self.unsaved.fetch_add(1, Ordering::Relaxed);
        }
        state.persisted = false;
        state.fresh.clear();
        state.dirty = None;
        state.content = Some(FileContent::settled(base, size));
        self.committer.wake();
        Ok(true)
    }

    fn describe(&self, file: &FileContent, fixed: bool) -> Result<Content, Error> {
        if file.size <= INLINE_MAX_BYTES as u64 {
            return Ok(Content::Inline(file.bytes(&self.store, 0, file.size)?.to_vec()));
        }
        let mut writer = PieceWriter::new(&self.store, &self.secret, fixed);
        let (mut at, mut page) = (0, 0);
        let pages = file.base.pages();
        while at < file.size {
            while pages.get(page).is_some_and(|page| page.start < at) {
                page += 1;
            }
            // The last page ends where the file ended, not where its content says: it is built anew.
            if let Some(unchanged) = pages.get(page)
                && page + 1 < pages.len()
                && unchanged.start == at
                && writer.at_page_border()
                && at + unchanged.covers <= file.base_limit
                && file.overlay.at_or_after(at).is_none_or(|(start, _)| start >= at + unchanged.covers)
            {
                writer.push_page(unchanged);
                at += unchanged.covers;
                continue;
            }
            file.visit(&self.store, at, file.size, &mut |visible| {
                at = visible.start + visible.len;
                writer.push(piece_of(visible)?)?;
                Ok(!writer.at_page_border())
            })?;
        }
        writer.finish()
    }
}

fn piece_of(visible: Visible<'_>) -> Result<Piece, Error> {
    match visible.what {
        What::Chunk { chunk, skip: 0 } if u64::from(chunk.len) == visible.len => {
            Ok(Piece::Chunk(to_ledger(&chunk)))
        }
        What::Zero => Ok(Piece::Hole(visible.len)),
        // Settling left a range that is no chunk: nothing may be published that is not there.
        _ => {
            tracing::error!(
                start = visible.start,
                len = visible.len,
                "a range was not settled before publishing"
            );
            Err(Error::Io)
        }
    }
}
