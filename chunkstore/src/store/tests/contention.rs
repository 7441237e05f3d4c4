//! Many threads on one store: what a flush acknowledged is there whenever the power goes, and a chunk is stored once.
//!
//! Not a model of every interleaving: the locks of the appender and the flusher are one with the files they guard. Threads
//! that do nothing else meet in most of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::pool::{SealJob, SealPool};

const THREADS: u64 = 4;
/// Seeds of chunks, so few that threads put the same one at the same time.
const CHUNKS: u64 = 3000;
/// Cuts of the power; many more with `PEERDRIVE_LONG=1`.
const CUTS: u64 = 8;
const LONG_CUTS: u64 = 300;
/// Of what was acknowledged, so many of the latest are looked at after a cut.
const LOOKED_AT: usize = 200;

fn len_of(seed: u64) -> usize {
    [90, 700, 5_000, 30_000][seed as usize % 4] + seed as usize
}

#[test]
fn what_a_flush_acknowledged_is_there_at_any_moment() {
    let memory = MemoryDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(memory.clone());
    let limits = Limits { contribute_bytes: 8 << 30, write_out_bytes: 1 << 20, ..Limits::default() };
    let store = ChunkStore::open(Arc::clone(&disk), Path::new(DIR), limits).unwrap();
    let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let cuts = if std::env::var_os("PEERDRIVE_LONG").is_some() { LONG_CUTS } else { CUTS };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, stop, acknowledged) = (&store, &stop, &acknowledged);
            scope.spawn(move || {
                let mut put = Vec::new();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // All go through the same chunks, some of them side by side.
                    let seed = (turn * 7 + thread % 2) % CHUNKS;
                    put.push((seed, store.put(&secret(), &noise(seed, len_of(seed))).unwrap()));
                    if turn % (3 + thread) == 0 {
                        store.flush().unwrap();
                        acknowledged.lock().append(&mut put);
                    }
                }
            });
        }
        for cut in 0..cuts {
            let before = acknowledged.lock().len();
            while acknowledged.lock().len() < before + 20 {
                std::thread::yield_now();
            }
            let known: Vec<_> = {
                let all = acknowledged.lock();
                all[all.len().saturating_sub(LOOKED_AT)..].to_vec()
            };
            let after: Arc<dyn Disk> = Arc::new(memory.cut_power(cut));
            assert_readable(&open_on(&after), &known);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let all = acknowledged.into_inner();
    assert_readable(&store, &all);
    let distinct: BTreeSet<ChunkId> = all.iter().map(|(_, chunk)| chunk.id).collect();
    let seeds: BTreeSet<u64> = all.iter().map(|(seed, _)| *seed).collect();
    assert_eq!(distinct.len(), seeds.len(), "a chunk has two names");
    let stored = store.usage().chunks;
    // Those that were put and not yet flushed when all was stopped are there too.
    let room = distinct.len() as u64..=CHUNKS;
    assert!(room.contains(&stored), "{stored} chunks are stored of {}", distinct.len());
}

#[test]
fn a_pool_answers_each_job_once_whoever_submits() {
    const JOBS: u64 = 500;
    let store = Arc::new(open_on(&memory()));
    let secret = Arc::new(secret());
    let (answers, ids) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(BTreeSet::new())));
    let pool = SealPool::new(Arc::clone(&store), 3);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for seed in 0..JOBS {
                    pool.wait_for_room();
                    let (answers, ids) = (Arc::clone(&answers), Arc::clone(&ids));
                    pool.submit(SealJob {
                        secret: Arc::clone(&secret),
                        plain: noise(seed, len_of(seed)).into(),
                        done: Box::new(move |outcome| {
                            ids.lock().insert(outcome.unwrap().id);
                            answers.fetch_add(1, Ordering::Relaxed);
                        }),
                    });
                }
            });
        }
    });
    drop(pool);
    assert_eq!(answers.load(Ordering::Relaxed) as u64, THREADS * JOBS);
    assert_eq!((ids.lock().len() as u64, store.usage().chunks), (JOBS, JOBS));
}
