//! Where a file's content is.

use chunkstore::ChunkId;
use ledger::Content;

use super::version_text::to_text;
use super::{PeopleError, Whereabouts, shown, told};
use crate::content::manifest::each_chunk;
use crate::core::Core;
use crate::{Drive, Kind};

impl Drive {
    /// At most `max` chunks of the current content of `path`. Pages of its list that are elsewhere are fetched first.
    ///
    /// # Errors
    /// There is no such file, or a page cannot be had.
    pub fn chunk_ids(&self, path: &[u8], max: usize) -> Result<Vec<ChunkId>, PeopleError> {
        let core = &self.core;
        let wrong = |error| told(&format!("{} cannot be looked up", shown(path)), error);
        let ino = self.resolve(path).map_err(wrong)?;
        let content = core.ledger.read().content(ino).map_err(|error| wrong(core.ledger_error(&error)))?;
        let Some((_, _, content)) = content else { return Ok(Vec::new()) };
        Ok(self.list(path, content, max)?.0)
    }

    /// At most `max` chunks of a content, and how many there are.
    fn list(&self, path: &[u8], content: Content, max: usize) -> Result<(Vec<ChunkId>, u64), PeopleError> {
        let walk = move |core: &Core| {
            let (mut ids, mut count) = (Vec::new(), 0);
            each_chunk(&core.store, &content, &mut |id| {
                count += 1;
                if ids.len() < max {
                    ids.push(*id);
                }
            })?;
            Ok((ids, count))
        };
        crate::wait(|reply| self.core.answer(walk, reply)).map_err(|error| {
            let what = format!(
                "the list of the chunks of {} is on a computer that cannot be asked now",
                shown(path)
            );
            told(&what, error)
        })
    }

    /// Version, chunks and form of the content of `path`. Pages of its list that are elsewhere are fetched first.
    ///
    /// # Errors
    /// There is no such file, or a page cannot be had.
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
            chunks = self.list(path, content, 0)?.1;
        }
        Ok(Whereabouts { path: path.to_vec(), version, chunks, bytes: attr.size, inline, fixed, unsettled })
    }
}
