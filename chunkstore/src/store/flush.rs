//! Making packs durable, once for all who wait.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::report::Flushed;
use super::{ChunkStore, Inner};
use crate::error::StoreError;
use crate::pack::Position;

#[derive(Default)]
pub(super) struct Flusher {
    state: Mutex<State>,
    done: Condvar,
    /// Landed bytes at the start of the last flush.
    flushed_bytes: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Everything before is durable.
    to: Position,
    is_running: bool,
}

impl Flusher {
    /// Starts behind what recovery made durable.
    pub(super) fn resume(&self, to: Position) {
        self.state.lock().to = to;
    }

    /// Everything before this is durable.
    pub(super) fn reached(&self) -> Position {
        self.state.lock().to
    }
}

impl ChunkStore {
    /// Makes everything durable whose `put` or `import` returned before this call. Callers at the same time share
    /// one sync.
    ///
    /// # Errors
    /// [`StoreError::Failed`] from the first failed write on, until the store is opened anew.
    pub fn flush(&self) -> Result<Flushed, StoreError> {
        self.inner.flush()
    }
}

impl Inner {
    pub(super) fn flush(&self) -> Result<Flushed, StoreError> {
        self.latch.check()?;
        self.appender.wait_for_landings();
        let goal = self.appender.landed();
        let mut state = self.flusher.state.lock();
        while state.to < goal {
            self.latch.check()?;
            if state.is_running {
                self.flusher.done.wait(&mut state);
                continue;
            }
            state.is_running = true;
            drop(state);
            let reached = self.sync_packs();
            state = self.flusher.state.lock();
            state.is_running = false;
            self.flusher.done.notify_all();
            state.to = state.to.max(reached?);
        }
        drop(state);
        // A write that failed meanwhile left a hole somebody may count on.
        self.latch.check()?;
        Ok(Flushed(()))
    }

    /// Syncs all that has landed so far and says how far that is.
    fn sync_packs(&self) -> Result<Position, StoreError> {
        self.flusher.flushed_bytes.store(self.appender.landed_bytes(), Ordering::Relaxed);
        let (reached, unflushed) = self.appender.unflushed();
        let mut names = Vec::new();
        for pack in unflushed {
            let synced = pack
                .file
                .sync_data()
                .and_then(|()| if pack.is_new { self.folder.sync_name(pack.pack) } else { Ok(()) });
            synced.map_err(|error| {
                self.latch.close(StoreError::io("cannot flush", self.folder.path(pack.pack), error))
            })?;
            names.push(pack.pack);
        }
        self.appender.flushed(reached, &names);
        Ok(reached)
    }

    /// Bytes landed since the last flush began.
    pub(super) fn unflushed_bytes(&self) -> u64 {
        self.appender.landed_bytes().saturating_sub(self.flusher.flushed_bytes.load(Ordering::Relaxed))
    }
}
