//! A long list of pieces, cut into pages that are chunks themselves.
//!
//! ```text
//! page = "PDpg" | version 1 | kind (0 pieces, 1 pages) | postcard list
//! ```
//!
//! A page ends behind a chunk whose id says so (its first ten bits are zero) or after [`PAGE_MAX_PIECES`], so that one changed
//! chunk changes one page and the others deduplicate.

use ledger::{ChunkRef, Page, Piece};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Longest page, pieces; a decoder takes no more.
pub(crate) const PAGE_MAX_PIECES: usize = 4096;
/// Shortest page that may end by its content, pieces.
const PAGE_MIN_PIECES: usize = 256;
const MAGIC: &[u8; 4] = b"PDpg";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 6;

/// What a page lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageKind {
    Pieces,
    Pages,
}

/// A piece as a page keeps it.
#[derive(Serialize, Deserialize)]
enum PieceForm {
    Chunk(ChunkForm),
    Hole(u64),
}

/// A chunk reference as a page keeps it.
#[derive(Serialize, Deserialize)]
struct ChunkForm {
    id: [u8; 32],
    key: [u8; 32],
    len: u32,
}

/// A page as a page of pages keeps it.
#[derive(Serialize, Deserialize)]
struct PageForm {
    chunk: ChunkForm,
    covers: u64,
}

impl From<&ChunkRef> for ChunkForm {
    fn from(chunk: &ChunkRef) -> Self {
        Self { id: chunk.id, key: chunk.key, len: chunk.len }
    }
}

impl From<ChunkForm> for ChunkRef {
    fn from(chunk: ChunkForm) -> Self {
        Self { id: chunk.id, key: chunk.key, len: chunk.len }
    }
}

/// Whether a page of `count` pieces ends behind `piece`.
pub(crate) fn ends_behind(piece: &Piece, count: usize) -> bool {
    let by_content = match piece {
        Piece::Chunk(chunk) => chunk.id[0] == 0 && chunk.id[1] & 0xc0 == 0,
        Piece::Hole(_) => false,
    };
    count >= PAGE_MAX_PIECES || (by_content && count >= PAGE_MIN_PIECES)
}

/// The page of these pieces.
pub(crate) fn encode_pieces(pieces: &[Piece]) -> Vec<u8> {
    let out = vec![MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], VERSION, 0];
    let forms: Vec<PieceForm> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Chunk(chunk) => PieceForm::Chunk(chunk.into()),
            Piece::Hole(len) => PieceForm::Hole(*len),
        })
        .collect();
    postcard::to_extend(&forms, out).expect("a list of pieces always encodes")
}

/// The page of these pages.
pub(crate) fn encode_pages(pages: &[Page]) -> Vec<u8> {
    let out = vec![MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], VERSION, 1];
    let forms: Vec<PageForm> =
        pages.iter().map(|page| PageForm { chunk: (&page.chunk).into(), covers: page.covers }).collect();
    postcard::to_extend(&forms, out).expect("a list of pages always encodes")
}

/// What a page lists.
///
/// # Errors
/// [`Error::Io`] for what is no page of a known version.
pub(crate) fn kind(bytes: &[u8]) -> Result<PageKind, Error> {
    match bytes.get(..HEADER_BYTES) {
        Some([a, b, c, d, VERSION, kind]) if [*a, *b, *c, *d] == *MAGIC => match kind {
            0 => Ok(PageKind::Pieces),
            1 => Ok(PageKind::Pages),
            _ => Err(Error::Io),
        },
        _ => Err(Error::Io),
    }
}

/// Reads a page of pieces.
///
/// # Errors
/// [`Error::Io`] for anything else.
pub(crate) fn decode_pieces(bytes: &[u8]) -> Result<Vec<Piece>, Error> {
    match kind(bytes)? {
        PageKind::Pieces => bounded(bytes, |form| match form {
            PieceForm::Chunk(chunk) => Piece::Chunk(chunk.into()),
            PieceForm::Hole(len) => Piece::Hole(len),
        }),
        PageKind::Pages => Err(Error::Io),
    }
}

/// Reads a page of pages.
///
/// # Errors
/// [`Error::Io`] for anything else.
pub(crate) fn decode_pages(bytes: &[u8]) -> Result<Vec<Page>, Error> {
    match kind(bytes)? {
        PageKind::Pages => {
            bounded(bytes, |form: PageForm| Page { chunk: form.chunk.into(), covers: form.covers })
        }
        PageKind::Pieces => Err(Error::Io),
    }
}

fn bounded<F, T>(bytes: &[u8], each: impl Fn(F) -> T) -> Result<Vec<T>, Error>
where
    F: serde::de::DeserializeOwned,
{
    let (list, rest) = postcard::take_from_bytes::<Vec<F>>(&bytes[HEADER_BYTES..]).map_err(|_| Error::Io)?;
    if list.len() > PAGE_MAX_PIECES || !rest.is_empty() {
        return Err(Error::Io);
    }
    Ok(list.into_iter().map(each).collect())
}

/// Reads whatever a page may be; for fuzzing.
#[doc(hidden)]
pub fn decode_any(bytes: &[u8]) -> bool {
    decode_pieces(bytes).is_ok() || decode_pages(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(n: u8) -> ledger::ChunkRef {
        ledger::ChunkRef { id: [n; 32], key: [n ^ 0xff; 32], len: 300 }
    }

    #[test]
    fn the_bytes_of_a_page_are_what_they_were() {
        let page = encode_pieces(&[Piece::Hole(1 << 20), Piece::Chunk(chunk(7))]);
        let mut golden = b"PDpg\x01\x00\x02\x01\x80\x80\x40\x00".to_vec();
        golden.extend([7u8; 32]);
        golden.extend([0xf8u8; 32]);
        golden.extend([0xac, 0x02]);
        assert_eq!(page, golden);
        let pages = encode_pages(&[Page { chunk: chunk(1), covers: 5 }]);
        assert_eq!(&pages[..7], b"PDpg\x01\x01\x01");
        assert_eq!(decode_pages(&pages).unwrap().len(), 1);
        assert!(decode_pieces(&pages).is_err());
    }

    #[test]
    fn a_newer_page_is_refused() {
        let mut page = encode_pieces(&[Piece::Hole(1)]);
        page[4] = 2;
        assert_eq!(decode_pieces(&page).err(), Some(Error::Io));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode_any(&bytes);
            let mut framed = b"PDpg\x01\x00".to_vec();
            framed.extend(&bytes);
            decode_any(&framed);
            framed[5] = 1;
            decode_any(&framed);
        }
    }
}
