//! What other devices did, taken into an open drive.
//!
//! ```text
//! transactions ─► the ledger, at once ─► inodes in use catch up (in_use.rs) ─► listeners are told, in one notice
//! records      ─► the roster (members.rs)
//! several heads of a file ─► conflicts.rs
//! ```
//!
//! A file that is open only for reading shows the new version to whoever opens it from then on; handles opened before read on in
//! the version they were opened on. A file that is being written here, or has changes that are not settled, keeps its own content
//! until they are settled: their version replaces the one they were made on, so that both stay, as a conflict.

mod conflicts;
mod in_use;
mod members;
mod notices;

use std::collections::HashSet;

use ledger::{AcceptedAll, Changed, Frontier, HeldReason, Ledger, LedgerError, Now, RefusedReason};

pub use self::conflicts::{ConflictInfo, ConflictPage};
pub(crate) use self::in_use::Elsewhere;
pub use self::members::HeldAndRefused;
use crate::core::{Core, now};
use crate::{Drive, Error, Ino};

/// What became of transactions of other devices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoteOutcome {
    /// How far each log is known now, on disk or not yet.
    pub frontier: Frontier,
    /// How many are in the tree now and were not before.
    pub applied: u32,
    /// How many were known.
    pub duplicate: u32,
    /// How many of those given wait, by reason; they come again with a later exchange.
    pub held: Vec<(HeldReason, u32)>,
    /// Those that never get in: device, sequence (zeros for bytes that are no transaction), and why.
    pub refused: Vec<(ledger::identity::DeviceId, u64, RefusedReason)>,
    /// Inodes whose attributes or content may be others now.
    pub changed_inodes: Vec<Ino>,
}

impl Drive {
    /// Takes in transactions of other devices, in whatever order. Any bytes are safe to give. They are durable like local changes:
    /// within a second, and [`ledger::Ledger::frontier`] says so.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], or the tree's database failed.
    pub fn accept(&self, sealed: &[impl AsRef<[u8]>]) -> Result<RemoteOutcome, Error> {
        self.take_in(|ledger| ledger.accept_all(now(), sealed))
    }

    /// Takes in outlines of other devices' logs, and what waited for them. Any bytes are safe to give.
    ///
    /// # Errors
    /// As [`Drive::accept`].
    pub fn accept_outlines(&self, outlines: &[impl AsRef<[u8]>]) -> Result<RemoteOutcome, Error> {
        self.take_in(|ledger| ledger.accept_outlines(now(), outlines))
    }

    fn take_in(
        &self,
        accept: impl FnOnce(&mut Ledger) -> Result<AcceptedAll, LedgerError>,
    ) -> Result<RemoteOutcome, Error> {
        let core = &self.core;
        core.writable()?;
        let (all, nameless, notices, frontier) = {
            let mut ledger = core.ledger.write();
            let nameless = core.nameless_in_use(&ledger)?;
            let all = accept(&mut ledger).map_err(|error| core.ledger_error(&error))?;
            // Under the lock: a sweep that looks for what is live commits, under it too, before it asks what came meanwhile.
            core.note_live_of(&ledger, &all.changed.contents)?;
            let notices = notices::of(&all.changed);
            (all, nameless, notices, ledger.frontier_in_memory())
        };
        core.catch_up(&all.changed, &nameless);
        core.tell_all(notices);
        if all.applied + all.outlines > 0 {
            core.committer.wake();
        }
        Ok(outcome(all, frontier))
    }

    /// The path of an inode from the root, if a name leads to it.
    #[must_use]
    pub fn path_of(&self, ino: Ino) -> Option<Vec<u8>> {
        self.core.ledger.read().path(ino).ok().flatten()
    }

    /// Directories and names that lead to an inode.
    #[must_use]
    pub fn names_of(&self, ino: Ino) -> Vec<(Ino, Vec<u8>)> {
        self.core.ledger.read().parents(ino).unwrap_or_default()
    }

    /// Waits until every listener has handled what it was told so far (two seconds at most). Not for threads that answer a kernel.
    pub fn wait_until_told(&self) {
        self.core.changes.wait_until_handled();
    }

    /// Tries again what waits, for a clock that has come closer or a key that has come.
    ///
    /// # Errors
    /// As [`Drive::accept`].
    pub fn retry_held(&self) -> Result<(), Error> {
        let waiting = !self.core.ledger.read().held().is_empty();
        if !waiting {
            return Ok(());
        }
        let core = &self.core;
        core.writable()?;
        let (changed, nameless, notices) = {
            let mut ledger = core.ledger.write();
            let nameless = core.nameless_in_use(&ledger)?;
            let changed = ledger.retry_held(now()).map_err(|error| core.ledger_error(&error))?;
            core.note_live_of(&ledger, &changed.contents)?;
            let notices = notices::of(&changed);
            (changed, nameless, notices)
        };
        core.catch_up(&changed, &nameless);
        core.tell_all(notices);
        core.committer.wake();
        Ok(())
    }
}

impl Core {
    /// One step of finding out what the logs no longer need. Whether the pass is over.
    pub(crate) fn clean_step(&self, at: Now, budget_edits: usize) -> Result<bool, Error> {
        let (report, nameless, notices) = {
            let mut ledger = self.ledger.write();
            let nameless = self.nameless_in_use(&ledger)?;
            let report = ledger.clean(at, self.settings.retention, budget_edits);
            let report = report.map_err(|error| self.ledger_error(&error))?;
            self.note_live_of(&ledger, &report.changed.contents)?;
            let notices = notices::of(&report.changed);
            (report, nameless, notices)
        };
        self.catch_up(&report.changed, &nameless);
        self.tell_all(notices);
        Ok(report.finished)
    }

    /// Inodes in use that no name leads to already: what others do to those brings them back to nobody.
    fn nameless_in_use(&self, ledger: &ledger::Ledger) -> Result<HashSet<Ino>, Error> {
        let mut nameless = HashSet::new();
        for node in self.nodes.all() {
            let inode = ledger.inode(node.ino).map_err(|error| self.ledger_error(&error))?;
            if inode.is_none_or(|inode| inode.nlink == 0) {
                nameless.insert(node.ino);
            }
        }
        Ok(nameless)
    }

    fn note_live_of(&self, ledger: &ledger::Ledger, inodes: &[Ino]) -> Result<(), Error> {
        for ino in inodes {
            let content = ledger.content(*ino).map_err(|error| self.ledger_error(&error))?;
            if let Some((_, _, content)) = content {
                self.note_live(&content);
            }
        }
        Ok(())
    }

    fn catch_up(&self, changed: &Changed, nameless: &HashSet<Ino>) {
        self.renew_access();
        for ino in &changed.inodes {
            self.changed_elsewhere(*ino, nameless.contains(ino));
        }
    }
}

fn outcome(all: AcceptedAll, frontier: Frontier) -> RemoteOutcome {
    RemoteOutcome {
        frontier,
        applied: all.applied,
        duplicate: all.duplicate,
        held: all.held,
        refused: all.refused,
        changed_inodes: all.changed.inodes,
    }
}
