//! The logs of one machine: a member's ledger, or what a blind host keeps of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledger::identity::DeviceId;
use ledger::keys::{DeviceKey, Keyring};
use ledger::roster::{Copies, DeviceClaim, FsyncLevel, Policy, Roster, RosterError, RosterRecord};
use ledger::transaction::SealedTransaction;
use ledger::{Accepted, Backing, Batch, Frontier, Ledger, MemoryBacking, StoreError, Table};

use crate::cast::{CAST, wall};

/// A backing that outlives its ledger, as a disk outlives a program.
#[derive(Clone, Default)]
pub struct Shared(Arc<MemoryBacking>);

impl Backing for Shared {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.0.scan(table, from, to, f)
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
    Blind(Box<Blind>),
}

/// Sealed logs without the keys to them.
pub struct Blind {
    /// Durable at once.
    roster: Roster,
    rows: BTreeMap<(DeviceId, u64), (Bytes, [u8; 32])>,
    written: BTreeMap<DeviceId, u64>,
}

impl Log {
    /// The first machine's, with `count` devices on the roster.
    pub fn found(count: usize) -> Self {
        let (backing, now) = (Shared::default(), wall(0));
        let device = CAST.devices[0].clone();
        let over = Box::new(backing.clone());
        let mut ledger =
            Ledger::create(over, device, &CAST.user, CAST.keyring.clone(), "drive", now).unwrap();
        for device in &CAST.devices[1..count] {
            ledger.change_roster(now, added(device)).unwrap();
        }
        Self::Member { ledger: Box::new(ledger), backing }
    }

    pub fn join(index: usize) -> Self {
        let (backing, now) = (Shared::default(), wall(0));
        let device = CAST.devices[index].clone();
        let over = Box::new(backing.clone());
        let ledger = Ledger::join(over, device, &CAST.user, CAST.keyring.clone(), "drive", now).unwrap();
        Self::Member { ledger: Box::new(ledger), backing }
    }

    pub fn ledger(&mut self) -> Option<&mut Ledger> {
        match self {
            Self::Member { ledger, .. } => Some(ledger),
            Self::Blind(_) => None,
        }
    }

    /// Durable logs.
    pub fn frontier(&self) -> Frontier {
        match self {
            Self::Member { ledger, .. } => ledger.frontier(),
            Self::Blind(blind) => Frontier(blind.written.clone()),
        }
    }

    pub fn roster(&self) -> &Roster {
        match self {
            Self::Member { ledger, .. } => ledger.roster(),
            Self::Blind(blind) => &blind.roster,
        }
    }

    pub fn roster_digest(&self) -> [u8; 32] {
        self.roster().digest()
    }

    pub fn records(&self) -> Vec<Bytes> {
        self.roster().records().map(|record| Bytes::copy_from_slice(record.as_bytes())).collect()
    }

    pub fn accept_records(&mut self, now: u64, records: &[Bytes]) {
        match self {
            Self::Member { ledger, .. } => {
                let records: Vec<_> = records.iter().map(|record| record.to_vec()).collect();
                ledger.accept_records(wall(now), &records).unwrap();
            }
            Self::Blind(blind) => records.iter().for_each(|record| {
                blind.roster.apply(RosterRecord::parse(record).unwrap()).unwrap();
            }),
        }
    }

    pub fn since(&self, frontier: &Frontier, max_bytes: usize) -> Vec<Bytes> {
        match self {
            Self::Member { ledger, .. } => {
                let since = ledger.transactions_since(frontier, max_bytes).unwrap();
                since.into_iter().map(Bytes::from).collect()
            }
            Self::Blind(blind) => blind.since(frontier, max_bytes),
        }
    }

    pub fn accept(&mut self, now: u64, transactions: &[Bytes]) -> Taken {
        let mut taken = Taken::default();
        for sealed in transactions {
            match self {
                Self::Member { ledger, .. } => match ledger.accept(wall(now), sealed).unwrap() {
                    Accepted::Refused(_) => taken.refused += 1,
                    Accepted::Held(_) => taken.held += 1,
                    Accepted::Applied(_) => taken.note(sealed),
                    Accepted::Duplicate => {}
                },
                Self::Blind(blind) => blind.accept(sealed, &mut taken),
            }
        }
        taken
    }

    /// Makes everything durable.
    pub fn commit(&mut self, now: u64) {
        match self {
            Self::Member { ledger, .. } => {
                if let Some(batch) = ledger.freeze(wall(now)).unwrap() {
                    ledger.writer().write(&batch).unwrap();
                    ledger.thaw(batch);
                }
            }
            Self::Blind(blind) => blind.written = blind.newest(),
        }
    }

    /// What was not durable is gone.
    pub fn crash(&mut self, index: usize, now: u64) {
        match self {
            Self::Member { ledger, backing } => {
                let (over, device) = (Box::new(backing.clone()), CAST.devices[index].clone());
                let keyring = CAST.keyring.clone();
                let opened = if backing.get(Table::Meta, b"workspace").unwrap().is_some() {
                    Ledger::open(over, device, &CAST.user, keyring, wall(now))
                } else {
                    Ledger::join(over, device, &CAST.user, keyring, "drive", wall(now))
                };
                **ledger = opened.unwrap();
            }
            Self::Blind(blind) => {
                let written = &blind.written;
                blind.rows.retain(|(device, sequence), _| written.get(device) >= Some(sequence));
            }
        }
    }

    /// Digest of the tree, or for a blind host of nothing.
    pub fn digest(&self) -> Option<[u8; 32]> {
        match self {
            Self::Member { ledger, .. } => Some(ledger.digest().unwrap()),
            Self::Blind(_) => None,
        }
    }
}

impl Blind {
    pub fn new() -> Self {
        let roster = Roster::new(CAST.keyring.workspace);
        Self { roster, rows: BTreeMap::new(), written: BTreeMap::new() }
    }

    fn newest(&self) -> BTreeMap<DeviceId, u64> {
        self.rows.keys().copied().collect()
    }

    fn accept(&mut self, bytes: &Bytes, taken: &mut Taken) {
        let sealed = SealedTransaction::parse(bytes).unwrap();
        let header = sealed.header();
        let key = CAST.devices.iter().find(|device| device.id() == header.device).unwrap();
        sealed.verify(&key.public()).unwrap();
        let last = self.rows.range(..=(header.device, u64::MAX)).next_back();
        let last = last.filter(|((device, _), _)| *device == header.device);
        let (known, hash) = last.map_or((0, [0; 32]), |((_, sequence), (_, hash))| (*sequence, *hash));
        if header.sequence <= known {
            return;
        }
        if header.sequence > known + 1 {
            taken.held += 1;
        } else if header.previous != hash {
            taken.refused += 1;
        } else {
            taken.note(bytes);
            self.rows.insert((header.device, header.sequence), (bytes.clone(), sealed.hash()));
        }
    }

    fn since(&self, theirs: &Frontier, max_bytes: usize) -> Vec<Bytes> {
        let mut found = Vec::new();
        let mut bytes = 0;
        for (device, written) in &self.written {
            let from = theirs.0.get(device).copied().unwrap_or(0) + 1;
            if from > *written {
                continue;
            }
            for (sealed, _) in self.rows.range((*device, from)..=(*device, *written)).map(|(_, row)| row) {
                if bytes > 0 && bytes + sealed.len() > max_bytes {
                    return found;
                }
                bytes += sealed.len();
                found.push(sealed.clone());
            }
        }
        found
    }
}
