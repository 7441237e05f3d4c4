//! Inodes in use while another device changes them.
//!
//! ```text
//! generation 0     open ─► a, b           a and b read version 1
//! version 2 comes  ───────────────────►   version 1 is put by for a and b
//! generation 1     open ─► c              c reads version 2
//! a and b close    ───────────────────►   version 1 is let go, the kernel forgets its pages
//! ```
//!
//! Put by are the pieces' list only; the chunks of a replaced version are kept by the history.

use std::sync::Arc;

use ledger::VersionId;

use crate::content::manifest::Manifest;
use crate::content::view::{FileContent, Part};
use crate::core::Core;
use crate::node::{OpenFile, State};
use crate::{Change, Error, Ino};

/// What an inode in use knows of versions that came from elsewhere.
#[derive(Default)]
pub(crate) struct Elsewhere {
    /// Counts the versions that took the place of one that was open.
    generation: u64,
    /// The version that was current when the present generation was opened.
    seen: Option<VersionId>,
    /// What handles of earlier generations read, oldest first. At most one for each open handle.
    older: Vec<Older>,
    /// A version came while the file was being written here.
    behind: bool,
    /// Its last name went elsewhere while changes made here were not settled: they bring it back.
    revives: bool,
}

/// A version that handles opened before it was replaced read on.
struct Older {
    generation: u64,
    handles: u32,
    content: FileContent,
}

impl Elsewhere {
    /// The file is opened on this version.
    pub(crate) fn opened(&mut self, version: Option<VersionId>) {
        self.seen = version;
    }

    /// Of handles opened now.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether handles read older versions.
    pub(crate) fn has_readers(&self) -> bool {
        !self.older.is_empty()
    }

    /// Whether the next version is wanted though no name leads to the file.
    pub(crate) fn revives(&self) -> bool {
        self.revives
    }

    /// Found at a start: it was deleted elsewhere while changes made here were not settled.
    pub(crate) fn revive(&mut self) {
        self.revives = true;
    }

    fn older_handles(&self) -> u32 {
        self.older.iter().map(|older| older.handles).sum()
    }
}

impl Core {
    /// Another device changed this inode: if it is in use, it catches up, or remembers to.
    pub(crate) fn changed_elsewhere(&self, ino: Ino, was_nameless: bool) {
        let Some(node) = self.nodes.get(ino) else { return };
        let mut state = node.lock();
        if state.dirty.is_some() && !was_nameless && self.is_deleted(ino).unwrap_or(false) {
            state.elsewhere.revives = true;
        }
        self.show_newest(ino, &mut state);
        if state.dirty.is_some() {
            // What was synced is kept as changes to the version it was made on; it becomes a version of its own before that is
            // no longer the one that shows after a start.
            self.queue(&node, &mut state);
        }
        self.nodes.release(&node, state);
    }

    /// Puts the newest version in the place of the one that shows, unless the file is being written.
    fn show_newest(&self, ino: Ino, state: &mut State) -> bool {
        if state.dirty.is_some() || state.writers > 0 || state.seals_under_way > 0 {
            state.elsewhere.behind = true;
            return false;
        }
        state.elsewhere.behind = false;
        let Ok(inode) = self.inode(ino) else { return false };
        let newest = inode.head.map(|head| head.version);
        let shown = if state.content.is_some() { state.replaces } else { state.elsewhere.seen };
        if newest == shown {
            return false;
        }
        self.put_by(ino, shown, state);
        state.content = None;
        state.replaces = None;
        state.rounds_in_place = 0;
        state.elsewhere.seen = newest;
        true
    }

    /// Keeps what shows for the handles that were opened on it.
    fn put_by(&self, ino: Ino, shown: Option<VersionId>, state: &mut State) {
        let handles = state.opens.saturating_sub(state.elsewhere.older_handles());
        if handles == 0 {
            return;
        }
        let content = match state.content.take() {
            Some(content) => Some(content),
            None => self.content_as_of(ino, shown),
        };
        let generation = state.elsewhere.generation;
        state.elsewhere.generation += 1;
        // What cannot be had any more is read in its newest version: better than not at all.
        if let Some(content) = content {
            state.elsewhere.older.push(Older { generation, handles, content });
        }
    }

    fn content_as_of(&self, ino: Ino, version: Option<VersionId>) -> Option<FileContent> {
        let Some(version) = version else {
            return Some(FileContent::settled(Arc::new(Manifest::empty()), 0));
        };
        let (size, content) = self.ledger.read().content_of(ino, version).ok()?;
        let base = Manifest::load(&self.store, &content).ok()?;
        Some(FileContent::settled(Arc::new(base), size))
    }

    /// A handle of the file is closed; it counts no more.
    pub(crate) fn closed_elsewhere(&self, file: &OpenFile, state: &mut State) {
        let elsewhere = &mut state.elsewhere;
        if let Some(index) = elsewhere.older.iter().position(|older| older.generation == file.generation) {
            elsewhere.older[index].handles -= 1;
            if elsewhere.older[index].handles == 0 {
                elsewhere.older.remove(index);
                // The kernel's pages may be those of the version that nobody reads any more.
                self.changes.tell(&Change::Content(file.node.ino));
            }
        }
        self.settled_elsewhere(file.node.ino, state);
    }

    /// The file may be settled, and its last writer gone: then it catches up.
    pub(crate) fn settled_elsewhere(&self, ino: Ino, state: &mut State) {
        if state.dirty.is_none() && std::mem::take(&mut state.elsewhere.revives) {
            self.tell_names(ino);
        }
        if state.elsewhere.behind && self.show_newest(ino, state) {
            self.changes.tell(&Change::Content(ino));
        }
    }

    fn tell_names(&self, ino: Ino) {
        let parents = self.ledger.read().parents(ino).unwrap_or_default();
        for (dir, name) in parents {
            self.changes.tell(&Change::Entry { dir, name });
        }
        self.changes.tell(&Change::Attributes(ino));
    }

    /// Whether nobody wants what was written into the file: its last name was taken away here.
    pub(crate) fn is_given_up(&self, ino: Ino, state: &State) -> Result<bool, Error> {
        Ok(!state.elsewhere.revives && self.is_deleted(ino)?)
    }

    /// The parts of a read through a handle that reads an older version; none for all others.
    pub(crate) fn plan_older(
        &self,
        file: &OpenFile,
        state: &State,
        from: u64,
        to: u64,
    ) -> Option<Result<Vec<Part>, Error>> {
        let older = state.elsewhere.older.iter().find(|older| older.generation == file.generation)?;
        if to > older.content.size {
            // A kernel takes the early end for the file's, and must ask for its length again.
            self.changes.tell(&Change::Attributes(file.node.ino));
        }
        Some(older.content.plan(&self.store, from, to))
    }
}
