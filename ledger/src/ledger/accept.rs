//! Transactions of other devices.
//!
//! ```text
//! bytes ─► known already? ─► the next of its device? ─► who signed, was that allowed? ─► opens? ─► sound? ─► merged
//!              Duplicate          Held (gap)                Held (unknown) / Refused       Held      Refused
//! ```
//!
//! What is held is kept in memory only, and only if a member signed or sealed it, so that strangers cannot fill the room
//! for it. It comes again with the next exchange of frontiers.

use std::collections::BTreeMap;

use super::commit::log_key;
use super::{FrontierRow, Ledger, Position};
use crate::edit::{Edit, List, Stamped, decode_list};
use crate::error::LedgerError;
use crate::identity::{DeviceId, DeviceTag};
use crate::node::Ino;
use crate::outline::OutlineError;
use crate::ranges::Ranges;
use crate::roster::{Roster, RosterRecord};
use crate::stamp::{Now, is_ahead};
use crate::store::Table;
use crate::transaction::{SealedTransaction, TransactionError};
use crate::wire::WireError;

/// Most transactions that wait for others.
pub const HELD_TRANSACTIONS_MAX: usize = 256;
/// Most bytes of them.
pub const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is in the tree, with any that waited for it.
    Applied(Changed),
    /// It was known.
    Duplicate,
    /// It waits, or must be sent again later.
    Held(HeldReason),
    /// It never gets in.
    Refused(RefusedReason),
}

/// What transactions changed, for whoever tells caches and watchers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// Inodes whose attributes or content may be others.
    pub inodes: Vec<Ino>,
    /// Those of them that got a version, rising.
    pub contents: Vec<Ino>,
    /// Directories and names that may lead elsewhere.
    pub names: Vec<(Ino, Vec<u8>)>,
}

/// Why a transaction waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldReason {
    /// One of the same device before it is missing.
    Gap,
    /// Its stamps are minutes ahead of this computer's time: one of the two clocks is wrong.
    ClockAhead,
    /// No roster record of its device has arrived.
    UnknownDevice,
    /// The key of its epoch has not been handed over.
    UnknownEpoch,
}

/// Why a transaction is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedReason {
    /// It belongs to another workspace or realm.
    #[error("it belongs to another workspace")]
    OtherWorkspace,
    /// It says to be this device's own, and is not.
    #[error("it continues this device's own log from elsewhere: the database was set back")]
    OwnLog,
    /// It does not follow the transaction known before it: the device's log forked.
    #[error("it does not follow the device's log as it is known here")]
    Fork,
    /// The device may not write, or not any more.
    #[error("its device may not write")]
    NotAllowed,
    /// It does not parse, verify or open.
    #[error("{0}")]
    Transaction(TransactionError),
    /// Its edits do not parse.
    #[error("its edits are malformed: {0}")]
    Edits(WireError),
    /// Its stamps do not rise from those of the transaction before.
    #[error("its stamps do not follow those of its device")]
    Stamps,
    /// It is no transaction but an outline, and not to be believed.
    #[error("{0}")]
    Outline(OutlineError),
}

/// A verdict that is not "apply".
enum Verdict {
    Hold(HeldReason),
    /// The same, but nobody vouches for it yet: it is not kept.
    Later(HeldReason),
    Refuse(RefusedReason),
    Fail(LedgerError),
}

impl From<LedgerError> for Verdict {
    fn from(error: LedgerError) -> Self {
        Self::Fail(error)
    }
}

impl From<RefusedReason> for Verdict {
    fn from(reason: RefusedReason) -> Self {
        Self::Refuse(reason)
    }
}

impl From<TransactionError> for Verdict {
    fn from(error: TransactionError) -> Self {
        Self::Refuse(RefusedReason::Transaction(error))
    }
}

/// Transactions that wait, by device and sequence.
#[derive(Default)]
pub(crate) struct Held {
    waiting: BTreeMap<(DeviceId, u64), (HeldReason, Vec<u8>)>,
    bytes: usize,
}

impl Held {
    // Over the bound the transaction is let go: its sender still has it.
    pub(crate) fn put(&mut self, device: DeviceId, sequence: u64, reason: HeldReason, sealed: &[u8]) {
        let room = self.waiting.len() < HELD_TRANSACTIONS_MAX && self.bytes + sealed.len() <= HELD_BYTES_MAX;
        if room && !self.waiting.contains_key(&(device, sequence)) {
            self.bytes += sealed.len();
            self.waiting.insert((device, sequence), (reason, sealed.to_vec()));
        }
    }

    pub(crate) fn take(&mut self) -> BTreeMap<(DeviceId, u64), (HeldReason, Vec<u8>)> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Whose, which, why.
    pub(crate) fn list(&self) -> Vec<(DeviceId, u64, HeldReason)> {
        let waiting = self.waiting.iter();
        waiting.map(|((device, sequence), (reason, _))| (*device, *sequence, *reason)).collect()
    }
}

impl Ledger {
    /// Takes in a transaction as it came from a peer. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept(&mut self, now: Now, sealed: &[u8]) -> Result<Accepted, LedgerError> {
        self.begin(now)?;
        let first = self.accept_one(now, sealed)?;
        if first != Accepted::Applied(Changed::default()) {
            return Ok(first);
        }
        self.accept_waiting(now)?;
        self.retire_due(now)?;
        Ok(Accepted::Applied(self.derive_accepted()?))
    }

    /// Tries again what waits, for a clock that has come closer.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn retry_held(&mut self, now: Now) -> Result<Changed, LedgerError> {
        self.begin(now)?;
        self.accept_waiting(now)?;
        self.retire_due(now)?;
        self.derive_accepted()
    }

    /// What shows after the transactions merged since the last time, worked out for all of them at once.
    pub(super) fn derive_accepted(&mut self) -> Result<Changed, LedgerError> {
        let derived = self.state.derive();
        self.poisoned |= derived.is_err();
        derived?;
        let inodes = self.state.settle_counts();
        let contents = std::mem::take(&mut self.published).into_iter().collect();
        Ok(Changed { inodes, contents, names: self.take_changed_names() })
    }

    /// Transactions that wait: whose, which, why.
    pub fn held(&self) -> Vec<(DeviceId, u64, HeldReason)> {
        self.held.list()
    }

    /// How many transactions and roster records were refused since the ledger was opened.
    pub fn refused(&self) -> u64 {
        self.refused_transactions + self.refused_records
    }

    /// Answers how many got in.
    pub(super) fn accept_waiting(&mut self, now: Now) -> Result<u32, LedgerError> {
        let mut all = 0;
        loop {
            let mut applied = 0;
            for (_, sealed) in self.held.take().into_values() {
                applied += u32::from(matches!(self.accept_one(now, &sealed)?, Accepted::Applied(_)));
            }
            if applied == 0 {
                return Ok(all);
            }
            all += applied;
        }
    }

    /// Merges the registers only: what shows is worked out by [`Ledger::derive_accepted`].
    pub(super) fn accept_one(&mut self, now: Now, bytes: &[u8]) -> Result<Accepted, LedgerError> {
        let sealed = match SealedTransaction::parse(bytes) {
            Ok(sealed) => sealed,
            Err(error) => {
                self.refused_transactions += 1;
                return Ok(Accepted::Refused(RefusedReason::Transaction(error)));
            }
        };
        let (device, sequence) = (sealed.header().device, sealed.header().sequence);
        if self.frontier.get(&device.tag()).is_some_and(|row| sequence <= row.sequence) {
            return Ok(Accepted::Duplicate);
        }
        match self.judge(now, &sealed) {
            Ok(list) => {
                let merged = self.merge(&sealed, bytes, list);
                self.poisoned |= merged.is_err();
                merged.map(|()| Accepted::Applied(Changed::default()))
            }
            Err(Verdict::Hold(reason)) => {
                self.held.put(device, sequence, reason, bytes);
                Ok(Accepted::Held(reason))
            }
            Err(Verdict::Later(reason)) => Ok(Accepted::Held(reason)),
            Err(Verdict::Refuse(reason)) => {
                self.refused_transactions += 1;
                Ok(Accepted::Refused(reason))
            }
            Err(Verdict::Fail(error)) => {
                self.poisoned = true;
                Err(error)
            }
        }
    }

    // Everything that is checked before anything is changed.
    fn judge(&self, now: Now, sealed: &SealedTransaction<'_>) -> Result<List, Verdict> {
        let header = sealed.header();
        if header.workspace != self.keyring.workspace || header.realm != self.keyring.root_realm {
            return Err(RefusedReason::OtherWorkspace.into());
        }
        let tag = header.device.tag();
        if tag == self.state.own {
            return Err(RefusedReason::OwnLog.into());
        }
        // A known device's signature is checked before anything else is believed, a stranger's transaction must open.
        let known = self.roster.device_by_id(&header.device);
        if let Some(device) = known {
            sealed.verify(&device.key)?;
        }
        let hold = if known.is_some() { Verdict::Hold } else { Verdict::Later };
        let last = self.frontier.get(&tag);
        match FrontierRow::position_after(last, header) {
            Position::Next => {}
            Position::Gap => return Err(hold(HeldReason::Gap)),
            Position::Fork => return Err(RefusedReason::Fork.into()),
        }
        if self.keyring.epoch_keys(header.epoch).next().is_none() {
            return Err(hold(HeldReason::UnknownEpoch));
        }
        if known.is_some() && !self.roster.may_write(tag, header.sequence) {
            return Err(RefusedReason::NotAllowed.into());
        }
        let list = self.open_list(sealed, tag)?;
        if known.is_none() {
            self.check_newcomer(sealed, &list)?;
        }
        check_stamps(&list, last.map_or(0, |row| row.clock), now)?;
        Ok(list)
    }

    fn open_list(&self, sealed: &SealedTransaction<'_>, tag: DeviceTag) -> Result<List, Verdict> {
        let plain = self.open_sealed(sealed)?;
        decode_list(&plain, tag).map_err(|error| RefusedReason::Edits(error).into())
    }

    // The first transaction of a device, the founder's above all, may itself bring the records that vouch for it. They
    // are signed and lead back to the workspace's identifier, so they can be believed before their carrier is.
    fn check_newcomer(&self, sealed: &SealedTransaction<'_>, list: &List) -> Result<(), Verdict> {
        let mut roster = self.roster.clone();
        for stamped in list.edits() {
            if let Edit::Roster(bytes) = &stamped.edit
                && let Ok(record) = RosterRecord::parse(bytes)
            {
                // One that is refused vouches for nobody.
                let _ = roster.apply(record);
            }
        }
        check_author(&roster, sealed)
    }

    fn merge(&mut self, sealed: &SealedTransaction<'_>, bytes: &[u8], list: List) -> Result<(), LedgerError> {
        let header = sealed.header();
        let (device, sequence, tag) = (header.device, header.sequence, header.device.tag());
        let clock = list.clock();
        let edits = unknown_edits(list, self.frontier.get(&tag).map(|row| row.unseen.as_ref()));
        let mut members = false;
        for stamped in edits {
            if let Edit::Roster(record) = &stamped.edit {
                // One that is refused is counted there; the edits beside it stand.
                let _ = self.accept_record(record);
                members = true;
            }
            let published = if let Edit::Publish { inode, .. } = &stamped.edit { Some(*inode) } else { None };
            self.state.apply(stamped)?;
            if let Some(id) = published {
                self.published.extend(self.state.ino_of(id)?);
            }
        }
        // The next transaction may be sealed with a key that this one brought.
        if members {
            self.learn_keys();
        }
        self.state.clock.observe(clock);
        self.state.layers.put(Table::Log, log_key(tag, sequence), bytes.to_vec());
        self.advance(device, sequence, sealed.hash(), clock);
        Ok(())
    }
}

fn check_author(roster: &Roster, sealed: &SealedTransaction<'_>) -> Result<(), Verdict> {
    let header = sealed.header();
    let Some(device) = roster.device_by_id(&header.device) else {
        return Err(Verdict::Hold(HeldReason::UnknownDevice));
    };
    sealed.verify(&device.key)?;
    if roster.may_write(header.device.tag(), header.sequence) {
        Ok(())
    } else {
        Err(RefusedReason::NotAllowed.into())
    }
}

// What was issued again was taken in before, unless all that ever carried it was passed over. Taking it in twice would bring
// back versions that were replaced, and given up, since.
fn unknown_edits(list: List, unseen: Option<&Ranges>) -> Vec<Stamped> {
    let again = match list {
        List::Made(edits) => return edits,
        List::Again(again) => again,
    };
    let never_seen = |carrier: &u64| unseen.is_some_and(|unseen| unseen.contains(*carrier));
    let groups = again.groups.into_iter().filter(|group| group.carriers.iter().all(never_seen));
    groups.flat_map(|group| group.edits).collect()
}

fn check_stamps(list: &List, after: u64, now: Now) -> Result<(), Verdict> {
    let first = match list {
        List::Made(edits) => edits.first().map(|edit| edit.stamp.clock),
        List::Again(again) => Some(again.clock + 1),
    };
    let Some(first) = first else { return Ok(()) };
    if first <= after {
        return Err(RefusedReason::Stamps.into());
    }
    if is_ahead(list.clock(), now) { Err(Verdict::Hold(HeldReason::ClockAhead)) } else { Ok(()) }
}
