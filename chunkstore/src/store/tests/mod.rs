//! The store as a whole, over disks that remember, break and lose their power.

mod basics;
mod behind;
mod contention;
mod crashes;
mod group;
mod healing;
mod kept;
mod limits;
mod reclaim;

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::disk::{DiskFile, MemoryDisk, Open};
use crate::ids::{ChunkRef, DedupSecret};
use crate::testing::noise;

const DIR: &str = "data/chunks";

fn secret() -> DedupSecret {
    DedupSecret::new([5; 32])
}

/// No background flushes, so that the order of disk operations is the test's own.
fn quiet() -> Limits {
    Limits { write_out_bytes: 0, ..Limits::default() }
}

fn open_on(disk: &Arc<dyn Disk>) -> ChunkStore {
    ChunkStore::open(Arc::clone(disk), Path::new(DIR), quiet()).unwrap()
}

fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::new())
}

/// Stores incompressible chunks and returns their references with the seeds of their bytes.
fn fill(store: &ChunkStore, seeds: std::ops::Range<u64>, len: usize) -> Vec<(u64, ChunkRef)> {
    seeds.map(|seed| (seed, store.put(&secret(), &noise(seed, len)).unwrap())).collect()
}

fn assert_readable(store: &ChunkStore, chunks: &[(u64, ChunkRef)]) {
    for (seed, chunk) in chunks {
        assert_eq!(store.get(chunk).unwrap(), noise(*seed, chunk.len as usize), "chunk of seed {seed}");
    }
}

fn pack_file(
    disk: &Arc<dyn Disk>,
    store: &ChunkStore,
    id: &ChunkId,
) -> (Arc<dyn DiskFile>, crate::pack::Location) {
    let place = store.inner.index.get(id).unwrap().unwrap().place;
    (disk.open(&store.inner.folder.path(place.at.pack), Open::ReadWrite).unwrap(), place)
}

/// Flips a bit of a chunk's ciphertext on disk.
fn damage(disk: &Arc<dyn Disk>, store: &ChunkStore, id: &ChunkId) {
    let (file, place) = pack_file(disk, store, id);
    flip(&*file, place.ciphertext_at() + 5);
}

fn flip(file: &dyn DiskFile, at: u64) {
    let mut byte = [0];
    file.read_at(at, &mut byte).unwrap();
    file.write_at(at, &[byte[0] ^ 1]).unwrap();
}

fn forget_index(disk: &Arc<dyn Disk>) {
    disk.remove(&Path::new(DIR).join("index.redb")).unwrap();
}
