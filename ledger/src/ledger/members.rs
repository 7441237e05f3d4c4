//! The roster inside the ledger: its records travel as edits and are kept as rows of their own.

use super::Ledger;
use crate::edit::Edit;
use crate::error::LedgerError;
use crate::identity::WorkspaceId;
use crate::keys::Keyring;
use crate::roster::{Applied, Roster, RosterError, RosterRecord};
use crate::stamp::Now;
use crate::store::{StoreError, Table};
use crate::tree::State;

/// What became of records that came by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordsTaken {
    /// Were not known and are in the roster.
    pub new: u32,
    /// Wait for records that they name as seen.
    pub held: u32,
    /// Are out for ever.
    pub refused: u32,
}

impl Ledger {
    /// Who belongs to the workspace.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The workspace's secrets. They grow when others hand over new epochs: see [`Ledger::keyring_changed`].
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Whether the keyring grew since this was last asked: then its file must be written again.
    pub fn keyring_changed(&mut self) -> bool {
        std::mem::take(&mut self.keyring_changed)
    }

    /// Changes the roster: `change` makes records on a copy of it, which are then logged and taken in.
    ///
    /// # Errors
    /// Whatever `change` is refused for.
    pub fn change_roster(
        &mut self,
        now: Now,
        change: impl FnOnce(&mut Roster, &mut Keyring) -> Result<Vec<RosterRecord>, RosterError>,
    ) -> Result<(), LedgerError> {
        self.begin(now)?;
        let (mut roster, mut keyring) = (self.roster.clone(), self.keyring.clone());
        let mut records = change(&mut roster, &mut keyring)?;
        if self.ends_own_log(&roster) {
            self.seal_before(now)?;
            self.vouch_for_own_end(&mut roster, &mut records)?;
        }
        self.keyring = keyring;
        self.take_records(now, roster, &records)
    }

    /// Logs records that `roster` holds already.
    pub(super) fn take_records(
        &mut self,
        now: Now,
        roster: Roster,
        records: &[RosterRecord],
    ) -> Result<(), LedgerError> {
        for record in records {
            self.keep_record(record);
        }
        let edits = records.iter().map(|record| Edit::Roster(record.as_bytes().to_vec())).collect();
        self.roster = roster;
        self.learn_keys();
        self.perform(now, edits)?;
        Ok(())
    }

    /// Takes in records that came by themselves, outside of any log: a newcomer needs them to believe the logs. What it learns from
    /// them waits for the next batch, as edits do. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed before.
    pub fn accept_records(&mut self, now: Now, records: &[Vec<u8>]) -> Result<RecordsTaken, LedgerError> {
        self.begin(now)?;
        let mut taken = RecordsTaken::default();
        for record in records {
            match self.accept_record(record) {
                Ok(Applied::Added) => taken.new += 1,
                Ok(Applied::Held) => taken.held += 1,
                Ok(Applied::Duplicate) => {}
                Err(_) => taken.refused += 1,
            }
        }
        if taken.new > 0 {
            self.learn_keys();
        }
        Ok(taken)
    }

    /// All records of the roster, parents before children: what a newcomer is given first.
    pub fn roster_records(&self) -> Vec<Vec<u8>> {
        self.roster.records().map(|record| record.as_bytes().to_vec()).collect()
    }

    /// Takes in a record from another device. One that is refused stays out for ever and is counted.
    pub(super) fn accept_record(&mut self, bytes: &[u8]) -> Result<Applied, RosterError> {
        if self.roster.has(bytes) {
            return Ok(Applied::Duplicate);
        }
        let applied = RosterRecord::parse(bytes).and_then(|record| {
            let applied = self.roster.apply(record.clone())?;
            Ok((record, applied))
        });
        match applied {
            Ok((_, Applied::Duplicate)) => Ok(Applied::Duplicate),
            Ok((record, applied)) => {
                self.keep_record(&record);
                Ok(applied)
            }
            Err(error) => {
                self.refused_records += 1;
                Err(error)
            }
        }
    }

    /// Takes over epoch keys that were handed to this user.
    pub(super) fn learn_keys(&mut self) {
        self.keyring_changed |= self.roster.update_keyring(&self.user, &mut self.keyring);
    }

    fn keep_record(&mut self, record: &RosterRecord) {
        let key = self.roster_rows.to_be_bytes().to_vec();
        self.state.layers.put(Table::Roster, key, record.as_bytes().to_vec());
        self.roster_rows += 1;
        self.roster_changed = true;
    }
}

/// The roster as its rows make it, and the number of the next row.
pub(super) fn read_roster(state: &State, keyring: &Keyring) -> Result<(Roster, u64), LedgerError> {
    roster_of(keyring.workspace, &|f| state.layers.scan(Table::Roster, &[], None, f))
}

/// What a scan of the roster's rows is told to do: each row.
type ScanRecords<'a> = dyn Fn(&mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> + 'a;

/// The same of rows wherever they are.
pub(crate) fn roster_of(
    workspace: WorkspaceId,
    scan: &ScanRecords<'_>,
) -> Result<(Roster, u64), LedgerError> {
    let mut roster = Roster::new(workspace);
    let mut next = 0;
    let mut bad = None;
    scan(&mut |key, value| {
        next = key.first_chunk().copied().map_or(next, u64::from_be_bytes) + 1;
        bad = RosterRecord::parse(value).and_then(|record| roster.apply(record)).err();
        bad.is_none()
    })?;
    bad.map_or(Ok((roster, next)), |error| Err(error.into()))
}
