//! What changed behind the kernel's back, told to it on a thread of its own.
//!
//! Such a notice can wait inside the kernel for a lock that a request of the same inode holds, and that request for
//! its answer; so it is never sent from a thread that answers requests.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use fuser::{INodeNo, Notifier};
use vfs::{Change, Drive, Ino, Kind, ROOT};

use super::fills::Fills;
use super::watchers::Watchers;

/// Notices of the adapter itself that may wait.
const MAX_WAITING_NOTICES: usize = 1024;

/// The adapter's end: it, too, changes things the kernel does not expect.
#[derive(Clone)]
pub struct Notices {
    sender: Sender<Change>,
}

impl Notices {
    /// The adapter's end and the thread's. The thread ends when the last of the former is gone.
    pub fn channel() -> (Self, Receiver<Change>) {
        let (sender, receiver) = bounded(MAX_WAITING_NOTICES);
        (Self { sender }, receiver)
    }

    /// Never waits. A notice that finds no room is dropped: the kernel then believes the old for its usual time.
    pub fn tell(&self, change: Change) {
        if self.sender.try_send(change).is_err() {
            tracing::debug!("a notice to the kernel was dropped");
        }
    }
}

/// Starts the thread that passes on what the drive and the adapter tell.
pub fn start(
    drive: Arc<Drive>,
    told: Receiver<Change>,
    notifier: Notifier,
    fills: Arc<Fills>,
    watchers: Watchers,
) -> io::Result<()> {
    let mut changes = drive.subscribe();
    let nearby = drive.nearby();
    let pass_on = move || {
        let kernel = Kernel { drive, notifier };
        loop {
            select! {
                recv(told) -> change => match change {
                    Ok(change) => kernel.forget(&change),
                    Err(_) => return,
                },
                recv(changes) -> change => match change {
                    Ok(change) => {
                        kernel.forget(&change);
                        watchers.show(change);
                    }
                    // A closed drive changes no more; the mount is about to end.
                    Err(_) => changes = never(),
                },
                recv(nearby) -> nearby => {
                    let nearby = nearby.expect("the drive that this thread holds offers as long as it lives");
                    fills.fill(&kernel.drive, &kernel.notifier, &nearby);
                }
            }
        }
    };
    std::thread::Builder::new().name("fuse-notices".into()).spawn(pass_on).map(drop)
}

struct Kernel {
    drive: Arc<Drive>,
    notifier: Notifier,
}

impl Kernel {
    fn forget(&self, change: &Change) {
        match change {
            Change::Content(ino) => self.forget_content(*ino),
            Change::Attributes(ino) => self.forget_attributes(*ino),
            Change::Entry { dir, name } => {
                self.forget_name(*dir, name);
                self.forget_content(*dir);
            }
            Change::Many(changes) => self.forget_many(changes),
            Change::Lost => self.forget_all(),
            // Dropped by the caller, after everything before it.
            Change::Reached(_) => {}
        }
    }

    /// Each name, and each directory and inode once, however many names of it changed: thousands may come in one exchange.
    fn forget_many(&self, changes: &[Change]) {
        let mut whole = BTreeSet::new();
        for change in changes {
            match change {
                Change::Entry { dir, name } => {
                    self.forget_name(*dir, name);
                    whole.insert(*dir);
                }
                Change::Content(ino) => {
                    whole.insert(*ino);
                }
                _ => {}
            }
        }
        whole.iter().for_each(|ino| self.forget_content(*ino));
        for change in changes {
            match change {
                Change::Attributes(ino) if whole.contains(ino) => {}
                Change::Content(_) | Change::Entry { .. } => {}
                other => self.forget(other),
            }
        }
    }

    /// Pages (of a directory: its listing) and attributes.
    fn forget_content(&self, ino: Ino) {
        tolerate(self.notifier.inval_inode(INodeNo(ino), 0, 0));
    }

    fn forget_attributes(&self, ino: Ino) {
        const NO_PAGES: i64 = -1;
        tolerate(self.notifier.inval_inode(INodeNo(ino), NO_PAGES, 0));
    }

    fn forget_name(&self, dir: Ino, name: &[u8]) {
        tolerate(self.notifier.inval_entry(INodeNo(dir), OsStr::from_bytes(name)));
    }

    /// There is no notice for everything, so the tree is walked; what the kernel does not hold costs a system call.
    /// A name that is gone from the drive is not met: the kernel believes in it until its time is over.
    fn forget_all(&self) {
        let mut waiting = vec![ROOT];
        while let Some(dir) = waiting.pop() {
            self.forget_content(dir);
            let Ok(handle) = self.drive.open_dir(dir) else { continue };
            let listed = self.drive.read_dir(handle, 0, false, &mut |item| {
                match item.kind {
                    _ if item.name == b"." || item.name == b".." => {}
                    // The name stays: taking it would cut off every process that works inside.
                    Kind::Directory => waiting.push(item.ino),
                    _ => {
                        self.forget_name(dir, item.name);
                        self.forget_content(item.ino);
                    }
                }
                true
            });
            self.drive.release_dir(handle);
            if let Err(error) = listed {
                tracing::warn!(%error, "a directory could not be listed to refresh the kernel's view of it");
            }
        }
    }
}

/// A notice fails when the mount is ending; then nothing is cached any more.
fn tolerate(sent: io::Result<()>) {
    if let Err(error) = sent {
        tracing::debug!(%error, "a notice to the kernel was not taken");
    }
}
