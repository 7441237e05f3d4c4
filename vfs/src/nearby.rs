//! What lies around bytes that were just read: to get at a few, a whole chunk was opened, and an adapter whose kernel caches pages
//! can be given the rest.

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use ledger::VersionId;

use crate::content::view::{FileContent, Part};
use crate::core::Core;
use crate::node::State;
use crate::{Drive, Ino};

/// Offers that wait at most; further ones are dropped.
const OFFERS_WAITING_MAX: usize = 2;
/// A read of more than this part of a chunk has little around it.
const SMALL_PART: usize = 4;
/// Files longer than this are seldom read so often that neighbours are met again. Bytes.
const FILE_MAX_BYTES: u64 = 8 << 30;

/// Bytes around a read.
#[derive(Debug, Clone)]
pub struct Nearby {
    /// The file.
    pub ino: Ino,
    version: VersionId,
    /// Where they lie in it.
    pub offset: u64,
    /// A whole chunk.
    pub bytes: Bytes,
    /// Length of the file, bytes.
    pub file_bytes: u64,
}

/// Offers on their way to the adapter.
pub(crate) struct Offers {
    sender: Sender<Nearby>,
    receiver: Receiver<Nearby>,
}

impl Default for Offers {
    fn default() -> Self {
        let (sender, receiver) = bounded(OFFERS_WAITING_MAX);
        Self { sender, receiver }
    }
}

/// A read that can be followed by an offer.
pub(crate) struct Candidate {
    version: VersionId,
    offset: u64,
    file_bytes: u64,
}

impl Drive {
    /// Offers of bytes that small reads brought along. For one adapter.
    #[must_use]
    pub fn nearby(&self) -> Receiver<Nearby> {
        self.core.offers.receiver.clone()
    }

    /// Whether the bytes of an offer are still those of the file, and nobody has it open for writing.
    #[must_use]
    pub fn still_holds(&self, nearby: &Nearby) -> bool {
        let Some(node) = self.core.nodes.get(nearby.ino) else { return false };
        let state = node.lock();
        let untouched = state.writers == 0 && state.dirty.is_none() && !state.elsewhere.has_readers();
        untouched
            && self.core.ledger.read().content(nearby.ino).is_ok_and(|current| {
                current
                    .is_some_and(|(version, size, _)| version == nearby.version && size == nearby.file_bytes)
            })
    }
}

impl Core {
    /// Whether a read at `offset` that comes to this part is one of few bytes of a chunk of an unchanged file.
    pub(crate) fn nearby_candidate(&self, state: &State, offset: u64, parts: &[Part]) -> Option<Candidate> {
        let [Part::Chunk { chunk, skip, len }] = parts else { return None };
        let content: &FileContent = state.content.as_ref()?;
        let is_small = len * SMALL_PART <= chunk.len as usize;
        let unchanged = state.writers == 0 && state.dirty.is_none() && content.overlay.len() == 0;
        let begins = offset.checked_sub(*skip as u64)?;
        let whole = begins + u64::from(chunk.len) <= content.base_limit;
        (is_small && unchanged && whole && content.size <= FILE_MAX_BYTES).then_some(Candidate {
            version: state.replaces?,
            offset: begins,
            file_bytes: content.size,
        })
    }

    /// Offers the chunk that a read opened, if somebody takes it at once.
    pub(crate) fn offer(&self, ino: Ino, candidate: &Candidate, bytes: Bytes) {
        let Candidate { version, offset, file_bytes } = *candidate;
        if let Err(error) = self.offers.sender.try_send(Nearby { ino, version, offset, bytes, file_bytes }) {
            tracing::trace!(%error, "nobody takes what is nearby");
        }
    }
}
