//! Pages around a small read, pushed into the kernel's cache.
//!
//! To read 4 KiB the drive opens a chunk of tens of them. The kernel takes the rest as `FUSE_NOTIFY_STORE`; the next read nearby
//! then does not come here at all.
//!
//! The kernel puts what it is given over whatever the page holds, even over bytes that a program wrote a moment ago and that are
//! not yet on their way here: they would be lost. So a page is filled only while nobody can change the file: no handle for writing
//! is open, and whoever gets one, or cuts the file, is told so when the fill under way is done. Fills and notices of change come
//! from one thread, so that no old page is filled in after the notice that made it old.

use fuser::{INodeNo, Notifier};
use parking_lot::{Mutex, RwLock};
use vfs::{Drive, Ino, Nearby};

/// Fills are of whole pages, bytes.
const PAGE_BYTES: u64 = 4096;

type Deferred = Box<dyn FnOnce() + Send>;

/// The file that is being filled, if one is, and who waits for that to end.
#[derive(Default)]
pub struct Fills {
    current: RwLock<Option<Filling>>,
}

struct Filling {
    ino: Ino,
    waiting: Mutex<Vec<Deferred>>,
}

impl Fills {
    /// Gives an answer after which the kernel lets the file be changed: now, or after the fill under way. The drive must know of
    /// the change, or of the handle for writing, already: then no other fill begins.
    pub fn answer(&self, ino: Ino, answer: impl FnOnce() + Send + 'static) {
        {
            let current = self.current.read();
            if let Some(filling) = current.as_ref().filter(|filling| filling.ino == ino) {
                // Waiting here instead could leave nobody to serve the read that the fill itself waits for.
                filling.waiting.lock().push(Box::new(answer));
                return;
            }
        }
        answer();
    }

    /// Gives the kernel what lies around a read, if that is still what the file holds.
    pub fn fill(&self, drive: &Drive, notifier: &Notifier, nearby: &Nearby) {
        {
            let mut current = self.current.write();
            if !drive.still_holds(nearby) {
                return;
            }
            *current = Some(Filling { ino: nearby.ino, waiting: Mutex::default() });
        }
        if let Some((offset, bytes)) = whole_pages(nearby)
            && let Err(error) = notifier.store(INodeNo(nearby.ino), offset, bytes)
        {
            tracing::debug!(%error, "the kernel did not take pages");
        }
        let done = self.current.write().take();
        for answer in done.map(|filling| filling.waiting.into_inner()).into_iter().flatten() {
            answer();
        }
    }
}

/// The whole pages among the bytes; the last page of a file counts as whole.
fn whole_pages(nearby: &Nearby) -> Option<(u64, &[u8])> {
    let from = nearby.offset.next_multiple_of(PAGE_BYTES);
    let end = nearby.offset + nearby.bytes.len() as u64;
    let to = if end == nearby.file_bytes { end } else { end / PAGE_BYTES * PAGE_BYTES };
    let range = (from.checked_sub(nearby.offset)? as usize)..(to.checked_sub(nearby.offset)? as usize);
    nearby.bytes.get(range).filter(|bytes| !bytes.is_empty()).map(|bytes| (from, bytes))
}
