//! Chunks that were put here and should come to other hosts, in the order in which they were put; those too that were here before.
//!
//! The queue is bounded and forgets when it is full, and with every restart: what is lasting is
//! [`ChunkState::UNREPLICATED`](crate::ChunkState::UNREPLICATED), found again by [`ChunkStore::unreplicated`].

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::ChunkStore;
use crate::ids::ChunkId;

/// Ids that wait to be taken at most.
const FRESH_WAITING_MAX_CHUNKS: usize = 64 << 10;

/// What was put since the last time somebody took it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// Chunks in the order in which they were put.
    pub ids: Vec<ChunkId>,
    /// There were more than are remembered: ask [`ChunkStore::unreplicated`] for all.
    pub overflowed: bool,
}

type Wake = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
pub(super) struct FreshQueue {
    waiting: Mutex<Waiting>,
    wake: Mutex<Option<Wake>>,
}

#[derive(Default)]
struct Waiting {
    ids: VecDeque<ChunkId>,
    overflowed: bool,
}

impl Waiting {
    fn is_any(&self) -> bool {
        self.overflowed || !self.ids.is_empty()
    }
}

impl ChunkStore {
    /// Takes the oldest `max` chunks that were put here and taken by nobody yet.
    #[must_use]
    pub fn take_fresh(&self, max: usize) -> Fresh {
        let mut waiting = self.inner.fresh.waiting.lock();
        let count = max.min(waiting.ids.len());
        let ids = waiting.ids.drain(..count).collect();
        Fresh { ids, overflowed: std::mem::take(&mut waiting.overflowed) }
    }

    /// Calls this when there is something to take and was nothing before. It is called by the threads that store, outside all locks: it must
    /// only wake somebody, who then takes all there is.
    pub fn on_fresh(&self, wake: Box<dyn Fn() + Send + Sync>) {
        let wake: Wake = Arc::from(wake);
        *self.inner.fresh.wake.lock() = Some(Arc::clone(&wake));
        if self.inner.fresh.waiting.lock().is_any() {
            wake();
        }
    }
}

impl FreshQueue {
    pub(super) fn push(&self, id: ChunkId) {
        let Some(wake) = self.wake.lock().clone() else {
            // Nobody brings them anywhere; who comes later asks for all.
            self.waiting.lock().overflowed = true;
            return;
        };
        let is_first = {
            let mut waiting = self.waiting.lock();
            let is_first = !waiting.is_any();
            if waiting.ids.len() < FRESH_WAITING_MAX_CHUNKS {
                waiting.ids.push_back(id);
            } else {
                waiting.overflowed = true;
            }
            is_first
        };
        if is_first {
            wake();
        }
    }

    /// Those that nobody took yet.
    pub(super) fn waiting(&self) -> HashSet<ChunkId> {
        self.waiting.lock().ids.iter().copied().collect()
    }
}
