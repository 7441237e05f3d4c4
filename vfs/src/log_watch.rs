//! Tells who waits for it that more of the log is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who is told, and whether there is something to tell.
#[derive(Default)]
pub(crate) struct LogWatch {
    wake: Mutex<Option<Wake>>,
    advanced: AtomicBool,
}

impl LogWatch {
    pub(crate) fn set(&self, wake: Box<dyn Fn() + Send + Sync>) {
        *self.wake.lock() = Some(Arc::from(wake));
    }

    /// The frontier on disk advanced; told once the locks are free.
    pub(crate) fn note(&self) {
        self.advanced.store(true, Ordering::Release);
    }

    /// Tells, if there is something to tell. The caller holds no lock of the drive.
    pub(crate) fn tell(&self) {
        if self.advanced.swap(false, Ordering::AcqRel) {
            let wake = self.wake.lock().clone();
            if let Some(wake) = wake {
                wake();
            }
        }
    }
}
