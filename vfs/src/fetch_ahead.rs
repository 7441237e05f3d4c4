//! Read-ahead from other computers: a chunk that a sequential reader will want is on its way before he asks.
//!
//! How far ahead grows with every step, for a reader who goes on; one who jumps about gets only what he asks for. A short file is
//! fetched whole with its first bytes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Error;
use crate::content::view::{FileContent, Part, What};
use crate::core::Core;
use crate::group::Urgency;
use crate::node::OpenFile;

/// How far ahead the first step goes; a file up to this length is fetched whole. Bytes.
const WINDOW_FIRST_BYTES: u64 = 1 << 20;
/// How far ahead at most, bytes.
const WINDOW_MAX_BYTES: u64 = 16 << 20;

/// How far ahead of its reader an open file was looked at.
#[derive(Default)]
pub(crate) struct Ahead {
    /// Offset up to which chunks were asked for.
    to: AtomicU64,
    window: AtomicU64,
    sequential: AtomicBool,
}

impl Ahead {
    /// Whether a read of `offset..end` goes on where the last one stopped. The same read again, after a chunk came, is what it was
    /// the first time.
    pub(crate) fn is_sequential(&self, offset: u64, end: u64, last_end: u64) -> bool {
        if last_end == end && last_end != offset {
            return self.sequential.load(Ordering::Relaxed);
        }
        let sequential = last_end == offset && offset > 0;
        self.sequential.store(sequential, Ordering::Relaxed);
        sequential
    }
}

impl Core {
    /// After a read of `offset..end`: asks for what probably comes next, if it is not here.
    pub(crate) fn fetch_ahead(
        &self,
        file: &OpenFile,
        content: &FileContent,
        offset: u64,
        end: u64,
        sequential: bool,
    ) {
        if !self.fetcher.has_group() {
            return;
        }
        let ahead = &file.ahead;
        let is_short = offset == 0 && content.size <= WINDOW_FIRST_BYTES;
        if !sequential && !is_short {
            ahead.window.store(0, Ordering::Relaxed);
            ahead.to.store(0, Ordering::Relaxed);
            return;
        }
        let window = ahead.window.load(Ordering::Relaxed);
        let asked_to = ahead.to.load(Ordering::Relaxed).max(end);
        // The next step is made when half of the last is used up.
        if asked_to >= content.size || asked_to - end > window / 2 {
            return;
        }
        let window = (2 * window).clamp(WINDOW_FIRST_BYTES, WINDOW_MAX_BYTES);
        let to = end.saturating_add(window).min(content.size);
        if self.wish_for_range(content, asked_to, to) {
            ahead.window.store(window, Ordering::Relaxed);
            ahead.to.store(to, Ordering::Relaxed);
        }
    }

    /// Asks for the chunks of a range. False if the page that lists them has to come first.
    fn wish_for_range(&self, content: &FileContent, from: u64, to: u64) -> bool {
        let walked = content.visit(&self.store, from, to, &mut |visible| {
            if let What::Chunk { chunk, .. } = visible.what
                && let Ok(false) = self.store.contains(&chunk.id)
            {
                self.wish_for(chunk.id);
            }
            Ok(true)
        });
        match walked {
            Err(Error::Missing(page)) => {
                self.wish_for(page);
                false
            }
            _ => true,
        }
    }

    /// A read that lacks one chunk probably lacks its others too: they are asked for together.
    pub(crate) fn want_all(&self, error: Error, parts: &[Part]) {
        let (Error::Missing(first), Some(core)) = (error, self.this.upgrade()) else { return };
        for part in parts {
            if let Part::Chunk { chunk, .. } = part
                && chunk.id != first
                && let Ok(false) = self.store.contains(&chunk.id)
            {
                self.fetcher.ask(&core, chunk.id, Urgency::Now, None);
            }
        }
    }
}
