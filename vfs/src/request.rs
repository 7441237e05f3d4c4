//! The small types of calls on the drive: handles, flags, replies.

use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::{Attr, Error, Ino, Kind};

/// An open file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub u64);

/// The answer to a call that may finish later; called exactly once, on any thread.
pub type Reply<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

/// Turns a call that answers through a [`Reply`] into one that waits for the answer.
///
/// # Errors
/// What the call answers; [`Error::Io`] if it was dropped unanswered, which is a bug.
pub fn wait<T: Send + 'static>(call: impl FnOnce(Reply<T>)) -> Result<T, Error> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    call(Box::new(move |answer| {
        // The receiver lives until the answer is here: a failed send cannot lose anything.
        let _ = sender.send(answer);
    }));
    receiver.recv().unwrap_or(Err(Error::Io))
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenFlags {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Each write goes to the end.
    pub append: bool,
    /// Cut to nothing first.
    pub truncate: bool,
    /// Caches of the system are passed by.
    pub direct: bool,
}

/// What `open` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// To be released.
    pub handle: Handle,
    /// The content is what it was when the kernel last cached it.
    pub keep_cache: bool,
    /// The kernel's pages hold an older version, which others read on: pass them by.
    pub direct: bool,
}

/// What a rename does with a taken name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameMode {
    /// Takes its place.
    Replace,
    /// Refuses.
    NoReplace,
    /// Swaps the two.
    Exchange,
}

/// What `fallocate` is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocate {
    /// Room, growing the file.
    Reserve,
    /// Room, the length stays.
    ReserveKeepSize,
    /// A hole; the length stays.
    PunchHole,
    /// Zeros, growing the file.
    ZeroRange,
    /// Zeros; the length stays.
    ZeroRangeKeepSize,
}

/// What `lseek` looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// The next data.
    Data,
    /// The next hole (the end of the file is one).
    Hole,
}

/// How an extended attribute is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XattrMode {
    /// Made or replaced.
    Any,
    /// Must be new.
    Create,
    /// Must exist.
    Replace,
}

/// One name of a directory.
#[derive(Debug, Clone, Copy)]
pub struct DirItem<'a> {
    /// Its inode.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// The name, any bytes but `/` and NUL.
    pub name: &'a [u8],
    /// Where to go on after this one.
    pub cookie: u64,
    /// Its attributes, if asked for.
    pub attr: Option<Attr>,
}

/// Something that changed under the adapter: caches of it must go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Content and attributes of this inode.
    Content(Ino),
    /// Attributes of this inode.
    Attributes(Ino),
    /// A name in a directory.
    Entry {
        /// The directory.
        dir: Ino,
        /// The name.
        name: Vec<u8>,
    },
    /// All of these, from one exchange with another device.
    Many(Arc<[Change]>),
    /// The listener was too slow: everything may have changed.
    Lost,
    /// Somebody waits until the changes before this one are handled. There is nothing to do but to drop it, in its turn.
    Reached(Reached),
}

/// A place in the stream of changes that somebody waits for; dropping it says that the listener has come so far.
#[derive(Debug, Clone)]
pub struct Reached(pub(crate) Sender<()>);

impl PartialEq for Reached {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }
}

impl Eq for Reached {}
