//! From memory to disk: freeze, write, thaw; or at once into a journal: keep, append, kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::read::local_key;
use super::{FrontierRow, Ledger};
use crate::edit::{EDITS_IN_TRANSACTION, Stamped, encode_list};
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::keys::EpochKey;
use crate::node::LocalSpace;
use crate::stamp::Now;
use crate::store::{Backing, Batch, Table};
use crate::transaction::{MAX_EDITS_BYTES, SealedTransaction, TransactionHeader, seal};

impl Ledger {
    /// Whether anything is not yet in a batch for the backing.
    pub fn has_uncommitted(&self) -> bool {
        self.has_unkept() || self.has_kept()
    }

    /// Whether anything is in no batch at all.
    pub fn has_unkept(&self) -> bool {
        !self.pending.is_empty() || !self.state.layers.active.is_empty()
    }

    /// Rough size in memory of what is in no batch at all, bytes.
    pub fn unkept_bytes(&self) -> usize {
        self.pending_bytes + self.state.layers.active.bytes()
    }

    /// Whether a journal alone holds some changes.
    pub fn has_kept(&self) -> bool {
        self.state.layers.has_kept()
    }

    /// Rough size in memory of what is not yet in a batch for the backing, bytes.
    pub fn uncommitted_bytes(&self) -> usize {
        self.pending_bytes + self.state.layers.unfrozen_bytes()
    }

    /// Seals the edits made since the last time into transactions and moves the changes that no journal has into a batch, to be
    /// written to one ([`Batch::encode`]) and then handed to [`Ledger::kept`]. `None` when there is nothing.
    ///
    /// If that fails, the ledger must not be changed any more: what it holds is not what is on disk.
    ///
    /// # Errors
    /// `StillFrozen` while the batch before is not kept; `Poisoned` after a failure.
    pub fn keep(&mut self, now: Now) -> Result<Option<Batch>, LedgerError> {
        self.check_usable()?;
        if self.state.layers.is_keeping() {
            return Err(LedgerError::StillFrozen);
        }
        if !self.has_unkept() {
            return Ok(None);
        }
        self.seal_all(now)?;
        Ok(Some(Batch { layer: self.state.layers.keep(), frontier: self.frontier.clone() }))
    }

    /// Takes note that a journal holds the batch of the last [`Ledger::keep`].
    pub fn kept(&mut self, batch: Batch) {
        drop(batch.layer);
        self.state.layers.kept();
        self.advance_written(batch.frontier);
    }

    /// Takes the batch of the last [`Ledger::keep`] back: no journal has it, and it goes into the next for the backing.
    pub fn not_kept(&mut self, batch: Batch) {
        drop(batch);
        self.state.layers.kept();
    }

    /// The same for the backing: the batch holds all changes, those that a journal has too. To be written by [`Ledger::writer`]
    /// and then handed to [`Ledger::thaw`]. `None` when there is nothing to write.
    ///
    /// # Errors
    /// `StillFrozen` while the batch before is not thawed or one is being kept; `Poisoned` after a failure.
    pub fn freeze(&mut self, now: Now) -> Result<Option<Batch>, LedgerError> {
        self.check_usable()?;
        if self.state.layers.is_frozen() || self.state.layers.is_keeping() {
            return Err(LedgerError::StillFrozen);
        }
        if !self.has_uncommitted() {
            return Ok(None);
        }
        self.seal_all(now)?;
        Ok(Some(Batch { layer: self.state.layers.freeze(), frontier: self.frontier.clone() }))
    }

    /// The same for what a journal has alone, with one row of this device's own beside it; what no journal has waits for the next
    /// batch.
    ///
    /// # Errors
    /// As [`Ledger::freeze`].
    pub fn freeze_kept(
        &mut self,
        row: Option<(LocalSpace, &[u8], &[u8])>,
    ) -> Result<Option<Batch>, LedgerError> {
        self.check_usable()?;
        if self.state.layers.is_frozen() || self.state.layers.is_keeping() {
            return Err(LedgerError::StillFrozen);
        }
        let row = row.map(|(space, key, value)| (Table::Local, local_key(space, key), value.to_vec()));
        Ok(self.state.layers.freeze_kept(row).map(Batch::of))
    }

    /// Where batches are written; needs no access to the ledger.
    pub fn writer(&self) -> Arc<dyn Backing> {
        Arc::clone(&self.state.layers.backing)
    }

    /// Takes note that a batch is on disk.
    pub fn thaw(&mut self, batch: Batch) {
        if self.state.layers.thaw(&batch.layer) {
            self.advance_written(batch.frontier);
        }
    }

    fn advance_written(&mut self, to: BTreeMap<DeviceTag, FrontierRow>) {
        for (tag, row) in to {
            if self.written.get(&tag).is_none_or(|written| row.is_newer_than(written)) {
                self.written.insert(tag, row);
            }
        }
    }

    fn seal_all(&mut self, now: Now) -> Result<(), LedgerError> {
        self.state.wall = now.wall;
        self.vouch_if_due(now)?;
        self.seal_before(now)?;
        self.state.save_counters();
        Ok(())
    }

    /// Everything done so far is in transactions of its own, before what comes next.
    pub(super) fn seal_before(&mut self, now: Now) -> Result<(), LedgerError> {
        self.state.wall = now.wall;
        let sealed = self.seal_pending();
        self.poisoned |= sealed.is_err();
        sealed
    }

    fn seal_pending(&mut self) -> Result<(), LedgerError> {
        let pending = std::mem::take(&mut self.pending);
        let mut starts = std::mem::take(&mut self.operations);
        starts.push(pending.len());
        let mut from = 0;
        while from < pending.len() {
            let to = transaction_end(&pending, &starts, from);
            let clock = pending[to - 1].stamp.clock;
            self.seal_one(&encode_list(&pending[from..to]), clock)?;
            from = to;
        }
        self.pending_bytes = 0;
        Ok(())
    }

    // The roster's newest epoch; before its records arrived, the newest of the keyring.
    fn sealing_key(&self) -> Result<(u32, &EpochKey), LedgerError> {
        let newest = || self.keyring.epochs.last().map(|(epoch, key)| (*epoch, key));
        let key = self.roster.current_key(&self.keyring).or_else(newest);
        key.ok_or(LedgerError::Setup("the keyring holds no key to seal with"))
    }

    /// Makes encoded edits the next transaction of the own log, after which its clock stands so. Answers its sequence number.
    pub(super) fn seal_one(&mut self, edits: &[u8], clock: u64) -> Result<u64, LedgerError> {
        let own = self.state.own;
        let last = self.frontier.get(&own);
        let sequence = last.map_or(1, |row| row.sequence + 1);
        let (epoch, key) = self.sealing_key()?;
        let header = TransactionHeader {
            workspace: self.keyring.workspace,
            device: self.device.id(),
            sequence,
            realm: self.keyring.root_realm,
            epoch,
            previous: last.map_or([0; 32], |row| row.hash),
        };
        let sealed = seal(&header, edits, key, &self.device)?;
        let hash = SealedTransaction::parse(&sealed)?.hash();
        self.state.layers.put(Table::Log, log_key(own, sequence), sealed);
        self.advance(header.device, sequence, hash, clock);
        Ok(sequence)
    }
}

pub(crate) fn log_key(device: DeviceTag, sequence: u64) -> Vec<u8> {
    [device.0.to_be_bytes(), sequence.to_be_bytes()].concat()
}

// As many whole operations from `from` on as one transaction takes; at least one.
fn transaction_end(pending: &[Stamped], starts: &[usize], from: usize) -> usize {
    // The weight of an edit is never below its bytes by more than this half leaves room for.
    let most_bytes = MAX_EDITS_BYTES / 2;
    let first = starts.partition_point(|start| *start <= from);
    let (mut end, mut at, mut bytes) = (starts.get(first).copied().unwrap_or(pending.len()), from, 0);
    for &start in &starts[first..] {
        while at < start {
            bytes += pending[at].edit.weight();
            at += 1;
        }
        if start - from > EDITS_IN_TRANSACTION || bytes > most_bytes {
            break;
        }
        end = start;
    }
    end
}
