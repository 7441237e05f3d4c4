//! What the drive keeps in memory of an inode: only while it is open or has changes that are not settled.

mod handles;
mod ranges;
mod table;

use std::sync::Arc;
use std::time::Instant;

use ledger::VersionId;
use parking_lot::{Condvar, Mutex, MutexGuard};

pub(crate) use handles::{Handles, OpenFile};
pub(crate) use ranges::Ranges;
pub(crate) use table::NodeTable;

use crate::content::view::FileContent;
use crate::remote::Elsewhere;
use crate::starved::Starved;
use crate::{Error, Ino, Time};

/// An inode in use.
pub(crate) struct Node {
    /// Its number.
    pub(crate) ino: Ino,
    state: Mutex<State>,
    /// Told when a sealing job of this node is done.
    pub(crate) sealed: Condvar,
}

impl Node {
    /// An inode that nobody has opened yet.
    pub(crate) fn new(ino: Ino) -> Arc<Self> {
        Arc::new(Self { ino, state: Mutex::new(State::default()), sealed: Condvar::new() })
    }

    /// The state, for one caller at a time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Changes that are not settled.
#[derive(Clone, Copy)]
pub(crate) struct Dirty {
    /// When the first of them came.
    pub(crate) since: Instant,
    /// When the last of them came.
    pub(crate) last: Instant,
    /// Modification time to publish.
    pub(crate) mtime: Time,
    /// Change time to keep.
    pub(crate) ctime: Time,
}

/// The state of an inode in use.
#[derive(Default)]
pub(crate) struct State {
    /// Handles open on it.
    pub(crate) opens: u32,
    /// Those of them that may write.
    pub(crate) writers: u32,
    /// It was taken out of the table: whoever still holds it looks again.
    pub(crate) gone: bool,
    /// It waits in the settler's queue.
    pub(crate) queued: bool,
    /// The content, once it was needed.
    pub(crate) content: Option<FileContent>,
    /// The version that the next one replaces.
    pub(crate) replaces: Option<VersionId>,
    /// Unsettled changes.
    pub(crate) dirty: Option<Dirty>,
    /// What changed since the last `fsync`.
    pub(crate) fresh: Ranges,
    /// Rows of dirty extents are in the tree.
    pub(crate) persisted: bool,
    /// They were found at the start and are not read back yet; the file's length, bytes.
    pub(crate) rows_unread: Option<u64>,
    /// Some of these rows hold what was cut off since.
    pub(crate) rows_stale: bool,
    /// Sealing jobs under way.
    pub(crate) seals_under_way: usize,
    /// Bytes of the overlay that they hold.
    pub(crate) sealing_bytes: usize,
    /// A failure that no call has answered yet.
    pub(crate) failure: Option<Error>,
    /// Settled overwrites inside the file, counted up to the switch to fixed blocks.
    pub(crate) rounds_in_place: u8,
    /// Cut at fixed blocks from now on.
    pub(crate) fixed: bool,
    /// The last change that rows of the tree hold, with all before it.
    pub(crate) kept_as_of: Option<Instant>,
    /// Settling waits for a chunk that is not here.
    pub(crate) starved: Option<Starved>,
    /// Bytes it counts among those that wait for other computers.
    pub(crate) counted_starved_bytes: usize,
    /// Bytes this node counts in the write buffer.
    pub(crate) counted_bytes: usize,
    /// What other devices did to it meanwhile.
    pub(crate) elsewhere: Elsewhere,
}

impl State {
    /// Bytes in memory that nobody is sealing yet.
    pub(crate) fn loose_bytes(&mut self) -> usize {
        let sealing = self.sealing_bytes;
        self.content().overlay.memory_bytes().saturating_sub(sealing)
    }

    /// Notes a change of the content at `now`.
    pub(crate) fn touch(&mut self, now: Time) {
        let at = Instant::now();
        let since = self.dirty.map_or(at, |dirty| dirty.since);
        self.dirty = Some(Dirty { since, last: at, mtime: now, ctime: now });
    }

    /// The content; loading it first is the caller's part.
    pub(crate) fn content(&mut self) -> &mut FileContent {
        self.content.as_mut().expect("the content was loaded under this lock")
    }
}
