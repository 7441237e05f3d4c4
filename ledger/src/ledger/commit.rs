//! From memory to disk: freeze, write, thaw.

use std::sync::Arc;

use super::{FrontierRow, Ledger};
use crate::edit::{EDITS_IN_TRANSACTION, Stamped, encode_list};
use crate::error::LedgerError;
use crate::keys::EpochKey;
use crate::stamp::Now;
use crate::store::{Backing, Batch, Table};
use crate::transaction::{MAX_EDITS_BYTES, SealedTransaction, TransactionHeader, seal};

impl Ledger {
    /// Whether anything is not yet in a batch.
    pub fn has_uncommitted(&self) -> bool {
        !self.pending.is_empty() || !self.state.layers.active.is_empty()
    }

    /// Rough size in memory of what is not yet in a batch, bytes.
    pub fn uncommitted_bytes(&self) -> usize {
        self.pending_bytes + self.state.layers.active.bytes()
    }

    /// Seals the edits made since the last time into transactions and moves all changes into a batch, to be written by
    /// [`Ledger::writer`] and then handed to [`Ledger::thaw`]. `None` when there is nothing to write.
    ///
    /// # Errors
    /// `StillFrozen` while the batch before is not thawed; `Poisoned` after a failure.
    pub fn freeze(&mut self, now: Now) -> Result<Option<Batch>, LedgerError> {
        self.check_usable()?;
        if self.state.layers.frozen.is_some() {
            return Err(LedgerError::StillFrozen);
        }
        if !self.has_uncommitted() {
            return Ok(None);
        }
        self.state.wall = now.wall;
        let sealed = self.seal_pending();
        self.poisoned |= sealed.is_err();
        sealed?;
        self.state.save_counters();
        Ok(Some(Batch { layer: self.state.freeze() }))
    }

    /// Where batches are written; needs no access to the ledger.
    pub fn writer(&self) -> Arc<dyn Backing> {
        Arc::clone(&self.state.layers.backing)
    }

    /// Takes note that a batch is on disk.
    #[expect(clippy::needless_pass_by_value, reason = "a written batch is used up")]
    pub fn thaw(&mut self, batch: Batch) {
        let layers = &mut self.state.layers;
        if layers.frozen.as_ref().is_some_and(|frozen| Arc::ptr_eq(frozen, &batch.layer)) {
            layers.frozen = None;
            self.written.clone_from(&self.frozen_frontier);
        }
    }

    fn seal_pending(&mut self) -> Result<(), LedgerError> {
        let pending = std::mem::take(&mut self.pending);
        let mut starts = std::mem::take(&mut self.operations);
        starts.push(pending.len());
        let mut from = 0;
        while from < pending.len() {
            let to = transaction_end(&pending, &starts, from);
            self.seal_one(&pending[from..to])?;
            from = to;
        }
        self.pending_bytes = 0;
        self.frozen_frontier.clone_from(&self.frontier);
        Ok(())
    }

    // The roster's newest epoch; before its records arrived, the newest of the keyring.
    fn sealing_key(&self) -> Result<(u32, &EpochKey), LedgerError> {
        let newest = || self.keyring.epochs.last().map(|(epoch, key)| (*epoch, key));
        let key = self.roster.current_key(&self.keyring).or_else(newest);
        key.ok_or(LedgerError::Setup("the keyring holds no key to seal with"))
    }

    fn seal_one(&mut self, edits: &[Stamped]) -> Result<(), LedgerError> {
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
        let sealed = seal(&header, &encode_list(edits), key, &self.device)?;
        let hash = SealedTransaction::parse(&sealed)?.hash();
        self.state.layers.put(Table::Log, log_key(own, sequence), sealed);
        let clock = edits.last().map_or(0, |edit| edit.stamp.clock);
        self.set_frontier(FrontierRow { device: header.device, sequence, hash, clock });
        Ok(())
    }
}

pub(super) fn log_key(device: crate::identity::DeviceTag, sequence: u64) -> Vec<u8> {
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
