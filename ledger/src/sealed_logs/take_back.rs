//! Outlines of removed devices that came here and to no member.
//!
//! A host drops what an outline names at once. When its device is removed before any member had the outline too, nobody else will ever
//! believe it, and what was dropped counts after all. So then the log is told only as far as it is whole here, and when what is
//! lacking comes, the outline is forgotten.

use super::SealedLogs;
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::ledger::{FrontierRow, log_key};
use crate::outline::SignedOutline;
use crate::roster::WriteRight;
use crate::store::Table;
use crate::transaction::SealedTransaction;
use crate::tree::prefix_end;

impl SealedLogs {
    /// Whether the outline that is known here of a log is believed by nobody any more. A member may still vouch for it.
    pub(super) fn is_misled(&self, row: &FrontierRow) -> bool {
        let Some(outline) = &row.outline else { return false };
        let device = self.roster.device_by_id(&row.device).filter(|device| device.writes != WriteRight::All);
        device.is_some_and(|device| !device.may_declare(&outline.hash()))
    }

    /// A transaction came that counts and was taken for cleaned.
    pub(super) fn take_back_for(&mut self, sealed: &SealedTransaction<'_>) -> Result<(), LedgerError> {
        let header = sealed.header();
        let (tag, sequence) = (header.device.tag(), header.sequence);
        let lacking = |row: &&FrontierRow| sequence > whole_through(row) && sequence <= row.sequence;
        let Some(row) = self.frontier.get(&tag).filter(lacking).filter(|row| self.is_misled(row)) else {
            return Ok(());
        };
        let device = self.roster.device_by_id(&row.device);
        let signed = device.is_some_and(|device| sealed.verify(&device.key).is_ok());
        if signed && self.roster.may_write(tag, sequence) { self.take_back(tag) } else { Ok(()) }
    }

    /// An outline came that a member vouches for.
    pub(super) fn take_back_before(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        let Ok(outline) = SignedOutline::decode(bytes) else { return Ok(()) };
        let device = self.roster.device_by_id(&outline.device);
        let believed = device.is_some_and(|device| device.may_declare(&outline.hash()));
        let tag = outline.device.tag();
        let misled = self.frontier.get(&tag).is_some_and(|row| self.is_misled(row));
        if believed && misled { self.take_back(tag) } else { Ok(()) }
    }

    /// Forgets the outline of a log, and knows it as far as it is here from its beginning.
    fn take_back(&mut self, tag: DeviceTag) -> Result<(), LedgerError> {
        // What is not on disk yet must be there to be found by the scan.
        self.commit()?;
        let Some(row) = self.frontier.get(&tag) else { return Ok(()) };
        let mut whole = FrontierRow::new(row.device);
        let end = prefix_end(&tag.0.to_be_bytes());
        self.backing.scan(Table::Log, &log_key(tag, 1), end.as_deref(), &mut |_, sealed| {
            let sealed = SealedTransaction::parse(sealed);
            let next = sealed.ok().filter(|sealed| sealed.header().sequence == whole.sequence + 1);
            let Some(sealed) = next else { return false };
            whole.advance(sealed.header().sequence, sealed.hash(), 0);
            true
        })?;
        for key in row.cleaned_keys() {
            self.active.put(Table::Meta, key, None);
        }
        let (key, value) = whole.encode();
        self.active.put(Table::Meta, key, Some(value));
        self.frontier.insert(tag, whole);
        self.commit()
    }
}

/// Up to where nothing of a log was dropped.
pub(super) fn whole_through(row: &FrontierRow) -> u64 {
    let cleaned = row.outline().and_then(|outline| outline.cleaned.first_from(1));
    cleaned.map_or(row.sequence, |first| row.sequence.min(first - 1))
}
