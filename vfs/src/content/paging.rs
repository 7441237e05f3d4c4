//! Builds what the ledger keeps of a content out of its pieces; long lists go into pages, unchanged pages are taken over as they are.

use chunkstore::{ChunkStore, DedupSecret};
use ledger::{Content, PIECES_IN_VERSION, Page, Piece};

use super::manifest::PlacedPage;
use super::page::{self, PAGE_MAX_PIECES};
use super::{store_error, to_ledger};
use crate::Error;

/// Pages named by one page of pages.
const PAGES_IN_PAGE: usize = 512;

/// Takes pieces in order.
pub(crate) struct PieceWriter<'a> {
    store: &'a ChunkStore,
    secret: &'a DedupSecret,
    fixed: bool,
    pending: Vec<Piece>,
    pages: Vec<Page>,
}

impl<'a> PieceWriter<'a> {
    /// Begins a list.
    pub(crate) fn new(store: &'a ChunkStore, secret: &'a DedupSecret, fixed: bool) -> Self {
        Self { store, secret, fixed, pending: Vec::new(), pages: Vec::new() }
    }

    /// No piece waits for a page: a page that exists already may follow.
    pub(crate) fn at_page_border(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes over a page of an older version; only at a border.
    pub(crate) fn push_page(&mut self, page: &PlacedPage) {
        debug_assert!(self.at_page_border(), "a page follows a page");
        self.pages.push(Page { chunk: to_ledger(&page.chunk), covers: page.covers });
    }

    /// Adds a piece; holes that meet become one.
    pub(crate) fn push(&mut self, piece: Piece) -> Result<(), Error> {
        if let (Piece::Hole(more), Some(Piece::Hole(len))) = (&piece, self.pending.last_mut()) {
            *len += more;
            return Ok(());
        }
        self.pending.push(piece);
        let last = self.pending.last().expect("just pushed");
        if page::ends_behind(last, self.pending.len()) { self.end_page() } else { Ok(()) }
    }

    /// The content of all that was pushed.
    pub(crate) fn finish(mut self) -> Result<Content, Error> {
        if self.pages.is_empty() && self.pending.len() <= PIECES_IN_VERSION {
            return Ok(Content::Chunks { fixed: self.fixed, pieces: self.pending });
        }
        self.end_page()?;
        let mut depth = 1;
        while self.pages.len() > PIECES_IN_VERSION {
            let below = std::mem::take(&mut self.pages);
            for group in below.chunks(PAGES_IN_PAGE.min(PAGE_MAX_PIECES)) {
                let covers = group.iter().map(|page| page.covers).sum();
                self.pages.push(seal(self.store, self.secret, &page::encode_pages(group), covers)?);
            }
            depth += 1;
        }
        Ok(Content::Pages { fixed: self.fixed, depth, pages: self.pages })
    }

    fn end_page(&mut self) -> Result<(), Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let covers = self.pending.iter().map(length).sum();
        self.pages.push(seal(self.store, self.secret, &page::encode_pieces(&self.pending), covers)?);
        self.pending.clear();
        Ok(())
    }
}

fn length(piece: &Piece) -> u64 {
    match piece {
        Piece::Chunk(chunk) => u64::from(chunk.len),
        Piece::Hole(len) => *len,
    }
}

fn seal(store: &ChunkStore, secret: &DedupSecret, bytes: &[u8], covers: u64) -> Result<Page, Error> {
    let chunk = store.put(secret, bytes).map_err(|error| store_error(&error))?;
    Ok(Page { chunk: to_ledger(&chunk), covers })
}
