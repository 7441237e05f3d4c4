//! Heads of which their author says that they were replaced long ago.
//!
//! Who was away, or got a transaction from a host that missed its outline, has versions whose successors are cleaned as well: nothing
//! that comes would replace them. So with a newer outline, as soon as all is here that was issued again, the versions in what it
//! names are looked at, and those that are heads, and were not issued again, are none any more. They become history like any other.

use std::collections::HashMap;

use super::{FrontierRow, Ledger};
use crate::edit::Edit;
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::ranges::Ranges;
use crate::stamp::{Now, Stamp, VersionId};

/// Edits that one device issued again of which is known that they are here twice. What is over counts as being here once.
pub(super) const CARRIED_MAX_EDITS: usize = 1 << 18;
/// Edits that are looked at in one go, about.
const RETIRE_STEP_EDITS: usize = 1 << 14;

/// A device's log that is to be looked at.
#[derive(Default)]
pub(super) struct Retiring {
    /// What was cleaned when it was looked at the last time.
    before: Ranges,
    /// The transaction to go on with.
    next: u64,
}

/// What one device issued again: clock of the edit → the last transaction that has it.
pub(super) type Carried = HashMap<u64, u64>;

impl Ledger {
    /// There is a newer outline of a device; `before` was cleaned already.
    pub(super) fn begin_retiring(&mut self, tag: DeviceTag, before: Ranges) {
        if tag != self.state.own {
            let retiring = self.retiring.entry(tag).or_insert(Retiring { before, next: 0 });
            retiring.next = 0;
        }
    }

    /// Looks on at the logs with newer outlines, a bounded number of edits. What shows is to be derived then.
    pub(super) fn retire_due(&mut self, now: Now) -> Result<(), LedgerError> {
        let mut left = RETIRE_STEP_EDITS;
        let is_ready =
            |tag: &&DeviceTag| self.frontier.get(tag).is_some_and(FrontierRow::has_all_issued_again);
        let ready: Vec<_> = self.retiring.keys().filter(is_ready).copied().collect();
        for tag in ready {
            let carried = self.carried(tag)?;
            while left > 0 {
                let Some(looked_at) = self.retire_next(now, tag, &carried)? else {
                    self.retiring.remove(&tag);
                    break;
                };
                left = left.saturating_sub(looked_at.max(1));
            }
        }
        Ok(())
    }

    fn carried(&self, tag: DeviceTag) -> Result<Carried, LedgerError> {
        let mut carried = Carried::new();
        let mut next = 0;
        while let Some(sequence) = self.next_issued_again(tag, next) {
            next = sequence + 1;
            self.note_carried(tag, sequence, &mut carried)?;
        }
        Ok(carried)
    }

    /// The next transaction of a device, from this number on, of which its outline says that it holds edits made before.
    pub(super) fn next_issued_again(&self, tag: DeviceTag, from: u64) -> Option<u64> {
        self.frontier.get(&tag)?.outline()?.again.first_from(from)
    }

    /// Notes the edits of such a transaction. Answers how many there are.
    pub(super) fn note_carried(
        &self,
        tag: DeviceTag,
        sequence: u64,
        carried: &mut Carried,
    ) -> Result<usize, LedgerError> {
        let Some(list) = self.logged(tag, sequence)? else { return Ok(0) };
        // Of what passed only that is here, not the version itself.
        let whole = list.edits().filter(|stamped| !matches!(stamped.edit, Edit::Passed { .. }));
        for stamped in whole {
            if carried.len() < CARRIED_MAX_EDITS || carried.contains_key(&stamped.stamp.clock) {
                carried.insert(stamped.stamp.clock, sequence);
            }
        }
        Ok(list.edits().count())
    }

    // Answers how many edits were looked at; `None` at the end.
    fn retire_next(
        &mut self,
        now: Now,
        tag: DeviceTag,
        carried: &Carried,
    ) -> Result<Option<usize>, LedgerError> {
        let (Some(retiring), Some(row)) = (self.retiring.get(&tag), self.frontier.get(&tag)) else {
            return Ok(None);
        };
        let cleaned = row.outline().map(|outline| &outline.cleaned);
        let Some(from) = cleaned.and_then(|cleaned| cleaned.first_from(retiring.next)) else {
            return Ok(None);
        };
        let Some((sequence, sealed)) = self.next_row(tag, from)? else { return Ok(None) };
        let is_new = row.is_cleaned(sequence) && !retiring.before.contains(sequence);
        if let Some(retiring) = self.retiring.get_mut(&tag) {
            retiring.next = sequence + 1;
        }
        if !is_new {
            return Ok(Some(0));
        }
        let list = self.open_logged(tag, &sealed)?;
        let at = Stamp { clock: now.wall.millis() << 16, device: self.state.own };
        for stamped in list.edits() {
            let is_here_again = carried.get(&stamped.stamp.clock).is_some_and(|carrier| *carrier > sequence);
            if let Edit::Publish { inode, .. } = &stamped.edit
                && !is_here_again
                && let Some(ino) = self.state.ino_of(*inode)?
            {
                let retired = self.state.retire_head(ino, VersionId(stamped.stamp), at);
                self.poisoned |= retired.is_err();
                retired?;
            }
        }
        Ok(Some(list.edits().count()))
    }
}
