//! Threads that seal.
//!
//! ```text
//!  submit ──▶ queue (counted in bytes) ──▶ n threads: ChunkStore::put ──▶ done(result)
//! ```

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Condvar, Mutex};

use crate::error::StoreError;
use crate::ids::{ChunkRef, DedupSecret};
use crate::store::ChunkStore;

/// Called once with the outcome of a job, on a pool thread.
pub type SealDone = Box<dyn FnOnce(Result<ChunkRef, StoreError>) + Send>;

/// One chunk to store.
pub struct SealJob {
    /// The workspace's secret.
    pub secret: Arc<DedupSecret>,
    /// The chunk, at most [`MAX_CHUNK_BYTES`](crate::MAX_CHUNK_BYTES).
    pub plain: Bytes,
    /// Told the outcome. Must not panic and should not block.
    pub done: SealDone,
}

/// Bytes of submitted plaintext at which the pool counts as full.
pub const FULL_PENDING_BYTES: usize = 32 << 20;

/// Seals and stores chunks on its own threads. Dropping it finishes all submitted jobs first.
pub struct SealPool {
    queue: Option<Sender<SealJob>>,
    pending: Arc<Pending>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Pending {
    bytes: Mutex<usize>,
    drained: Condvar,
}

impl SealPool {
    /// A pool of at least one thread over a store.
    ///
    /// # Panics
    /// If the system can start no thread at all.
    #[must_use]
    pub fn new(store: Arc<ChunkStore>, threads: usize) -> Self {
        let (queue, jobs) = crossbeam_channel::unbounded();
        let pending = Arc::new(Pending::default());
        let started = (0..threads.max(1)).map_while(|number| {
            let (store, jobs, pending) = (Arc::clone(&store), jobs.clone(), Arc::clone(&pending));
            let thread = thread::Builder::new().name(format!("seal-{number}"));
            thread.spawn(move || work(&store, &jobs, &pending)).ok()
        });
        let threads: Vec<_> = started.collect();
        assert!(!threads.is_empty(), "the system can start a thread");
        drop(store);
        Self { queue: Some(queue), pending, threads }
    }

    /// Takes a job; never blocks. Callers that produce many wait while [`SealPool::is_full`].
    pub fn submit(&self, job: SealJob) {
        *self.pending.bytes.lock() += job.plain.len();
        let queue = self.queue.as_ref().expect("the queue is open until the pool is dropped");
        queue.send(job).expect("pool threads live until the queue is closed");
    }

    /// Plaintext bytes submitted and not yet done.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        *self.pending.bytes.lock()
    }

    /// Whether callers should wait before they submit more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending_bytes() >= FULL_PENDING_BYTES
    }

    /// Waits until the pool is not full.
    pub fn wait_for_room(&self) {
        let mut bytes = self.pending.bytes.lock();
        while *bytes >= FULL_PENDING_BYTES {
            self.pending.drained.wait(&mut bytes);
        }
    }
}

fn work(store: &ChunkStore, jobs: &Receiver<SealJob>, pending: &Pending) {
    for job in jobs {
        let len = job.plain.len();
        let outcome = store.put(&job.secret, &job.plain);
        drop(job.plain);
        (job.done)(outcome);
        *pending.bytes.lock() -= len;
        pending.drained.notify_all();
    }
}

impl Drop for SealPool {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a sealing thread panicked; its chunk was not stored");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::disk::MemoryDisk;
    use crate::store::Limits;
    use crate::testing::noise;

    #[test]
    fn dropping_the_pool_finishes_every_job() {
        let store = ChunkStore::open(Arc::new(MemoryDisk::new()), Path::new("chunks"), Limits::default());
        let store = Arc::new(store.unwrap());
        let secret = Arc::new(DedupSecret::new([1; 32]));
        let stored = Arc::new(Mutex::new(Vec::new()));
        let pool = SealPool::new(Arc::clone(&store), 2);
        for seed in 0..100 {
            let stored = Arc::clone(&stored);
            pool.wait_for_room();
            pool.submit(SealJob {
                secret: Arc::clone(&secret),
                plain: noise(seed, 10_000).into(),
                done: Box::new(move |outcome| stored.lock().push((seed, outcome.unwrap()))),
            });
        }
        drop(pool);
        let stored = stored.lock();
        assert_eq!(stored.len(), 100);
        for (seed, chunk) in &*stored {
            assert_eq!(store.get(chunk).unwrap(), noise(*seed, 10_000));
        }
    }
}
