//! Where a file's content is.

use chunkstore::ChunkId;
use ledger::identity::DeviceTag;
use ledger::{Content, VersionId};

use super::version_text::to_text;
use super::{PeopleError, Whereabouts, shown, told};
use crate::FileSafety;
use crate::content::manifest::each_chunk;
use crate::core::Core;
use crate::{Drive, Kind};

/// What it takes to count the copies of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFacts {
    /// How safe it is said to be.
    pub safety: FileSafety,
    /// Its last changes are no version yet: they are on this computer alone.
    pub unsettled: bool,
    /// The version that opens; none while nothing was ever stored.
    pub version: Option<VersionId>,
    /// Every chunk of it, each once; none where it lies in the tree itself.
    pub chunks: Vec<ChunkId>,
}

impl Drive {
    /// What it takes to count the copies of the file at `path`; none if that is no file, or has more than `max` chunks. Pages of the list
    /// of its chunks that are elsewhere are fetched first.
    ///
    /// # Errors
    /// There is no such file, or a page cannot be had.
    pub fn copy_facts(&self, path: &[u8], max: usize) -> Result<Option<CopyFacts>, PeopleError> {
        let core = &self.core;
        let wrong = |error| told(&format!("{} cannot be looked up", shown(path)), error);
        let ino = self.resolve(path).map_err(wrong)?;
        let Some(safety) = self.listed(path).map_err(wrong)?.safety else { return Ok(None) };
        let unsettled = core.nodes.get(ino).is_some_and(|node| node.lock().dirty.is_some());
        let content = core.ledger.read().content(ino).map_err(|error| wrong(core.ledger_error(&error)))?;
        let Some((version, _, content)) = content else {
            return Ok(Some(CopyFacts { safety, unsettled, version: None, chunks: Vec::new() }));
        };
        let (mut chunks, count) = self.list(path, content, max)?;
        chunks.sort_unstable();
        chunks.dedup();
        let facts = CopyFacts { safety, unsettled, version: Some(version), chunks };
        Ok((count <= max as u64).then_some(facts))
    }

    /// Where a device's clock stood at one of its transactions; none if nothing of its log up to there is here.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn clock_at(&self, device: DeviceTag, sequence: u64) -> Result<Option<u64>, PeopleError> {
        let clock = self.core.ledger.read().clock_at(device, sequence);
        clock.map_err(|error| told("the log cannot be read", self.core.ledger_error(&error)))
    }

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
