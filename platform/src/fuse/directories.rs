//! Listing directories.

use fuser::{FileHandle, FopenFlags, INodeNo, ReplyDirectory, ReplyDirectoryPlus, ReplyOpen};
use vfs::Handle;

use super::adapter::{Adapter, GENERATION, cached};
use super::convert::{file_attr, file_type, name};
use super::errno::errno;

/// The kernel may keep the listing: it forgets it when it changes a directory itself, and is told of other changes.
pub fn open(adapter: &Adapter, ino: INodeNo, reply: ReplyOpen) {
    match adapter.drive().open_dir(ino.0) {
        Ok(handle) => {
            reply.opened(FileHandle(handle.0), FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE);
        }
        Err(error) => reply.error(errno(error)),
    }
}

pub fn read(adapter: &Adapter, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
    let filled = adapter.drive().read_dir(Handle(handle.0), offset, false, &mut |item| {
        !reply.add(INodeNo(item.ino), item.cookie, file_type(item.kind), name(&item))
    });
    match filled {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

pub fn read_plus(adapter: &Adapter, handle: FileHandle, offset: u64, mut reply: ReplyDirectoryPlus) {
    let filled = adapter.drive().read_dir(Handle(handle.0), offset, true, &mut |item| {
        // An inode that went away between its name and its attributes: the name is gone too, or soon will be.
        let Some(attr) = item.attr else { return true };
        !reply.add(
            INodeNo(item.ino),
            item.cookie,
            name(&item),
            cached(item.kind),
            &file_attr(&attr),
            GENERATION,
        )
    });
    match filled {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}
