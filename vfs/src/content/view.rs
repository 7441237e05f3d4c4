//! A file as it reads now: the overlay over what shows of the base, up to the size.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chunkstore::{ChunkRef, ChunkStore};

use super::manifest::{Manifest, Placed};
use super::overlay::{Overlay, Segment, Source};
use super::{HOLE_MIN_BYTES, read_error};
use crate::Error;

/// Content of one file with its unsettled changes.
pub(crate) struct FileContent {
    /// The settled content below.
    pub(crate) base: Arc<Manifest>,
    /// Bytes of the base that still show; what was cut off does not come back when the file grows again.
    pub(crate) base_limit: u64,
    /// The changes.
    pub(crate) overlay: Overlay,
    /// Length, bytes.
    pub(crate) size: u64,
}

/// What shows in a range.
pub(crate) enum What<'a> {
    /// Bytes in memory, not handed out yet.
    Memory(&'a [u8]),
    /// Bytes in memory, being sealed.
    Sealing(Bytes),
    /// Bytes kept in the tree itself.
    Inline(Bytes),
    /// Zeros.
    Zero,
    /// Bytes of a chunk.
    Chunk {
        /// The chunk.
        chunk: ChunkRef,
        /// Where in its plaintext the range starts.
        skip: u32,
    },
}

/// A range with one source.
pub(crate) struct Visible<'a> {
    /// Offset of the first byte in the file.
    pub(crate) start: u64,
    /// Length, bytes; never over the asked range.
    pub(crate) len: u64,
    /// The source.
    pub(crate) what: What<'a>,
    /// The whole of the chunk or hole shows, asked for or not: it can stay as it is.
    pub(crate) intact: bool,
}

/// One step of a read that can be taken without the file's lock.
pub(crate) enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// So many zeros.
    Zero(usize),
    /// A slice of a chunk.
    Chunk {
        /// The chunk.
        chunk: ChunkRef,
        /// First byte in its plaintext.
        skip: usize,
        /// Bytes.
        len: usize,
    },
}

impl FileContent {
    /// A file of this settled content.
    pub(crate) fn settled(base: Arc<Manifest>, size: u64) -> Self {
        Self { base_limit: base.size().min(size), base, overlay: Overlay::default(), size }
    }

    /// Bytes that are data and no hole, counted cheaply: what is changed in place may count twice, never more than the size.
    pub(crate) fn data_bytes(&self) -> u64 {
        let changed: u64 = self
            .overlay
            .iter()
            .filter(|(_, segment)| !matches!(segment.source, Source::Zero))
            .map(|(_, segment)| segment.len)
            .sum();
        (self.base.data_bytes().min(self.base_limit) + changed).min(self.size)
    }

    /// Changes the length; a longer file ends in zeros.
    pub(crate) fn resize(&mut self, size: u64) {
        if size < self.size {
            self.overlay.carve(size, u64::MAX);
            self.base_limit = self.base_limit.min(size);
        }
        self.size = size;
    }

    /// Walks what shows in `from..to`, in order; the visitor answers whether to go on.
    pub(crate) fn visit(
        &self,
        store: &ChunkStore,
        from: u64,
        to: u64,
        each: &mut dyn FnMut(Visible<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let to = to.min(self.size);
        let mut at = from;
        while at < to {
            let next = self.overlay.at_or_after(at);
            let (visible, end) = match next {
                Some((start, segment)) if start <= at => {
                    let end = (start + segment.len).min(to);
                    (self.of_segment(start, segment, at, end), end)
                }
                _ => {
                    let gap_end = next.map_or(self.size, |(start, _)| start);
                    let visible = self.of_base(store, at, to, gap_end)?;
                    let end = visible.start + visible.len;
                    (visible, end)
                }
            };
            if !each(visible)? {
                return Ok(());
            }
            at = end;
        }
        Ok(())
    }

    fn of_segment<'a>(&self, start: u64, segment: &'a Segment, at: u64, end: u64) -> Visible<'a> {
        let inside = start + segment.len <= self.size;
        let (from, to) = (position(at - start), position(end - start));
        let (what, intact) = match &segment.source {
            Source::Memory(bytes) => (What::Memory(&bytes[from..to]), false),
            Source::Sealing { bytes, .. } => (What::Sealing(bytes.slice(from..to)), inside),
            Source::Zero => (What::Zero, inside && segment.len >= HOLE_MIN_BYTES),
            Source::Chunk { chunk, skip } => (
                What::Chunk {
                    chunk: chunk.clone(),
                    skip: skip + u32::try_from(from).expect("inside a chunk"),
                },
                inside && *skip == 0 && segment.len == u64::from(chunk.len),
            ),
        };
        Visible { start: at, len: end - at, what, intact }
    }

    /// What shows of the base at `at`, where no segment lies until `gap_end`.
    fn of_base(&self, store: &ChunkStore, at: u64, to: u64, gap_end: u64) -> Result<Visible<'static>, Error> {
        let shown = gap_end.min(self.base_limit);
        if at >= shown {
            let hole_start = self.overlay.end_before(at).max(self.base_limit);
            let intact = gap_end - hole_start.min(at) >= HOLE_MIN_BYTES;
            return Ok(Visible { start: at, len: gap_end.min(to) - at, what: What::Zero, intact });
        }
        if let Some(bytes) = self.base.inline() {
            let end = shown.min(to);
            let bytes = bytes.slice(position(at)..position(end));
            return Ok(Visible { start: at, len: end - at, what: What::Inline(bytes), intact: false });
        }
        let Some(Placed { start, len, chunk }) = self.base.piece_at(store, at)? else {
            return Err(Error::Io);
        };
        let end = (start + len).min(shown);
        let intact = self.overlay.end_before(at) <= start && start + len <= shown;
        let what = match chunk {
            Some(chunk) => What::Chunk { chunk, skip: u32::try_from(at - start).map_err(|_| Error::Io)? },
            None => What::Zero,
        };
        let intact = match what {
            What::Zero => intact || end - self.overlay.end_before(at).max(start).min(at) >= HOLE_MIN_BYTES,
            _ => intact,
        };
        Ok(Visible { start: at, len: end.min(to) - at, what, intact })
    }

    /// What a read of `from..to` takes; fetching the chunks is left to the caller, without the lock.
    pub(crate) fn plan(&self, store: &ChunkStore, from: u64, to: u64) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::new();
        self.visit(store, from, to, &mut |visible| {
            let len = position(visible.len);
            parts.push(match visible.what {
                What::Memory(bytes) => Part::Bytes(Bytes::copy_from_slice(bytes)),
                What::Sealing(bytes) | What::Inline(bytes) => Part::Bytes(bytes),
                What::Zero => Part::Zero(len),
                What::Chunk { chunk, skip } => Part::Chunk { chunk, skip: skip as usize, len },
            });
            Ok(true)
        })?;
        Ok(parts)
    }

    /// The bytes of `from..to`; only for ranges known to be short.
    pub(crate) fn bytes(&self, store: &ChunkStore, from: u64, to: u64) -> Result<Bytes, Error> {
        gather(store, &self.plan(store, from, to)?)
    }
}

/// Fetches the parts of a read and joins them; one part alone is not copied.
pub(crate) fn gather(store: &ChunkStore, parts: &[Part]) -> Result<Bytes, Error> {
    if let [part] = parts {
        return resolve(store, part);
    }
    let mut out = BytesMut::with_capacity(parts.iter().map(Part::len).sum());
    for part in parts {
        match part {
            Part::Zero(len) => out.resize(out.len() + *len, 0),
            other => out.extend_from_slice(&resolve(store, other)?),
        }
    }
    Ok(out.freeze())
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Zero(len) | Self::Chunk { len, .. } => *len,
        }
    }
}

fn resolve(store: &ChunkStore, part: &Part) -> Result<Bytes, Error> {
    match part {
        Part::Bytes(bytes) => Ok(bytes.clone()),
        Part::Zero(len) => Ok(Bytes::from(vec![0; *len])),
        Part::Chunk { chunk, skip, len } => {
            let plain = store.get(chunk).map_err(|error| read_error(chunk, &error))?;
            if plain.len() < skip + len { Err(Error::Io) } else { Ok(plain.slice(*skip..skip + len)) }
        }
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("a range in memory is far smaller than the address space")
}
