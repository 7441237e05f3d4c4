//! Gives memory back to the system when work has ended.
//!
//! The allocator keeps what was freed, in case it is needed again, and so do caches. Giving it back costs milliseconds, so it is done
//! once when the process has grown or worked, and rests.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use chunkstore::ChunkStore;

/// Between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Growth since the last time that is worth it, bytes.
const WORTH_BYTES: u64 = 2 << 20;
/// Work since the last time that is worth it: it may have filled caches without growth, since there was room in the heap.
const WORTH_WORK: Duration = Duration::from_secs(1);
/// Work between two looks that still counts as rest: one part in a hundred.
const REST_WORK: Duration = Duration::from_millis(50);

/// What the process took so far.
#[derive(Debug, Default, Clone, Copy)]
struct Size {
    resident_bytes: u64,
    worked: Duration,
}

impl Size {
    /// `None` where the system does not tell.
    fn now() -> Option<Self> {
        let resident_bytes = platform::memory::resident_bytes()?;
        Some(Self { resident_bytes, worked: platform::processor::time_used()? })
    }
}

/// Decides when to give back.
#[derive(Debug, Default)]
struct Watch {
    last: Size,
    after_last_time: Size,
}

impl Watch {
    /// Whether now is the time, at this size of the process.
    fn looks(&mut self, now: Size) -> bool {
        let before = std::mem::replace(&mut self.last, now);
        let resting = now.worked <= before.worked + REST_WORK;
        let has_grown = now.resident_bytes > self.after_last_time.resident_bytes.saturating_add(WORTH_BYTES);
        resting && (has_grown || now.worked >= self.after_last_time.worked + WORTH_WORK)
    }

    fn gave_back(&mut self, now: Size) {
        self.last = now;
        self.after_last_time = now;
    }
}

/// Starts the thread; it ends when the other end of `until` is dropped.
///
/// # Errors
/// What the system says.
pub fn start(store: Arc<ChunkStore>, until: Receiver<()>) -> io::Result<()> {
    let watch = move || watch(&store, &until);
    std::thread::Builder::new().name("idle".into()).stack_size(64 << 10).spawn(watch)?;
    Ok(())
}

fn watch(store: &ChunkStore, until: &Receiver<()>) {
    let mut watch = Watch::default();
    while until.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        // Where the system does not tell, it manages by itself.
        let Some(now) = Size::now() else { return };
        if watch.looks(now) {
            // What it holds back in memory is megabytes, and a start after a power cut is shorter.
            if let Err(error) = store.checkpoint_index() {
                tracing::warn!(%error, "the index was not written at rest");
            }
            store.release_memory();
            transport::release_memory();
            platform::memory::release_unused();
            watch.gave_back(Size::now().unwrap_or(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(mebibytes: u64, worked_ms: u64) -> Size {
        Size { resident_bytes: mebibytes << 20, worked: Duration::from_millis(worked_ms) }
    }

    #[test]
    fn memory_is_given_back_once_after_growth() {
        let mut watch = Watch::default();
        watch.gave_back(size(10, 0));
        assert!(!watch.looks(size(11, 10)), "too little");
        assert!(!watch.looks(size(80, 500)), "still at work");
        assert!(watch.looks(size(80, 510)));
        watch.gave_back(size(30, 520));
        assert!(!watch.looks(size(30, 520)), "nothing new");
        assert!(!watch.looks(size(31, 530)));
    }

    #[test]
    fn it_is_given_back_after_work_that_did_not_grow_and_never_while_it_lasts() {
        let mut watch = Watch::default();
        watch.gave_back(size(50, 0));
        for looks in 1..10 {
            assert!(!watch.looks(size(50, looks * 400)), "at work");
        }
        assert!(watch.looks(size(50, 9 * 400 + 20)));
        watch.gave_back(size(40, 9 * 400 + 25));
        assert!(!watch.looks(size(40, 9 * 400 + 30)));
    }
}
