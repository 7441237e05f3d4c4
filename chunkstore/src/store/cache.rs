//! A small, bounded memory of opened chunks.

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use subtle::ConstantTimeEq;

use crate::ids::{ChunkId, ChunkKey, ChunkRef};

/// What an entry costs beside its bytes.
const ENTRY_OVERHEAD_BYTES: u64 = 128;

pub(super) struct PlainCache {
    cache: Cache<ChunkId, Opened, ByBytes>,
}

/// A chunk that verified, and the key it verified with.
#[derive(Clone)]
struct Opened {
    key: ChunkKey,
    plain: Bytes,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<ChunkId, Opened> for ByBytes {
    fn weight(&self, _: &ChunkId, opened: &Opened) -> u64 {
        opened.plain.len() as u64 + ENTRY_OVERHEAD_BYTES
    }
}

impl PlainCache {
    pub(super) fn new(capacity_bytes: u64) -> Self {
        // One shard: a share of a small cache would be too small for a long chunk.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(1024)
            .weight_capacity(capacity_bytes)
            .build()
            .expect("all options without default are set");
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), Default::default());
        Self { cache: Cache::with_options(options, ByBytes, hasher, lifecycle) }
    }

    pub(super) fn set_capacity(&self, capacity_bytes: u64) {
        self.cache.set_capacity(capacity_bytes);
    }

    pub(super) fn clear(&self) {
        self.cache.clear();
    }

    /// The plaintext, for who names the right key and length too.
    pub(super) fn get(&self, chunk: &ChunkRef) -> Option<Bytes> {
        let opened = self.cache.get(&chunk.id)?;
        let is_right =
            bool::from(opened.key.0.ct_eq(&chunk.key.0)) && opened.plain.len() == chunk.len as usize;
        is_right.then_some(opened.plain)
    }

    pub(super) fn keep(&self, chunk: &ChunkRef, plain: &Bytes) {
        self.cache.insert(chunk.id, Opened { key: chunk.key.clone(), plain: plain.clone() });
    }
}
