//! Operations that are tried again when a chunk came that they lacked.
//!
//! An operation is run from its start each time: what it looked at may have changed meanwhile. How often and how long is bounded, so
//! that whoever asked is answered in the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chunkstore::ChunkId;

use crate::core::Core;
use crate::fetch::Waiter;
use crate::group::Urgency;
use crate::{Error, Reply};

/// Chunks one operation may wait for, one after the other.
const TRIES_MAX: u32 = 256;
/// How long one operation may wait for all of them.
const OPERATION_DEADLINE: Duration = Duration::from_secs(120);

/// What is done again when a chunk came.
type Operation<T> = Box<dyn Fn(&Core) -> Result<T, Error> + Send>;

/// How much an operation has waited already.
#[derive(Clone, Copy)]
struct Patience {
    tries: u32,
    until: Instant,
    last: Option<ChunkId>,
}

impl Core {
    /// Answers what `operation` gives; when it lacks a chunk that the group may have, after fetching that and trying again.
    pub(crate) fn answer<T: Send + 'static>(
        &self,
        operation: impl Fn(&Self) -> Result<T, Error> + Send + 'static,
        reply: Reply<T>,
    ) {
        match operation(self) {
            Err(Error::Missing(id)) => self.answer_later(id, operation, reply),
            outcome => reply(outcome),
        }
    }

    /// The same, where it is known already which chunk is lacking.
    pub(crate) fn answer_later<T: Send + 'static>(
        &self,
        id: ChunkId,
        operation: impl Fn(&Self) -> Result<T, Error> + Send + 'static,
        reply: Reply<T>,
    ) {
        let Some(core) = self.this.upgrade() else { return reply(Err(Error::Io)) };
        let patience = Patience { tries: 0, until: Instant::now() + OPERATION_DEADLINE, last: None };
        core.wait_for(id, patience, Box::new(operation), reply);
    }

    fn wait_for<T: Send + 'static>(
        self: &Arc<Self>,
        id: ChunkId,
        mut patience: Patience,
        operation: Operation<T>,
        reply: Reply<T>,
    ) {
        // What came and is lacking all the same was evicted at once, or is damaged by the disk: once more, and no further.
        let again = patience.last == Some(id);
        patience.tries += if again { TRIES_MAX / 2 } else { 1 };
        patience.last = Some(id);
        if patience.tries > TRIES_MAX || Instant::now() >= patience.until {
            return reply(Err(Error::Io));
        }
        let then: Waiter = Box::new(move |core, came| match came.map(|()| operation(core)) {
            Ok(Err(Error::Missing(id))) => core.wait_for(id, patience, operation, reply),
            Ok(outcome) => reply(outcome),
            Err(error) => {
                tracing::warn!(%id, %error, "a chunk is lacking");
                reply(Err(Error::Io));
            }
        });
        self.fetcher.ask(self, id, Urgency::Now, Some(then));
    }

    /// A chunk that is lacking and that nobody waits for here.
    pub(crate) fn wish_for(&self, id: ChunkId) {
        if let Some(core) = self.this.upgrade() {
            self.fetcher.wish(&core, id);
        }
    }
}
