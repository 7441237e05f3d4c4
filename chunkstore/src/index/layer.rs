//! What changed since the last checkpoint, in memory.

use std::collections::HashMap;

use super::Entry;
use crate::ids::{ChunkId, Fingerprint};

/// Changes on top of the database. `None` says that a chunk was given up.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) chunks: HashMap<ChunkId, Option<Entry>>,
    pub(super) prints: HashMap<Fingerprint, ChunkId>,
}

impl Layer {
    pub(super) fn len(&self) -> usize {
        self.chunks.len().max(self.prints.len())
    }
}
