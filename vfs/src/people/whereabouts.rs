//! Where a file's content is.

use chunkstore::ChunkId;
use ledger::Content;

use super::version_text::to_text;
use super::{PeopleError, Whereabouts, shown, told};
use crate::content::manifest::each_chunk;
use crate::{Drive, Error, Kind};

impl Drive {
    /// At most `max` chunks of the current content of `path`, as far as its pages are here.
    ///
    /// # Errors
    /// There is no such file.
    pub fn chunk_ids(&self, path: &[u8], max: usize) -> Result<Vec<ChunkId>, PeopleError> {
        let core = &self.core;
        let wrong = |error| told(&format!("{} cannot be looked up", shown(path)), error);
        let ino = self.resolve(path).map_err(wrong)?;
        let content = core.ledger.read().content(ino).map_err(|error| wrong(core.ledger_error(&error)))?;
        let mut ids = Vec::new();
        let Some((_, _, content)) = content else { return Ok(ids) };
        let listed = each_chunk(&core.store, &content, &mut |id| {
            if ids.len() < max {
                ids.push(*id);
            }
        });
        match listed {
            Ok(()) => Ok(ids),
            Err(Error::Missing(page)) => {
                core.wish_for(page);
                Ok(ids)
            }
            Err(error) => Err(wrong(error)),
        }
    }

    /// Version, chunks and form of the content of `path`.
    ///
    /// # Errors
    /// There is no such file.
    pub fn whereabouts(&self, path: &[u8]) -> Result<Whereabouts, PeopleError> {
        let core = &self.core;
        let wrong = |error| told(&format!("{} cannot be looked up", shown(path)), error);
        let ino = self.resolve(path).map_err(wrong)?;
        let attr = self.attr(ino).map_err(wrong)?;
        if attr.kind != Kind::File {
            return Err(PeopleError(format!("{} is no file; only files have content", shown(path))));
        }
        let unsettled = core.nodes.get(ino).is_some_and(|node| node.lock().dirty.is_some());
        let content = core.ledger.read().content(ino).map_err(|error| wrong(core.ledger_error(&error)))?;
        let mut chunks = 0;
        let (mut version, mut inline, mut fixed) = (None, false, false);
        if let Some((id, _, content)) = content {
            version = Some(to_text(id));
            inline = matches!(content, Content::Inline(_));
            fixed =
                matches!(content, Content::Chunks { fixed: true, .. } | Content::Pages { fixed: true, .. });
            match each_chunk(&core.store, &content, &mut |_| chunks += 1) {
                // Without its pages the list is shorter; it is asked for.
                Err(Error::Missing(page)) if core.fetcher.has_group() => core.wish_for(page),
                listed => listed.map_err(wrong)?,
            }
        }
        Ok(Whereabouts { path: path.to_vec(), version, chunks, bytes: attr.size, inline, fixed, unsettled })
    }
}
