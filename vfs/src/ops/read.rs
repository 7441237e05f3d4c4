//! Reading.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::content::read_error;
use crate::content::view::{FileContent, Part, gather};
use crate::core::{Core, wall_time};
use crate::node::OpenFile;
use crate::{Drive, Error, Handle, Reply};

/// An access time older than this is renewed though nothing changed. Seconds; what Linux's relatime does.
const ATIME_MAX_AGE_SECS: i64 = 24 * 3600;
/// Changes of the tree, mostly access times, at which they are committed at once. Whoever reads a large tree through changes a row for each
/// file: a second's worth of them would be tens of MiB in small pieces, which leave the heap full of holes. Bytes.
const ATIMES_COMMIT_AT_BYTES: usize = 1 << 20;

impl Drive {
    /// Reads up to `len` bytes at `offset`; fewer only at the end of the file.
    pub fn read(&self, handle: Handle, offset: u64, len: u32, reply: Reply<Bytes>) {
        self.core.answer(move |core| core.read(handle, offset, len), reply);
    }
}

impl Core {
    fn read(&self, handle: Handle, offset: u64, len: u32) -> Result<Bytes, Error> {
        let file = self.handles.file(handle)?;
        if !file.flags.read && file.flags.write {
            // The kernel reads pages of a file that is open for writing alone, to change parts of them.
            tracing::trace!(ino = file.node.ino, "read through a handle for writing");
        }
        let end = offset.saturating_add(u64::from(len));
        let (parts, nearby) = {
            let mut state = file.node.lock();
            if let Some(parts) = self.plan_older(&file, &state, offset, end) {
                drop(state);
                let parts = parts?;
                return gather(&self.store, &parts).inspect_err(|error| self.want_all(*error, &parts));
            }
            self.load(file.node.ino, &mut state)?;
            let content = state.content();
            let sequential = self.look_ahead(&file, content, offset, end);
            self.fetch_ahead(&file, content, offset, end, sequential);
            let parts = content.plan(&self.store, offset, end)?;
            let nearby = if sequential { None } else { self.nearby_candidate(&state, offset, &parts) };
            (parts, nearby)
        };
        self.renew_atime(&file);
        if let (Some(nearby), [Part::Chunk { chunk, skip, len }]) = (nearby, parts.as_slice()) {
            let plain = self.store.get(chunk).map_err(|error| read_error(chunk, &error))?;
            let wanted = plain.get(*skip..skip + len).map(|wanted| plain.slice_ref(wanted));
            self.offer(file.node.ino, &nearby, plain);
            return wanted.ok_or(Error::Io);
        }
        gather(&self.store, &parts).inspect_err(|error| self.want_all(*error, &parts))
    }

    /// A reader that goes on where it stopped gets the next chunk opened before it asks. True if this is one.
    fn look_ahead(&self, file: &OpenFile, content: &FileContent, offset: u64, end: u64) -> bool {
        let last = file.read_end.swap(end, Ordering::Relaxed);
        let sequential = file.ahead.is_sequential(offset, end, last);
        if !sequential || end >= content.size {
            return sequential;
        }
        let here = content.plan(&self.store, end - 1, end);
        let Ok([Part::Chunk { chunk, skip, .. }]) = here.as_deref() else { return true };
        let next = end + u64::from(chunk.len) - *skip as u64 - 1;
        if let Ok([Part::Chunk { chunk, .. }]) = content.plan(&self.store, next, next + 1).as_deref() {
            self.read_ahead.wish(chunk.clone());
        }
        true
    }

    /// relatime: the first read of an open file renews a time that is older than the last change, or than a day.
    fn renew_atime(&self, file: &OpenFile) {
        if file.atime_done.swap(true, Ordering::Relaxed) || self.writable().is_err() {
            return;
        }
        let Ok(inode) = self.inode(file.node.ino) else { return };
        let now = wall_time();
        let stale = inode.atime <= inode.mtime
            || inode.atime <= inode.ctime
            || now.secs.saturating_sub(inode.atime.secs) >= ATIME_MAX_AGE_SECS;
        if stale {
            let uncommitted = {
                let mut ledger = self.ledger.write();
                if let Err(error) = ledger.set_atime(file.node.ino, now) {
                    tracing::debug!(ino = file.node.ino, %error, "no new access time");
                }
                ledger.uncommitted_bytes()
            };
            self.committer.wake();
            if uncommitted >= ATIMES_COMMIT_AT_BYTES {
                self.committer.hurry();
            }
        }
    }
}
