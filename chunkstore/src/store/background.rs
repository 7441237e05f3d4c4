//! One thread that flushes and checkpoints early, so that whoever asks for either finds little left to do.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::Inner;
use crate::error::StoreError;

/// What the thread was asked for.
#[derive(Default)]
pub(super) struct Bell {
    asked: Mutex<Asked>,
    rung: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Asked {
    flush: bool,
    checkpoint: bool,
    stop: bool,
}

impl Bell {
    pub(super) fn ask_flush(&self) {
        self.ring(|asked| asked.flush = true);
    }

    pub(super) fn ask_checkpoint(&self) {
        self.ring(|asked| asked.checkpoint = true);
    }

    fn ring(&self, ask: impl FnOnce(&mut Asked)) {
        ask(&mut self.asked.lock());
        self.rung.notify_one();
    }

    fn wait(&self) -> Asked {
        let mut asked = self.asked.lock();
        while !(asked.flush || asked.checkpoint || asked.stop) {
            self.rung.wait(&mut asked);
        }
        let stop = asked.stop;
        std::mem::replace(&mut *asked, Asked { stop, ..Asked::default() })
    }
}

pub(super) struct Background {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    pub(super) fn start(inner: &Arc<Inner>) -> Result<Self, StoreError> {
        let (bell, worker) = (Arc::clone(&inner.bell), Arc::clone(inner));
        let thread = thread::Builder::new()
            .name("chunk-writeout".into())
            .spawn(move || work(&worker))
            .map_err(|error| StoreError::io("cannot start a thread for", &inner.dir, error))?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Ends the thread after what it is doing.
    pub(super) fn stop(&mut self) {
        self.bell.ring(|asked| asked.stop = true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the write-out thread of the chunk store panicked");
        }
    }
}

/// Failures are latched where they happen: whoever flushes next is told.
fn work(inner: &Inner) {
    loop {
        let asked = inner.bell.wait();
        if asked.stop {
            return;
        }
        let outcome = if asked.checkpoint { inner.checkpoint() } else { inner.flush().map(drop) };
        if let Err(error) = outcome {
            tracing::warn!(%error, "background write-out failed");
        }
    }
}
