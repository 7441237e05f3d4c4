//! Opening, reading, writing, holes and copies.

use fuser::{
    Errno, FileHandle, FopenFlags, INodeNo, OpenAccMode, OpenFlags, ReplyData, ReplyLseek, ReplyOpen,
    ReplyWrite, WriteFlags,
};
use vfs::{Allocate, Handle, Opened, Seek};

use super::adapter::Adapter;
use super::convert::open_flags;
use super::errno::errno;
use super::privileges;

/// The most one `copy_file_range` is answered with, bytes: the reply has 32 bits; the caller asks again.
const MAX_COPY_BYTES: u64 = 1 << 30;

/// The kernel truncates by itself, with a request of its own.
pub fn open(adapter: &Adapter, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
    match adapter.drive().open(ino.0, open_flags(flags)) {
        Ok(opened) => adapter.fills.answer(ino.0, move || {
            reply.opened(FileHandle(opened.handle.0), opened_flags(flags, &opened));
        }),
        Err(error) => reply.error(errno(error)),
    }
}

/// A file that is opened for show: no handle of the drive, and nothing to be told when it is closed.
pub fn open_for_show(reply: ReplyOpen) {
    reply.opened(FileHandle(u64::MAX), FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_NOFLUSH);
}

/// What the kernel may do with an open file. A file that cannot be written needs no call when it is closed. `O_DIRECT`
/// needs nothing: the kernel honours it by itself.
pub fn opened_flags(flags: OpenFlags, by_drive: &Opened) -> FopenFlags {
    let mut opened = FopenFlags::empty();
    if flags.acc_mode() == OpenAccMode::O_RDONLY {
        opened |= FopenFlags::FOPEN_NOFLUSH;
    }
    if by_drive.keep_cache {
        opened |= FopenFlags::FOPEN_KEEP_CACHE;
    }
    if by_drive.direct {
        opened |= FopenFlags::FOPEN_DIRECT_IO;
    }
    opened
}

pub fn read(adapter: &Adapter, handle: FileHandle, offset: u64, size: u32, reply: ReplyData) {
    let answer = move |data: Result<_, _>| match data {
        Ok(data) => reply.data(AsRef::<[u8]>::as_ref(&data)),
        Err(error) => reply.error(errno(error)),
    };
    adapter.drive().read(Handle(handle.0), offset, size, Box::new(answer));
}

pub fn write(
    adapter: &Adapter,
    ino: INodeNo,
    handle: FileHandle,
    offset: u64,
    data: &[u8],
    flags: WriteFlags,
    reply: ReplyWrite,
) {
    if flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID) {
        privileges::lose(adapter, ino);
    }
    let answer = move |written| match written {
        Ok(written) => reply.written(written),
        Err(error) => reply.error(errno(error)),
    };
    adapter.drive().write(Handle(handle.0), offset, data, Box::new(answer));
}

/// `None` for what the drive does not do (cutting ranges out, making room inside).
pub fn allocate_mode(mode: i32) -> Option<Allocate> {
    const KEEP: i32 = libc::FALLOC_FL_KEEP_SIZE;
    const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | KEEP;
    const ZERO: i32 = libc::FALLOC_FL_ZERO_RANGE;
    const ZERO_KEEP: i32 = ZERO | KEEP;
    match mode {
        0 => Some(Allocate::Reserve),
        KEEP => Some(Allocate::ReserveKeepSize),
        PUNCH => Some(Allocate::PunchHole),
        ZERO => Some(Allocate::ZeroRange),
        ZERO_KEEP => Some(Allocate::ZeroRangeKeepSize),
        _ => None,
    }
}

pub fn seek(adapter: &Adapter, handle: FileHandle, offset: i64, whence: i32, reply: ReplyLseek) {
    let to = match whence {
        libc::SEEK_DATA => Seek::Data,
        libc::SEEK_HOLE => Seek::Hole,
        _ => return reply.error(Errno::EINVAL),
    };
    let Ok(offset) = u64::try_from(offset) else { return reply.error(Errno::ENXIO) };
    match adapter.drive().seek(Handle(handle.0), offset, to).map(i64::try_from) {
        Ok(Ok(found)) => reply.offset(found),
        Ok(Err(_)) => reply.error(Errno::EOVERFLOW),
        Err(error) => reply.error(errno(error)),
    }
}

/// Copies inside the drive: chunks are shared, bytes do not move.
pub fn copy_range(
    adapter: &Adapter,
    from: (FileHandle, u64),
    to: (FileHandle, u64),
    len: u64,
    reply: ReplyWrite,
) {
    let answer = move |copied: Result<u64, _>| match copied {
        Ok(copied) => reply.written(u32::try_from(copied).unwrap_or(MAX_COPY_BYTES as u32)),
        Err(error) => reply.error(errno(error)),
    };
    let len = len.min(MAX_COPY_BYTES);
    adapter.drive().copy_range(Handle(from.0.0), from.1, Handle(to.0.0), to.1, len, Box::new(answer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallocate_of_the_kernel() {
        assert_eq!(allocate_mode(0), Some(Allocate::Reserve));
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        assert_eq!(allocate_mode(punch), Some(Allocate::PunchHole));
        assert_eq!(allocate_mode(libc::FALLOC_FL_COLLAPSE_RANGE), None);
        assert_eq!(allocate_mode(libc::FALLOC_FL_INSERT_RANGE), None);
    }

    #[test]
    fn closing_what_was_only_read_is_free() {
        let opened = Opened { handle: Handle(1), keep_cache: false, direct: false };
        assert_eq!(opened_flags(OpenFlags(libc::O_RDONLY), &opened), FopenFlags::FOPEN_NOFLUSH);
        assert!(opened_flags(OpenFlags(libc::O_RDWR), &opened).is_empty());
    }

    #[test]
    fn beside_readers_of_an_older_version_the_cache_is_passed_by() {
        let opened = Opened { handle: Handle(1), keep_cache: false, direct: true };
        assert_eq!(opened_flags(OpenFlags(libc::O_RDWR), &opened), FopenFlags::FOPEN_DIRECT_IO);
    }
}
