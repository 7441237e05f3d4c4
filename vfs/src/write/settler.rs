//! The threads that settle files, and the queue before them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::Error;
use crate::core::Core;
use crate::node::Node;

/// Threads that settle.
const SETTLERS: usize = 2;

type Then = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Files that wait to be settled. As long as the list of unsettled files at most, which the write buffer bounds, and one entry
/// for each call that waits for an answer.
#[derive(Default)]
pub(crate) struct SettleQueue {
    jobs: Mutex<Jobs>,
    more: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<(Arc<Node>, Option<Then>)>,
    busy: usize,
    closed: bool,
}

impl SettleQueue {
    /// Settles `node` soon; `then` is told how it went.
    pub(crate) fn push(&self, node: Arc<Node>, then: Option<Then>) {
        let mut jobs = self.jobs.lock();
        if jobs.closed {
            drop(jobs);
            if let Some(then) = then {
                then(Err(Error::Io));
            }
            return;
        }
        // Somebody waits for this one: it goes first.
        if then.is_some() {
            jobs.waiting.push_front((node, then));
        } else {
            jobs.waiting.push_back((node, then));
        }
        self.more.notify_one();
    }

    /// Nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        let jobs = self.jobs.lock();
        jobs.waiting.is_empty() && jobs.busy == 0
    }

    /// No further jobs; what waits is still done.
    pub(crate) fn close(&self) {
        self.jobs.lock().closed = true;
        self.more.notify_all();
    }

    fn next(&self) -> Option<(Arc<Node>, Option<Then>)> {
        let mut jobs = self.jobs.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                jobs.busy += 1;
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            self.more.wait(&mut jobs);
        }
    }

    fn done(&self) {
        self.jobs.lock().busy -= 1;
    }
}

/// A broken invariant must not end the thread unseen: the drive would never settle again.
fn settle_or_latch(core: &Core, node: &Arc<Node>) -> Result<(), Error> {
    let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| core.settle(node)));
    settled.unwrap_or_else(|_| Err(core.fail(&"settling a file broke an invariant; see the log")))
}

/// Starts the threads.
pub(crate) fn start(core: &Arc<Core>) -> std::io::Result<Vec<JoinHandle<()>>> {
    (0..SETTLERS)
        .map(|number| {
            let core = core.clone();
            std::thread::Builder::new().name(format!("settle-{number}")).spawn(move || {
                while let Some((node, then)) = core.settler.next() {
                    let outcome = settle_or_latch(&core, &node);
                    core.settler.done();
                    match (outcome, then) {
                        (outcome, Some(then)) => then(outcome),
                        (Err(Error::Missing(id)), None) => {
                            tracing::debug!(ino = node.ino, %id, "a file waits for a chunk before it is settled");
                        }
                        (Err(Error::ReadOnly), None) if core.access.is_barred() => {}
                        (Err(error), None) => {
                            tracing::warn!(ino = node.ino, %error, "a file was not settled");
                        }
                        (Ok(()), None) => {}
                    }
                }
            })
        })
        .collect()
}
