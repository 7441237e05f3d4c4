//! Re-cutting: which ranges of a changed file no chunk holds yet, and where they are cut.
//!
//! Only the region around a change is cut anew, from the start of the first damaged chunk until a cut falls on a border that
//! existed before. FastCDC looks at nothing before the cut it starts from, so from there on the old chunks are what it would find.

use bytes::Bytes;
use chunkstore::{ChunkStore, Cutter, Cutting};

use crate::Error;
use crate::content::HOLE_MIN_BYTES;
use crate::content::view::{FileContent, What};

/// Bytes cut anew under one hold of the file's lock. At least two chunks of the largest class, so that each step gets on.
const WINDOW_BYTES: usize = 2 * chunkstore::MAX_CHUNK_BYTES;

/// Bytes and the places where they are to be cut.
pub(crate) struct Recut {
    /// Offset of the first byte in the file.
    pub(crate) start: u64,
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// Lengths of the chunks from the start on; together at most all bytes.
    pub(crate) cuts: Vec<usize>,
}

/// The first range at or after `from` that needs cutting: the offset where it starts.
pub(crate) fn next_loose(content: &FileContent, store: &ChunkStore, from: u64) -> Result<Option<u64>, Error> {
    let mut at = from;
    while at < content.size {
        let next = content.overlay.at_or_after(at);
        let gap_end = match next {
            Some((start, segment)) if start <= at => {
                if !is_intact(content, store, start)? {
                    return Ok(Some(start));
                }
                at = start + segment.len;
                continue;
            }
            Some((start, _)) => start.min(content.size),
            None => content.size,
        };
        if let Some(start) = loose_in_gap(content, store, at, gap_end)? {
            return Ok(Some(start));
        }
        at = gap_end;
    }
    Ok(None)
}

/// A gap of the overlay shows base pieces; only its first and last can be damaged.
fn loose_in_gap(content: &FileContent, store: &ChunkStore, from: u64, to: u64) -> Result<Option<u64>, Error> {
    if !is_intact(content, store, from)? {
        return Ok(Some(from));
    }
    let shown = to.min(content.base_limit);
    if shown > from
        && let Some(last) = content.base.piece_at(store, shown - 1)?
    {
        let start = last.start.max(from);
        if !is_intact(content, store, start)? {
            return Ok(Some(start));
        }
    }
    let zeros = shown.max(from);
    if zeros < to && !is_intact(content, store, zeros)? {
        return Ok(Some(zeros));
    }
    Ok(None)
}

fn is_intact(content: &FileContent, store: &ChunkStore, at: u64) -> Result<bool, Error> {
    let mut intact = true;
    content.visit(store, at, at + 1, &mut |visible| {
        intact = visible.intact;
        Ok(false)
    })?;
    Ok(intact)
}

/// Reads the loose range that starts at `start` (as far as one window goes) and finds its cuts.
pub(crate) fn recut(
    content: &FileContent,
    store: &ChunkStore,
    cutter: &Cutter,
    cutting: Cutting,
    start: u64,
) -> Result<Recut, Error> {
    let joined = with_last_chunk(content, store, start)?;
    let (start, mut run) = match Run::read(content, store, joined) {
        // The chunk before an append is elsewhere. It is left as it is: a short chunk in between is cheaper than to wait for it.
        Err(Error::Missing(_)) if joined < start => (start, Run::read(content, store, start)?),
        run => (joined, run?),
    };
    let mut cuts = Vec::new();
    let mut at = 0;
    while at < run.bytes.len() {
        let at_end = run.ends || (cutting == Cutting::Fixed && !run.cut_short);
        match cutter.cut(cutting, start + at as u64, &run.bytes[at..], at_end) {
            Some(len) => {
                cuts.push(len);
                at += len;
                if at >= run.loose_len && run.borders.contains(&at) {
                    break;
                }
            }
            None if run.cut_short => break,
            None => run.pull(content, store)?,
        }
    }
    Ok(Recut { start, bytes: Bytes::from(run.bytes), cuts })
}

/// A change that begins where the settled file ended continues its last chunk, which was cut by the end and not by content.
fn with_last_chunk(content: &FileContent, store: &ChunkStore, start: u64) -> Result<u64, Error> {
    let appended = start > 0 && start == content.base.size() && start == content.base_limit;
    if !appended || content.overlay.end_before(start) == start {
        return Ok(start);
    }
    Ok(match content.base.piece_at(store, start - 1)? {
        Some(last) if last.chunk.is_some() => last.start.max(content.overlay.end_before(start)),
        _ => start,
    })
}

/// The bytes under the knife.
struct Run {
    start: u64,
    bytes: Vec<u8>,
    /// Bytes of the loose range itself; what follows was pulled in.
    loose_len: usize,
    /// Lengths at which an old border lies.
    borders: Vec<usize>,
    /// The file or a hole comes next: the last cut may be anywhere.
    ends: bool,
    /// The window was full before the loose range ended.
    cut_short: bool,
}

impl Run {
    fn read(content: &FileContent, store: &ChunkStore, start: u64) -> Result<Self, Error> {
        let mut run = Self {
            start,
            bytes: Vec::new(),
            loose_len: 0,
            borders: Vec::new(),
            ends: true,
            cut_short: false,
        };
        let mut first = true;
        content.visit(store, start, content.size, &mut |visible| {
            // The chunk that an append continues is intact by itself, yet belongs to the run.
            let takes_first = std::mem::take(&mut first);
            if visible.intact && !takes_first {
                run.ends = matches!(visible.what, What::Zero);
                return Ok(false);
            }
            if run.bytes.len() >= WINDOW_BYTES {
                run.cut_short = true;
                run.ends = false;
                return Ok(false);
            }
            let room = (WINDOW_BYTES - run.bytes.len() + chunkstore::MAX_CHUNK_BYTES) as u64;
            let len = visible.len.min(room);
            append(&mut run.bytes, store, &visible.what, len)?;
            if len < visible.len {
                run.cut_short = true;
                run.ends = false;
                return Ok(false);
            }
            Ok(true)
        })?;
        run.loose_len = run.bytes.len();
        run.borders.push(run.loose_len);
        Ok(run)
    }

    /// Takes the next whole chunk in, to find the cut that lies in it.
    fn pull(&mut self, content: &FileContent, store: &ChunkStore) -> Result<(), Error> {
        let at = self.start + self.bytes.len() as u64;
        let mut pulled = false;
        content.visit(store, at, content.size, &mut |visible| {
            if !pulled && !matches!(visible.what, What::Zero) {
                append(&mut self.bytes, store, &visible.what, visible.len)?;
                pulled = true;
                return Ok(true);
            }
            self.ends = matches!(visible.what, What::Zero) && visible.intact;
            Ok(false)
        })?;
        let end = self.start + self.bytes.len() as u64;
        if !pulled || end >= content.size {
            self.ends = true;
        }
        self.borders.push(self.bytes.len());
        Ok(())
    }
}

fn append(out: &mut Vec<u8>, store: &ChunkStore, what: &What<'_>, len: u64) -> Result<(), Error> {
    let len = usize::try_from(len).map_err(|_| Error::TooLarge)?;
    match what {
        What::Memory(bytes) => out.extend_from_slice(&bytes[..len]),
        What::Sealing(bytes) | What::Inline(bytes) => out.extend_from_slice(&bytes[..len]),
        What::Zero => {
            debug_assert!(len as u64 <= HOLE_MIN_BYTES || out.is_empty(), "long zeros are a hole");
            out.resize(out.len() + len, 0);
        }
        What::Chunk { chunk, skip } => {
            let plain = store.get(chunk).map_err(|error| crate::content::read_error(chunk, &error))?;
            let from = *skip as usize;
            out.extend_from_slice(plain.get(from..from + len).ok_or(Error::Io)?);
        }
    }
    Ok(())
}
