//! Making a workspace, and opening it again.

use std::sync::Arc;

use super::accept::Held;
use super::clean::read_declaring;
use super::frontier::{FrontierRow, read_frontier};
use super::members::read_roster;
use super::retire::Retiring;
use super::{Cursor, Ledger};
use crate::error::LedgerError;
use crate::identity::DeviceId;
use crate::keys::{DeviceKey, Keyring, UserKeys};
use crate::node::{AttributeChange, InodeId, Kind, ROOT};
use crate::roster::{FoundingNames, Roster};
use crate::stamp::{Now, Stamp, Time};
use crate::store::{Backing, Table};
use crate::tree::{Born, InodeRow, State};

const NAME_KEY: &[u8] = b"name";
const WORKSPACE_KEY: &[u8] = b"workspace";
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
        let own = state.own;
        let retiring =
            frontier.keys().filter(|tag| **tag != own).map(|tag| (*tag, Retiring::default())).collect();
        let declaring = read_declaring(&state)?;
        let (roster, roster_rows) = read_roster(&state, &keyring)?;
        Ok(Self {
            state,
            device,
            user: user.clone(),
            keyring,
            keyring_changed: false,
            roster,
            roster_rows,
            // A release before this one did not vouch.
            roster_changed: true,
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
            cleaning: None,
            declaring,
            // What was left to look at when the ledger was closed is not known.
            retiring,
            poisoned: false,
        })
    }

    /// Moves one device's frontier over a transaction, in memory and among the changes.
    pub(super) fn advance(&mut self, device: DeviceId, sequence: u64, hash: [u8; 32], clock: u64) {
        let row = self.frontier.entry(device.tag()).or_insert_with(|| FrontierRow::new(device));
        let passed_over = row.advance(sequence, hash, clock);
        let cleaned = if passed_over { row.encode_cleaned() } else { Vec::new() };
        for (key, value) in std::iter::once(row.encode()).chain(cleaned) {
            self.state.layers.put(Table::Meta, key, value);
        }
        self.state.stats.transactions += 1;
    }
}
