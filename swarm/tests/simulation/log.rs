//! The logs of one machine: a member's ledger, or what a blind host keeps of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ledger::identity::DeviceId;
use ledger::keys::{DeviceKey, Keyring};
use ledger::roster::{Copies, DeviceClaim, FsyncLevel, Policy, Roster, RosterError, RosterRecord};
use ledger::transaction::SealedTransaction;
use ledger::{
    Accepted, Backing, Batch, Frontier, Glance, Ledger, MemoryBacking, Now, OutlineCounters, OutlineError,
    RefusedReason, SealedLogs, StoreError, Table,
};

use crate::cast::{CAST, wall};

/// A backing that outlives its ledger, as a disk outlives a program.
#[derive(Clone, Default)]
pub struct Shared(Arc<MemoryBacking>);

impl Backing for Shared {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key)
    }

    fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        glance: &mut dyn FnMut(&[u8]) -> Glance,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.0.scan_some(table, from, to, glance, f)
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.write(batch)
    }

    fn compact(&self) -> Result<bool, StoreError> {
        self.0.compact()
    }
}

/// A change of the roster: this device is added.
pub fn added(
    device: &DeviceKey,
) -> impl FnOnce(&mut Roster, &mut Keyring) -> Result<Vec<RosterRecord>, RosterError> {
    let claim = DeviceClaim::new(device, CAST.user.id(), CAST.keyring.workspace);
    move |roster, keyring| Ok(vec![roster.add_device(&CAST.user, keyring, claim, "another")?])
}

/// A change of the roster: this device is removed, its log valid up to there.
pub fn dropped(
    device: DeviceId,
    through: u64,
) -> impl FnOnce(&mut Roster, &mut Keyring) -> Result<Vec<RosterRecord>, RosterError> {
    move |roster, _| Ok(vec![roster.remove_device(&CAST.user, device, through)?])
}

/// A change of the roster: so many copies are wanted.
pub fn decided(
    target: u8,
) -> impl FnOnce(&mut Roster, &mut Keyring) -> Result<Vec<RosterRecord>, RosterError> {
    let policy = Policy { copies: Copies::wanting(target), fsync: FsyncLevel::Local };
    move |roster, _| Ok(vec![roster.set_policy(&CAST.user, policy)?])
}

/// What became of transactions.
#[derive(Default)]
pub struct Taken {
    /// Of the devices whose transactions got in.
    pub newest: BTreeMap<DeviceId, u64>,
    pub refused: u32,
    pub held: u32,
}

impl Taken {
    fn note(&mut self, sealed: &Bytes) {
        let header = *SealedTransaction::parse(sealed).unwrap().header();
        self.newest.insert(header.device, header.sequence);
    }
}

pub enum Log {
    Member { ledger: Box<Ledger>, backing: Shared },
    Blind { logs: Box<SealedLogs>, backing: Shared },
}

impl Log {
    /// The first machine's, with so many more devices on the roster.
    pub fn found(others: &[DeviceKey]) -> Self {
        let (backing, now) = (Shared::default(), wall(0, 0));
        let device = CAST.devices[0].clone();
        let over = Box::new(backing.clone());
        let mut ledger =
            Ledger::create(over, device, &CAST.user, CAST.keyring.clone(), "drive", now).unwrap();
        for device in others {
            ledger.change_roster(now, added(device)).unwrap();
        }
        Self::Member { ledger: Box::new(ledger), backing }
    }

    pub fn join(index: usize) -> Self {
        let (backing, now) = (Shared::default(), wall(0, 0));
        let device = CAST.devices[index].clone();
        let over = Box::new(backing.clone());
        let ledger = Ledger::join(over, device, &CAST.user, CAST.keyring.clone(), "drive", now).unwrap();
        Self::Member { ledger: Box::new(ledger), backing }
    }

    /// Sealed logs without the keys to them.
    pub fn blind() -> Self {
        let backing = Shared::default();
        let logs = SealedLogs::create(Box::new(backing.clone()), CAST.keyring.workspace).unwrap();
        Self::Blind { logs: Box::new(logs), backing }
    }

    pub fn ledger(&mut self) -> Option<&mut Ledger> {
        match self {
            Self::Member { ledger, .. } => Some(ledger),
            Self::Blind { .. } => None,
        }
    }

    /// Durable logs.
    pub fn frontier(&self) -> Frontier {
        match self {
            Self::Member { ledger, .. } => ledger.frontier(),
            Self::Blind { logs, .. } => logs.frontier(),
        }
    }

    pub fn roster(&self) -> &Roster {
        match self {
            Self::Member { ledger, .. } => ledger.roster(),
            Self::Blind { logs, .. } => logs.roster(),
        }
    }

    pub fn roster_digest(&self) -> [u8; 32] {
        self.roster().digest()
    }

    pub fn records(&self) -> Vec<Bytes> {
        self.roster().records().map(|record| Bytes::copy_from_slice(record.as_bytes())).collect()
    }

    pub fn accept_records(&mut self, now: Now, records: &[Bytes]) {
        match self {
            Self::Member { ledger, .. } => {
                let records: Vec<_> = records.iter().map(|record| record.to_vec()).collect();
                ledger.accept_records(now, &records).unwrap();
            }
            Self::Blind { logs, .. } => {
                let records: Vec<_> = records.iter().map(|record| record.to_vec()).collect();
                logs.accept_records(&records).unwrap();
            }
        }
    }

    pub fn outline_counters(&self) -> OutlineCounters {
        match self {
            Self::Member { ledger, .. } => ledger.outline_counters(),
            Self::Blind { logs, .. } => logs.outline_counters(),
        }
    }

    pub fn outlines_since(&self, theirs: &OutlineCounters) -> Vec<Bytes> {
        let outlines = match self {
            Self::Member { ledger, .. } => ledger.outlines_since(theirs),
            Self::Blind { logs, .. } => logs.outlines_since(theirs),
        };
        outlines.into_iter().map(Bytes::from).collect()
    }

    /// Answers how far the logs are known.
    pub fn accept_outlines(&mut self, now: Now, outlines: &[Bytes]) -> Frontier {
        let taken = match self {
            Self::Member { ledger, .. } => ledger.accept_outlines(now, outlines),
            Self::Blind { logs, .. } => logs.accept_outlines(outlines),
        };
        // Of a removed device only those count that a member has.
        let unvouched = RefusedReason::Outline(OutlineError::NotAllowed);
        assert!(taken.unwrap().refused.iter().all(|(.., reason)| *reason == unvouched));
        match self {
            Self::Member { ledger, .. } => ledger.frontier_in_memory(),
            Self::Blind { logs, .. } => logs.frontier(),
        }
    }

    /// Old history is given up, and what the own log no longer needs; then what of it can be declared.
    pub fn clean(&mut self, now: Now, retention: Duration, safe_through: u64) {
        let Self::Member { ledger, .. } = self else { return };
        while !ledger.prune(now, retention, 1000).unwrap().finished {}
        while !ledger.clean(now, retention, 1000).unwrap().finished {}
        ledger.declare_cleaned(now, Some(safe_through)).unwrap();
    }

    /// How many transactions are kept.
    pub fn rows(&self) -> usize {
        self.since(&Frontier::default(), usize::MAX).len()
    }

    pub fn since(&self, frontier: &Frontier, max_bytes: usize) -> Vec<Bytes> {
        let since = match self {
            Self::Member { ledger, .. } => ledger.transactions_since(frontier, max_bytes),
            Self::Blind { logs, .. } => logs.transactions_since(frontier, max_bytes),
        };
        since.unwrap().into_iter().map(Bytes::from).collect()
    }

    pub fn accept(&mut self, now: Now, transactions: &[Bytes]) -> Taken {
        let mut taken = Taken::default();
        for sealed in transactions {
            let accepted = match self {
                Self::Member { ledger, .. } => ledger.accept(now, sealed),
                Self::Blind { logs, .. } => logs.accept(sealed),
            };
            match accepted.unwrap() {
                Accepted::Refused(_) => taken.refused += 1,
                Accepted::Held(_) => taken.held += 1,
                Accepted::Applied(_) => taken.note(sealed),
                Accepted::Duplicate => {}
            }
        }
        taken
    }

    /// Makes everything durable.
    pub fn commit(&mut self, now: Now) {
        match self {
            Self::Member { ledger, .. } => {
                if let Some(batch) = ledger.freeze(now).unwrap() {
                    ledger.writer().write(&batch).unwrap();
                    ledger.thaw(batch);
                }
            }
            Self::Blind { logs, .. } => logs.commit().unwrap(),
        }
    }

    /// What was not durable is gone.
    pub fn crash(&mut self, index: usize, now: Now) {
        match self {
            Self::Member { ledger, backing } => {
                let (over, device) = (Box::new(backing.clone()), CAST.devices[index].clone());
                let keyring = CAST.keyring.clone();
                let opened = if backing.get(Table::Meta, b"workspace").unwrap().is_some() {
                    Ledger::open(over, device, &CAST.user, keyring, now)
                } else {
                    Ledger::join(over, device, &CAST.user, keyring, "drive", now)
                };
                **ledger = opened.unwrap();
            }
            Self::Blind { logs, backing } => {
                **logs = SealedLogs::open(Box::new(backing.clone()), CAST.keyring.workspace).unwrap();
            }
        }
    }

    /// Digest of the tree, or for a blind host of nothing.
    pub fn digest(&self) -> Option<[u8; 32]> {
        match self {
            Self::Member { ledger, .. } => Some(ledger.digest().unwrap()),
            Self::Blind { .. } => None,
        }
    }
}
