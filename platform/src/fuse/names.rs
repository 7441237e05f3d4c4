//! Looking up, making and moving names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::UNIX_EPOCH;

use fuser::{
    FileAttr, FileHandle, FileType, FopenFlags, INodeNo, OpenFlags, RenameFlags, ReplyCreate, ReplyEntry,
    Request,
};
use vfs::{Attr, Error, Kind, Opened, RenameMode};

use super::adapter::{Adapter, CACHED, GENERATION, entry};
use super::content::opened_flags;
use super::convert::{file_attr, new_node, open_flags};
use super::errno::errno;
use super::privileges;

/// Answers for a name with the inode number 0 and a time to live: the kernel remembers that the name is missing.
const MISSING: FileAttr = FileAttr {
    ino: INodeNo(0),
    size: 0,
    blocks: 0,
    atime: UNIX_EPOCH,
    mtime: UNIX_EPOCH,
    ctime: UNIX_EPOCH,
    crtime: UNIX_EPOCH,
    kind: FileType::RegularFile,
    perm: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: 0,
    flags: 0,
};

pub fn lookup(adapter: &Adapter, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
    match adapter.drive().lookup(parent.0, name.as_bytes()) {
        Err(Error::NotFound) => reply.entry(&CACHED, &MISSING, GENERATION),
        answer => entry(reply, answer),
    }
}

pub fn create(
    adapter: &Adapter,
    caller: &Request,
    parent: INodeNo,
    name: &OsStr,
    mode: u32,
    flags: OpenFlags,
    reply: ReplyCreate,
) {
    let node = new_node(caller, Kind::File, mode, 0, &[]);
    let made = adapter.drive().create(parent.0, name.as_bytes(), node, open_flags(flags));
    let made = match made {
        // Made by something else than this mount since the kernel looked.
        Err(Error::Exists) if flags.0 & libc::O_EXCL == 0 => {
            open_existing(adapter, caller, parent, name, flags)
        }
        made => made,
    };
    match made {
        Ok((attr, opened)) => {
            let handle = FileHandle(opened.handle.0);
            // Truncated or new: there is nothing cached to keep.
            let flags = opened_flags(flags, &opened) & !FopenFlags::FOPEN_KEEP_CACHE;
            adapter.fills.answer(attr.ino, move || {
                reply.created(&CACHED, &file_attr(&attr), GENERATION, handle, flags);
            });
        }
        Err(error) => reply.error(errno(error)),
    }
}

fn open_existing(
    adapter: &Adapter,
    caller: &Request,
    parent: INodeNo,
    name: &OsStr,
    flags: OpenFlags,
) -> Result<(Attr, Opened), Error> {
    let found = adapter.drive().lookup(parent.0, name.as_bytes())?;
    match found.kind {
        Kind::File => {}
        Kind::Directory => return Err(Error::IsDirectory),
        _ => return Err(Error::Exists),
    }
    let opened = adapter.drive().open(found.ino, open_flags(flags))?;
    if flags.0 & libc::O_TRUNC != 0 {
        privileges::lose_by_writing(adapter, caller, INodeNo(found.ino));
    }
    match adapter.drive().attr(found.ino) {
        Ok(attr) => Ok((attr, opened)),
        Err(error) => {
            adapter.drive().release(opened.handle);
            Err(error)
        }
    }
}

/// `None` for flags the drive does not know (whiteouts of overlay file systems).
pub fn rename_mode(flags: RenameFlags) -> Option<RenameMode> {
    match flags {
        flags if flags.is_empty() => Some(RenameMode::Replace),
        RenameFlags::RENAME_NOREPLACE => Some(RenameMode::NoReplace),
        RenameFlags::RENAME_EXCHANGE => Some(RenameMode::Exchange),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_of_the_kernel() {
        assert_eq!(rename_mode(RenameFlags::empty()), Some(RenameMode::Replace));
        assert_eq!(rename_mode(RenameFlags::RENAME_EXCHANGE), Some(RenameMode::Exchange));
        assert_eq!(rename_mode(RenameFlags::RENAME_WHITEOUT), None);
        assert_eq!(rename_mode(RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_NOREPLACE), None);
    }
}
