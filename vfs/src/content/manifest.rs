//! A version's content as the drive reads it: pieces by offset, long lists in pages fetched when needed.

use std::sync::Arc;

use bytes::Bytes;
use chunkstore::{ChunkRef, ChunkStore};
use ledger::{Content, Piece};
use parking_lot::Mutex;

use super::page::{self, PageKind};
use super::{from_ledger, read_error};
use crate::Error;

/// What lies at an offset of a settled content.
#[derive(Clone)]
pub(crate) struct Placed {
    /// Offset of its first byte in the file.
    pub(crate) start: u64,
    /// Length, bytes.
    pub(crate) len: u64,
    /// The chunk; none for a hole.
    pub(crate) chunk: Option<ChunkRef>,
}

impl Placed {
    /// Offset after its last byte.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// A sorted run of pieces.
pub(crate) struct Pieces {
    placed: Vec<Placed>,
}

impl Pieces {
    fn new(start: u64, pieces: &[Piece]) -> Self {
        let mut at = start;
        let placed = pieces
            .iter()
            .map(|piece| {
                let (len, chunk) = match piece {
                    Piece::Chunk(chunk) => (u64::from(chunk.len), Some(from_ledger(chunk))),
                    Piece::Hole(len) => (*len, None),
                };
                let placed = Placed { start: at, len, chunk };
                at = at.saturating_add(len);
                placed
            })
            .collect();
        Self { placed }
    }

    fn at(&self, offset: u64) -> Option<&Placed> {
        let index = self.placed.partition_point(|piece| piece.end() <= offset);
        self.placed.get(index).filter(|piece| piece.start <= offset)
    }

    fn end(&self) -> u64 {
        self.placed.last().map_or(0, Placed::end)
    }
}

/// A page of pieces, and where it lies.
#[derive(Clone)]
pub(crate) struct PlacedPage {
    /// Offset of its first byte in the file.
    pub(crate) start: u64,
    /// Bytes of the file it describes.
    pub(crate) covers: u64,
    /// Chunk that holds it.
    pub(crate) chunk: ChunkRef,
}

/// Pages of one content at most; at the sizes that pages and chunks are cut at, some hundred tebibytes. What names more was not made by
/// this program, and would take memory without end.
const PAGES_MAX: usize = 1 << 20;

enum Form {
    Inline(Bytes),
    Pieces(Pieces),
    Pages { pages: Vec<PlacedPage>, size: u64, last: Mutex<Option<(u64, Arc<Pieces>)>> },
}

/// A settled content.
pub(crate) struct Manifest {
    form: Form,
    fixed: bool,
    data_bytes: u64,
}

impl Manifest {
    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self { form: Form::Inline(Bytes::new()), fixed: false, data_bytes: 0 }
    }

    /// Reads what the ledger keeps of a version; pages of pages are resolved to pages of pieces.
    pub(crate) fn load(store: &ChunkStore, content: &Content) -> Result<Self, Error> {
        let (form, fixed) = match content {
            Content::Inline(bytes) => (Form::Inline(Bytes::copy_from_slice(bytes)), false),
            Content::Chunks { fixed, pieces } => (Form::Pieces(Pieces::new(0, pieces)), *fixed),
            Content::Pages { fixed, depth, pages } => {
                let mut flat = pages.clone();
                for _ in 1..*depth {
                    let mut below = Vec::new();
                    for page in &flat {
                        below.extend(page::decode_pages(&fetch(store, &from_ledger(&page.chunk))?)?);
                        if below.len() > PAGES_MAX {
                            return Err(Error::Io);
                        }
                    }
                    flat = below;
                }
                let mut start = 0u64;
                let pages: Vec<PlacedPage> = flat
                    .iter()
                    .map(|page| {
                        let placed =
                            PlacedPage { start, covers: page.covers, chunk: from_ledger(&page.chunk) };
                        start = start.saturating_add(page.covers);
                        placed
                    })
                    .collect();
                (Form::Pages { pages, size: start, last: Mutex::new(None) }, *fixed)
            }
        };
        let mut manifest = Self { form, fixed, data_bytes: 0 };
        if manifest.size() > i64::MAX as u64 {
            return Err(Error::Io);
        }
        manifest.data_bytes = data_bytes(content, manifest.size());
        Ok(manifest)
    }

    /// Bytes that are data and no hole.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Cut at fixed blocks.
    pub(crate) fn fixed(&self) -> bool {
        self.fixed
    }

    /// Bytes described.
    pub(crate) fn size(&self) -> u64 {
        match &self.form {
            Form::Inline(bytes) => bytes.len() as u64,
            Form::Pieces(pieces) => pieces.end(),
            Form::Pages { size, .. } => *size,
        }
    }

    /// The bytes themselves, where they need no chunk.
    pub(crate) fn inline(&self) -> Option<&Bytes> {
        match &self.form {
            Form::Inline(bytes) => Some(bytes),
            Form::Pieces(_) | Form::Pages { .. } => None,
        }
    }

    /// The pages, where there are any.
    pub(crate) fn pages(&self) -> &[PlacedPage] {
        match &self.form {
            Form::Pages { pages, .. } => pages,
            Form::Inline(_) | Form::Pieces(_) => &[],
        }
    }

    /// Where the page that covers `offset` ends, in the file.
    pub(crate) fn page_end(&self, offset: u64) -> Option<u64> {
        let ends = self.pages().iter().map(|page| page.start.saturating_add(page.covers));
        ends.into_iter().find(|end| *end > offset)
    }

    /// The piece that holds `offset`.
    pub(crate) fn piece_at(&self, store: &ChunkStore, offset: u64) -> Result<Option<Placed>, Error> {
        match &self.form {
            Form::Inline(_) => Ok(None),
            Form::Pieces(pieces) => Ok(pieces.at(offset).cloned()),
            Form::Pages { pages, last, .. } => {
                let index = pages.partition_point(|page| page.start.saturating_add(page.covers) <= offset);
                let Some(page) = pages.get(index).filter(|page| page.start <= offset) else {
                    return Ok(None);
                };
                let mut last = last.lock();
                if let Some((start, pieces)) = &*last
                    && *start == page.start
                {
                    return Ok(pieces.at(offset).cloned());
                }
                let decoded = page::decode_pieces(&fetch(store, &page.chunk)?)?;
                let pieces = Arc::new(Pieces::new(page.start, &decoded));
                if pieces.end() != page.start + page.covers {
                    return Err(Error::Io);
                }
                let found = pieces.at(offset).cloned();
                *last = Some((page.start, pieces));
                Ok(found)
            }
        }
    }
}

/// Bytes of a settled content of `size` bytes that are data and no hole. A list in pages is not fetched for it: there all counts.
pub(crate) fn data_bytes(content: &Content, size: u64) -> u64 {
    match content {
        Content::Chunks { pieces, .. } => {
            let hole = |piece: &Piece| if let Piece::Hole(len) = piece { *len } else { 0 };
            pieces.iter().map(hole).fold(size, u64::saturating_sub)
        }
        Content::Inline(_) | Content::Pages { .. } => size,
    }
}

fn fetch(store: &ChunkStore, chunk: &ChunkRef) -> Result<Bytes, Error> {
    store.get(chunk).map_err(|error| read_error(chunk, &error))
}

/// Every chunk a content names: the data's and the pages' own. Where pages are not here, all others are gone through before the
/// answer is [`Error::Missing`].
pub(crate) fn each_chunk(
    store: &ChunkStore,
    content: &Content,
    each: &mut dyn FnMut(&chunkstore::ChunkId),
) -> Result<(), Error> {
    match content {
        Content::Inline(_) => Ok(()),
        Content::Chunks { pieces, .. } => {
            each_piece(pieces, each);
            Ok(())
        }
        Content::Pages { depth, pages, .. } => each_page(store, *depth, pages, &mut 0, each),
    }
}

fn each_piece(pieces: &[Piece], each: &mut dyn FnMut(&chunkstore::ChunkId)) {
    for piece in pieces {
        if let Piece::Chunk(chunk) = piece {
            each(&from_ledger(chunk).id);
        }
    }
}

fn each_page(
    store: &ChunkStore,
    depth: u8,
    pages: &[ledger::Page],
    seen: &mut usize,
    each: &mut dyn FnMut(&chunkstore::ChunkId),
) -> Result<(), Error> {
    let mut lacking = None;
    for page in pages {
        *seen += 1;
        if *seen > PAGES_MAX {
            return Err(Error::Io);
        }
        match each_of_page(store, depth, page, seen, each) {
            Err(Error::Missing(page)) => lacking = lacking.or(Some(page)),
            listed => listed?,
        }
    }
    lacking.map_or(Ok(()), |page| Err(Error::Missing(page)))
}

fn each_of_page(
    store: &ChunkStore,
    depth: u8,
    page: &ledger::Page,
    seen: &mut usize,
    each: &mut dyn FnMut(&chunkstore::ChunkId),
) -> Result<(), Error> {
    let chunk = from_ledger(&page.chunk);
    each(&chunk.id);
    let bytes = fetch(store, &chunk)?;
    match page::kind(&bytes)? {
        PageKind::Pieces => each_piece(&page::decode_pieces(&bytes)?, each),
        PageKind::Pages if depth > 1 => {
            each_page(store, depth - 1, &page::decode_pages(&bytes)?, seen, each)?;
        }
        PageKind::Pages => return Err(Error::Io),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use chunkstore::Limits;
    use chunkstore::disk::MemoryDisk;

    use super::*;

    #[test]
    fn a_content_longer_than_any_file_is_refused() {
        let disk = Arc::new(MemoryDisk::new());
        let store = ChunkStore::open(disk, Path::new("/chunks"), Limits::default()).unwrap();
        let chunks = |pieces| Content::Chunks { fixed: false, pieces };
        for wrong in [
            chunks(vec![Piece::Hole(u64::MAX), Piece::Hole(5)]),
            chunks(vec![Piece::Hole(i64::MAX as u64), Piece::Hole(1)]),
        ] {
            assert_eq!(Manifest::load(&store, &wrong).err(), Some(Error::Io));
            assert_eq!(data_bytes(&wrong, 7), 0);
        }
        let whole = Manifest::load(&store, &chunks(vec![Piece::Hole(i64::MAX as u64)])).unwrap();
        assert_eq!((whole.size(), whole.data_bytes()), (i64::MAX as u64, 0));
    }
}
