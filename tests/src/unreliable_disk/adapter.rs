//! Every request of the kernel, answered out of the platter.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::Inside;
use super::file::File;
use super::folder::Folder;
use super::platter::{NodeKind, Platter};

/// Nothing is cached: after a cut the kernel must ask again.
const CACHED: Duration = Duration::ZERO;
/// Numbers are never given out twice.
const GENERATION: Generation = Generation(0);
const BLOCK_BYTES: u32 = 4096;
/// The size it says it has: 64 GiB.
const BLOCKS: u64 = 16 << 20;

pub(super) struct Adapter {
    pub(super) inside: Arc<Inside>,
}

impl Adapter {
    /// A change, unless the disk is broken.
    fn change<T>(&self, change: impl FnOnce(&mut Platter) -> Result<T, Errno>) -> Result<T, Errno> {
        if self.inside.fails_changes.load(Ordering::SeqCst) {
            self.inside.refused.fetch_add(1, Ordering::SeqCst);
            return Err(Errno::EIO);
        }
        change(&mut self.inside.platter.lock())
    }

    fn make(&self, parent: INodeNo, name: &OsStr, mode: u32, kind: NodeKind) -> Result<FileAttr, Errno> {
        self.change(|platter| {
            let ino = platter.make(parent.0, name, (mode & 0o7777) as u16, kind)?;
            attributes(platter, ino)
        })
    }
}

fn attributes(platter: &mut Platter, ino: u64) -> Result<FileAttr, Errno> {
    let links = platter.links(ino);
    let node = platter.node(ino)?;
    let (kind, size) = match &node.kind {
        NodeKind::File(file) => (FileType::RegularFile, file.len()),
        NodeKind::Folder(_) => (FileType::Directory, 0),
    };
    let time = SystemTime::UNIX_EPOCH;
    let owner = rustix::process::getuid().as_raw();
    let group = rustix::process::getgid().as_raw();
    Ok(FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind,
        perm: node.mode,
        nlink: links.max(1),
        uid: owner,
        gid: group,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

fn empty(reply: ReplyEmpty, answer: Result<(), Errno>) {
    match answer {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn entry(reply: ReplyEntry, answer: Result<FileAttr, Errno>) {
    match answer {
        Ok(attr) => reply.entry(&CACHED, &attr, GENERATION),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Adapter {
    fn lookup(&self, _caller: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut platter = self.inside.platter.lock();
        let found = platter.lookup(parent.0, name);
        entry(reply, found.and_then(|ino| attributes(&mut platter, ino)));
    }

    fn getattr(&self, _caller: &Request, ino: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(&mut self.inside.platter.lock(), ino.0) {
            Ok(attr) => reply.attr(&CACHED, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _caller: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let changed = self.change(|platter| {
            if let Some(mode) = mode {
                platter.node(ino.0)?.mode = (mode & 0o7777) as u16;
            }
            if let Some(size) = size {
                platter.file(ino.0)?.set_len(size);
            }
            attributes(platter, ino.0)
        });
        match changed {
            Ok(attr) => reply.attr(&CACHED, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(
        &self,
        _caller: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        entry(reply, self.make(parent, name, mode, NodeKind::Folder(Folder::default())));
    }

    fn create(
        &self,
        _caller: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.make(parent, name, mode, NodeKind::File(File::default())) {
            Ok(attr) => {
                if let Ok(node) = self.inside.platter.lock().node(attr.ino.0) {
                    node.opens += 1;
                }
                reply.created(&CACHED, &attr, GENERATION, FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
            }
            Err(error) => reply.error(error),
        }
    }

    fn link(&self, _caller: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(
            reply,
            self.change(|platter| {
                platter.link(ino.0, parent.0, name)?;
                attributes(platter, ino.0)
            }),
        );
    }

    fn unlink(&self, _caller: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.change(|platter| platter.unlink(parent.0, name)));
    }

    fn rmdir(&self, _caller: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.change(|platter| platter.rmdir(parent.0, name)));
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
        if parent != to_parent || !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        empty(reply, self.change(|platter| platter.rename(parent.0, name, to_name)));
    }

    fn open(&self, _caller: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.inside.platter.lock().node(ino.0) {
            Ok(node) => {
                node.opens += 1;
                reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
            }
            Err(error) => reply.error(error),
        }
    }

    fn release(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        if let Ok(node) = self.inside.platter.lock().node(ino.0) {
            node.opens = node.opens.saturating_sub(1);
        }
        reply.ok();
    }

    fn read(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        if self.inside.fails_reads.load(Ordering::SeqCst) {
            return reply.error(Errno::EIO);
        }
        match self.inside.platter.lock().file(ino.0) {
            Ok(file) => reply.data(file.read(offset, size as usize)),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.change(|platter| platter.file(ino.0).map(|file| file.write(offset, data))) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    /// Closing syncs nothing.
    fn flush(
        &self,
        _caller: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsync(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.change(|platter| platter.file(ino.0).map(File::sync)));
    }

    fn fsyncdir(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.change(|platter| platter.sync_folder(ino.0)));
    }

    /// Only growing is of use to the drive's own files.
    fn fallocate(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        len: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        empty(
            reply,
            self.change(|platter| {
                let file = platter.file(ino.0)?;
                file.set_len(file.len().max(offset + len));
                Ok(())
            }),
        );
    }

    fn readdir(
        &self,
        _caller: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let mut platter = self.inside.platter.lock();
        let names: Vec<_> = match platter.folder(ino.0) {
            Ok(folder) => folder.names().map(|(name, ino)| (name.clone(), ino)).collect(),
            Err(error) => return reply.error(error),
        };
        for (place, (name, ino)) in (1..).zip(names).skip(offset as usize) {
            let kind = match platter.node(ino).map(|node| &node.kind) {
                Ok(NodeKind::Folder(_)) => FileType::Directory,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(ino), place, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _caller: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, 1 << 20, 1 << 20, BLOCK_BYTES, 255, BLOCK_BYTES);
    }

    fn access(&self, _caller: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        reply.ok();
    }
}
