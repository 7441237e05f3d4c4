//! What was done, by whom, newest first; and what others miss of it.

use std::collections::{BTreeMap, BinaryHeap};

use super::commit::log_key;
use super::{Frontier, FrontierRow, Ledger};
use crate::edit::{Edit, List, Stamped, decode_list};
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::node::{Ino, Kind};
use crate::roster::Roster;
use crate::stamp::{Stamp, Time};
use crate::store::{StoreError, Table};
use crate::transaction::{SealedTransaction, TransactionError};
use crate::tree::prefix_end;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its place in the order of all edits; pass the last one's on to go further back.
    pub stamp: Stamp,
    /// When, by its author's clock.
    pub time: Time,
    /// By whom.
    pub device: DeviceTag,
    /// What it was done to, as this device numbers it.
    pub ino: Option<Ino>,
    /// What.
    pub action: Action,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Made under this name.
    Created {
        /// What was made.
        kind: Kind,
        /// Its name.
        name: Vec<u8>,
    },
    /// Given another name.
    Linked {
        /// The new name.
        name: Vec<u8>,
    },
    /// Moved or renamed.
    Moved {
        /// The name before.
        from: Vec<u8>,
        /// The name after.
        to: Vec<u8>,
    },
    /// A name was taken away.
    Deleted {
        /// That name.
        name: Vec<u8>,
    },
    /// Mode, owner or times were set.
    Attributes,
    /// An extended attribute was set or removed.
    Xattr {
        /// Its name.
        name: Vec<u8>,
    },
    /// New content.
    Wrote {
        /// Length, bytes.
        size: u64,
    },
    /// Old content was given up for good.
    Passed,
    /// Members, devices or keys of the workspace.
    Roster,
}

impl Ledger {
    /// How far each device's log is on this device's disk.
    pub fn frontier(&self) -> Frontier {
        Frontier::of(&self.written, &self.roster)
    }

    /// How far each device's log is known, on disk or not yet.
    pub fn frontier_in_memory(&self) -> Frontier {
        Frontier::of(&self.frontier, &self.roster)
    }

    /// Sealed transactions that `theirs` does not have, in an order each device's log allows, up to about
    /// `limit_bytes` and at least one if there is any. Only what is on disk is given away.
    ///
    /// # Errors
    /// The store failed.
    pub fn transactions_since(
        &self,
        theirs: &Frontier,
        limit_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, LedgerError> {
        logged_since((&self.written, &self.roster), theirs, limit_bytes, &|from, to, f| {
            self.state.layers.scan(Table::Log, from, to, f)
        })
    }

    /// Up to `limit` things that were done before the edit `before` (or up to now), newest first. Edits made here that
    /// are in no transaction yet are among them.
    ///
    /// # Errors
    /// The store failed, or a logged transaction cannot be read.
    pub fn log(&self, limit: usize, before: Option<Stamp>) -> Result<Vec<LogLine>, LedgerError> {
        let mut heads = BinaryHeap::new();
        let mut tapes = Vec::new();
        for (tag, row) in &self.frontier {
            let mut tape = Tape { device: *tag, next: row.sequence, edits: Vec::new() };
            if *tag == self.state.own {
                tape.edits.clone_from(&self.pending);
            }
            tapes.push(tape);
        }
        if !self.frontier.contains_key(&self.state.own) {
            tapes.push(Tape { device: self.state.own, next: 0, edits: self.pending.clone() });
        }
        for (index, tape) in tapes.iter_mut().enumerate() {
            heads.extend(self.rewind(tape, before)?.map(|stamp| (stamp, index)));
        }
        let mut lines = Vec::new();
        while lines.len() < limit {
            let Some((_, index)) = heads.pop() else { break };
            let tape = &mut tapes[index];
            lines.extend(tape.edits.pop().map(|edit| self.line(edit)).transpose()?);
            heads.extend(self.rewind(tape, before)?.map(|stamp| (stamp, index)));
        }
        Ok(lines)
    }

    // The stamp of the tape's latest edit before `before`, reading further back as needed.
    fn rewind(&self, tape: &mut Tape, before: Option<Stamp>) -> Result<Option<Stamp>, LedgerError> {
        loop {
            while let Some(last) = tape.edits.last() {
                if before.is_none_or(|before| last.stamp < before) {
                    return Ok(Some(last.stamp));
                }
                tape.edits.pop();
            }
            if tape.next == 0 {
                return Ok(None);
            }
            let row = self.frontier.get(&tape.device);
            let Some(held) = row.map(|row| self.last_held(row, tape.next)).transpose()?.flatten() else {
                return Ok(None);
            };
            // What was issued again was done long ago, in transactions that are no longer kept.
            if let Some(List::Made(edits)) = self.logged(tape.device, held)? {
                tape.edits = edits;
            }
            tape.next = held - 1;
        }
    }

    /// The edits of a transaction that is here.
    pub(super) fn logged(&self, device: DeviceTag, sequence: u64) -> Result<Option<List>, LedgerError> {
        let sealed = self.state.layers.get(Table::Log, &log_key(device, sequence))?;
        sealed.map(|sealed| self.open_logged(device, &sealed)).transpose()
    }

    pub(super) fn open_logged(&self, device: DeviceTag, sealed: &[u8]) -> Result<List, LedgerError> {
        let plain = self.open_sealed(&SealedTransaction::parse(sealed)?)?;
        Ok(decode_list(&plain, device)?)
    }

    /// The last transaction up to `sequence` of a log that is here. What is cleaned is stepped over, even if it is here still.
    pub(super) fn last_held(&self, row: &FrontierRow, sequence: u64) -> Result<Option<u64>, LedgerError> {
        let mut at = sequence;
        while at > 0 {
            match row.outline().and_then(|outline| outline.cleaned.around(at)) {
                Some((first, _)) => at = first - 1,
                None if self.state.layers.get(Table::Log, &log_key(row.device.tag(), at))?.is_some() => {
                    return Ok(Some(at));
                }
                None => at -= 1,
            }
        }
        Ok(None)
    }

    /// The edits in a transaction, by whichever key of its epoch fits.
    pub(super) fn open_sealed(&self, sealed: &SealedTransaction<'_>) -> Result<Vec<u8>, TransactionError> {
        let mut last = Err(TransactionError::WrongKey);
        for key in self.keyring.epoch_keys(sealed.header().epoch) {
            last = sealed.open(key);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn line(&self, Stamped { stamp, edit }: Stamped) -> Result<LogLine, LedgerError> {
        let (id, action) = match edit {
            Edit::Create { number, at, kind, .. } => {
                let id = crate::node::InodeId { device: stamp.device, number };
                (Some(id), Action::Created { kind, name: at.name })
            }
            Edit::Link { inode, at, .. } => (Some(inode), Action::Linked { name: at.name }),
            Edit::Move { inode, from, to, .. } => {
                (Some(inode), Action::Moved { from: from.name, to: to.name })
            }
            Edit::Delete { inode, at, .. } => (Some(inode), Action::Deleted { name: at.name }),
            Edit::Attributes { inode, .. } => (Some(inode), Action::Attributes),
            Edit::Xattr { inode, name, .. } => (Some(inode), Action::Xattr { name }),
            Edit::Publish { inode, size, .. } => (Some(inode), Action::Wrote { size }),
            Edit::Passed { inode, .. } => (Some(inode), Action::Passed),
            Edit::Roster(_) => (None, Action::Roster),
        };
        let ino = id.map(|id| self.state.ino_of(id)).transpose()?.flatten();
        Ok(LogLine { stamp, time: stamp.time(), device: stamp.device, ino, action })
    }
}

/// What a scan of the log is told to do: from, to, each row.
type ScanLog<'a> =
    dyn Fn(&[u8], Option<&[u8]>, &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> + 'a;

/// Sealed transactions of logs that go as far as `written`, and that count, and that `theirs` does not have.
pub(crate) fn logged_since(
    (written, roster): (&BTreeMap<DeviceTag, FrontierRow>, &Roster),
    theirs: &Frontier,
    limit_bytes: usize,
    scan: &ScanLog<'_>,
) -> Result<Vec<Vec<u8>>, LedgerError> {
    let mut sealed: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    for (tag, row) in written {
        let known = theirs.0.get(&row.device).copied().unwrap_or(0);
        let last = row.sequence.min(roster.applied_through(*tag));
        if known >= last {
            continue;
        }
        let from = log_key(*tag, known + 1);
        let end = prefix_end(&tag.0.to_be_bytes());
        scan(&from, end.as_deref(), &mut |key, value| {
            let sequence = key.last_chunk().copied().map_or(u64::MAX, u64::from_be_bytes);
            if sequence > last || (bytes > 0 && bytes + value.len() > limit_bytes) {
                return false;
            }
            bytes += value.len();
            sealed.push(value.to_vec());
            true
        })?;
    }
    Ok(sealed)
}

/// One device's log, read backwards.
struct Tape {
    device: DeviceTag,
    // The transaction to read next; 0 when there is none.
    next: u64,
    edits: Vec<Stamped>,
}
