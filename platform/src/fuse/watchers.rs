//! Programs that watch folders (inotify) are woken for what other devices did.
//!
//! A notice to the kernel wakes no watcher; only operations of this computer do. So for each change in a folder that is watched, a
//! thread performs the operation through the mount, and the adapter, which knows the thread, answers it without doing anything:
//!
//! ```text
//! notices ─► queue ─► this thread: mknod "a" ─► kernel ─► adapter: lookup → none, mknod → the inode that is there
//!                                                  └────► IN_CREATE "a"
//! ```
//!
//! | what shows | operation | watchers see |
//! |---|---|---|
//! | a name | `mknod`, `mkdir`, `symlink` | create |
//! | a name no more | `unlink` | delete |
//! | other content | open, `ftruncate` to its length, close | modify, close after writing |
//!
//! Nothing of this reaches the drive, so it is no edit. A move is seen as a name less and a name more, and a folder that went as a
//! file that went. Without watchers (asked for at most once a second, and only while changes come) nothing is done.

mod watched;

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::UNIX_EPOCH;

use crossbeam_channel::{Receiver, Sender, bounded};
use fuser::{FileAttr, FileType, INodeNo, Notifier, Request};
use parking_lot::Mutex;
use rustix::fs::{AtFlags, Dev, FileType as NodeType, Mode, OFlags};
use vfs::{Change, Drive, Ino, Kind};

use self::watched::Watched;

/// Exchanges that wait for being shown at most; watchers learn nothing of further ones.
const EXCHANGES_WAITING_MAX: usize = 64;
/// Names and inodes of one exchange that are shown at most; of the rest watchers learn nothing.
const SHOWN_OF_EXCHANGE_MAX: usize = 8192;
/// What a name that is no more leads to while it is taken away for watchers. No inode of the drive has this number.
const GONE: INodeNo = INodeNo(u64::MAX - 1);

/// What the adapter must know: whose requests are for show, and of what.
#[derive(Default)]
pub struct Shown {
    /// 0: nobody's.
    thread: AtomicU32,
    now: Mutex<Option<Show>>,
}

#[derive(Clone)]
struct Show {
    dir: Ino,
    name: Vec<u8>,
    appears: bool,
}

impl Shown {
    /// Whether the request is for show only.
    pub fn is_at(&self, caller: &Request) -> bool {
        let thread = self.thread.load(Ordering::Relaxed);
        thread != 0 && caller.pid() == thread
    }

    /// The answer for show to a name's lookup: nothing yet where it is about to appear, something where it is about to go. `None`:
    /// the request is a usual one.
    pub fn looked_up(&self, caller: &Request, parent: INodeNo, name: &OsStr) -> Option<Option<FileAttr>> {
        if !self.is_at(caller) {
            return None;
        }
        let now = self.now.lock();
        let show = now.as_ref().filter(|show| show.dir == parent.0 && show.name == name.as_bytes())?;
        Some(if show.appears { None } else { Some(gone()) })
    }
}

/// Where changes are handed to the thread. It ends when this is gone.
pub struct Watchers {
    queue: Sender<Arc<[Change]>>,
}

impl Watchers {
    /// Shows what came from elsewhere. Never waits.
    pub fn show(&self, change: Change) {
        if let Change::Many(changes) = change
            && self.queue.try_send(changes).is_err()
        {
            tracing::debug!("watchers of folders learn nothing of an exchange");
        }
    }
}

/// Starts the thread.
pub fn start(
    drive: &Arc<Drive>,
    notifier: Notifier,
    shown: Arc<Shown>,
    mountpoint: &Path,
    device: &str,
) -> io::Result<Watchers> {
    let (queue, waiting) = bounded(EXCHANGES_WAITING_MAX);
    let device = watched::device_of(device);
    let mut stage = Stage {
        // It keeps no closed drive alive.
        drive: Arc::downgrade(drive),
        notifier,
        shown,
        mountpoint: mountpoint.to_path_buf(),
        device,
        watched: Watched::of(device),
    };
    std::thread::Builder::new().name("fuse-watchers".into()).spawn(move || stage.run(&waiting))?;
    Ok(Watchers { queue })
}

struct Stage {
    drive: Weak<Drive>,
    notifier: Notifier,
    shown: Arc<Shown>,
    mountpoint: PathBuf,
    device: Dev,
    watched: Watched,
}

impl Stage {
    fn run(&mut self, waiting: &Receiver<Arc<[Change]>>) {
        self.shown
            .thread
            .store(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs(), Ordering::Relaxed);
        for first in waiting {
            let mut exchanges = vec![first];
            // Somebody may have begun to watch since the last look.
            if !self.watched.is_any_of(&exchanges) {
                self.watched.wait_for_next_look();
                exchanges.extend(waiting.try_iter());
            }
            self.watched.look_again();
            let Some(drive) = self.drive.upgrade() else { return };
            if !self.watched.is_empty() {
                exchanges.iter().for_each(|changes| self.show_all(&drive, changes));
            }
        }
    }

    fn show_all(&self, drive: &Drive, changes: &[Change]) {
        for change in changes.iter().take(SHOWN_OF_EXCHANGE_MAX) {
            // The mount may end at any time, and programs change what was changed elsewhere: what cannot be shown is not.
            if let Err(error) = self.show(drive, change) {
                tracing::debug!(%error, "watchers of a folder learn nothing of a change");
            }
        }
    }

    fn show(&self, drive: &Drive, change: &Change) -> io::Result<()> {
        match change {
            Change::Entry { dir, name } if self.watched.has(*dir) => self.show_name(drive, *dir, name),
            Change::Content(ino) => {
                for (dir, name) in drive.names_of(*ino) {
                    if self.watched.has(dir) || self.watched.has(*ino) {
                        self.show_content(drive, dir, &name)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn show_name(&self, drive: &Drive, dir: Ino, name: &[u8]) -> io::Result<()> {
        let folder = self.folder(drive, dir)?;
        let kind = drive.lookup(dir, name).ok().map(|attr| attr.kind);
        *self.shown.now.lock() = Some(Show { dir, name: name.to_vec(), appears: kind.is_some() });
        // Whoever asked since the notice has taught the kernel the name again.
        let forgotten = self.notifier.inval_entry(INodeNo(dir), OsStr::from_bytes(name));
        tracing::trace!(?forgotten, "a name is about to be shown");
        let mode = Mode::from_raw_mode(0o600);
        let shown = match kind {
            Some(Kind::Directory) => rustix::fs::mkdirat(&folder, name, mode),
            Some(Kind::Symlink) => rustix::fs::symlinkat("for show", &folder, name),
            Some(Kind::File) => rustix::fs::mknodat(&folder, name, NodeType::RegularFile, mode, 0),
            // Pipes, sockets and devices: nobody waits for those.
            Some(_) => Ok(()),
            None => rustix::fs::unlinkat(&folder, name, AtFlags::empty()),
        };
        *self.shown.now.lock() = None;
        // What the kernel made of it is for show: it asks again.
        let forgotten = self.notifier.inval_entry(INodeNo(dir), OsStr::from_bytes(name));
        tracing::trace!(?forgotten, "a name was shown");
        shown.map_err(io::Error::from)
    }

    fn show_content(&self, drive: &Drive, dir: Ino, name: &[u8]) -> io::Result<()> {
        let attr = drive.lookup(dir, name).map_err(io::Error::other)?;
        if attr.kind != Kind::File {
            return Ok(());
        }
        let folder = self.folder(drive, dir)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, name, flags, Mode::empty())?;
        rustix::fs::ftruncate(&file, attr.size)?;
        Ok(())
    }

    /// The folder, by a path that leads into this mount and into no other file system: without the mount, what is meant for show
    /// would be done to the folder below it.
    fn folder(&self, drive: &Drive, dir: Ino) -> io::Result<OwnedFd> {
        let path = drive.path_of(dir).ok_or(io::ErrorKind::NotFound)?;
        let relative = path.strip_prefix(b"/").unwrap_or(&path);
        let path = self.mountpoint.join(OsStr::from_bytes(relative));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&path, flags, Mode::empty())?;
        let found = rustix::fs::fstat(&folder)?;
        if found.st_dev == self.device && found.st_ino == dir {
            Ok(folder)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

fn gone() -> FileAttr {
    FileAttr {
        ino: GONE,
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: FileType::RegularFile,
        perm: 0o600,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
