//! What was changed in a file and is not part of a version yet: segments over the last settled content.
//!
//! ```text
//! base (a version)   |---c1---|-----c2-----|--c3--|
//! overlay                 |mem|   |zero|          |mem....|
//! what is read       |-c1-|mem|c2-|zero|c2|--c3--|mem....|
//! ```
//!
//! Segments never overlap. Memory is counted in bytes so that the write buffer stays within its limit.

use std::collections::BTreeMap;

use bytes::Bytes;
use chunkstore::ChunkRef;

/// Where the bytes of a segment are.
pub(crate) enum Source {
    /// In memory, still changing.
    Memory(Vec<u8>),
    /// In memory, handed to the sealers; becomes [`Source::Chunk`] when they are done.
    Sealing {
        /// The plaintext.
        bytes: Bytes,
        /// Which job; one that was overwritten meanwhile is no longer found.
        ticket: u64,
    },
    /// Zeros.
    Zero,
    /// Part of a chunk of the store.
    Chunk {
        /// The chunk.
        chunk: ChunkRef,
        /// Bytes of its plaintext before the segment's first.
        skip: u32,
    },
}

/// A run of bytes with one source.
pub(crate) struct Segment {
    /// Length, bytes.
    pub(crate) len: u64,
    /// Where they are.
    pub(crate) source: Source,
}

impl Segment {
    fn memory_bytes(&self) -> usize {
        match &self.source {
            Source::Memory(bytes) => bytes.len(),
            Source::Sealing { bytes, .. } => bytes.len(),
            Source::Zero | Source::Chunk { .. } => 0,
        }
    }

    /// Cuts off and returns everything from `at` on.
    fn split_off(&mut self, at: u64) -> Segment {
        let len = self.len - at;
        self.len = at;
        let source = match &mut self.source {
            Source::Memory(bytes) => Source::Memory(bytes.split_off(index(at))),
            // A half of what is being sealed is no chunk: keep the bytes, let the job come to nothing.
            Source::Sealing { bytes, .. } => {
                let tail = bytes.slice(index(at)..).to_vec();
                let head = bytes.slice(..index(at)).to_vec();
                self.source = Source::Memory(head);
                Source::Memory(tail)
            }
            Source::Zero => Source::Zero,
            Source::Chunk { chunk, skip } => Source::Chunk {
                chunk: chunk.clone(),
                skip: *skip + u32::try_from(at).expect("inside a chunk"),
            },
        };
        Segment { len, source }
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a segment in memory is far smaller than the address space")
}

/// The changed segments of one file, by offset.
#[derive(Default)]
pub(crate) struct Overlay {
    segments: BTreeMap<u64, Segment>,
    memory_bytes: usize,
}

impl Overlay {
    /// Bytes held in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Number of segments.
    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// All segments in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Segment)> {
        self.segments.iter().map(|(start, segment)| (*start, segment))
    }

    /// The first segment that ends after `offset`.
    pub(crate) fn at_or_after(&self, offset: u64) -> Option<(u64, &Segment)> {
        if let Some((start, segment)) = self.segments.range(..=offset).next_back()
            && start + segment.len > offset
        {
            return Some((*start, segment));
        }
        self.segments.range(offset..).next().map(|(start, segment)| (*start, segment))
    }

    /// Where the last segment that ends at or before `offset` ends; 0 if there is none.
    pub(crate) fn end_before(&self, offset: u64) -> u64 {
        self.segments.range(..offset).next_back().map_or(0, |(start, segment)| start + segment.len)
    }

    /// Puts `data` at `offset`: in place, appended to a run in memory, or as a segment of its own.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        if let Some((start, segment)) = self.segments.range_mut(..=offset).next_back()
            && let Source::Memory(bytes) = &mut segment.source
            && start + segment.len >= offset
        {
            let at = index(offset - start);
            let inside = bytes.len().min(at + data.len()) - at;
            bytes[at..at + inside].copy_from_slice(&data[..inside]);
            if inside == data.len() {
                return;
            }
            let (start, rest) = (*start, &data[inside..]);
            self.carve(end - rest.len() as u64, end);
            let segment = self.segments.get_mut(&start).expect("carving after it left it there");
            if let Source::Memory(bytes) = &mut segment.source {
                bytes.extend_from_slice(rest);
                segment.len = bytes.len() as u64;
                self.memory_bytes += rest.len();
            }
            return;
        }
        self.put(offset, Segment { len: data.len() as u64, source: Source::Memory(data.to_vec()) });
    }

    /// Replaces whatever was in `offset .. offset + segment.len`.
    pub(crate) fn put(&mut self, offset: u64, segment: Segment) {
        if segment.len == 0 {
            return;
        }
        self.carve(offset, offset + segment.len);
        self.memory_bytes += segment.memory_bytes();
        self.segments.insert(offset, segment);
    }

    /// Takes the segment that starts at `offset` out.
    pub(crate) fn take(&mut self, offset: u64) -> Option<Segment> {
        let segment = self.segments.remove(&offset)?;
        self.memory_bytes -= segment.memory_bytes();
        Some(segment)
    }

    /// Drops what is known of `from..to`.
    pub(crate) fn carve(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        self.split_at(from);
        self.split_at(to);
        let gone: Vec<u64> = self.segments.range(from..to).map(|(start, _)| *start).collect();
        for start in gone {
            self.take(start);
        }
    }

    /// A sealing job is done: its bytes are a chunk now. False if it was overwritten meanwhile.
    pub(crate) fn sealed(&mut self, offset: u64, wanted: u64, chunk: &ChunkRef) -> bool {
        let Some(segment) = self.segments.get_mut(&offset) else { return false };
        match &segment.source {
            Source::Sealing { bytes, ticket } if *ticket == wanted => {
                self.memory_bytes -= bytes.len();
                segment.source = Source::Chunk { chunk: chunk.clone(), skip: 0 };
                true
            }
            _ => false,
        }
    }

    /// A sealing job failed: its bytes stay in memory and can be tried again.
    pub(crate) fn not_sealed(&mut self, offset: u64, wanted: u64) {
        if let Some(segment) = self.segments.get_mut(&offset)
            && let Source::Sealing { bytes, ticket } = &segment.source
            && *ticket == wanted
        {
            segment.source = Source::Memory(bytes.to_vec());
        }
    }

    fn split_at(&mut self, offset: u64) {
        let Some((start, segment)) = self.segments.range_mut(..offset).next_back() else { return };
        if start + segment.len <= offset {
            return;
        }
        let tail = segment.split_off(offset - start);
        self.segments.insert(offset, tail);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Renders an overlay of memory and zeros over a base of 0xff.
    fn render(overlay: &Overlay, size: usize) -> Vec<u8> {
        let mut out = vec![0xff; size];
        for (start, segment) in overlay.iter() {
            let range = index(start)..index(start + segment.len);
            match &segment.source {
                Source::Memory(bytes) => out[range].copy_from_slice(bytes),
                Source::Sealing { bytes, .. } => out[range].copy_from_slice(bytes),
                Source::Zero => out[range].fill(0),
                Source::Chunk { .. } => unreachable!("not used here"),
            }
        }
        out
    }

    #[derive(Debug, Clone)]
    enum Step {
        Write(u64, Vec<u8>),
        Zero(u64, u64),
        Carve(u64, u64),
        Seal(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u64..200, prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(o, d)| Step::Write(o, d)),
            1 => (0u64..200, 1u64..40).prop_map(|(o, l)| Step::Zero(o, l)),
            1 => (0u64..200, 1u64..40).prop_map(|(o, l)| Step::Carve(o, l)),
            1 => (0u64..200).prop_map(Step::Seal),
        ]
    }

    proptest! {
        #[test]
        fn an_overlay_reads_as_the_plain_bytes(steps in prop::collection::vec(step(), 0..60)) {
            let mut overlay = Overlay::default();
            let mut plain = vec![0xff; 256];
            for step in steps {
                match step {
                    Step::Write(offset, data) => {
                        overlay.write(offset, &data);
                        plain[index(offset)..index(offset) + data.len()].copy_from_slice(&data);
                    }
                    Step::Zero(offset, len) => {
                        overlay.put(offset, Segment { len, source: Source::Zero });
                        plain[index(offset)..index(offset + len)].fill(0);
                    }
                    Step::Carve(from, len) => {
                        overlay.carve(from, from + len);
                        plain[index(from)..index(from + len)].fill(0xff);
                    }
                    Step::Seal(at) => {
                        if let Some((start, Segment { source: Source::Memory(bytes), .. })) = overlay.at_or_after(at) {
                            let bytes = Bytes::copy_from_slice(bytes);
                            let len = bytes.len() as u64;
                            overlay.put(start, Segment { len, source: Source::Sealing { bytes, ticket: at } });
                        }
                    }
                }
                let mut end = 0;
                let mut memory = 0;
                for (start, segment) in overlay.iter() {
                    prop_assert!(start >= end && segment.len > 0);
                    end = start + segment.len;
                    memory += segment.memory_bytes();
                }
                prop_assert_eq!(memory, overlay.memory_bytes());
                prop_assert_eq!(render(&overlay, 256), plain.clone());
            }
        }
    }
}
