//! What all operations of a drive share.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};
use std::time::SystemTime;

use chunkstore::{ChunkStore, Cutter, DedupSecret, Limits, SealPool};
use ledger::{Content, Ledger, LedgerError, Now};
use parking_lot::{Mutex, RwLock};

use crate::access::Access;
use crate::changes::Changes;
use crate::content::manifest::{Manifest, each_chunk};
use crate::content::view::FileContent;
use crate::fetch::Fetcher;
use crate::garbage::LiveSweep;
use crate::keeper::Keeper;
use crate::log_watch::LogWatch;
use crate::naming::Naming;
use crate::nearby::Offers;
use crate::node::{Handles, NodeTable, State};
use crate::read_ahead::ReadAhead;
use crate::safety::SafetyBook;
use crate::write::buffer::WriteBuffer;
use crate::write::commit::Committer;
use crate::write::journal::Journal;
use crate::write::settler::SettleQueue;
use crate::{Error, Ino, Settings, Time};

/// The parts of an open drive. Locks are taken in this order: node, ledger, then the small ones.
pub(crate) struct Core {
    /// Itself, for jobs that outlive a call.
    pub(crate) this: Weak<Core>,
    pub(crate) settings: Settings,
    pub(crate) device: String,
    pub(crate) workspace: String,
    pub(crate) ledger: RwLock<Ledger>,
    pub(crate) store: Arc<ChunkStore>,
    pub(crate) pool: SealPool,
    pub(crate) cutter: Cutter,
    pub(crate) secret: Arc<DedupSecret>,
    pub(crate) nodes: NodeTable,
    pub(crate) handles: Handles,
    pub(crate) buffer: WriteBuffer,
    pub(crate) committer: Committer,
    /// Held while a batch is written. Taken before the journal's lock, and that before the ledger's.
    pub(crate) commit_lock: Mutex<()>,
    pub(crate) journal: Mutex<Journal>,
    /// What was found wrong when the drive was opened, and could not be mended.
    pub(crate) found_at_start: Vec<String>,
    pub(crate) settler: SettleQueue,
    pub(crate) keeper: Keeper,
    pub(crate) changes: Changes,
    pub(crate) read_ahead: ReadAhead,
    pub(crate) offers: Offers,
    pub(crate) fetcher: Fetcher,
    pub(crate) log_watch: LogWatch,
    pub(crate) naming: Naming,
    pub(crate) safety: SafetyBook,
    pub(crate) access: Access,
    pub(crate) sweep: LiveSweep,
    /// What the store may take; changed while it runs.
    pub(crate) limits: Mutex<Limits>,
    /// Files published since the last batch was frozen, and in the batch that is being written.
    pub(crate) unsaved: AtomicU64,
    pub(crate) saving: AtomicU64,
    /// Numbers of sealing jobs.
    pub(crate) tickets: AtomicU64,
    /// The first failure of the store, and when it was.
    failure: OnceLock<(String, Time)>,
}

/// The parts that `Core::new` is made of.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) device: String,
    pub(crate) workspace: String,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Journal,
    pub(crate) found_at_start: Vec<String>,
    pub(crate) store: Arc<ChunkStore>,
    pub(crate) secret: Arc<DedupSecret>,
    pub(crate) limits: Limits,
}

/// Threads that seal streams.
const SEALERS: usize = 2;

impl Core {
    /// Puts the parts together; no thread runs yet.
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            buffer: WriteBuffer::new(parts.settings.write_buffer_bytes),
            settings: parts.settings,
            device: parts.device,
            workspace: parts.workspace,
            ledger: RwLock::new(parts.ledger),
            pool: SealPool::new(parts.store.clone(), SEALERS),
            cutter: Cutter::new(&parts.secret),
            store: parts.store,
            secret: parts.secret,
            nodes: NodeTable::default(),
            handles: Handles::default(),
            committer: Committer::default(),
            commit_lock: Mutex::default(),
            journal: Mutex::new(parts.journal),
            found_at_start: parts.found_at_start,
            settler: SettleQueue::default(),
            keeper: Keeper::default(),
            changes: Changes::default(),
            read_ahead: ReadAhead::default(),
            offers: Offers::default(),
            fetcher: Fetcher::default(),
            log_watch: LogWatch::default(),
            naming: Naming::default(),
            safety: SafetyBook::default(),
            access: Access::default(),
            sweep: LiveSweep::default(),
            limits: Mutex::new(parts.limits),
            unsaved: AtomicU64::new(0),
            saving: AtomicU64::new(0),
            tickets: AtomicU64::new(1),
            failure: OnceLock::new(),
        })
    }

    /// Loads the file's settled content, unless it is there.
    pub(crate) fn load(&self, ino: Ino, state: &mut State) -> Result<(), Error> {
        match (&state.content, state.rows_unread) {
            (Some(_), _) => Ok(()),
            (None, Some(_)) => self.read_rows(ino, state),
            (None, None) => self.load_shown(ino, state),
        }
    }

    /// The content of the version that shows.
    pub(crate) fn load_shown(&self, ino: Ino, state: &mut State) -> Result<(), Error> {
        let current = self.ledger.read().content(ino).map_err(|error| self.ledger_error(&error))?;
        state.content = Some(match current {
            Some((version, size, content)) => {
                state.replaces = Some(version);
                let base = Manifest::load(&self.store, &content)?;
                if base.size() != size {
                    tracing::error!(ino, size, described = base.size(), "a version's pieces do not add up");
                    return Err(Error::Io);
                }
                state.fixed = base.fixed();
                FileContent::settled(Arc::new(base), size)
            }
            None => FileContent::settled(Arc::new(Manifest::empty()), 0),
        });
        Ok(())
    }

    /// The same for a call that must not wait: a page that is elsewhere is asked for and the call refused.
    pub(crate) fn load_now(&self, ino: Ino, state: &mut State) -> Result<(), Error> {
        self.load(ino, state).map_err(|error| self.not_now(error))
    }

    /// What is lacking is asked for; the caller is refused.
    pub(crate) fn not_now(&self, error: Error) -> Error {
        let Error::Missing(id) = error else { return error };
        self.wish_for(id);
        Error::Io
    }

    /// Whether no name leads to the inode any more.
    pub(crate) fn is_deleted(&self, ino: Ino) -> Result<bool, Error> {
        let inode = self.ledger.read().inode(ino).map_err(|error| self.ledger_error(&error))?;
        Ok(inode.is_none_or(|inode| inode.nlink == 0))
    }

    /// Gives up the unsettled changes of a deleted file.
    pub(crate) fn forget_changes(&self, ino: Ino, state: &mut State) -> Result<(), Error> {
        if state.persisted {
            self.drop_dirty_rows(&mut self.ledger.write(), ino)?;
        }
        state.persisted = false;
        state.rows_unread = None;
        state.fresh.clear();
        state.dirty = None;
        state.content = None;
        self.recount(state);
        self.committer.wake();
        Ok(())
    }

    /// Tells a sweep under way that these chunks are named by a version now.
    pub(crate) fn note_live(&self, content: &Content) {
        self.sweep.note(|mark| {
            if let Err(error) = each_chunk(&self.store, content, mark) {
                tracing::warn!(%error, "a new version's pages could not be read for the sweep");
                return false;
            }
            true
        });
    }

    /// What a refusal of the ledger means to a caller.
    pub(crate) fn ledger_error(&self, error: &LedgerError) -> Error {
        match error {
            LedgerError::NotFound => Error::NotFound,
            LedgerError::Exists => Error::Exists,
            LedgerError::NotEmpty => Error::NotEmpty,
            LedgerError::NotDirectory => Error::NotDirectory,
            LedgerError::IsDirectory => Error::IsDirectory,
            LedgerError::TooLarge => Error::TooLarge,
            LedgerError::BadName | LedgerError::Loop | LedgerError::WrongKind => Error::Invalid,
            other => {
                tracing::warn!(error = %other, "the ledger refused");
                Error::Io
            }
        }
    }

    /// Latches the first failure of the store: from here on nothing is promised any more.
    pub(crate) fn fail(&self, why: &dyn std::fmt::Display) -> Error {
        let why = why.to_string();
        if self.failure.set((why.clone(), wall_time())).is_ok() {
            tracing::error!(why, "the store failed; the drive is read-only until it is opened again");
        }
        Error::Io
    }

    /// The first failure, if there was one.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(|(why, _)| why.as_str())
    }

    /// When it was.
    pub(crate) fn failed_at(&self) -> Option<Time> {
        self.failure.get().map(|(_, at)| *at)
    }

    /// Refuses to store anything after a failure, of this computer or of others.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        if self.failure.get().is_some() {
            return Err(Error::ReadOnly);
        }
        // The packs may have failed behind everybody's back.
        if let chunkstore::Health::Failed(why) = self.store.health() {
            self.fail(&why);
            return Err(Error::ReadOnly);
        }
        Ok(())
    }

    /// Refuses a change that needs room when there is none.
    pub(crate) fn has_room(&self, bytes: u64) -> Result<(), Error> {
        self.changeable()?;
        if self.store.has_room(bytes.saturating_add(1)) {
            Ok(())
        } else {
            self.keeper.want_room();
            Err(Error::NoSpace)
        }
    }
}

/// The present time, as the ledger wants it.
pub(crate) fn now() -> Now {
    Now { wall: wall_time() }
}

/// The present time.
pub(crate) fn wall_time() -> Time {
    let now = SystemTime::now();
    match now.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Time { secs: after.as_secs().cast_signed(), nanos: after.subsec_nanos() },
        // A clock before 1970 is as wrong as it gets; the ledger's own order does not depend on it.
        Err(_) => Time { secs: 0, nanos: 0 },
    }
}
