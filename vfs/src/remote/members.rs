//! Who belongs to the workspace, for whoever runs the drive.

use ledger::keys::Keyring;
use ledger::roster::{Roster, RosterError, RosterRecord};
use ledger::{HeldReason, LedgerError, RecordsTaken};

use crate::core::now;
use crate::people::told;
use crate::{Drive, Error, PeopleError, wait};

/// What is kept waiting, and what was turned away since the drive was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeldAndRefused {
    /// Transactions that wait: device, sequence, why.
    pub held: Vec<(ledger::identity::DeviceId, u64, HeldReason)>,
    /// Transactions and records that never get in.
    pub refused: u64,
}

impl Drive {
    /// Takes in roster records that came by themselves. Any bytes are safe to give.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], or the tree's database failed.
    pub fn accept_records(&self, records: &[Vec<u8>]) -> Result<RecordsTaken, Error> {
        let core = &self.core;
        core.writable()?;
        let taken = core.ledger.write().accept_records(now(), records);
        let taken = taken.map_err(|error| core.ledger_error(&error))?;
        if taken.new + taken.held > 0 {
            core.committer.wake();
            core.renew_access();
            // They may vouch for a device, or bring a key, that transactions wait for.
            self.retry_held()?;
        }
        Ok(taken)
    }

    /// All records of the roster, parents before children.
    #[must_use]
    pub fn roster_records(&self) -> Vec<Vec<u8>> {
        self.core.ledger.read().roster_records()
    }

    /// Looks at who belongs to the workspace, and at its secrets. Others wait meanwhile: be short.
    pub fn roster<T>(&self, look: impl FnOnce(&Roster, &Keyring) -> T) -> T {
        let ledger = self.core.ledger.read();
        look(ledger.roster(), ledger.keyring())
    }

    /// Changes who belongs to the workspace: `change` makes records on a copy of the roster. They are durable on return.
    ///
    /// # Errors
    /// What `change` is refused for, or the drive takes no changes.
    pub fn change_roster(
        &self,
        change: impl FnOnce(&mut Roster, &mut Keyring) -> Result<Vec<RosterRecord>, RosterError>,
    ) -> Result<(), PeopleError> {
        const WHAT: &str = "the members were not changed";
        let core = &self.core;
        core.writable().map_err(|error| told(WHAT, error))?;
        let changed = core.ledger.write().change_roster(now(), change);
        changed.map_err(|error| match error {
            LedgerError::Roster(refused) => PeopleError(format!("{WHAT}: {refused}")),
            other => told(WHAT, core.ledger_error(&other)),
        })?;
        core.renew_access();
        wait(|reply| core.make_durable(reply)).map_err(|error| told(WHAT, error))
    }

    /// The workspace's secrets, if they grew since this was last asked: their file is to be written again.
    #[must_use]
    pub fn keyring_if_changed(&self) -> Option<Keyring> {
        let mut ledger = self.core.ledger.write();
        ledger.keyring_changed().then(|| ledger.keyring().clone())
    }

    /// One hash of the whole tree, equal on devices that know the same transactions. Walks the whole tree.
    ///
    /// # Errors
    /// The tree's database failed.
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        self.core.ledger.read().digest().map_err(|error| self.core.ledger_error(&error))
    }

    /// What of others waits, and what was refused.
    #[must_use]
    pub fn held_and_refused(&self) -> HeldAndRefused {
        let ledger = self.core.ledger.read();
        HeldAndRefused { held: ledger.held(), refused: ledger.refused() }
    }
}
