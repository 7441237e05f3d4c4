//! Counts the bytes that wait in memory, and lets writers wait when they are too many.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::Reply;

/// What an unsettled file costs beside its bytes.
pub(crate) const NODE_OVERHEAD_BYTES: usize = 512;

/// The write buffer of the whole drive. A write is taken in at once; what waits above the limit is its answer, and a
/// kernel sends only so many requests before it wants answers: so the buffer is bounded.
pub(crate) struct WriteBuffer {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    /// Bytes of files that wait for other computers. Nobody waits for these to leave memory.
    starved_bytes: AtomicUsize,
    waiting: Mutex<VecDeque<(Reply<u32>, u32)>>,
}

impl WriteBuffer {
    /// A buffer of so many bytes.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            starved_bytes: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }

    /// Bytes in use.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Bytes in memory, whatever they wait for.
    pub(crate) fn held_bytes(&self) -> usize {
        self.used_bytes() + self.starved_bytes.load(Ordering::Relaxed)
    }

    /// Files that wait for other computers must not grow further.
    pub(crate) fn is_starved_full(&self) -> bool {
        self.starved_bytes.load(Ordering::Relaxed) > self.limit_bytes / 2
    }

    /// The share of a file that waits for other computers changed.
    pub(crate) fn account_starved(&self, before_bytes: usize, after_bytes: usize) {
        self.starved_bytes.fetch_add(after_bytes, Ordering::Relaxed);
        self.starved_bytes.fetch_sub(before_bytes, Ordering::Relaxed);
    }

    /// Unsettled files should be settled now, quiet or not.
    pub(crate) fn is_under_pressure(&self) -> bool {
        self.used_bytes() > self.limit_bytes / 2
    }

    /// A file's share changed; answers writers as soon as there is room.
    pub(crate) fn account(&self, before_bytes: usize, after_bytes: usize) {
        if after_bytes >= before_bytes {
            self.used_bytes.fetch_add(after_bytes - before_bytes, Ordering::Relaxed);
            return;
        }
        let less = before_bytes - after_bytes;
        let left = self.used_bytes.fetch_sub(less, Ordering::Relaxed) - less;
        if left < self.limit_bytes {
            let answered = std::mem::take(&mut *self.waiting.lock());
            for (reply, written) in answered {
                reply(Ok(written));
            }
        }
    }

    /// Answers a write: now, or when there is room again.
    pub(crate) fn answer(&self, written: u32, reply: Reply<u32>) {
        if self.used_bytes() < self.limit_bytes {
            reply(Ok(written));
            return;
        }
        self.waiting.lock().push_back((reply, written));
        // Room may have come between the look and the push: nobody else would answer then.
        if self.used_bytes() < self.limit_bytes {
            self.account(1, 0);
            self.used_bytes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_writer_waits_above_the_limit_and_is_answered_below_it() {
        let buffer = WriteBuffer::new(100);
        let answered = Arc::new(AtomicUsize::new(0));
        let reply = |answered: &Arc<AtomicUsize>| -> Reply<u32> {
            let answered = answered.clone();
            Box::new(move |written| {
                answered.fetch_add(written.unwrap() as usize, Ordering::Relaxed);
            })
        };
        buffer.account(0, 99);
        buffer.answer(1, reply(&answered));
        assert_eq!(answered.load(Ordering::Relaxed), 1);
        buffer.account(0, 50);
        buffer.answer(2, reply(&answered));
        buffer.answer(4, reply(&answered));
        assert_eq!(answered.load(Ordering::Relaxed), 1);
        buffer.account(50, 0);
        assert_eq!(answered.load(Ordering::Relaxed), 7);
        assert_eq!(buffer.used_bytes(), 99);
    }
}
