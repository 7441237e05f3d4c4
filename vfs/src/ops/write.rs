//! Writing.

use std::sync::Arc;

use crate::core::{Core, wall_time};
use crate::node::{Node, State};
use crate::write::dirty_rows::ROWS_BUSY_BYTES;
use crate::{Drive, Error, Handle, Reply};

/// Longest file, bytes: the largest offset that a file system call can name.
pub(crate) const FILE_MAX_BYTES: u64 = i64::MAX as u64;

impl Drive {
    /// Writes `data` at `offset`, or at the end of a file opened for appending. Answers later while the write buffer is full.
    pub fn write(&self, handle: Handle, offset: u64, data: &[u8], reply: Reply<u32>) {
        match self.core.write(handle, offset, data) {
            Ok(written) => self.core.buffer.answer(written, reply),
            Err(Error::Missing(id)) => {
                let data = data.to_vec();
                self.core.answer_later(id, move |core| core.write(handle, offset, &data), reply);
            }
            Err(error) => reply(Err(error)),
        }
    }
}

impl Core {
    fn write(&self, handle: Handle, offset: u64, data: &[u8]) -> Result<u32, Error> {
        let file = self.handles.file(handle)?;
        if !file.flags.write {
            return Err(Error::BadHandle);
        }
        let written = u32::try_from(data.len()).map_err(|_| Error::Invalid)?;
        self.has_room((self.buffer.held_bytes() + data.len()) as u64)?;
        let mut state = file.node.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        if state.starved.is_some() && self.buffer.is_starved_full() {
            return Err(Error::Io);
        }
        self.load(file.node.ino, &mut state)?;
        let offset = if file.flags.append { state.content().size } else { offset };
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= FILE_MAX_BYTES);
        let end = end.ok_or(Error::TooLarge)?;
        if data.is_empty() {
            return Ok(0);
        }
        let content = state.content();
        content.overlay.write(offset, data);
        content.size = content.size.max(end);
        state.fresh.add(offset, end);
        state.touch(wall_time());
        match self.stream(&file.node, &mut state, end) {
            // What lies before the run is elsewhere: the run is cut when the file is settled.
            Ok(()) | Err(Error::Missing(_)) => {}
            Err(error) => return Err(error),
        }
        self.recount(&mut state);
        self.changed(&file.node, &mut state);
        Ok(written)
    }

    /// A file has new changes: the keeper will settle it when it is quiet, or sooner if memory is short.
    pub(crate) fn changed(&self, node: &Arc<Node>, state: &mut State) {
        let busy = state.loose_bytes() > ROWS_BUSY_BYTES;
        if busy || state.opens == 0 {
            self.queue(node, state);
        }
        // What is being sealed leaves memory by itself: settling the file meanwhile would only do that work twice.
        self.keeper.wake(state.seals_under_way == 0 && self.buffer.is_under_pressure());
    }

    /// Puts a file into the settler's queue, once.
    pub(crate) fn queue(&self, node: &Arc<Node>, state: &mut State) {
        if !std::mem::replace(&mut state.queued, true) {
            self.settler.push(node.clone(), None);
        }
    }
}
