//! Opening and closing files.

use std::sync::Arc;

use crate::core::Core;
use crate::node::{Node, State};
use crate::{Drive, Error, Handle, Ino, Kind, OpenFlags, Opened};

impl Drive {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`] if the last name went since it was looked up, [`Error::IsDirectory`],
    /// [`Error::ReadOnly`].
    pub fn open(&self, ino: Ino, flags: OpenFlags) -> Result<Opened, Error> {
        let core = &self.core;
        // Asked under the node's lock, which is the one that a deleted file's unsettled content is forgotten under: what is opened
        // here is whole.
        let (kind, opened) = core.nodes.with(ino, |node, state| {
            let inode = core.inode(ino)?;
            if inode.kind == Kind::Directory {
                return Err(Error::IsDirectory);
            }
            if flags.write || flags.truncate {
                core.changeable()?;
            }
            if state.opens == 0 && inode.nlink == 0 {
                return Err(Error::Stale);
            }
            state.elsewhere.opened(inode.head.map(|head| head.version));
            Ok((inode.kind, core.hand_out(node, state, flags)))
        })?;
        if flags.truncate
            && kind == Kind::File
            && let Err(error) = core.resize(ino, 0)
        {
            core.close(opened.handle);
            return Err(core.not_now(error));
        }
        Ok(opened)
    }

    /// Tells what went wrong with this file since the last call that could say so.
    ///
    /// # Errors
    /// The failure of an earlier write, once.
    pub fn flush(&self, handle: Handle) -> Result<(), Error> {
        let file = self.core.handles.file(handle)?;
        let failure = file.node.lock().failure.take();
        failure.map_or(Ok(()), Err)
    }

    /// Closes a file; its changes are settled soon after the last handle is closed.
    pub fn release(&self, handle: Handle) {
        self.core.close(handle);
    }
}

impl Core {
    /// A handle for an inode that is known to be there.
    pub(crate) fn open_new(&self, ino: Ino, flags: OpenFlags) -> Opened {
        self.nodes.with(ino, |node, state| self.hand_out(node, state, flags))
    }

    /// Counts one more handle on a node.
    fn hand_out(&self, node: &Arc<Node>, state: &mut State, flags: OpenFlags) -> Opened {
        state.opens += 1;
        state.writers += u32::from(flags.write);
        // Whatever changes content behind the mount's back says so on the change stream: the kernel's pages are good until then.
        // While somebody reads an older version through these pages, who opens the file now passes them by.
        let direct = state.elsewhere.has_readers();
        let handle = self.handles.add_file(node.clone(), flags, state.elsewhere.generation());
        Opened { handle, keep_cache: !direct, direct }
    }

    fn close(&self, handle: Handle) {
        let Some(file) = self.handles.remove_file(handle) else { return };
        let mut state = file.node.lock();
        state.opens -= 1;
        state.writers -= u32::from(file.flags.write);
        self.closed_elsewhere(&file, &mut state);
        if state.opens == 0 {
            if state.dirty.is_some() {
                self.queue(&file.node, &mut state);
            } else if self.orphan_with_rows(&file.node, &state)
                && let Err(error) = self.forget_changes(file.node.ino, &mut state)
            {
                tracing::warn!(ino = file.node.ino, %error, "a deleted file's unsettled rows stay until the next start");
            }
        }
        self.nodes.release(&file.node, state);
    }

    fn orphan_with_rows(&self, node: &Arc<Node>, state: &State) -> bool {
        state.persisted && self.is_deleted(node.ino).unwrap_or(false)
    }
}
