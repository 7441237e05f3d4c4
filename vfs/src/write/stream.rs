//! A file that is written from front to back is cut and sealed while it arrives.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use chunkstore::{Cutter, Cutting, SealJob};

use crate::Error;
use crate::content::overlay::{Segment, Source};
use crate::core::Core;
use crate::node::{Node, State};
use crate::write::dirty_rows::ROWS_BUSY_BYTES;

/// Sequential bytes in memory at which a stream is cut; at least the second of these in largest chunks. Bytes.
const STREAM_WINDOW_BYTES: u64 = 2 << 20;
/// Largest chunks that a window holds.
const STREAM_WINDOW_CHUNKS: u64 = 3;

impl Core {
    /// Hands the run of bytes that a write just ended at `end` to the sealers, if it is long enough.
    pub(crate) fn stream(&self, node: &Arc<Node>, state: &mut State, end: u64) -> Result<(), Error> {
        // A file that is synced as it grows is a log or a database: what is kept as rows will be written again soon.
        let is_synced = state.persisted && state.loose_bytes() <= ROWS_BUSY_BYTES;
        if state.fixed || is_synced {
            return Ok(());
        }
        let content = state.content();
        let Some((start, segment)) = content.overlay.at_or_after(end - 1) else { return Ok(()) };
        let window =
            STREAM_WINDOW_BYTES.max(STREAM_WINDOW_CHUNKS * Cutter::max_len(Cutting::Content, start) as u64);
        if segment.len < window
            || !matches!(segment.source, Source::Memory(_))
            || !self.begins_at_a_cut(state, start)?
        {
            return Ok(());
        }
        let content = state.content();
        let Some(Segment { source: Source::Memory(bytes), .. }) = content.overlay.take(start) else {
            return Ok(());
        };
        let bytes = Bytes::from(bytes);
        let mut at = 0;
        while let Some(len) = self.cutter.cut(Cutting::Content, start + at as u64, &bytes[at..], false) {
            self.hand_over(node, state, start + at as u64, bytes.slice(at..at + len));
            at += len;
        }
        if at < bytes.len() {
            let mut rest = Vec::with_capacity(usize::try_from(window).unwrap_or(0) + (1 << 20));
            rest.extend_from_slice(&bytes[at..]);
            let len = rest.len() as u64;
            state.content().overlay.put(start + at as u64, Segment { len, source: Source::Memory(rest) });
        }
        Ok(())
    }

    /// Whether the bytes before `start` end at a cut that content made: only then is a cut from here on what a settle would find.
    fn begins_at_a_cut(&self, state: &mut State, start: u64) -> Result<bool, Error> {
        if start == 0 {
            return Ok(true);
        }
        let content = state.content();
        let mut before = false;
        content.visit(&self.store, start - 1, start, &mut |visible| {
            before = visible.intact;
            Ok(false)
        })?;
        let after_last_chunk = start == content.base.size()
            && start == content.base_limit
            && content.overlay.end_before(start) < start;
        if before && !after_last_chunk {
            return Ok(true);
        }
        if !after_last_chunk {
            return Ok(false);
        }
        // The stream continues a settled file: seal its last chunk together with the first new bytes.
        let Some(last) = content.base.piece_at(&self.store, start - 1)? else { return Ok(false) };
        if last.chunk.is_none() || content.overlay.end_before(start) > last.start {
            return Ok(false);
        }
        let mut joined = match content.bytes(&self.store, last.start, start) {
            Ok(bytes) => bytes.to_vec(),
            // It is elsewhere, and left as it is.
            Err(Error::Missing(_)) => return Ok(true),
            Err(error) => return Err(error),
        };
        if let Some(Segment { source: Source::Memory(tail), .. }) = content.overlay.take(start) {
            joined.extend_from_slice(&tail);
        }
        let len = joined.len() as u64;
        content.overlay.put(last.start, Segment { len, source: Source::Memory(joined) });
        Ok(false)
    }

    fn hand_over(&self, node: &Arc<Node>, state: &mut State, offset: u64, bytes: Bytes) {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let segment =
            Segment { len: bytes.len() as u64, source: Source::Sealing { bytes: bytes.clone(), ticket } };
        state.content().overlay.put(offset, segment);
        state.seals_under_way += 1;
        let sealing_bytes = bytes.len();
        state.sealing_bytes += sealing_bytes;
        let (core, node) = (self.this.clone(), node.clone());
        self.pool.submit(SealJob {
            secret: self.secret.clone(),
            plain: bytes,
            done: Box::new(move |sealed| {
                let Some(core) = core.upgrade() else { return };
                let mut state = node.lock();
                state.seals_under_way -= 1;
                state.sealing_bytes -= sealing_bytes;
                if let Some(content) = state.content.as_mut() {
                    match sealed {
                        Ok(chunk) => {
                            content.overlay.sealed(offset, ticket, &chunk);
                        }
                        Err(error) => {
                            content.overlay.not_sealed(offset, ticket);
                            state.failure = Some(crate::content::store_error(&error));
                        }
                    }
                }
                core.recount(&mut state);
                node.sealed.notify_all();
                core.nodes.release(&node, state);
            }),
        });
    }
}
