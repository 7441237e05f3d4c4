//! Opening and closing a drive.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use chunkstore::disk::Disk;
use chunkstore::{ChunkStore, DedupSecret, Limits};
use crossbeam_channel::Receiver;
use ledger::keys::{DeviceKey, Keyring, UserKeys};
use parking_lot::Mutex;

use crate::core::{Core, Parts};
use crate::write::journal::ReplayError;
use crate::{Change, Error, Ownership, keeper, read_ahead, tree_file, write};

/// History is pruned and garbage swept each hour.
pub const CARE_EVERY: Duration = Duration::from_secs(3600);

/// How a drive behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who owns what the drive shows.
    pub ownership: Ownership,
    /// Bytes of writes held in memory at most.
    pub write_buffer_bytes: usize,
    /// How long superseded versions and deleted files are kept.
    pub retention: Duration,
    /// How often history is pruned and garbage swept, beginning so long after the start; and for how long what others placed here stays
    /// when nothing names it any more. [`CARE_EVERY`] but in tests.
    pub care_every: Duration,
    /// Length of the journal, where the disk has room for it. Bytes.
    pub journal_bytes: u64,
}

/// Where a workspace lives.
#[derive(Debug, Clone)]
pub struct WorkspaceFiles {
    /// Folder of index and packs, shared by all workspaces: `<data>/chunks`.
    pub chunks: PathBuf,
    /// The workspace's own folder: `<data>/workspaces/<id>`.
    pub workspace: PathBuf,
}

/// What a drive is opened with.
pub struct Open<'a> {
    /// The disk under everything.
    pub disk: Arc<dyn Disk>,
    /// Where the files are.
    pub files: WorkspaceFiles,
    /// This device.
    pub device: DeviceKey,
    /// The user whose drive it is.
    pub user: &'a UserKeys,
    /// The workspace's secrets.
    pub keyring: &'a Keyring,
    /// Name of the workspace, when it is made now.
    pub name: &'a str,
    /// The workspace is others': these are its roster's records, as they came with the invitation. Give them at each start until
    /// one came to its end. `None`: it is made here when its folder is empty.
    pub joins: Option<&'a [Vec<u8>]>,
    /// How it behaves.
    pub settings: Settings,
    /// What it may take of the disk.
    pub limits: Limits,
}

/// Why a drive did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The chunk store did not open.
    #[error("the chunk store in {} did not open: {source}", path.display())]
    Store {
        /// Its folder.
        path: PathBuf,
        /// Why.
        source: chunkstore::StoreError,
    },
    /// The tree's file could not be opened.
    #[error("the tree {} cannot be opened: {source}; check the disk and the folder's permissions", path.display())]
    TreeFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The tree itself is damaged, newer, or of somebody else.
    #[error("the tree {} cannot be used: {source}", path.display())]
    Tree {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ledger::LedgerError,
    },
    /// What was synced before a crash could not be brought back.
    #[error("the journal {} cannot be used: {source}; nothing was dropped, mend the cause and start again", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReplayError,
    },
    /// The tree is not the one that the chunk store and the journal beside it last knew: it is gone, emptied, or an older copy.
    #[error("the tree {} is {found}: {remedy}", path.display())]
    OlderTree {
        /// The tree's file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Files that were synced before a crash could not be brought back.
    #[error(
        "files synced before the last stop could not be settled ({0}); nothing was dropped, mend the cause and start again"
    )]
    Recovery(Error),
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
}

/// One open workspace: everything an adapter needs. See the crate's page.
pub struct Drive {
    pub(crate) core: Arc<Core>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    committer: Option<JoinHandle<()>>,
    settlers: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

impl Drive {
    /// Opens the workspace, making it when its folder is empty; what a crash left unsettled is settled first.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed, or what was is as good as before.
    pub fn start(open: Open<'_>) -> Result<Arc<Self>, OpenError> {
        let store = ChunkStore::open(open.disk.clone(), &open.files.chunks, open.limits)
            .map_err(|source| OpenError::Store { path: open.files.chunks.clone(), source })?;
        let device = open.device.id().to_string();
        let workspace = open.keyring.workspace.to_string();
        let secret = Arc::new(DedupSecret::new(open.keyring.dedup_secret));
        let (ledger, journal, damage) = tree_file::open(&open, &store)?;
        let core = Core::new(Parts {
            device,
            workspace,
            ledger,
            journal,
            found_at_start: damage.into_iter().collect(),
            settings: open.settings,
            store: Arc::new(store),
            secret,
            limits: open.limits,
        });
        core.renew_access();
        let recovered = core.recover_dirty_rows().map_err(OpenError::Recovery)?;
        if recovered > 0 {
            tracing::info!(files = recovered, "settled what was synced before the last stop");
        }
        core.commit().map_err(OpenError::Recovery)?;
        let threads = start_threads(&core).map_err(OpenError::Thread)?;
        Ok(Arc::new(Self { core, threads: Mutex::new(threads) }))
    }

    /// A stream of what changes under the adapter.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<Change> {
        self.core.changes.subscribe()
    }

    /// Forgets what only makes the next work faster. For a drive that nobody uses at the moment.
    pub fn release_memory(&self) {
        self.core.store.release_memory();
    }

    /// Settles and commits everything and stops the drive's threads. Calls after it answer errors. Safe to call twice.
    ///
    /// # Errors
    /// The first failure; everything that could be saved was.
    pub fn close(&self) -> Result<(), Error> {
        let core = &self.core;
        let mut threads = self.threads.lock();
        core.keeper.close();
        core.read_ahead.close();
        core.settler.close();
        core.fetcher.close(core);
        join(threads.settlers.drain(..));
        let settled = core.settle_all();
        core.committer.close();
        join(threads.committer.take());
        join(threads.others.drain(..));
        let committed = core.commit_last();
        core.note_progress();
        if let Err(error) = core.store.checkpoint_index() {
            tracing::warn!(%error, "the chunk index was not written; it is rebuilt from the packs");
        }
        settled.and(committed)
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the drive did not close cleanly");
        }
    }
}

fn start_threads(core: &Arc<Core>) -> std::io::Result<Threads> {
    Ok(Threads {
        committer: Some(write::commit::start(core)?),
        settlers: write::settler::start(core)?,
        others: vec![keeper::start(core)?, read_ahead::start(core)?],
    })
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the drive panicked");
        }
    }
}
