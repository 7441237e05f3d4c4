//! What a version of a file is made of.
//!
//! ```text
//! up to 256 bytes      Inline(bytes)
//! up to 64 pieces      Chunks: chunk, chunk, hole, chunk …
//! more                 Pages: chunks that hold lists of pieces (depth 1), or lists of pages (depth 2 …)
//! ```

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::wire::{Reader, WireError, Writer};

/// Longest content kept in the inode's row itself, bytes.
pub const INLINE_MAX_BYTES: usize = 256;
/// Most pieces a version lists itself; a longer list is written into page chunks.
pub const PIECES_IN_VERSION: usize = 64;
/// Most pages a version lists.
pub const PAGES_IN_VERSION: usize = 64;
/// Deepest tree of pages.
pub const PAGE_DEPTH_MAX: u8 = 4;

/// Where a chunk is and how to open it. Holds the chunk's key: it is wiped on drop and shows nothing of itself.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ChunkRef {
    /// BLAKE3 of the ciphertext.
    pub id: [u8; 32],
    /// Key of this one chunk.
    pub key: [u8; 32],
    /// Length of the plaintext, bytes.
    pub len: u32,
}

impl std::fmt::Debug for ChunkRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ChunkRef({:02x}{:02x}{:02x}{:02x}…, {} bytes)",
            self.id[0], self.id[1], self.id[2], self.id[3], self.len
        )
    }
}

/// One stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The bytes of a chunk.
    Chunk(ChunkRef),
    /// So many zero bytes that are not stored.
    Hole(u64),
}

/// A chunk that holds a part of a long list of pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The chunk with the list.
    pub chunk: ChunkRef,
    /// How many bytes of the file the list stands for.
    pub covers: u64,
}

/// What a version of a file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes themselves, up to [`INLINE_MAX_BYTES`].
    Inline(Vec<u8>),
    /// Up to [`PIECES_IN_VERSION`] pieces.
    Chunks {
        /// Cut at fixed 64 KiB rather than by content.
        fixed: bool,
        /// The pieces in the order of the file.
        pieces: Vec<Piece>,
    },
    /// Lists of pieces in chunks of their own.
    Pages {
        /// Cut at fixed 64 KiB rather than by content.
        fixed: bool,
        /// 1: pages list pieces; more: pages list pages.
        depth: u8,
        /// The pages in the order of the file.
        pages: Vec<Page>,
    },
}

impl Content {
    /// Content of no bytes.
    pub fn empty() -> Self {
        Self::Inline(Vec::new())
    }

    /// Whether it keeps the bounds of the format.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Inline(bytes) => bytes.len() <= INLINE_MAX_BYTES,
            Self::Chunks { pieces, .. } => pieces.len() <= PIECES_IN_VERSION,
            Self::Pages { depth, pages, .. } => {
                (1..=PAGE_DEPTH_MAX).contains(depth) && pages.len() <= PAGES_IN_VERSION
            }
        }
    }

    /// Rough size in memory and on disk, bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len() + 4,
            Self::Chunks { pieces, .. } => pieces.len() * 72 + 4,
            Self::Pages { pages, .. } => pages.len() * 80 + 4,
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Self::Inline(bytes) => {
                w.byte(0);
                w.bytes(bytes);
            }
            Self::Chunks { fixed, pieces } => {
                w.byte(1 + u8::from(*fixed));
                w.unsigned(pieces.len() as u64);
                pieces.iter().for_each(|piece| write_piece(piece, w));
            }
            Self::Pages { fixed, depth, pages } => {
                w.byte(3 + u8::from(*fixed));
                w.byte(*depth);
                w.unsigned(pages.len() as u64);
                for page in pages {
                    write_chunk(&page.chunk, w);
                    w.unsigned(page.covers);
                }
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match r.byte()? {
            0 => Ok(Self::Inline(r.bytes(INLINE_MAX_BYTES)?.to_vec())),
            tag @ (1 | 2) => {
                let count = r.count(PIECES_IN_VERSION)?;
                let pieces = (0..count).map(|_| read_piece(r)).collect::<Result<_, _>>()?;
                Ok(Self::Chunks { fixed: tag == 2, pieces })
            }
            tag @ (3 | 4) => {
                let depth = r.byte()?;
                if !(1..=PAGE_DEPTH_MAX).contains(&depth) {
                    return Err(WireError::Malformed("page depth"));
                }
                let count = r.count(PAGES_IN_VERSION)?;
                let page = |r: &mut Reader<'_>| Ok(Page { chunk: read_chunk(r)?, covers: r.unsigned()? });
                let pages = (0..count).map(|_| page(r)).collect::<Result<_, WireError>>()?;
                Ok(Self::Pages { fixed: tag == 4, depth, pages })
            }
            _ => Err(WireError::Malformed("content tag")),
        }
    }
}

// A hole is told from a chunk by its first integer: chunks write their length plus one, holes a zero before theirs.
fn write_piece(piece: &Piece, w: &mut Writer) {
    match piece {
        Piece::Chunk(chunk) => write_chunk(chunk, w),
        Piece::Hole(len) => {
            w.byte(0);
            w.unsigned(*len);
        }
    }
}

fn read_piece(r: &mut Reader<'_>) -> Result<Piece, WireError> {
    match r.unsigned()? {
        0 => Ok(Piece::Hole(r.unsigned()?)),
        len => Ok(Piece::Chunk(chunk_of(len, r)?)),
    }
}

fn write_chunk(chunk: &ChunkRef, w: &mut Writer) {
    w.unsigned(u64::from(chunk.len) + 1);
    w.raw(&chunk.id);
    w.raw(&chunk.key);
}

fn read_chunk(r: &mut Reader<'_>) -> Result<ChunkRef, WireError> {
    let len = r.unsigned()?;
    chunk_of(len, r)
}

fn chunk_of(len_plus_one: u64, r: &mut Reader<'_>) -> Result<ChunkRef, WireError> {
    let len = len_plus_one.checked_sub(1).and_then(|len| u32::try_from(len).ok());
    let len = len.ok_or(WireError::Malformed("chunk length"))?;
    Ok(ChunkRef { id: r.array()?, key: r.array()?, len })
}
