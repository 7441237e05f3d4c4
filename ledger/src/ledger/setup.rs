//! Making a workspace, and opening it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::accept::Held;
use super::members::read_roster;
use super::{Cursor, FrontierRow, Ledger};
use crate::error::LedgerError;
use crate::identity::{DeviceId, DeviceTag};
use crate::keys::{DeviceKey, Keyring, UserKeys};
use crate::node::{AttributeChange, InodeId, Kind, ROOT};
use crate::roster::{FoundingNames, Roster};
use crate::stamp::{Now, Stamp, Time};
use crate::store::{Backing, StoreError, Table};
use crate::tree::{Born, InodeRow, State, prefix_end};
use crate::wire::{Reader, WireError, Writer};

const NAME_KEY: &[u8] = b"name";
const WORKSPACE_KEY: &[u8] = b"workspace";
const FRONTIER_PREFIX: &[u8] = b"frontier/";
const FRONTIER_FORMAT: u8 = 1;
/// Longest name of a workspace, bytes.
const WORKSPACE_NAME_MAX_BYTES: usize = 255;

impl Ledger {
    /// Makes a workspace in an empty backing, with `user` as its owner and `device` as the first device.
    ///
    /// # Errors
    /// The backing holds a workspace already, or fails.
    pub fn create(
        backing: Box<dyn Backing>,
        device: DeviceKey,
        user: &UserKeys,
        keyring: Keyring,
        name: &str,
        now: Now,
    ) -> Result<Self, LedgerError> {
        let names = FoundingNames { workspace: name, user: "owner", device: "first device" };
        Self::create_named(backing, device, user, keyring, names, now)
    }

    /// The same, with names for the user and the device.
    ///
    /// # Errors
    /// As [`Ledger::create`].
    pub fn create_named(
        backing: Box<dyn Backing>,
        device: DeviceKey,
        user: &UserKeys,
        keyring: Keyring,
        names: FoundingNames<'_>,
        now: Now,
    ) -> Result<Self, LedgerError> {
        let (roster, records) = Roster::found(user, &device, &keyring, names)?;
        let mut ledger = Self::join(backing, device, user, keyring, names.workspace, now)?;
        ledger.take_records(now, roster, &records)?;
        let change =
            AttributeChange { mode: Some(0o755), mtime: Some(now.wall), ..AttributeChange::default() };
        ledger.set_attributes(now, ROOT, change)?;
        Ok(ledger)
    }

    /// Prepares an empty backing for a workspace others made; its tree comes with their logs.
    ///
    /// # Errors
    /// The backing holds a workspace already, or fails.
    pub fn join(
        backing: Box<dyn Backing>,
        device: DeviceKey,
        user: &UserKeys,
        keyring: Keyring,
        name: &str,
        now: Now,
    ) -> Result<Self, LedgerError> {
        if name.len() > WORKSPACE_NAME_MAX_BYTES {
            return Err(LedgerError::TooLarge);
        }
        if backing.get(Table::Meta, WORKSPACE_KEY)?.is_some() {
            return Err(LedgerError::Setup("this store holds a workspace already"));
        }
        let mut ledger = Self::over(Arc::from(backing), device, user, keyring, now)?;
        name.clone_into(&mut ledger.name);
        let layers = &mut ledger.state.layers;
        layers.put(Table::Meta, WORKSPACE_KEY.to_vec(), ledger.keyring.workspace.as_bytes().to_vec());
        layers.put(Table::Meta, NAME_KEY.to_vec(), name.as_bytes().to_vec());
        let born = Born {
            stamp: Stamp::default(),
            kind: Kind::Directory,
            rdev: 0,
            target: Vec::new(),
            time: Time::default(),
        };
        let mut root = InodeRow { born: Some(born), ..InodeRow::unborn(InodeId::ROOT) };
        root.mode.value = 0o755;
        root.ctime = now.wall;
        root.atime = now.wall;
        ledger.state.insert_row(ROOT, root);
        ledger.state.settle_counts();
        Ok(ledger)
    }

    /// Opens a workspace made before.
    ///
    /// # Errors
    /// None is there, it is another one than the keyring's, it is damaged or of a newer format, or the backing fails.
    pub fn open(
        backing: Box<dyn Backing>,
        device: DeviceKey,
        user: &UserKeys,
        keyring: Keyring,
        now: Now,
    ) -> Result<Self, LedgerError> {
        match backing.get(Table::Meta, WORKSPACE_KEY)? {
            None => return Err(LedgerError::Setup("this store holds no workspace yet")),
            Some(id) if id != keyring.workspace.as_bytes() => {
                return Err(LedgerError::Setup("this store holds another workspace than the keyring"));
            }
            Some(_) => {}
        }
        Self::over(Arc::from(backing), device, user, keyring, now)
    }

    fn over(
        backing: Arc<dyn Backing>,
        device: DeviceKey,
        user: &UserKeys,
        keyring: Keyring,
        now: Now,
    ) -> Result<Self, LedgerError> {
        let mut state = State::open(backing, device.id().tag())?;
        state.wall = now.wall;
        let name = state.layers.get(Table::Meta, NAME_KEY)?.unwrap_or_default();
        let frontier = read_frontier(&|table, from, to, f| state.layers.scan(table, from, to, f))?;
        let (roster, roster_rows) = read_roster(&state, &keyring)?;
        Ok(Self {
            state,
            device,
            user: user.clone(),
            keyring,
            keyring_changed: false,
            roster,
            roster_rows,
            held: Held::default(),
            published: std::collections::BTreeSet::new(),
            refused_transactions: 0,
            refused_records: 0,
            name: String::from_utf8_lossy(&name).into_owned(),
            written: frontier.clone(),
            frontier,
            pending: Vec::new(),
            operations: Vec::new(),
            pending_bytes: 0,
            prune_at: Cursor::default(),
            poisoned: false,
        })
    }

    /// Moves one device's frontier, in memory and among the changes.
    pub(super) fn set_frontier(&mut self, row: FrontierRow) {
        let (key, value) = row.encode();
        self.state.layers.put(Table::Meta, key, value);
        self.state.stats.transactions += 1;
        self.frontier.insert(row.device.tag(), row);
    }
}

impl FrontierRow {
    /// Key and value of its row in `meta`.
    pub(crate) fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let mut w = Writer::with_capacity(96);
        w.byte(FRONTIER_FORMAT);
        w.raw(self.device.as_bytes());
        w.unsigned(self.sequence);
        w.raw(&self.hash);
        w.unsigned(self.clock);
        ([FRONTIER_PREFIX, &self.device.tag().0.to_be_bytes()].concat(), w.out)
    }
}

/// What a scan of rows is told to do: table, from, to, each row.
type Scan<'a> =
    dyn Fn(Table, &[u8], Option<&[u8]>, &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> + 'a;

/// How far each log goes.
pub(crate) fn read_frontier(scan: &Scan<'_>) -> Result<BTreeMap<DeviceTag, FrontierRow>, LedgerError> {
    let mut frontier = BTreeMap::new();
    let mut bad = None;
    let end = prefix_end(FRONTIER_PREFIX);
    scan(Table::Meta, FRONTIER_PREFIX, end.as_deref(), &mut |_, value| {
        match read_frontier_row(value) {
            Ok(row) => {
                frontier.insert(row.device.tag(), row);
            }
            Err(error) => bad = Some(error),
        }
        bad.is_none()
    })?;
    bad.map_or(Ok(frontier), |error| Err(error.into()))
}

fn read_frontier_row(bytes: &[u8]) -> Result<FrontierRow, WireError> {
    let mut r = Reader::new(bytes);
    let found = r.byte()?;
    if found != FRONTIER_FORMAT {
        return Err(WireError::Newer { found, known: FRONTIER_FORMAT });
    }
    let row = FrontierRow {
        device: DeviceId::from_bytes(r.array()?),
        sequence: r.unsigned()?,
        hash: r.array()?,
        clock: r.unsigned()?,
    };
    r.finish()?;
    Ok(row)
}
