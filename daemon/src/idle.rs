//! Gives memory back to the system when work has ended.
//!
//! The allocator keeps what was freed, in case it is needed again. Giving it back costs milliseconds, so it is done
//! once when the process has grown and does not grow any more.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use chunkstore::ChunkStore;

/// Between two looks at the process's size.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Growth since the last time that is worth it.
const WORTH_BYTES: u64 = 2 << 20;
/// Growth between two looks that still counts as rest.
const REST_BYTES: u64 = 256 << 10;

/// Decides when to give back.
#[derive(Debug, Default)]
struct Watch {
    last: u64,
    after_last_time: u64,
}

impl Watch {
    /// Whether now is the time, at this size of the process.
    fn looks(&mut self, resident: u64) -> bool {
        let resting = resident <= self.last.saturating_add(REST_BYTES);
        self.last = resident;
        resting && resident > self.after_last_time.saturating_add(WORTH_BYTES)
    }

    fn gave_back(&mut self, resident: u64) {
        self.last = resident;
        self.after_last_time = resident;
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
        let Some(resident) = platform::memory::resident_bytes() else { return };
        if watch.looks(resident) {
            store.release_memory();
            platform::memory::release_unused();
            watch.gave_back(platform::memory::resident_bytes().unwrap_or(resident));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn memory_is_given_back_once_after_growth() {
        let mut watch = Watch::default();
        watch.gave_back(10 * MIB);
        assert!(!watch.looks(11 * MIB), "too little");
        assert!(!watch.looks(80 * MIB), "still growing");
        assert!(watch.looks(80 * MIB));
        watch.gave_back(30 * MIB);
        assert!(!watch.looks(30 * MIB), "nothing new");
        assert!(!watch.looks(31 * MIB));
    }
}
