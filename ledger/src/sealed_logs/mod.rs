//! What a host without keys keeps of a workspace instead of a [`crate::Ledger`]: the logs, sealed as they came, and the roster.
//!
//! ```text
//! bytes ─► of this workspace? ─► known already? ─► a known device's, signed? ─► the next of its log? ─► may it write? ─► kept
//!            Refused              Duplicate         Held (stranger) / Refused    Held (gap) / Refused     Refused
//! ```
//!
//! Nothing is ever opened here: no key, no name and no edit is known. Records of members and devices come by themselves, because
//! those inside transactions are sealed. From the logs of one such host and a recovery phrase the whole tree comes back.

mod take_back;
mod take_in;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::LedgerError;
use crate::identity::{DeviceId, DeviceTag, WorkspaceId};
use crate::ledger::{FrontierRow, Held, counters, logged_since, newer_outlines, read_frontier, roster_of};
use crate::roster::Roster;
use crate::store::{Backing, Batch, Layer, Table};
use take_back::whole_through;

use crate::{Frontier, HeldReason, OutlineCounters};

/// Where `meta` says whose logs these are. Not where a tree says so: neither is ever taken for the other.
const WORKSPACE_KEY: &[u8] = b"sealed logs of";
/// Bytes that wait for [`SealedLogs::commit`] at most; with more, taking in commits by itself.
pub const UNCOMMITTED_MAX_BYTES: usize = 8 << 20;

/// The sealed logs and the roster of one workspace.
pub struct SealedLogs {
    backing: Arc<dyn Backing>,
    workspace: WorkspaceId,
    roster: Roster,
    roster_rows: u64,
    frontier: BTreeMap<DeviceTag, FrontierRow>,
    // As far as it is on disk: what may be told to others.
    written: BTreeMap<DeviceTag, FrontierRow>,
    // Rows that are not on disk yet.
    active: Layer,
    held: Held,
    refused: u64,
    poisoned: bool,
}

impl SealedLogs {
    /// Prepares an empty backing for the logs of a workspace.
    ///
    /// # Errors
    /// The backing holds logs already, or fails.
    pub fn create(backing: Box<dyn Backing>, workspace: WorkspaceId) -> Result<Self, LedgerError> {
        if backing.get(Table::Meta, WORKSPACE_KEY)?.is_some() {
            return Err(LedgerError::Setup("this store holds sealed logs already"));
        }
        let mut logs = Self::over(Arc::from(backing), workspace)?;
        logs.active.put(Table::Meta, WORKSPACE_KEY.to_vec(), Some(workspace.as_bytes().to_vec()));
        logs.commit()?;
        Ok(logs)
    }

    /// Opens logs kept before.
    ///
    /// # Errors
    /// None are there, they are of another workspace, damaged or of a newer format, or the backing fails.
    pub fn open(backing: Box<dyn Backing>, workspace: WorkspaceId) -> Result<Self, LedgerError> {
        match backing.get(Table::Meta, WORKSPACE_KEY)? {
            None => Err(LedgerError::Setup("this store holds no sealed logs yet")),
            Some(id) if id != workspace.as_bytes() => {
                Err(LedgerError::Setup("this store holds the sealed logs of another workspace"))
            }
            Some(_) => Self::over(Arc::from(backing), workspace),
        }
    }

    fn over(backing: Arc<dyn Backing>, workspace: WorkspaceId) -> Result<Self, LedgerError> {
        let frontier = read_frontier(&|table, from, to, f| backing.scan(table, from, to, f))?;
        let (roster, roster_rows) = roster_of(workspace, &|f| backing.scan(Table::Roster, &[], None, f))?;
        Ok(Self {
            backing,
            workspace,
            roster,
            roster_rows,
            written: frontier.clone(),
            frontier,
            active: empty_layer(),
            held: Held::default(),
            refused: 0,
            poisoned: false,
        })
    }

    /// The workspace.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Who belongs to it, by keys and roles; names are sealed.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// All records of the roster, parents before children.
    pub fn roster_records(&self) -> Vec<Vec<u8>> {
        self.roster.records().map(|record| record.as_bytes().to_vec()).collect()
    }

    /// How far each device's log is on this host's disk, and counts: what was here of a removed device's log before that was heard is
    /// kept, and told as soon as a member vouches for it.
    pub fn frontier(&self) -> Frontier {
        let mut frontier = Frontier::of(&self.written, &self.roster);
        for row in self.written.values().filter(|row| self.is_misled(row)) {
            frontier.0.entry(row.device).and_modify(|last| *last = (*last).min(whole_through(row)));
        }
        frontier.0.retain(|_, sequence| *sequence > 0);
        frontier
    }

    /// Sealed transactions that `theirs` does not have, as [`crate::Ledger::transactions_since`] gives them.
    ///
    /// # Errors
    /// The store failed.
    pub fn transactions_since(
        &self,
        theirs: &Frontier,
        limit_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, LedgerError> {
        logged_since((&self.written, &self.roster), theirs, limit_bytes, &|from, to, f| {
            self.backing.scan(Table::Log, from, to, f)
        })
    }

    /// The counters of the outlines that are on this host's disk.
    pub fn outline_counters(&self) -> OutlineCounters {
        let mut counters = counters(&self.written);
        for row in self.written.values().filter(|row| self.is_misled(row)) {
            counters.remove(&row.device);
        }
        counters
    }

    /// Outlines that are newer than `theirs`, as [`crate::Ledger::outlines_since`] gives them.
    pub fn outlines_since(&self, theirs: &OutlineCounters) -> Vec<Vec<u8>> {
        newer_outlines(self.written.values().filter(|row| !self.is_misled(row)), theirs)
    }

    /// Transactions that wait: whose, which, why.
    pub fn held(&self) -> Vec<(DeviceId, u64, HeldReason)> {
        self.held.list()
    }

    /// How many transactions and records were refused since the logs were opened.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether something is not on disk yet.
    pub fn has_uncommitted(&self) -> bool {
        !self.active.is_empty()
    }

    /// Makes what was taken in durable; [`SealedLogs::frontier`] then tells of it.
    ///
    /// # Errors
    /// The store failed, now or before: nothing more is taken in until the logs are opened again.
    pub fn commit(&mut self) -> Result<(), LedgerError> {
        self.check_usable()?;
        if self.active.is_empty() {
            return Ok(());
        }
        let layer = Arc::new(std::mem::replace(&mut self.active, empty_layer()));
        let written = self.backing.write(&Batch::of(layer));
        self.poisoned |= written.is_err();
        written?;
        self.written.clone_from(&self.frontier);
        Ok(())
    }

    fn check_usable(&self) -> Result<(), LedgerError> {
        if self.poisoned { Err(LedgerError::Poisoned) } else { Ok(()) }
    }
}

// No row here is of a device's own numbering.
fn empty_layer() -> Layer {
    Layer::of(DeviceTag(0))
}
