//! Group commit: what the ledger gathered is written for everyone who waits.
//!
//! Who waits is served by the journal (`journal.rs`), at once by his own thread if that is free, else together with others by the
//! committer's. The database follows within a second, in one batch.
//!
//! The one order that matters: freeze the batch, flush the packs, write the tree. Every chunk that the batch names was put before
//! the freeze, so it is on disk before the tree says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::journal::Kept;
use crate::core::Core;
use crate::{Error, Reply};

/// Longest time that a change stays uncommitted.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Longest time that a change stays in the journal alone.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(8);
/// With a pace: rests so many times as long as the last write took.
const REST_FACTOR: u32 = 9;
/// Changes that go to the journal rather than to the database when a second is over, bytes.
const KEEP_MAX_BYTES: usize = 1 << 20;
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
    /// Something is in the journal alone since this moment.
    kept_since: Option<Instant>,
    /// How soon a change is durable, where that is sooner than [`COMMIT_EVERY`].
    pace: Option<Duration>,
    /// Not before this moment: most of the time is left to others.
    rests_until: Option<Instant>,
    busy: bool,
    closed: bool,
}

/// What the thread is to do.
struct Work {
    what: What,
    replies: Vec<Reply<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Somebody waits.
    Serve,
    /// A second is over.
    Due,
    /// The batch is large.
    Commit,
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

    /// Commits sooner than usual from now on.
    pub(crate) fn set_pace(&self, pace: Duration) {
        self.state.lock().pace = (pace < COMMIT_EVERY).then_some(pace);
        self.more.notify_one();
    }

    fn has_pace(&self) -> bool {
        self.state.lock().pace.is_some()
    }

    /// What the journal took has to go to the database some time.
    fn wake_to_take_over(&self) {
        let mut waiting = self.state.lock();
        if waiting.kept_since.is_none() {
            waiting.kept_since = Some(Instant::now());
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

    fn is_busy(&self) -> bool {
        self.state.lock().busy
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

    /// Waits for work. None at the end.
    fn next(&self) -> Option<Work> {
        let mut waiting = self.state.lock();
        loop {
            let due = waiting.due();
            let is_due = due.is_some_and(|due| due <= Instant::now());
            let what = match () {
                () if waiting.now => Some(What::Commit),
                () if is_due => Some(What::Due),
                () if !waiting.replies.is_empty() => Some(What::Serve),
                () => None,
            };
            if let Some(what) = what {
                if what != What::Serve {
                    waiting.now = false;
                    waiting.since = None;
                    waiting.kept_since = None;
                    waiting.busy = true;
                }
                return Some(Work { what, replies: std::mem::take(&mut waiting.replies) });
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

    fn done(&self, took: Duration) {
        let mut waiting = self.state.lock();
        waiting.busy = false;
        waiting.rests_until = Some(Instant::now() + REST_FACTOR * took);
        drop(waiting);
        self.written.notify_all();
    }
}

impl Waiting {
    /// When something is to be written though nobody waits.
    fn due(&self) -> Option<Instant> {
        let paced = |since: Instant| match self.pace {
            Some(pace) => {
                let rested = self.rests_until.map_or(since, |until| until.min(since + COMMIT_EVERY));
                rested.max(since + pace)
            }
            None => since + COMMIT_EVERY,
        };
        let taken_over = self.kept_since.map(|since| since + COMMIT_EVERY);
        self.since.map(paced).into_iter().chain(taken_over).min()
    }
}

impl Core {
    /// Answers when everything done before this call is on disk; on this thread if nobody else is at it.
    pub(crate) fn make_durable(&self, reply: Reply<()>) {
        let mut journal = match self.journal.try_lock() {
            Some(journal) => journal,
            // The committer holds it for a moment, and would not answer before it has written a whole batch.
            None if self.committer.is_busy() => self.journal.lock(),
            None => return self.committer.request(reply),
        };
        let kept = self.keep(&mut journal);
        drop(journal);
        self.log_watch.tell();
        match kept {
            Ok(Kept::Durable) => reply(Ok(())),
            Ok(Kept::NotYet) => self.committer.request(reply),
            Err(error) => reply(Err(error)),
        }
    }

    /// Writes everything gathered so far; after an `Ok` it is on disk.
    pub(crate) fn commit(&self) -> Result<(), Error> {
        let written = self.write_batch(false);
        self.log_watch.tell();
        written
    }

    /// The same by the journal, if that can.
    fn keep_or_commit(&self) -> Result<(), Error> {
        let kept = self.keep(&mut self.journal.lock());
        self.log_watch.tell();
        let kept = kept?;
        if kept == Kept::NotYet {
            return self.commit();
        }
        if self.ledger.read().has_uncommitted() {
            self.committer.wake_to_take_over();
        }
        Ok(())
    }

    /// Whether the journal is in use, and what it does not have yet is little.
    fn can_keep(&self) -> bool {
        let ledger = self.ledger.read();
        (ledger.has_kept() || self.committer.has_pace()) && ledger.unkept_bytes() <= KEEP_MAX_BYTES
    }

    /// The last commit of a drive that closes: nothing is left to the journal.
    pub(crate) fn commit_last(&self) -> Result<(), Error> {
        let written = self.write_batch(true);
        self.log_watch.tell();
        written
    }

    fn write_batch(&self, last: bool) -> Result<(), Error> {
        let _one_at_a_time = self.commit_lock.lock();
        if let Some(why) = self.failure() {
            tracing::debug!(why, "no commit after a failure");
            return Err(Error::ReadOnly);
        }
        let batch = {
            let mut journal = self.journal.lock();
            // Once a journal is in use, it makes durable what this batch does not take along.
            if self.ledger.read().has_kept() {
                self.keep(&mut journal)?;
            }
            self.next_batch(&mut journal, last).map_err(|error| self.fail(&error))?
        };
        let Some(batch) = batch else {
            self.store.flush().map_err(|error| self.fail(&error))?;
            self.answer_named(std::mem::take(&mut self.journal.lock().asked));
            return Ok(());
        };
        let writer = self.ledger.read().writer();
        self.store.flush().map_err(|error| self.fail(&error))?;
        writer.write(&batch).map_err(|error| self.fail(&error))?;
        let mut journal = self.journal.lock();
        let mut ledger = self.ledger.write();
        let before = (ledger.frontier(), ledger.outline_counters());
        ledger.thaw(batch);
        if (ledger.frontier(), ledger.outline_counters()) != before {
            self.log_watch.note();
        }
        journal.taken_over();
        self.end_saving();
        if ledger.has_uncommitted() {
            self.committer.wake();
        }
        let asked = std::mem::take(&mut journal.asked);
        drop((ledger, journal));
        self.answer_named(asked);
        Ok(())
    }

    /// What was published goes into a batch; the ledger is locked.
    pub(crate) fn begin_saving(&self) {
        self.saving.fetch_add(self.unsaved.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// It is on disk.
    pub(crate) fn end_saving(&self) {
        self.saving.store(0, Ordering::Relaxed);
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
        let mut taken_over = Instant::now();
        while let Some(Work { what, replies }) = core.committer.next() {
            let by_journal = match what {
                What::Serve => true,
                What::Due => taken_over.elapsed() < TAKE_OVER_EVERY && core.can_keep(),
                What::Commit => false,
            };
            if !by_journal {
                taken_over = Instant::now();
            }
            let began = Instant::now();
            let serve = || if by_journal { core.keep_or_commit() } else { core.commit() };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(serve))
                .unwrap_or_else(|_| Err(core.fail(&"a commit broke an invariant; see the log")));
            core.committer.done(began.elapsed());
            for reply in replies {
                reply(outcome);
            }
        }
    })
}
