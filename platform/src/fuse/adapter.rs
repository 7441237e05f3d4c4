//! Every request of the kernel, and who answers it. What needs more than a line lies in the modules beside.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, Generation, INodeNo,
    InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyBmap, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs, ReplyWrite,
    ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use vfs::{AttrChange, Drive, Error, Kind, Reply};

use super::convert::{file_attr, kind, new_node, time_change};
use super::errno::errno;
use super::fills::Fills;
use super::notices::Notices;
use super::quick_wake::QuickWake;
use super::watchers::Shown;
use super::{content, directories, names, privileges, xattr};

/// How long the kernel may believe a name or an attribute without asking. Changes that do not come through this mount
/// are told to it, so this only bounds the harm of a notice that was lost.
pub const CACHED: Duration = Duration::from_secs(60 * 60);
/// The same for directories: when one is changed while the kernel asks for its attributes, the kernel may take the older answer for
/// the newer one, and nobody would tell it.
pub const DIRECTORY_CACHED: Duration = Duration::from_secs(1);
/// Inode numbers are never given out twice, so there is one generation.
pub const GENERATION: Generation = Generation(0);

/// The largest write request, bytes: what the kernel can send in one (256 pages).
const MAX_WRITE_BYTES: u32 = 1 << 20;
/// Requests the kernel may have waiting in the background (read-ahead, asynchronous direct I/O).
const MAX_BACKGROUND_REQUESTS: u16 = 32;

/// What is asked of the kernel, where it knows it. Not `FUSE_ATOMIC_O_TRUNC`: it would save a request when an existing
/// file is truncated by opening it, but the kernel then finds out too late that the file is a program that runs.
const WANTED: [InitFlags; 8] = [
    // Names and attributes in one answer.
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_ASYNC_DIO,
    InitFlags::FUSE_CACHE_SYMLINKS,
    // Cached pages go when we say so, not when a size differs.
    InitFlags::FUSE_EXPLICIT_INVAL_DATA,
    // Set-id bits fall here (see `privileges`); in return the kernel stops asking for capabilities at every write.
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP,
];

/// The file system that fuser drives.
pub struct Adapter {
    pub(super) drive: Arc<Drive>,
    pub(super) notices: Notices,
    pub(super) quick_wake: QuickWake,
    pub(super) fills: Arc<Fills>,
    pub(super) shown: Arc<Shown>,
}

impl Adapter {
    /// Who answers a request of the kernel.
    pub fn drive(&self) -> &Drive {
        self.quick_wake.touched();
        &self.drive
    }
}

/// How long the kernel may believe what it is told of an inode.
pub fn cached(kind: Kind) -> &'static Duration {
    if kind == Kind::Directory { &DIRECTORY_CACHED } else { &CACHED }
}

/// A reply that carries nothing but success.
pub fn done(reply: ReplyEmpty) -> Reply<()> {
    Box::new(move |answer| empty(reply, answer))
}

pub fn empty(reply: ReplyEmpty, answer: Result<(), Error>) {
    match answer {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

pub fn entry(reply: ReplyEntry, answer: Result<vfs::Attr, Error>) {
    match answer {
        Ok(attr) => reply.entry(cached(attr.kind), &file_attr(&attr), GENERATION),
        Err(error) => reply.error(errno(error)),
    }
}

fn attributes(reply: ReplyAttr, answer: Result<vfs::Attr, Error>) {
    match answer {
        Ok(attr) => reply.attr(cached(attr.kind), &file_attr(&attr)),
        Err(error) => reply.error(errno(error)),
    }
}

impl Filesystem for Adapter {
    fn init(&mut self, _caller: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wanted in WANTED {
            if let Err(missing) = config.add_capabilities(wanted) {
                tracing::debug!(?missing, "this kernel does without");
            }
        }
        // Refused values stay at the kernel's own: slower, not wrong.
        let _ = config.set_max_write(MAX_WRITE_BYTES);
        let _ = config.set_max_background(MAX_BACKGROUND_REQUESTS);
        Ok(())
    }

    // Names

    fn lookup(&self, caller: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if let Some(answer) = self.shown.looked_up(caller, parent, name) {
            return match answer {
                Some(attr) => reply.entry(&Duration::ZERO, &attr, GENERATION),
                None => reply.error(Errno::ENOENT),
            };
        }
        names::lookup(self, parent, name, reply);
    }

    /// Inode numbers are stable and need no count of who knows them.
    fn forget(&self, _caller: &Request, _ino: INodeNo, _lookups: u64) {}

    fn mknod(
        &self,
        caller: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        if self.shown.is_at(caller) {
            return entry(reply, self.drive().lookup(parent.0, name.as_bytes()));
        }
        let Some(kind) = kind(mode) else { return reply.error(Errno::EINVAL) };
        let node = new_node(caller, kind, mode, rdev, &[]);
        entry(reply, self.drive().make_node(parent.0, name.as_bytes(), node));
    }

    fn mkdir(
        &self,
        caller: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        if self.shown.is_at(caller) {
            return entry(reply, self.drive().lookup(parent.0, name.as_bytes()));
        }
        let node = new_node(caller, Kind::Directory, mode, 0, &[]);
        entry(reply, self.drive().make_node(parent.0, name.as_bytes(), node));
    }

    fn symlink(&self, caller: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        if self.shown.is_at(caller) {
            return entry(reply, self.drive().lookup(parent.0, name.as_bytes()));
        }
        let node = new_node(caller, Kind::Symlink, 0o777, 0, target.as_os_str().as_bytes());
        entry(reply, self.drive().make_node(parent.0, name.as_bytes(), node));
    }

    fn create(
        &self,
        caller: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        names::create(self, caller, parent, name, mode, OpenFlags(flags), reply);
    }

    fn link(&self, _caller: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(reply, self.drive().link(ino.0, parent.0, name.as_bytes()));
    }

    fn unlink(&self, caller: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        if self.shown.is_at(caller) {
            return reply.ok();
        }
        empty(reply, self.drive().unlink(parent.0, name.as_bytes()));
    }

    fn rmdir(&self, caller: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        if self.shown.is_at(caller) {
            return reply.ok();
        }
        empty(reply, self.drive().remove_dir(parent.0, name.as_bytes()));
    }

    fn rename(
        &self,
        _caller: &Request,
        parent: INodeNo,
        name: &OsStr,
        to_parent: INodeNo,
        to_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let Some(mode) = names::rename_mode(flags) else { return reply.error(Errno::EINVAL) };
        self.drive().rename(parent.0, name.as_bytes(), to_parent.0, to_name.as_bytes(), mode, done(reply));
    }

    fn readlink(&self, _caller: &Request, ino: INodeNo, reply: ReplyData) {
        match self.drive().read_link(ino.0) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(errno(error)),
        }
    }

    // Attributes

    fn getattr(&self, _caller: &Request, ino: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        attributes(reply, self.drive().attr(ino.0));
    }

    fn setattr(
        &self,
        caller: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        if self.shown.is_at(caller) {
            return attributes(reply, self.drive().attr(ino.0));
        }
        let mut change = AttrChange {
            mode: mode.map(|mode| mode & 0o7777),
            uid,
            gid,
            size,
            atime: atime.map(time_change),
            mtime: mtime.map(time_change),
        };
        privileges::lose_with(self, caller, ino, &mut change);
        let handle = handle.map(|handle| vfs::Handle(handle.0));
        let fills = Arc::clone(&self.fills);
        let answer = move |answer| fills.answer(ino.0, move || attributes(reply, answer));
        self.drive().set_attr(ino.0, handle, change, Box::new(answer));
    }

    /// The kernel checks the mode bits itself; it does not even ask.
    fn access(&self, _caller: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        reply.ok();
    }

    fn setxattr(
        &self,
        _caller: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        xattr::set(self, ino, name, value, flags, reply);
    }

    fn getxattr(&self, _caller: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        xattr::get(self, ino, name, size, reply);
    }

    fn listxattr(&self, caller: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        xattr::list(self, caller, ino, size, reply);
    }

    fn removexattr(&self, _caller: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        xattr::remove(self, ino, name, reply);
    }

    fn statfs(&self, _caller: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        match self.drive().stat_fs() {
            Ok(room) => reply.statfs(
                room.blocks,
                room.free,
                room.available,
                room.files.saturating_add(room.free_files),
                room.free_files,
                room.block_bytes,
                room.name_max,
                room.block_bytes,
            ),
            Err(error) => reply.error(errno(error)),
        }
    }

    // Content

    fn open(&self, caller: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if self.shown.is_at(caller) {
            return content::open_for_show(reply);
        }
        content::open(self, ino, flags, reply);
    }

    fn read(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        content::read(self, handle, offset, size, reply);
    }

    fn write(
        &self,
        _caller: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        content::write(self, ino, handle, offset, data, write_flags, reply);
    }

    fn flush(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.drive().flush(vfs::Handle(handle.0)));
    }

    fn release(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.drive().release(vfs::Handle(handle.0));
        reply.ok();
    }

    fn fsync(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        self.drive().fsync(vfs::Handle(handle.0), data_only, done(reply));
    }

    fn fallocate(
        &self,
        caller: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        len: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let Some(mode) = content::allocate_mode(mode) else { return reply.error(Errno::EOPNOTSUPP) };
        privileges::lose_by_writing(self, caller, ino);
        self.drive().allocate(vfs::Handle(handle.0), offset, len, mode, done(reply));
    }

    fn lseek(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        content::seek(self, handle, offset, whence, reply);
    }

    fn copy_file_range(
        &self,
        caller: &Request,
        _from_ino: INodeNo,
        from: FileHandle,
        from_offset: u64,
        to_ino: INodeNo,
        to: FileHandle,
        to_offset: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        privileges::lose_by_writing(self, caller, to_ino);
        content::copy_range(self, (from, from_offset), (to, to_offset), len, reply);
    }

    // Directories

    fn opendir(&self, _caller: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        directories::open(self, ino, reply);
    }

    fn readdir(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        directories::read(self, handle, offset, reply);
    }

    fn readdirplus(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        directories::read_plus(self, handle, offset, reply);
    }

    fn releasedir(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.drive().release_dir(vfs::Handle(handle.0));
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        self.drive().fsync_dir(ino.0, done(reply));
    }

    // What a drive does not do. Locks are not asked for: the kernel keeps them itself.

    fn bmap(&self, _caller: &Request, _ino: INodeNo, _block_bytes: u32, _block: u64, reply: ReplyBmap) {
        reply.error(Errno::ENOSYS);
    }

    fn ioctl(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _flags: IoctlFlags,
        _command: u32,
        _input: &[u8],
        _output_bytes: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    /// Not known: the kernel then answers itself that files are always ready, and asks no more.
    fn poll(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _notifier: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }
}
