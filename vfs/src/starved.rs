//! Files whose changes cannot be settled because a chunk beside them is on another computer, or because this computer must not
//! change files any more.
//!
//! Nothing of them is lost: the changes stay in memory, and are kept as rows as `fsync` keeps them, so that they outlast a crash. The
//! group is asked for the chunk; when it came the file is queued again, else after a pause that grows. Such files
//! count apart in the write buffer, for nobody may wait for what cannot leave memory, and take no more writes when they hold half
//! of what it may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chunkstore::ChunkId;

use crate::core::Core;
use crate::group::Urgency;
use crate::node::{Node, State};

/// First pause before a file is tried again.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// A file that waits for a chunk.
#[derive(Clone, Copy)]
pub(crate) struct Starved {
    until: Instant,
    pause: Duration,
}

impl State {
    /// Whether all changes are in rows of the tree.
    pub(crate) fn is_kept(&self) -> bool {
        self.dirty.is_none_or(|dirty| self.persisted && self.kept_as_of == Some(dirty.last))
    }

    /// Until when it is no use to settle the file.
    pub(crate) fn starved_until(&self) -> Option<Instant> {
        self.starved.map(|starved| starved.until).filter(|until| Instant::now() < *until)
    }
}

impl Core {
    /// A file was not settled for want of a chunk: its changes are kept, and the chunk is asked for.
    pub(crate) fn starve(&self, node: &Arc<Node>, state: &mut State, id: ChunkId) {
        if state.starved.is_none() {
            tracing::warn!(ino = node.ino, %id, "a file waits for a chunk of another computer before it is settled");
        }
        self.hold_back(node, state);
        self.feed(node, id);
    }

    /// A file is not settled for now: its changes are kept, and it is tried again after a pause.
    pub(crate) fn hold_back(&self, node: &Node, state: &mut State) {
        let pause = state.starved.map_or(PAUSE_FIRST, |starved| (2 * starved.pause).min(PAUSE_MAX));
        state.starved = Some(Starved { until: Instant::now() + pause, pause });
        if !state.is_kept()
            && let Err(error) = self.keep_as_rows(node.ino, state)
        {
            tracing::warn!(ino = node.ino, %error, "changes that wait are in memory alone");
        }
        self.committer.wake();
    }

    /// Asks for the chunk, and queues the file when it came.
    fn feed(&self, node: &Arc<Node>, id: ChunkId) {
        let Some(core) = self.this.upgrade().filter(|core| core.fetcher.has_group()) else { return };
        let node = node.clone();
        let then = move |core: &Arc<Core>, came: Result<(), crate::FetchError>| {
            if came.is_err() {
                return;
            }
            let mut state = node.lock();
            if state.dirty.is_some() {
                // The pause goes on growing should it lack the same chunk again.
                if let Some(starved) = &mut state.starved {
                    starved.until = Instant::now();
                }
                core.queue(&node, &mut state);
            }
        };
        core.fetcher.ask(&core, id, Urgency::Now, Some(Box::new(then)));
    }

    /// There are computers to ask now, or changes are taken again: whatever waits is tried at once.
    pub(crate) fn retry_starved(&self) {
        for node in self.nodes.all() {
            let mut state = node.lock();
            if state.starved.take().is_some() && state.dirty.is_some() {
                self.recount(&mut state);
                self.queue(&node, &mut state);
            }
        }
    }
}
