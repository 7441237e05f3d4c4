//! The file of the tree: made whole or not at all, and never taken for the newest when it is not.
//!
//! ```text
//!  first start:  make tree.redb.new ─▶ its first tables are durable ─▶ rename to tree.redb
//!  later:        the journal's records build on this tree?  ─no─▶ refuse: an older copy
//!                tree ≥ what the chunk store noted of it?  ─no─▶ refuse: an older copy, or none
//! ```
//!
//! The chunk store notes at its checkpoints how many transactions the tree holds on disk, after they are. So a tree that holds fewer
//! is an older copy; opening it would show an old drive as the present one, and the next sweep would drop the chunks that only the
//! newer tree names. What cannot be told: that tree and index were both put back to the same day; that the index is gone as well.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chunkstore::ChunkStore;
use chunkstore::disk::{DatabaseFile, Disk, Open as How, SectorKey};
use ledger::keys::{DeviceKey, Keyring, UserKeys};
use ledger::{Ledger, LedgerError, RedbBacking};
use zeroize::Zeroizing;

use crate::core::{Core, now};
use crate::write::journal::{Journal, JournalPlace, ReplayError};
use crate::{Open, OpenError};

/// redb's cache of the tree; the kernel's page cache does the rest. Bytes.
const CACHE_BYTES: usize = 4 << 20;
/// Name of the tree's database in the workspace folder.
const NAME: &str = "tree.redb";
/// Its name while it is made.
const NEW_NAME: &str = "tree.redb.new";
/// Name of the journal beside it.
const JOURNAL_NAME: &str = "tree.journal";
/// The index in the chunk store's folder, for the advice in an error.
const INDEX_NAME: &str = "index.redb";

/// Opens the tree, or makes it when there was none, and brings into it what a crash left in the journal. The last is what was found
/// damaged in that, in words.
///
/// # Errors
/// What the disk or the ledger says; [`OpenError::OlderTree`].
pub(crate) fn open(
    open: &Open<'_>,
    store: &ChunkStore,
) -> Result<(Ledger, Journal, Option<String>), OpenError> {
    let path = open.files.workspace.join(NAME);
    let on_disk = |source| OpenError::TreeFile { path: path.clone(), source };
    let in_tree = |source: LedgerError| OpenError::Tree { path: path.clone(), source };
    open.disk.create_dir_all(&open.files.workspace).map_err(on_disk)?;
    let noted = noted(open, store);
    if is_missing(&*open.disk, &path).map_err(on_disk)? {
        // A store with chunks that knows of no tree at all had its index rebuilt: there was a tree.
        let had_any = store.progress().is_empty() && store.usage().chunks > 0;
        if had_any || noted.is_some_and(|transactions| transactions > 0) {
            let remedy = "put the newest copy of it back; without one, nothing in this data folder can be read: begin a new drive \
                          in an empty one";
            return Err(OpenError::OlderTree {
                path,
                found: "missing or empty, though the chunk store beside it knows of one".into(),
                remedy: remedy.into(),
            });
        }
        make(open, &path)?;
    }
    let backing = || open_database(open, &path);
    let keyring = || open.keyring.clone();
    let place = JournalPlace {
        disk: open.disk.clone(),
        path: open.files.workspace.join(JOURNAL_NAME),
        secret: Zeroizing::new(open.keyring.database_key.to_vec()),
        bytes: open.settings.journal_bytes,
    };
    let in_journal = |source| match source {
        ReplayError::OlderTree => OpenError::OlderTree {
            path: path.clone(),
            found: "an older copy (the journal beside it builds on a newer one)".into(),
            remedy: go_on_with_it(open, Some(&place.path)),
        },
        source => OpenError::Journal { path: place.path.clone(), source },
    };
    let existing = backing()?;
    let (journal, damage) = Journal::replay(place.clone(), &*existing).map_err(in_journal)?;
    let ledger = match Ledger::open(existing, open.device.clone(), open.user, keyring(), now()) {
        // Nothing was ever committed: the first start, or one that was cut off before its first commit.
        Err(LedgerError::Setup(why)) if noted.is_none_or(|transactions| transactions == 0) => {
            tracing::debug!(why, "making the tree");
            begin(open, backing()?).map_err(in_tree)?
        }
        opened => opened.map_err(in_tree)?,
    };
    let transactions = written(&ledger);
    match noted {
        Some(noted) if transactions < noted => {
            let found = format!(
                "an older copy (it has {transactions} transactions of {noted} that the chunk store noted)"
            );
            let remedy = go_on_with_it(open, None);
            Err(OpenError::OlderTree { path, found, remedy })
        }
        _ => Ok((ledger, journal, damage)),
    }
}

/// What to do about an older copy: what remembers the newer one, and would refuse it again, is made anew when it is gone.
fn go_on_with_it(open: &Open<'_>, journal: Option<&Path>) -> String {
    let index = open.files.chunks.join(INDEX_NAME);
    let and_journal = journal.map_or_else(String::new, |path| format!(" and {}", path.display()));
    format!(
        "put the newest copy of it back; to go on with this one, and lose what came after it, remove {}{and_journal} (made anew)",
        index.display()
    )
}

/// A workspace of one's own, or a place for one of others.
fn begin(open: &Open<'_>, backing: Box<RedbBacking>) -> Result<Ledger, LedgerError> {
    let (device, keyring) = (open.device.clone(), open.keyring.clone());
    let Some(records) = open.joins else {
        return Ledger::create(backing, device, open.user, keyring, open.name, now());
    };
    let mut ledger = Ledger::join(backing, device, open.user, keyring, open.name, now())?;
    let taken = ledger.accept_records(now(), records)?;
    tracing::info!(?taken, "joined a workspace of others");
    Ok(ledger)
}

/// What the store knows of this workspace's tree: transactions of this device.
fn noted(open: &Open<'_>, store: &ChunkStore) -> Option<u64> {
    store.progress().get(&open.keyring.workspace.to_string()).copied()
}

fn is_missing(disk: &dyn Disk, path: &Path) -> std::io::Result<bool> {
    Ok(!disk.exists(path)? || disk.open(path, How::Read)?.is_empty()?)
}

/// Makes an empty database beside its place and then gives it its name: a cut leaves it whole or leaves none.
fn make(open: &Open<'_>, path: &Path) -> Result<(), OpenError> {
    let new: PathBuf = open.files.workspace.join(NEW_NAME);
    let on_disk = |source| OpenError::TreeFile { path: new.clone(), source };
    if open.disk.exists(&new).map_err(on_disk)? {
        open.disk.remove(&new).map_err(on_disk)?;
    }
    drop(open_database(open, &new)?);
    open.disk.rename(&new, path).map_err(on_disk)?;
    open.disk.sync_dir(&open.files.workspace).map_err(on_disk)
}

fn open_database(open: &Open<'_>, path: &Path) -> Result<Box<RedbBacking>, OpenError> {
    let key = SectorKey::new(open.keyring.database_key);
    let on_disk = |source| OpenError::TreeFile { path: path.to_owned(), source };
    let file = DatabaseFile::open(&open.disk, path, Some(&key)).map_err(on_disk)?;
    let backing = RedbBacking::open(file, CACHE_BYTES);
    Ok(Box::new(backing.map_err(|error| OpenError::Tree { path: path.to_owned(), source: error.into() })?))
}

/// Transactions of this device that the tree holds on disk.
fn written(ledger: &Ledger) -> u64 {
    ledger.frontier().0.get(&ledger.device()).copied().unwrap_or(0)
}

impl Core {
    /// Tells the chunk store how far the tree is on disk, for its next checkpoint.
    pub(crate) fn note_progress(&self) {
        let journal = self.journal.lock();
        // What did not fit into the journal counts as kept, but is on disk only after the next commit.
        if !journal.overflowed && self.failure().is_none() {
            self.store.note_progress(&self.workspace, written(&self.ledger.read()));
        }
    }
}
/// Makes the tree of a workspace that others made, in an empty folder: its roster is there, all else comes with their logs.
///
/// # Errors
/// [`OpenError`]: what the disk or the ledger says, or records that are not this workspace's.
pub fn make_joined(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    device: &DeviceKey,
    user: &UserKeys,
    keyring: &Keyring,
    name: &str,
    records: &[Vec<u8>],
) -> Result<(), OpenError> {
    let path = folder.join(NAME);
    let in_tree = |source: LedgerError| OpenError::Tree { path: path.clone(), source };
    let key = SectorKey::new(keyring.database_key);
    let on_disk = |source| OpenError::TreeFile { path: path.clone(), source };
    let file = DatabaseFile::open(disk, &path, Some(&key)).map_err(on_disk)?;
    let backing = RedbBacking::open(file, CACHE_BYTES).map_err(|error| in_tree(error.into()))?;
    let mut ledger = Ledger::join(Box::new(backing), device.clone(), user, keyring.clone(), name, now())
        .map_err(in_tree)?;
    ledger.accept_records(now(), records).map_err(in_tree)?;
    if let Some(batch) = ledger.freeze(now()).map_err(in_tree)? {
        ledger.writer().write(&batch).map_err(|error| in_tree(error.into()))?;
        ledger.thaw(batch);
    }
    Ok(())
}
