//! Read-ahead: the chunk that a sequential reader wants next is opened before it asks.

use std::sync::Arc;
use std::thread::JoinHandle;

use chunkstore::ChunkRef;
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use crate::core::Core;

/// Chunks that wait to be opened at most; further wishes are dropped.
const READ_AHEAD_QUEUE_CHUNKS: usize = 8;

/// Wishes for chunks.
pub(crate) struct ReadAhead {
    sender: Mutex<Option<Sender<ChunkRef>>>,
    receiver: Receiver<ChunkRef>,
}

impl Default for ReadAhead {
    fn default() -> Self {
        let (sender, receiver) = bounded(READ_AHEAD_QUEUE_CHUNKS);
        Self { sender: Mutex::new(Some(sender)), receiver }
    }
}

impl ReadAhead {
    /// Wishes for a chunk; a full queue means the reader is faster than the disk, and nothing is gained.
    pub(crate) fn wish(&self, chunk: ChunkRef) {
        if let Some(sender) = &*self.sender.lock()
            && let Err(error) = sender.try_send(chunk)
        {
            tracing::trace!(%error, "no read-ahead");
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.sender.lock().take();
    }
}

/// Starts the thread.
pub(crate) fn start(core: &Arc<Core>) -> std::io::Result<JoinHandle<()>> {
    let core = core.clone();
    std::thread::Builder::new().name("read-ahead".into()).spawn(move || {
        while let Ok(chunk) = core.read_ahead.receiver.recv() {
            // The reader will meet the same error and tell its caller.
            if let Err(error) = core.store.get(&chunk) {
                tracing::debug!(%error, "read-ahead");
            }
        }
    })
}
