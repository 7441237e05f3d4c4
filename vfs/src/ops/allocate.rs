//! `fallocate`: room, holes and zeros.

use super::write::FILE_MAX_BYTES;
use crate::content::overlay::{Segment, Source};
use crate::core::{Core, wall_time};
use crate::{Allocate, Drive, Error, Handle, Reply};

impl Drive {
    /// Reserves, punches or zeroes `offset .. offset + len`.
    pub fn allocate(&self, handle: Handle, offset: u64, len: u64, mode: Allocate, reply: Reply<()>) {
        self.core.answer(move |core| core.allocate(handle, offset, len, mode), reply);
    }
}

impl Core {
    fn allocate(&self, handle: Handle, offset: u64, len: u64, mode: Allocate) -> Result<(), Error> {
        let file = self.handles.file(handle)?;
        if !file.flags.write {
            return Err(Error::BadHandle);
        }
        if len == 0 {
            return Err(Error::Invalid);
        }
        let end = offset.checked_add(len).filter(|end| *end <= FILE_MAX_BYTES).ok_or(Error::TooLarge)?;
        if matches!(mode, Allocate::Reserve | Allocate::ReserveKeepSize) {
            // Room cannot be set aside where equal content shares chunks; what can be said is whether there is enough now.
            self.has_room(len)?;
        }
        self.changeable()?;
        let mut state = file.node.lock();
        self.load(file.node.ino, &mut state)?;
        let content = state.content();
        let grows = matches!(mode, Allocate::Reserve | Allocate::ZeroRange);
        if grows {
            content.size = content.size.max(end);
        }
        let zeroes = matches!(mode, Allocate::PunchHole | Allocate::ZeroRange | Allocate::ZeroRangeKeepSize);
        let shown = end.min(content.size);
        if zeroes && offset < shown {
            content.overlay.put(offset, Segment { len: shown - offset, source: Source::Zero });
            state.fresh.add(offset, shown);
        }
        state.touch(wall_time());
        self.recount(&mut state);
        self.changed(&file.node, &mut state);
        Ok(())
    }
}
