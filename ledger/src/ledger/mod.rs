//! The ledger of one workspace on one device: what everything above the tree calls.
//!
//! ```text
//! local.rs    edits made here          accept.rs   transactions of other devices
//! read.rs     the tree that shows      history.rs  versions, deleted names, conflicts
//! commit.rs   keep, freeze, thaw       log.rs      what was done, newest first; frontier
//! accept_all.rs  many of those at once   outlines.rs  what others cleaned
//! prune.rs    what history gives up    digest.rs   one hash of the whole tree
//! setup.rs    create, join, open       members.rs  the roster
//! check.rs    every row looked over     heads.rs    current versions, clocks of sequences
//! retire.rs   heads that are none any more     names.rs    all names, one after the other
//! frontier.rs how far each log is known  clean.rs    what a log no longer needs
//! vouch.rs    what members had of a removed device's log
//! ```

mod accept;
mod accept_all;
mod check;
mod clean;
mod commit;
mod digest;
mod frontier;
mod heads;
mod history;
#[cfg(test)]
mod inspect;
mod local;
mod log;
mod members;
mod names;
mod outlines;
mod prune;
mod read;
mod retire;
mod setup;
mod vouch;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::accept::Held;
pub use self::accept::{Accepted, Changed, HELD_BYTES_MAX, HELD_TRANSACTIONS_MAX, HeldReason, RefusedReason};
pub use self::accept_all::AcceptedAll;
pub use self::check::{DamagedRow, RowCursor};
pub use self::clean::CleanReport;
pub(crate) use self::commit::log_key;
pub use self::frontier::{Frontier, OutlineCounters};
pub(crate) use self::frontier::{FrontierRow, Position, read_frontier};
pub(crate) use self::log::logged_since;
pub use self::log::{Action, LogLine};
pub use self::members::RecordsTaken;
pub(crate) use self::members::roster_of;
pub use self::names::NameCursor;
pub(crate) use self::outlines::{counters, newer_outlines, weigh_outline};
pub use self::prune::{Cursor, PruneReport};
pub(crate) use self::read::local_key;
pub use self::vouch::Beyond;
use crate::edit::Stamped;
use crate::error::LedgerError;
use crate::identity::{DeviceId, DeviceTag, WorkspaceId};
use crate::keys::{DeviceKey, Keyring, UserKeys};
use crate::node::Stats;
use crate::outline::SignedOutline;
use crate::roster::Roster;
use crate::tree::State;

/// The merged tree of one workspace, its logs and its history. Reads take `&self`, edits `&mut self`; nothing here
/// waits for a disk except reads of rows that are in no memory.
pub struct Ledger {
    state: State,
    device: DeviceKey,
    user: UserKeys,
    keyring: Keyring,
    keyring_changed: bool,
    roster: Roster,
    roster_rows: u64,
    // Since it was last looked at for logs of which more is here than counts.
    roster_changed: bool,
    held: accept::Held,
    // Inodes that got versions from other devices since what shows was last worked out.
    published: BTreeSet<crate::node::Ino>,
    refused_transactions: u64,
    refused_records: u64,
    name: String,
    frontier: BTreeMap<DeviceTag, FrontierRow>,
    // As far as it is on disk: what may be told to others.
    written: BTreeMap<DeviceTag, FrontierRow>,
    // Edits made here that are in no transaction yet, and where each operation begins among them.
    pending: Vec<Stamped>,
    operations: Vec<usize>,
    pending_bytes: usize,
    prune_at: Cursor,
    // A pass over the logs, and what the last one found.
    cleaning: Option<clean::Pass>,
    declaring: Option<SignedOutline>,
    // Devices with newer outlines, whose versions are to be looked at.
    retiring: BTreeMap<DeviceTag, retire::Retiring>,
    poisoned: bool,
}

impl Ledger {
    /// The workspace.
    pub fn workspace(&self) -> WorkspaceId {
        self.keyring.workspace
    }

    /// Its name, as its founder gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This device.
    pub fn device(&self) -> DeviceId {
        self.device.id()
    }

    /// Counts of the live tree, kept up to date with every edit.
    pub fn stats(&self) -> Stats {
        self.state.stats
    }

    /// Directories and names of which what shows may have changed, since this was last asked.
    pub fn take_changed_names(&mut self) -> Vec<(crate::node::Ino, Vec<u8>)> {
        std::mem::take(&mut self.state.changed_slots)
    }

    fn check_usable(&self) -> Result<(), LedgerError> {
        if self.poisoned { Err(LedgerError::Poisoned) } else { Ok(()) }
    }
}
