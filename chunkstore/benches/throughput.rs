//! How fast the store takes and gives chunks. Prints figures; decides nothing.
//!
//! `cargo bench -p chunkstore --bench throughput -- [DIR [CASE]]`: DIR (default: the system's temporary folder) is
//! where the store lies, so that a particular disk can be measured. CASE is one of `small`, `one`, `two`, `cut`.

#![allow(clippy::print_stdout)] // Printing figures is all it is for.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chunkstore::disk::OsDisk;
use chunkstore::{ChunkRef, ChunkStore, Cutter, Cutting, DedupSecret, Limits, SealJob, SealPool};

const MIB: usize = 1 << 20;
const TOTAL_BYTES: usize = 1024 * MIB;
const SOURCE_BYTES: usize = 64 * MIB;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let base = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let chosen = arguments.next();
    let is_chosen = |case: &str| chosen.as_deref().is_none_or(|chosen| chosen == case);
    let fresh = || tempfile::tempdir_in(&base).expect("a folder for the bench can be made");
    warm_up(fresh().path());
    if is_chosen("small") {
        small_chunks(fresh().path());
    }
    for len in [256 << 10, 64 << 10, 1 << 20] {
        if is_chosen("one") {
            one_thread(fresh().path(), len);
        }
    }
    if is_chosen("two") {
        two_threads(fresh().path());
    }
    if is_chosen("cut") {
        cut_only();
    }
}

/// Touches the memory the page cache will use: on virtual machines the first touch costs several times the rest.
fn warm_up(dir: &Path) {
    let block = vec![1; MIB];
    let mut file = std::fs::File::create(dir.join("warm")).expect("a file can be made");
    (0..2 * TOTAL_BYTES / MIB).for_each(|_| file.write_all(&block).expect("there is room"));
    file.sync_all().expect("the disk works");
}

fn open(dir: &Path, name: &str) -> ChunkStore {
    ChunkStore::open(Arc::new(OsDisk), &dir.join(name), Limits::default()).expect("the store opens")
}

fn secret() -> DedupSecret {
    DedupSecret::new([1; 32])
}

/// Incompressible bytes; `round` makes them new each time at the cost of one write to each chunk.
fn source() -> Vec<u8> {
    let mut bytes = vec![0; SOURCE_BYTES];
    blake3::Hasher::new().update(b"bench").finalize_xof().fill(&mut bytes);
    bytes
}

fn report(what: &str, bytes: usize, count: usize, taken: Duration) {
    let rate = bytes as f64 / MIB as f64 / taken.as_secs_f64();
    let each = taken.as_secs_f64() * 1e6 / count as f64;
    println!("{what:<44} {rate:>8.0} MiB/s  {each:>9.1} us each");
}

fn small_chunks(dir: &Path) {
    let store = open(dir, "small");
    let mut plain = source()[..4096].to_vec();
    let count = 50_000;
    let begun = Instant::now();
    let mut stored = Vec::new();
    for round in 0..count as u64 {
        plain[..8].copy_from_slice(&round.to_le_bytes());
        stored.push(store.put(&secret(), &plain).expect("there is room"));
    }
    report("put 4 KiB, one thread, before flush", count * 4096, count, begun.elapsed());
    store.flush().expect("the disk works");
    report("... and flush", count * 4096, count, begun.elapsed());
    let begun = Instant::now();
    for round in 0..count as u64 {
        plain[..8].copy_from_slice(&round.to_le_bytes());
        store.put(&secret(), &plain).expect("there is room");
    }
    report("put 4 KiB again (found stored)", count * 4096, count, begun.elapsed());
    read(&store, &stored, "get 4 KiB");
    let begun = Instant::now();
    drop(store);
    println!("{:<44} {:>8.1} ms", "close, 50 000 chunks", begun.elapsed().as_secs_f64() * 1e3);
    let begun = Instant::now();
    drop(open(dir, "small"));
    println!("{:<44} {:>8.1} ms", "open and close again", begun.elapsed().as_secs_f64() * 1e3);
}

fn read(store: &ChunkStore, chunks: &[ChunkRef], what: &str) {
    let begun = Instant::now();
    let bytes = chunks.iter().map(|chunk| store.get(chunk).expect("it was stored").len()).sum();
    report(what, bytes, chunks.len(), begun.elapsed());
}

fn one_thread(dir: &Path, len: usize) {
    let store = open(dir, &format!("one-{len}"));
    let mut source = source();
    let begun = Instant::now();
    let mut stored = Vec::new();
    for round in 0..(TOTAL_BYTES / SOURCE_BYTES) as u64 {
        for piece in source.chunks_mut(len) {
            piece[..8].copy_from_slice(&round.to_le_bytes());
            stored.push(store.put(&secret(), piece).expect("there is room"));
        }
    }
    report(
        &format!("put {} KiB, one thread, before flush", len >> 10),
        TOTAL_BYTES,
        stored.len(),
        begun.elapsed(),
    );
    store.flush().expect("the disk works");
    report("... and flush", TOTAL_BYTES, stored.len(), begun.elapsed());
    read(&store, &stored, &format!("get {} KiB", len >> 10));
}

fn two_threads(dir: &Path) {
    let len = 256 << 10;
    let store = Arc::new(open(dir, "two"));
    let secret = Arc::new(secret());
    let source = source();
    // Made before the clock starts: the pool, not the copying, is measured.
    let rounds = 8;
    let pieces: Vec<Bytes> = (0..rounds as u64)
        .flat_map(|round| {
            source.chunks(len).map(move |piece| {
                let mut piece = piece.to_vec();
                piece[..8].copy_from_slice(&round.to_le_bytes());
                Bytes::from(piece)
            })
        })
        .collect();
    let count = pieces.len();
    let begun = Instant::now();
    let pool = SealPool::new(Arc::clone(&store), 2);
    for plain in pieces {
        pool.wait_for_room();
        let done = Box::new(|outcome: Result<ChunkRef, _>| drop(outcome.expect("there is room")));
        pool.submit(SealJob { secret: Arc::clone(&secret), plain, done });
    }
    drop(pool);
    report("put 256 KiB, pool of two, before flush", rounds * SOURCE_BYTES, count, begun.elapsed());
    store.flush().expect("the disk works");
    report("... and flush", rounds * SOURCE_BYTES, count, begun.elapsed());
}

fn cut_only() {
    let (cutter, source) = (Cutter::new(&secret()), source());
    let begun = Instant::now();
    let (mut at, mut count) = (0, 0);
    while let Some(len) = cutter.cut(Cutting::Content, 64 << 20, &source[at..], true) {
        (at, count) = (at + len, count + 1);
    }
    report("cut by content, average 256 KiB", source.len(), count, begun.elapsed());
}
