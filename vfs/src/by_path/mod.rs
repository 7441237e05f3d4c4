//! What is done to files by their paths, beside any mount.
//!
//! ```text
//! list      a folder in pages, each entry with its safety          search    names that hold words, files that are not safe
//! folder    make, with what lies above it                          relocate  move and copy
//! loss      which files some computers would take with them
//! remove    delete with all that is in it, and undo that           partial   what is being uploaded, until it is whole
//! version   what an earlier version held                      written   who wrote what is there now
//! ```
//!
//! A mount's kernel expects none of it: every change is told on the change stream, and the answer waits until the listeners have
//! handled it. A symlink on the way is not followed.

mod folder;
mod list;
mod loss;
mod partial;
mod relocate;
mod remove;
mod search;
mod version;
mod written;

pub use list::{Listed, ListedPage};
pub use loss::{Concerned, LossAsked, LossTold};
pub use partial::{ABANDONED_MAX, PARTIAL_SUFFIX, is_partial_name};
pub use remove::Removed;
pub use search::{Filter, Search, SearchFound, Wanted};
pub use version::VersionContent;
pub use written::{WrittenByDevice, WrittenTold};

use crate::core::Core;
use crate::{Change, Drive, Error, Ino, Time};

/// Directory and last name of a path.
type Place<'a> = (Ino, &'a [u8]);

impl Drive {
    /// Grows with every edit of the tree, here or elsewhere: who saw the same number twice missed nothing that is settled.
    #[must_use]
    pub fn edit_clock(&self) -> u64 {
        self.core.ledger.read().edit_clock()
    }

    /// Where a path's last name stands; its directory must be there.
    fn place<'a>(&self, path: &'a [u8]) -> Result<Place<'a>, Error> {
        let end = path.iter().rposition(|byte| *byte != b'/').ok_or(Error::Invalid)?;
        let path = &path[..=end];
        let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        Ok((self.resolve(&path[..start])?, &path[start..]))
    }
}

impl Core {
    /// Tells that names in these directories changed, and waits until caches know.
    fn told_names(&self, places: &[Place<'_>]) {
        self.tell_all(places.iter().flat_map(|(dir, name)| name_notices(*dir, name)).collect());
        self.changes.wait_until_handled();
    }

    /// What is in memory of this file becomes a version, so that it can be shared and brought back.
    fn settle_one(&self, ino: Ino) -> Result<(), Error> {
        let Some(node) = self.nodes.get(ino) else { return Ok(()) };
        if node.lock().dirty.is_none() {
            return Ok(());
        }
        match self.settle(&node) {
            Err(Error::Missing(_)) => Err(Error::Io),
            settled => settled,
        }
    }

    /// The moment of the newest edit, by the ledger's clock.
    fn latest_edit(&self) -> Time {
        self.ledger.read().latest_edit().unwrap_or_default()
    }
}

fn name_notices(dir: Ino, name: &[u8]) -> [Change; 2] {
    [Change::Entry { dir, name: name.to_vec() }, Change::Attributes(dir)]
}
