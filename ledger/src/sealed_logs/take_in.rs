//! Transactions and records as they come.

use super::{SealedLogs, UNCOMMITTED_MAX_BYTES};
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::ledger::{FrontierRow, Position, log_key, weigh_outline};
use crate::outline::SignedOutline;
use crate::roster::{Applied, RosterRecord};
use crate::store::Table;
use crate::transaction::SealedTransaction;
use crate::{Accepted, AcceptedAll, Changed, HeldReason, RecordsTaken, RefusedReason};

/// What is to become of a transaction that is not known yet.
enum Verdict {
    Keep,
    Hold(HeldReason),
    /// The same, but nobody vouches for it: no room is given to it.
    Later(HeldReason),
    Refuse(RefusedReason),
}

impl SealedLogs {
    /// Takes in a transaction as it came from a peer, with those that waited for it. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept(&mut self, sealed: &[u8]) -> Result<Accepted, LedgerError> {
        self.check_usable()?;
        let first = self.accept_one(sealed)?;
        if matches!(first, Accepted::Applied(_)) {
            self.accept_waiting()?;
        }
        Ok(first)
    }

    /// Takes in many, in whatever order. Nothing shows here, so what changed is empty.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept_all(&mut self, sealed: &[impl AsRef<[u8]>]) -> Result<AcceptedAll, LedgerError> {
        self.check_usable()?;
        let mut all = AcceptedAll::default();
        let waiting = all.take_in(sealed, &mut |bytes| self.accept_one(bytes))?;
        if all.applied > 0 {
            all.applied += self.accept_waiting()?;
        }
        all.count_held(&waiting, &self.frontier);
        Ok(all)
    }

    /// Takes in records of the roster, and what waited for them. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept_records(&mut self, records: &[Vec<u8>]) -> Result<RecordsTaken, LedgerError> {
        self.check_usable()?;
        let mut taken = RecordsTaken::default();
        for bytes in records {
            match self.accept_record(bytes) {
                Some(Applied::Added) => taken.new += 1,
                Some(Applied::Held) => taken.held += 1,
                Some(Applied::Duplicate) => {}
                None => taken.refused += 1,
            }
        }
        if taken.new > 0 {
            self.accept_waiting()?;
        }
        Ok(taken)
    }

    fn accept_record(&mut self, bytes: &[u8]) -> Option<Applied> {
        if self.roster.has(bytes) {
            return Some(Applied::Duplicate);
        }
        let applied = RosterRecord::parse(bytes).and_then(|record| self.roster.apply(record));
        let Ok(applied) = applied else {
            self.refused += 1;
            return None;
        };
        if applied != Applied::Duplicate {
            let key = self.roster_rows.to_be_bytes().to_vec();
            self.active.put(Table::Roster, key, Some(bytes.to_vec()));
            self.roster_rows += 1;
        }
        Some(applied)
    }

    /// Answers how many got in.
    fn accept_waiting(&mut self) -> Result<u32, LedgerError> {
        let mut all = 0;
        loop {
            let mut kept = 0;
            for (_, sealed) in self.held.take().into_values() {
                kept += u32::from(matches!(self.accept_one(&sealed)?, Accepted::Applied(_)));
            }
            if kept == 0 {
                return Ok(all);
            }
            all += kept;
        }
    }

    fn accept_one(&mut self, bytes: &[u8]) -> Result<Accepted, LedgerError> {
        let sealed = match SealedTransaction::parse(bytes) {
            Ok(sealed) => sealed,
            Err(error) => return Ok(self.refuse(RefusedReason::Transaction(error))),
        };
        let header = *sealed.header();
        if header.workspace == self.workspace {
            self.take_back_for(&sealed)?;
        }
        let known = self.frontier.get(&header.device.tag());
        if header.workspace == self.workspace && known.is_some_and(|row| header.sequence <= row.sequence) {
            return Ok(Accepted::Duplicate);
        }
        match self.judge(&sealed) {
            Verdict::Keep => {
                self.keep(&sealed, bytes)?;
                Ok(Accepted::Applied(Changed::default()))
            }
            Verdict::Hold(reason) => {
                self.held.put(header.device, header.sequence, reason, bytes);
                Ok(Accepted::Held(reason))
            }
            Verdict::Later(reason) => Ok(Accepted::Held(reason)),
            Verdict::Refuse(reason) => Ok(self.refuse(reason)),
        }
    }

    fn refuse(&mut self, reason: RefusedReason) -> Accepted {
        self.refused += 1;
        Accepted::Refused(reason)
    }

    fn judge(&self, sealed: &SealedTransaction<'_>) -> Verdict {
        let header = sealed.header();
        let other_realm = self.roster.root_realm().is_some_and(|realm| realm != header.realm);
        if header.workspace != self.workspace || other_realm {
            return Verdict::Refuse(RefusedReason::OtherWorkspace);
        }
        let Some(device) = self.roster.device_by_id(&header.device) else {
            return Verdict::Later(HeldReason::UnknownDevice);
        };
        if let Err(error) = sealed.verify(&device.key) {
            return Verdict::Refuse(RefusedReason::Transaction(error));
        }
        let tag: DeviceTag = header.device.tag();
        match FrontierRow::position_after(self.frontier.get(&tag), header) {
            Position::Next => {}
            Position::Gap => return Verdict::Hold(HeldReason::Gap),
            Position::Fork => return Verdict::Refuse(RefusedReason::Fork),
        }
        if !self.roster.may_write(tag, header.sequence) {
            return Verdict::Refuse(RefusedReason::NotAllowed);
        }
        Verdict::Keep
    }

    fn keep(&mut self, sealed: &SealedTransaction<'_>, bytes: &[u8]) -> Result<(), LedgerError> {
        let header = sealed.header();
        let tag = header.device.tag();
        self.active.put(Table::Log, log_key(tag, header.sequence), Some(bytes.to_vec()));
        let row = self.frontier.entry(tag).or_insert_with(|| FrontierRow::new(header.device));
        // The clock of its last edit is sealed.
        row.advance(header.sequence, sealed.hash(), 0);
        let (key, value) = row.encode();
        self.active.put(Table::Meta, key, Some(value));
        self.commit_if_much()
    }

    /// Takes in outlines, and what waited for them, and drops what they name: nothing here can tell whether it is still needed, its
    /// device does. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept_outlines(&mut self, outlines: &[impl AsRef<[u8]>]) -> Result<AcceptedAll, LedgerError> {
        self.check_usable()?;
        let mut all = AcceptedAll::default();
        for bytes in outlines {
            self.take_back_before(bytes.as_ref())?;
            match weigh_outline(bytes.as_ref(), self.workspace, &self.roster, &self.frontier) {
                Ok(Some(outline)) => {
                    self.keep_outline(outline)?;
                    all.outlines += 1;
                }
                Ok(None) => {}
                Err(error) => {
                    self.refused += 1;
                    all.refuse_outline(bytes.as_ref(), error);
                }
            }
        }
        if all.outlines > 0 {
            all.applied += self.accept_waiting()?;
        }
        Ok(all)
    }

    fn keep_outline(&mut self, outline: SignedOutline) -> Result<(), LedgerError> {
        let (device, tag) = (outline.device, outline.device.tag());
        let row = self.frontier.entry(tag).or_insert_with(|| FrontierRow::new(device));
        row.take_outline(outline);
        let rows: Vec<_> = std::iter::once(row.encode()).chain(row.encode_cleaned()).collect();
        let ranges: Vec<_> = row.outline().iter().flat_map(|outline| outline.cleaned.iter()).collect();
        for (key, value) in rows {
            self.active.put(Table::Meta, key, Some(value));
        }
        // What is not on disk yet must be there to be found by the scan.
        self.commit()?;
        for (first, last) in ranges {
            self.drop_rows(tag, first, last)?;
        }
        Ok(())
    }

    fn drop_rows(&mut self, tag: DeviceTag, first: u64, last: u64) -> Result<(), LedgerError> {
        let mut keys = Vec::new();
        self.backing.scan(
            Table::Log,
            &log_key(tag, first),
            Some(&log_key(tag, last + 1)),
            &mut |key, _| {
                keys.push(key.to_vec());
                true
            },
        )?;
        for key in keys {
            self.active.put(Table::Log, key, None);
            self.commit_if_much()?;
        }
        Ok(())
    }

    fn commit_if_much(&mut self) -> Result<(), LedgerError> {
        if self.active.bytes() > UNCOMMITTED_MAX_BYTES { self.commit() } else { Ok(()) }
    }
}
