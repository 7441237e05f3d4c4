//! What a drive asks of the group of computers around it.

use std::sync::Arc;
use std::time::Duration;

use chunkstore::{ChunkId, ChunkStore};
use ledger::{Frontier, OutlineCounters};

use crate::{Drive, Error};

/// The other computers, as the drive sees them.
pub trait Group: Send + Sync {
    /// Brings the sealed chunk into the store. `done` is called exactly once, on any thread, within about ten seconds. Must not wait
    /// for the network itself.
    fn fetch(&self, id: ChunkId, urgency: Urgency, done: FetchDone);

    /// Waits until this computer's log is durable through `sequence` on so many computers, this one among them, with every chunk
    /// stored before. `done` is called exactly once, on any thread, within about 30 s: whether it is so. Must not wait itself.
    fn await_copies(&self, sequence: u64, copies: u8, done: CopiesDone);
}

/// Told whether the copies are there; dropping it unanswered says that they are not.
pub type CopiesDone = Box<dyn FnOnce(bool) + Send>;

/// Told how a fetch went; dropping it unanswered says [`FetchError::NobodyHasIt`].
pub type FetchDone = Box<dyn FnOnce(Result<(), FetchError>) + Send>;

/// Who waits for a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nobody yet: it will probably be read next.
    Soon,
    /// A read or a settling file.
    Now,
}

/// Why a chunk did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Every computer that can be reached was asked, or none can.
    #[error("no computer that can be reached has the chunk; start one that has it")]
    NobodyHasIt,
    /// No answer came in time.
    #[error("the chunk did not come in time; try again")]
    TimedOut,
    /// It came and could not be stored here.
    #[error("the chunk came and could not be stored; see the log")]
    Store,
}

impl Drive {
    /// From now on chunks that are not here are fetched. Until then a read of one fails.
    pub fn join_group(&self, group: Arc<dyn Group>) {
        self.core.fetcher.join(group);
        self.core.retry_starved();
    }

    /// The chunks of this computer.
    #[must_use]
    pub fn store(&self) -> Arc<ChunkStore> {
        self.core.store.clone()
    }

    /// How soon changes are sealed and durable after they were made, where peers wait for them. Never more than about a tenth of
    /// the time is spent on it. Without this call: within a second.
    pub fn commit_within(&self, pace: Duration) {
        self.core.committer.set_pace(pace);
    }

    /// Calls this after each durable advance of [`Drive::frontier`], on the thread that made it and outside the drive's locks: it
    /// must only wake somebody.
    pub fn on_log_advance(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.core.log_watch.set(wake);
    }

    /// How far each device's log is on this computer's disk.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        self.core.ledger.read().frontier()
    }

    /// Sealed transactions that `theirs` does not have, up to about `max_bytes` and at least one if there is any.
    ///
    /// # Errors
    /// [`Error::Io`] when the tree cannot be read.
    pub fn transactions_since(&self, theirs: &Frontier, max_bytes: usize) -> Result<Vec<Vec<u8>>, Error> {
        let core = &self.core;
        let found = core.ledger.read().transactions_since(theirs, max_bytes);
        found.map_err(|error| core.ledger_error(&error))
    }

    /// Counters of the outlines of logs that are on this computer's disk.
    #[must_use]
    pub fn outline_counters(&self) -> OutlineCounters {
        self.core.ledger.read().outline_counters()
    }

    /// Outlines of logs that are newer than `theirs`: what others need before they can take in what follows a gap.
    #[must_use]
    pub fn outlines_since(&self, theirs: &OutlineCounters) -> Vec<Vec<u8>> {
        self.core.ledger.read().outlines_since(theirs)
    }

    /// Whether changes made here are in no durable transaction yet, or files are not settled.
    #[must_use]
    pub fn own_sequence_pending(&self) -> bool {
        let core = &self.core;
        core.nodes.all().iter().any(|node| node.lock().dirty.is_some()) || core.has_unsealed()
    }
}
