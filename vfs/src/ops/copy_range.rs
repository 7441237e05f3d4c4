//! `copy_file_range`: chunks are shared, no data moves.

use crate::content::overlay::{Segment, Source};
use crate::content::view::What;
use crate::core::{Core, wall_time};
use crate::node::State;
use crate::{Drive, Error, Handle, Reply};

use super::write::FILE_MAX_BYTES;

impl Drive {
    /// Makes `to` hold at `to_offset` what `from` holds at `from_offset`; answers how much of it there was.
    pub fn copy_range(
        &self,
        from: Handle,
        from_offset: u64,
        to: Handle,
        to_offset: u64,
        len: u64,
        reply: Reply<u64>,
    ) {
        let copy = move |core: &Core| core.copy_range(from, from_offset, to, to_offset, len);
        self.core.answer(copy, reply);
    }
}

impl Core {
    fn copy_range(
        &self,
        from: Handle,
        from_offset: u64,
        to: Handle,
        to_offset: u64,
        len: u64,
    ) -> Result<u64, Error> {
        let (source, target) = (self.handles.file(from)?, self.handles.file(to)?);
        if !target.flags.write || target.flags.append {
            return Err(Error::BadHandle);
        }
        self.changeable()?;
        to_offset.checked_add(len).filter(|end| *end <= FILE_MAX_BYTES).ok_or(Error::TooLarge)?;
        let segments = {
            let mut state = source.node.lock();
            self.load(source.node.ino, &mut state)?;
            self.lend(&mut state, from_offset, from_offset.saturating_add(len))?
        };
        let copied: u64 = segments.iter().map(|segment| segment.len).sum();
        if copied == 0 {
            return Ok(0);
        }
        let mut state = target.node.lock();
        self.load(target.node.ino, &mut state)?;
        let content = state.content();
        let mut at = to_offset;
        for segment in segments {
            let len = segment.len;
            content.overlay.put(at, segment);
            at += len;
        }
        content.size = content.size.max(at);
        state.fresh.add(to_offset, at);
        state.touch(wall_time());
        self.recount(&mut state);
        self.changed(&target.node, &mut state);
        Ok(copied)
    }

    /// What a range holds, as segments of another file. A sweep under way learns that these chunks have one more user.
    fn lend(&self, state: &mut State, from: u64, to: u64) -> Result<Vec<Segment>, Error> {
        let mut segments = Vec::new();
        state.content().visit(&self.store, from, to, &mut |visible| {
            let source = match visible.what {
                What::Memory(bytes) => Source::Memory(bytes.to_vec()),
                What::Sealing(bytes) | What::Inline(bytes) => Source::Memory(bytes.to_vec()),
                What::Zero => Source::Zero,
                What::Chunk { chunk, skip } => {
                    self.sweep.note(|mark| {
                        mark(&chunk.id);
                        true
                    });
                    Source::Chunk { chunk, skip }
                }
            };
            segments.push(Segment { len: visible.len, source });
            Ok(true)
        })?;
        Ok(segments)
    }
}
