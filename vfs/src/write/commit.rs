//! Group commit: one thread writes what the ledger gathered, for everyone who waits.
//!
//! The one order that matters: freeze the batch, flush the packs, write the tree. Every chunk that the batch names was put before
//! the freeze, so it is on disk before the tree says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::core::{Core, now};
use crate::{Error, Reply};

/// Longest time that a change stays uncommitted.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Uncommitted bytes of the tree at which a commit is not waited for any longer.
pub(crate) const COMMIT_AT_BYTES: usize = 8 << 20;

/// Who waits for the next commit.
#[derive(Default)]
pub(crate) struct Committer {
    state: Mutex<Waiting>,
    more: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    replies: Vec<Reply<()>>,
    /// Something is to be committed within [`COMMIT_EVERY`] of this moment.
    since: Option<Instant>,
    /// Commit at once, though nobody waits.
    now: bool,
    busy: bool,
    closed: bool,
}

impl Committer {
    /// Answers after a commit that holds everything done before this call.
    pub(crate) fn request(&self, reply: Reply<()>) {
        let mut waiting = self.state.lock();
        if waiting.closed {
            drop(waiting);
            reply(Err(Error::Io));
            return;
        }
        waiting.replies.push(reply);
        self.more.notify_one();
    }

    /// Something changed: commit it within a second.
    pub(crate) fn wake(&self) {
        let mut waiting = self.state.lock();
        if waiting.since.is_none() {
            waiting.since = Some(Instant::now());
            self.more.notify_one();
        }
    }

    /// The batch has grown large: commit it now.
    pub(crate) fn hurry(&self) {
        let mut waiting = self.state.lock();
        if !waiting.now {
            waiting.now = true;
            self.more.notify_one();
        }
    }

    /// Waits until the commit under way, if there is one, is done.
    pub(crate) fn wait_for_write(&self) {
        let mut waiting = self.state.lock();
        if waiting.now || waiting.busy {
            self.written.wait(&mut waiting);
        }
    }

    /// Ends the thread after a last commit.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.more.notify_one();
    }

    /// Waits for work; the replies to give after it. None at the end.
    fn next(&self) -> Option<Vec<Reply<()>>> {
        let mut waiting = self.state.lock();
        loop {
            let due = waiting.since.map(|since| since + COMMIT_EVERY);
            if !waiting.replies.is_empty() || waiting.now || due.is_some_and(|due| due <= Instant::now()) {
                waiting.now = false;
                waiting.since = None;
                waiting.busy = true;
                return Some(std::mem::take(&mut waiting.replies));
            }
            if waiting.closed {
                return None;
            }
            match due {
                Some(due) => {
                    self.more.wait_until(&mut waiting, due);
                }
                None => self.more.wait(&mut waiting),
            }
        }
    }

    fn done(&self) {
        self.state.lock().busy = false;
        self.written.notify_all();
    }
}

impl Core {
    /// Writes everything gathered so far; after an `Ok` it is on disk.
    pub(crate) fn commit(&self) -> Result<(), Error> {
        let _one_at_a_time = self.commit_lock.lock();
        if let Some(why) = self.failure() {
            tracing::debug!(why, "no commit after a failure");
            return Err(Error::ReadOnly);
        }
        let frozen = {
            let mut ledger = self.ledger.write();
            self.saving.store(self.unsaved.swap(0, Ordering::Relaxed), Ordering::Relaxed);
            ledger.freeze(now())
        };
        let Some(batch) = frozen.map_err(|error| self.fail(&error))? else {
            return self.store.flush().map(drop).map_err(|error| self.fail(&error));
        };
        let writer = self.ledger.read().writer();
        self.store.flush().map_err(|error| self.fail(&error))?;
        writer.write(&batch).map_err(|error| self.fail(&error))?;
        self.ledger.write().thaw(batch);
        self.saving.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// The batch is large: let the committer catch up before more is added.
    pub(crate) fn throttle(&self, uncommitted_bytes: usize) {
        if uncommitted_bytes >= COMMIT_AT_BYTES {
            self.committer.hurry();
        }
        if uncommitted_bytes >= 4 * COMMIT_AT_BYTES && self.failure().is_none() {
            self.committer.wait_for_write();
        }
    }
}

/// Starts the thread.
pub(crate) fn start(core: &Arc<Core>) -> std::io::Result<JoinHandle<()>> {
    let core = core.clone();
    std::thread::Builder::new().name("commit".into()).spawn(move || {
        while let Some(replies) = core.committer.next() {
            let committed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| core.commit()));
            let outcome =
                committed.unwrap_or_else(|_| Err(core.fail(&"a commit broke an invariant; see the log")));
            core.committer.done();
            for reply in replies {
                reply(outcome);
            }
        }
        if let Err(error) = core.commit() {
            tracing::error!(%error, "the last commit failed");
        }
    })
}
