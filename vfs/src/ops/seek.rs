//! `SEEK_DATA` and `SEEK_HOLE`.

use crate::content::HOLE_MIN_BYTES;
use crate::content::view::What;
use crate::{Drive, Error, Handle, Seek};

impl Drive {
    /// The first data or hole at or after `offset`. The end of the file counts as a hole.
    ///
    /// # Errors
    /// [`Error::NoData`] at or past the end, and when only a hole follows.
    pub fn seek(&self, handle: Handle, offset: u64, to: Seek) -> Result<u64, Error> {
        let core = &self.core;
        let file = core.handles.file(handle)?;
        let mut state = file.node.lock();
        core.load_now(file.node.ino, &mut state)?;
        let content = state.content();
        if offset >= content.size {
            return Err(Error::NoData);
        }
        let mut found = None;
        let visited = content.visit(&core.store, offset, content.size, &mut |visible| {
            // Zeros too short for a hole of their own are kept as data once they are settled: say so from the start.
            let hole =
                matches!(visible.what, What::Zero) && (visible.intact || visible.len >= HOLE_MIN_BYTES);
            if hole == (to == Seek::Hole) {
                found = Some(visible.start);
            }
            Ok(found.is_none())
        });
        match visited {
            // Nobody waits for the network to learn of holes: from here on none is known, so all counts as data.
            Err(Error::Missing(id)) => {
                core.wish_for(id);
                return Ok(if to == Seek::Data { offset } else { content.size });
            }
            visited => visited?,
        }
        match (found, to) {
            (Some(offset), _) => Ok(offset),
            (None, Seek::Hole) => Ok(content.size),
            (None, Seek::Data) => Err(Error::NoData),
        }
    }
}
