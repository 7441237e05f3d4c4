//! What members had of the log of a device that may not write any more.
//!
//! ```text
//! removed by Anna, who has its log up to 20 ─► Boris, who applied 23, hears of it ─► "Boris vouches for 23" ─► all take 21 to 23
//! ```
//!
//! Registers keep no value that was overwritten, so who applied an edit cannot give it back. So that all trees are equal again, all come to
//! apply what any member had who may write. What it had: from the moment a removal is known, nothing more of that log is taken in. The
//! removed device's own word counts for nothing, nor does that of hosts without keys and of readers: with it, who may not write could
//! have others take in what they like. The word goes into the roster with the batch in which the removal becomes durable.

use super::{FrontierRow, Ledger};
use crate::error::LedgerError;
use crate::identity::DeviceId;
use crate::roster::{OutlineHash, Role, Roster, RosterError, RosterRecord, WriteRight};
use crate::stamp::Now;

/// What is here of a log beyond what counts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond {
    /// Whose log.
    pub device: DeviceId,
    /// Up to where it is applied here.
    pub here: u64,
    /// Up to where it counts.
    pub counts: u64,
    outline: Option<OutlineHash>,
}

impl Ledger {
    /// Logs of which more is applied here than counts. Who may write vouches for it with the next batch. Where it stays so (a reader's
    /// device; a full roster), this tree differs from the others' for good.
    pub fn beyond(&self) -> Vec<Beyond> {
        let others = self.frontier.iter().filter(|(tag, _)| **tag != self.state.own);
        others.filter_map(|(_, row)| beyond(&self.roster, row)).collect()
    }

    /// Says so of what is here beyond what counts, if the roster has changed since this was last looked at.
    pub(super) fn vouch_if_due(&mut self, now: Now) -> Result<(), LedgerError> {
        if !std::mem::take(&mut self.roster_changed) || !self.may_vouch() {
            return Ok(());
        }
        let beyond = self.beyond();
        if beyond.is_empty() {
            return Ok(());
        }
        let mut roster = self.roster.clone();
        let mut records = Vec::new();
        for Beyond { device, here, outline, .. } in beyond {
            match roster.vouch(&self.user, device, here, outline) {
                Ok(record) => records.push(record),
                // A full roster: it stays among what `beyond` tells.
                Err(_) => self.refused_records += 1,
            }
        }
        self.take_records(now, roster, &records)
    }

    fn may_vouch(&self) -> bool {
        let own = self.roster.device_by_id(&self.device.id());
        own.is_some_and(|own| !own.removed && own.role.is_some_and(Role::writes))
    }

    /// The word of a device that takes itself off the roster: the transaction that says so counts too, with all before it. It is the next
    /// one, as everything else was sealed.
    pub(super) fn vouch_for_own_end(
        &self,
        roster: &mut Roster,
        records: &mut Vec<RosterRecord>,
    ) -> Result<(), RosterError> {
        let row = self.frontier.get(&self.state.own);
        let through = row.map_or(1, |row| row.sequence + 1);
        let outline = row.and_then(|row| row.outline.as_ref()).map(|outline| outline.hash());
        match roster.vouch(&self.user, self.device.id(), through, outline) {
            Ok(record) => records.push(record),
            // Its user is no member any more either, or only reads: then others say what they have.
            Err(RosterError::NotAllowed { .. } | RosterError::NothingToVouchFor) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether a changed roster takes from this device the right to write that it has.
    pub(super) fn ends_own_log(&self, roster: &Roster) -> bool {
        let writes = |roster: &Roster| {
            roster.device_by_id(&self.device.id()).is_some_and(|own| own.writes == WriteRight::All)
        };
        writes(&self.roster) && !writes(roster)
    }
}

fn beyond(roster: &Roster, row: &FrontierRow) -> Option<Beyond> {
    let device = roster.device_by_id(&row.device)?;
    // An outline of which not all came that it says was issued again helps nobody.
    let outline = row.outline.as_ref().filter(|_| row.has_all_issued_again()).map(|outline| outline.hash());
    let outline = outline.filter(|outline| !device.may_declare(outline));
    let more = !device.writes.allows(row.sequence) || outline.is_some();
    let counts = device.writes.through().min(row.sequence);
    more.then_some(Beyond { device: row.device, here: row.sequence, counts, outline })
}
