//! The disk work of the group: what the swarm asks for is done here, off the network's threads.
//!
//! ```text
//! driver ── logs  ─▶ one thread: logs and roster, in order
//!        ├─ care  ─▶ one thread: long looks at what is kept, which nobody waits for
//!        ├─ now   ─▶ chunk threads: what a reader waits for goes first
//!        └─ later ─▶
//!                      └─▶ results, to the driver
//! ```
//!
//! The number of jobs under way is bounded by the driver, which stops taking frames in when there are too many.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use chunkstore::{ChunkId, ChunkState, ChunkStore, StoreError};
use crossbeam_channel::{Receiver, Sender, never, select_biased, unbounded};
use swarm::{Deed, Job, JobResult, Keep, Priority, Reason, StoreRefusal};

use super::logs::{Kept, Taken};

/// Threads that read and store chunks.
const CHUNK_THREADS: usize = 2;
/// Results of short jobs that are told together at most, and their bytes: the driver is woken once for many small chunks.
const TOGETHER_MAX: usize = 64;
const TOGETHER_MAX_BYTES: usize = 64 << 10;
/// Bytes of packs rewritten after some garbage was given up.
const COMPACT_BUDGET_BYTES: u64 = 256 << 20;
/// Stack of each.
const STACK_BYTES: usize = 512 << 10;

/// What a thread is given.
enum Task {
    /// A job and its number.
    Job(u64, Job),
    /// What waits for a clock that comes closer, or a key, is tried again.
    RetryHeld,
}

/// What is called with the results of some jobs.
pub type Done = dyn Fn(Vec<(u64, JobResult)>) + Send + Sync;

/// The threads.
pub struct Workers {
    logs: Sender<Task>,
    care: Sender<Task>,
    now: Sender<Task>,
    later: Sender<Task>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts them; the results, each with its job's number, go to `done`.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(kept: &Kept, done: &Arc<Done>) -> io::Result<Self> {
        let (logs, logs_queue) = unbounded();
        let (care, care_queue) = unbounded();
        let (now, now_queue) = unbounded();
        let (later, later_queue) = unbounded();
        let mut threads = vec![
            // It works with the tree, whose lock every program waits for.
            start("group-logs", kept, done, logs_queue, never(), false)?,
            start("group-care", kept, done, care_queue, never(), true)?,
        ];
        for _ in 0..CHUNK_THREADS {
            threads.push(start("group-chunks", kept, done, now_queue.clone(), later_queue.clone(), true)?);
        }
        Ok(Self { logs, care, now, later, threads })
    }

    /// Queues a job.
    pub fn give(&self, number: u64, job: Job) {
        let queue = match &job {
            Job::LogSince { .. }
            | Job::Accept { .. }
            | Job::OutlinesSince { .. }
            | Job::AcceptOutlines { .. }
            | Job::RosterRecords
            | Job::AcceptRecords { .. } => &self.logs,
            Job::Named { .. }
            | Job::Sums { .. }
            | Job::Kept { .. }
            | Job::Lacking { .. }
            | Job::Damaged { .. }
            | Job::Doubt { .. }
            | Job::Doomed { .. }
            | Job::Doom { .. }
            | Job::Collect { .. }
            | Job::Judge { .. }
            | Job::Prove { .. } => &self.care,
            // A count is short, and a person waits for it.
            Job::Read { for_whom: Priority::Reader, .. }
            | Job::Store { why: Reason::Cached, .. }
            | Job::Count { .. } => &self.now,
            _ => &self.later,
        };
        // The threads end only when these ends are dropped.
        let _ = queue.send(Task::Job(number, job));
    }

    /// Queues what is to be done now and then.
    pub fn give_care(&self) {
        // As above.
        let _ = self.logs.send(Task::RetryHeld);
    }

    /// Ends the threads; what is queued is still done.
    pub fn stop(self) {
        drop((self.logs, self.care, self.now, self.later));
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the group panicked");
            }
        }
    }
}

fn start(
    name: &str,
    kept: &Kept,
    done: &Arc<Done>,
    first: Receiver<Task>,
    second: Receiver<Task>,
    gives_way: bool,
) -> io::Result<JoinHandle<()>> {
    let (kept, done) = (kept.clone(), Arc::clone(done));
    let work = move || {
        if gives_way {
            platform::processor::let_others_go_first();
        }
        let mut tasks = Tasks { first, second };
        let mut together = Together::default();
        loop {
            // Nothing is held back while there is nothing to do.
            let next = tasks.waiting().or_else(|| {
                together.tell(&*done);
                tasks.next()
            });
            match next {
                // A long look, and then a wait that is nobody's time.
                Some(Task::Job(number, Job::Named { ids })) => {
                    together.tell(&*done);
                    let done = Arc::clone(&done);
                    let reply = move |named| done(vec![(number, named_to_result(named))]);
                    kept.logs.when_named(&ids, Box::new(reply));
                }
                Some(Task::Job(number, job)) => {
                    let is_short = matches!(job, Job::Read { .. } | Job::Store { .. });
                    if !is_short {
                        together.tell(&*done);
                    }
                    together.add(number, run(&kept, job));
                    if !is_short || together.is_enough() {
                        together.tell(&*done);
                    }
                }
                Some(Task::RetryHeld) => kept.logs.retry_held(),
                None => return,
            }
        }
    };
    std::thread::Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(work)
}

/// What a thread is to do: the first queue goes before the second.
struct Tasks {
    first: Receiver<Task>,
    second: Receiver<Task>,
}

impl Tasks {
    /// The next that is there already.
    fn waiting(&self) -> Option<Task> {
        self.first.try_recv().or_else(|_| self.second.try_recv()).ok()
    }

    /// Waits for the next; none at the end.
    fn next(&mut self) -> Option<Task> {
        loop {
            select_biased! {
                recv(self.first) -> next => return next.ok(),
                recv(self.second) -> next => match next {
                    Ok(next) => return Some(next),
                    Err(_) => self.second = never(),
                },
            }
        }
    }
}

/// Results that are told at once.
#[derive(Default)]
struct Together {
    results: Vec<(u64, JobResult)>,
    bytes: usize,
}

impl Together {
    fn add(&mut self, number: u64, result: JobResult) {
        if let JobResult::Chunk(Some(bytes)) = &result {
            self.bytes += bytes.len();
        }
        self.results.push((number, result));
    }

    fn is_enough(&self) -> bool {
        self.results.len() >= TOGETHER_MAX || self.bytes >= TOGETHER_MAX_BYTES
    }

    fn tell(&mut self, done: &Done) {
        if !self.results.is_empty() {
            done(std::mem::take(&mut self.results));
            self.bytes = 0;
        }
    }
}

fn run(kept: &Kept, job: Job) -> JobResult {
    let store = &*kept.store;
    match job {
        Job::Read { id, .. } => read(store, &id),
        Job::Store { id, bytes, why } => JobResult::Stored(keep(store, &id, bytes, why)),
        Job::Flush => {
            JobResult::Flushed(store.flush().inspect_err(|error| tracing::warn!(%error, "flush")).is_ok())
        }
        Job::Have { ids } => match held(store, &ids) {
            Ok(held) => JobResult::Have(held),
            Err(error) => failed("what is held cannot be told", &error),
        },
        Job::Count { ids } => match store.have(&ids) {
            Ok(held) => JobResult::Have(held),
            Err(error) => failed("what is held cannot be counted", &error),
        },
        Job::Named { .. } => unreachable!("it is answered later, where it was taken from its queue"),
        Job::Replicated { ids, keep } => match replicated(store, &ids, keep) {
            Ok(placed) => JobResult::Ids(placed),
            Err(error) => failed("the index did not take a change", &error),
        },
        Job::Unreplicated { after, max } => {
            listed("the chunks without replicas", store.unreplicated(after, max))
        }
        Job::Requeue { partitions } => told(store.requeue(&partitions).map(drop)),
        Job::RequeueSurplus { partitions } => told(store.requeue_placed(&partitions).map(drop)),
        Job::Doubt { ids } => told(store.doubt(&ids)),
        Job::Sums { partitions } => match store.kept_sums(&partitions) {
            Ok(sums) => JobResult::Sums(sums),
            Err(error) => failed("what is kept cannot be summed up", &error),
        },
        Job::Kept { partitions, after, max, confirmed } => {
            listed("what is kept", store.kept(&partitions, after, max, confirmed))
        }
        Job::Lacking { ids } => lacking(kept, &ids),
        Job::Damaged { .. } if store.usage().damaged_chunks == 0 => JobResult::Ids(Vec::new()),
        Job::Damaged { after, max } => listed("what is damaged", store.damaged(after, max)),
        Job::Doomed { after, max } => listed("what is doomed", store.doomed(after, max)),
        Job::Doom { ids, proof } => match kept.logs.keep_proof(Deed::Doomed, &proof) {
            Ok(()) => told(store.doom(&ids).map(drop)),
            Err(error) => failed("the word that chunks are dead cannot be kept", &error),
        },
        Job::Collect { dead, alive, proof } => match kept.logs.keep_proof(Deed::GivenUp, &proof) {
            Ok(()) => collect(store, &dead, &alive),
            Err(error) => failed("the word that chunks are dead cannot be kept", &error),
        },
        Job::Judge { asker, ids } => match kept.logs.judge(asker, ids) {
            Ok(judgement) => JobResult::Judgement(judgement),
            Err(error) => failed("what is named cannot be told to a host", &error),
        },
        Job::Prove { id, nonce } => prove(store, &id, &nonce),
        Job::LogSince { frontier, max_bytes } => match kept.logs.since(&frontier, max_bytes) {
            Ok(sealed) => JobResult::Transactions(sealed),
            Err(error) => failed("the logs cannot be read", &error),
        },
        Job::Accept { transactions, .. } => accepted(kept.logs.accept(&transactions)),
        Job::OutlinesSince { counters } => JobResult::Outlines(kept.logs.outlines_since(&counters)),
        Job::AcceptOutlines { outlines } => accepted(kept.logs.accept_outlines(&outlines)),
        Job::RosterRecords => JobResult::Records(kept.logs.records().into_iter().map(Bytes::from).collect()),
        Job::AcceptRecords { records } => {
            let records: Vec<Vec<u8>> = records.iter().map(|record| record.to_vec()).collect();
            match kept.logs.accept_records(&records) {
                Ok(()) => JobResult::Ok,
                Err(error) => failed("records of the roster could not be taken in", &error),
            }
        }
    }
}

fn named_to_result(named: Result<vfs::Named, vfs::Error>) -> JobResult {
    match named {
        Ok(vfs::Named { open, sequence }) => JobResult::Named { open, sequence },
        Err(error) => failed("what is named cannot be told", &error),
    }
}

fn told(done: Result<(), StoreError>) -> JobResult {
    match done {
        Ok(()) => JobResult::Ok,
        Err(error) => failed("the index did not take a change", &error),
    }
}

fn listed(what: &str, ids: Result<Vec<ChunkId>, StoreError>) -> JobResult {
    match ids {
        Ok(ids) => JobResult::Ids(ids),
        Err(error) => failed(&format!("{what} cannot be listed"), &error),
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> JobResult {
    tracing::warn!(%error, "{what}");
    JobResult::Failed
}

/// They are where they belong: here too, or only elsewhere, so that they may go when room is needed. Those that stay placed
/// though this computer is none of the hosts.
fn replicated(store: &ChunkStore, ids: &[ChunkId], keep: Keep) -> Result<Vec<ChunkId>, StoreError> {
    let (mut stay, mut go, mut surplus) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let placed = store.state(id)?.is_some_and(|state| state.has(ChunkState::PLACED));
        match keep {
            Keep::Placed => stay.push(*id),
            Keep::AsItIs if placed => surplus.push(*id),
            Keep::AsItIs | Keep::Cache => go.push(*id),
        }
    }
    store.set_replicated(&stay, ChunkState::PLACED, ChunkState::CACHED)?;
    store.set_replicated(&go, ChunkState::CACHED, ChunkState::PLACED)?;
    store.set_replicated(&surplus, ChunkState::default(), ChunkState::default())?;
    Ok(surplus)
}

/// What is held for good. It was offered because placement wants it here: what was only cached stays from now on.
fn held(store: &ChunkStore, ids: &[ChunkId]) -> Result<Vec<bool>, StoreError> {
    store.flush()?;
    let held = store.have(ids)?;
    let here: Vec<ChunkId> = ids.iter().zip(&held).filter(|(_, held)| **held).map(|(id, _)| *id).collect();
    store.set_states(&here, ChunkState::PLACED, ChunkState::CACHED)?;
    Ok(held)
}

/// Gives up what is dead, and makes room of it.
fn collect(store: &ChunkStore, dead: &[ChunkId], alive: &[ChunkId]) -> JobResult {
    let given_up = store.spare(alive).and_then(|()| store.give_up_doomed(dead));
    match given_up {
        Ok(report) => {
            match store.compact(COMPACT_BUDGET_BYTES) {
                Ok(compacted) => tracing::info!(?report, ?compacted, "garbage was given up"),
                // What is given up stays so; the next time makes the room.
                Err(error) => tracing::warn!(%error, "the room of garbage could not be freed"),
            }
            JobResult::Collected(report.dead_chunks)
        }
        Err(error) => failed("garbage could not be given up", &error),
    }
}

/// What another owner keeps and this computer lacks, of what anything names.
fn lacking(kept: &Kept, ids: &[ChunkId]) -> JobResult {
    let held = match held_of_others(kept, ids) {
        Ok(held) => held,
        Err(error) => return failed("what is held cannot be told", &error),
    };
    let lacking: Vec<ChunkId> = ids.iter().zip(held).filter(|(_, held)| !held).map(|(id, _)| *id).collect();
    if lacking.is_empty() {
        return JobResult::Ids(lacking);
    }
    match kept.logs.named(lacking) {
        Ok(named) => JobResult::Ids(named),
        Err(error) => failed("what is named cannot be told", &error),
    }
}

/// That another host keeps it says nothing of whether anything names it: who cannot look for himself leaves doomed what is.
fn held_of_others(kept: &Kept, ids: &[ChunkId]) -> Result<Vec<bool>, StoreError> {
    if kept.logs.reads() {
        return held(&kept.store, ids);
    }
    kept.store.flush()?;
    let mut cached = Vec::new();
    for id in ids {
        if kept.store.state(id)?.is_some_and(|state| state.has(ChunkState::CACHED)) {
            cached.push(*id);
        }
    }
    kept.store.set_states(&cached, ChunkState::PLACED, ChunkState::CACHED)?;
    kept.store.look_for(ids)
}

fn read(store: &ChunkStore, id: &ChunkId) -> JobResult {
    match store.export(id) {
        Ok(sealed) => JobResult::Chunk(Some(Bytes::from(sealed))),
        Err(StoreError::NotFound(_)) => JobResult::Chunk(None),
        // It is here and cannot be read: nobody may take it for gone.
        Err(error) => failed("a chunk cannot be given to a peer", &error),
    }
}

fn prove(store: &ChunkStore, id: &ChunkId, nonce: &[u8; 32]) -> JobResult {
    match read(store, id) {
        JobResult::Chunk(sealed) => JobResult::Proof(sealed.map(|sealed| swarm::audit_proof(nonce, &sealed))),
        other => other,
    }
}

fn keep(store: &ChunkStore, id: &ChunkId, bytes: Bytes, why: Reason) -> Result<(), StoreRefusal> {
    let kept = match why {
        Reason::Placed => store.import_as(id, &bytes, ChunkState::PLACED),
        Reason::Cached => store.import_cached(id, bytes),
    };
    kept.map_err(|error| match error {
        StoreError::Full { .. } => StoreRefusal::Full,
        StoreError::WrongBytes(_) | StoreError::TooLong(_) => StoreRefusal::Wrong,
        error => {
            tracing::warn!(%id, %error, "a chunk of a peer could not be stored");
            StoreRefusal::Failed
        }
    })
}

fn accepted(taken: Result<Taken, String>) -> JobResult {
    match taken {
        Ok(taken) => {
            JobResult::Accepted { frontier_now: taken.frontier, refused: taken.refused, held: taken.held }
        }
        Err(error) => failed("changes of others could not be taken in", &error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chunkstore::disk::MemoryDisk;
    use chunkstore::{DedupSecret, Limits};
    use ledger::identity::WorkspaceId;
    use ledger::keys::DeviceKey;
    use ledger::{Frontier, MemoryBacking, SealedLogs};

    use super::*;
    use crate::group::SealedHost;

    fn store() -> ChunkStore {
        ChunkStore::open(Arc::new(MemoryDisk::default()), Path::new("/c"), Limits::default()).unwrap()
    }

    /// A chunk written here, and one that another computer placed here.
    fn two(store: &ChunkStore) -> [ChunkId; 2] {
        let secret = DedupSecret::new([1; 32]);
        let (elsewhere, mine) = (self::store(), store.put(&secret, b"written here").unwrap().id);
        let theirs = elsewhere.put(&secret, b"placed here").unwrap().id;
        keep(store, &theirs, elsewhere.export(&theirs).unwrap().into(), Reason::Placed).unwrap();
        [mine, theirs]
    }

    #[test]
    fn a_copy_somebody_may_count_on_stays_unless_that_was_ruled_out() {
        for (how, surplus, evictable) in [
            (Keep::Placed, &[][..], [false, false]),
            (Keep::AsItIs, &[1][..], [true, false]),
            (Keep::Cache, &[][..], [true, true]),
        ] {
            let store = store();
            let ids = two(&store);
            let told = replicated(&store, &ids, how).unwrap();
            assert_eq!(told, surplus.iter().map(|at| ids[*at]).collect::<Vec<_>>(), "{how:?}");
            let states = ids.map(|id| store.state(&id).unwrap().unwrap().is_evictable());
            assert_eq!(states, evictable, "{how:?}");
            assert!(store.unreplicated(None, 2).unwrap().is_empty());
            let partitions = ids.map(|id| id.partition());
            let marked = if how == Keep::Placed { 2 } else { surplus.len() as u64 };
            assert_eq!(store.requeue_placed(&partitions).unwrap(), marked, "{how:?}");
        }
    }

    /// What a host without keys keeps, with its proofs in this folder, and the word of a member that these are dead.
    fn blind(folder: &Path, dead: &[ChunkId]) -> (Kept, Bytes) {
        let workspace = WorkspaceId::from_bytes([5; 16]);
        let logs = SealedLogs::create(Box::new(MemoryBacking::default()), workspace).unwrap();
        let host = Arc::new(SealedHost::new(logs, Arc::new(store()), folder));
        let key = DeviceKey::generate(&mut |buffer: &mut [u8]| buffer.fill(1));
        let word = swarm::judge(&key, (workspace, key.id()), 1, Frontier::default(), dead.to_vec()).unwrap();
        (Kept { workspace, store: host.store(), logs: host }, word)
    }

    #[test]
    fn garbage_is_given_up_on_a_word_that_was_kept_before_and_never_without() {
        let dir = tempfile::tempdir().unwrap();
        let ids = two(&store());
        let (kept, proof) = blind(dir.path(), &ids);
        two(&kept.store);
        let doom = |kept: &Kept| run(kept, Job::Doom { ids: ids.to_vec(), proof: proof.clone() });
        let collect = |kept: &Kept| {
            run(kept, Job::Collect { dead: ids.to_vec(), alive: Vec::new(), proof: proof.clone() })
        };
        assert!(matches!(doom(&kept), JobResult::Ok));
        // What another host keeps is no reason to want it; what is offered is.
        assert!(
            matches!(run(&kept, Job::Lacking { ids: ids.to_vec() }), JobResult::Ids(none) if none.is_empty())
        );
        assert!(matches!(run(&kept, Job::Have { ids: vec![ids[0]] }), JobResult::Have(_)));
        assert!(matches!(collect(&kept), JobResult::Collected(1)));
        assert_eq!(kept.store.look_for(&ids).unwrap(), [true, false]);
        assert!(dir.path().join("garbage.log").metadata().unwrap().len() > 2 * proof.len() as u64);
        // Without a place for the proof nothing is done.
        assert!(matches!(doom(&kept), JobResult::Ok));
        drop(dir);
        assert!(matches!(doom(&kept), JobResult::Failed) && matches!(collect(&kept), JobResult::Failed));
        assert_eq!(kept.store.look_for(&ids).unwrap(), [true, false]);
    }
}
