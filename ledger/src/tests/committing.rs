//! Freeze, write, thaw; and what is left when that is cut short.

use proptest::prelude::*;

use super::fixture::{Cast, Shared, at, commit, file, find, folder, names, single, text, write};
use crate::{Backing, Batch, Ledger, LedgerError, LocalSpace, ROOT, RedbBacking, StoreError};

#[test]
fn reads_are_the_same_in_every_phase_of_a_commit() {
    let mut ledger = single();
    let d = folder(&mut ledger, at(1), ROOT, "d");
    let a = file(&mut ledger, at(1), d, "a");
    write(&mut ledger, at(1), a, "one");
    let look = |ledger: &Ledger| (ledger.digest().unwrap(), names(ledger, ROOT), text(ledger, "d/a"));
    let before = look(&ledger);
    let batch = ledger.freeze(at(2)).unwrap().unwrap();
    assert_eq!(look(&ledger), before);
    assert!(matches!(ledger.freeze(at(2)), Err(LedgerError::StillFrozen)));
    file(&mut ledger, at(3), d, "b");
    ledger.unlink(at(3), d, b"a").unwrap();
    assert_eq!(names(&ledger, d), ["b"]);
    let changed = look(&ledger);
    ledger.writer().write(&batch).unwrap();
    assert_eq!(look(&ledger), changed);
    ledger.thaw(batch);
    assert_eq!(look(&ledger), changed);
    commit(&mut ledger, at(4));
    assert_eq!(look(&ledger), changed);
    assert!(!ledger.has_uncommitted());
    assert!(ledger.freeze(at(5)).unwrap().is_none());
}

#[test]
fn what_a_journal_keeps_comes_back_by_its_batches() {
    let cast = Cast::new();
    let shared = Shared::default();
    let mut ledger = cast.founder_over(Box::new(shared.clone()));
    commit(&mut ledger, at(1));
    let mut journal = Vec::new();
    let mut keep = |ledger: &mut Ledger, now| {
        if let Some(batch) = ledger.keep(now).unwrap() {
            assert!(matches!(ledger.freeze(now), Err(LedgerError::StillFrozen)));
            journal.push(batch.encode());
            ledger.kept(batch);
        }
    };
    let d = folder(&mut ledger, at(2), ROOT, "d");
    let a = file(&mut ledger, at(2), d, "a");
    write(&mut ledger, at(2), a, "one");
    keep(&mut ledger, at(3));
    assert!(!ledger.has_unkept() && ledger.has_uncommitted());
    // One batch on its way to the backing, and never arriving, while more are kept.
    let lost = ledger.freeze(at(4)).unwrap().unwrap();
    write(&mut ledger, at(4), a, "two");
    ledger.local_put(LocalSpace(7), b"k", b"v").unwrap();
    keep(&mut ledger, at(5));
    ledger.unlink(at(6), d, b"a").unwrap();
    file(&mut ledger, at(6), d, "b");
    keep(&mut ledger, at(7));
    assert!(ledger.keep(at(7)).unwrap().is_none());
    assert_eq!(names(&ledger, d), ["b"]);
    let (digest, frontier) = (ledger.digest().unwrap(), ledger.frontier());
    drop((lost, ledger));

    for batch in &journal {
        Backing::write(&shared, &Batch::decode(batch).unwrap()).unwrap();
    }
    assert_eq!(Ledger::local_row(&shared, LocalSpace(7), b"k").unwrap().unwrap(), b"v");
    let ledger =
        Ledger::open(Box::new(shared), cast.device(0), &cast.user, cast.keyring.clone(), at(9)).unwrap();
    assert_eq!((ledger.digest().unwrap(), ledger.frontier()), (digest, frontier));
}

#[test]
fn a_batch_that_was_not_written_never_happened() {
    let cast = Cast::new();
    let shared = Shared::default();
    let open = || {
        Ledger::open(Box::new(shared.clone()), cast.device(0), &cast.user, cast.keyring.clone(), at(9))
            .unwrap()
    };
    let mut ledger = cast.founder_over(Box::new(shared.clone()));
    file(&mut ledger, at(1), ROOT, "kept");
    commit(&mut ledger, at(2));
    let digest = ledger.digest().unwrap();
    file(&mut ledger, at(3), ROOT, "lost");
    let _batch = ledger.freeze(at(4)).unwrap().unwrap();
    drop(ledger);
    let mut ledger = open();
    assert_eq!(ledger.digest().unwrap(), digest);
    assert_eq!((ledger.name(), ledger.stats().files), ("drive", 1));
    assert_eq!(ledger.roster().devices().count(), 1);
    file(&mut ledger, at(5), ROOT, "again");
    commit(&mut ledger, at(6));
    assert_eq!(open().digest().unwrap(), ledger.digest().unwrap());
}

#[test]
fn only_what_is_on_disk_is_told_to_others() {
    let mut ledger = single();
    commit(&mut ledger, at(1));
    let told = ledger.frontier();
    file(&mut ledger, at(2), ROOT, "a");
    let batch = ledger.freeze(at(3)).unwrap().unwrap();
    assert_eq!(ledger.frontier(), told);
    assert!(ledger.transactions_since(&told, usize::MAX).unwrap().is_empty());
    ledger.writer().write(&batch).unwrap();
    ledger.thaw(batch);
    assert_eq!(ledger.transactions_since(&told, usize::MAX).unwrap().len(), 1);
}

#[test]
fn many_edits_are_split_into_several_transactions() {
    let mut ledger = single();
    commit(&mut ledger, at(1));
    let before = ledger.stats().transactions;
    for n in 0..5000 {
        file(&mut ledger, at(2), ROOT, &format!("f{n}"));
    }
    for n in 0..20 {
        let ino = find(&ledger, &format!("f{n}")).unwrap().ino;
        ledger.set_xattr(at(3), ino, b"user.big", &vec![n as u8; 65_536]).unwrap();
    }
    commit(&mut ledger, at(4));
    let sealed = ledger.stats().transactions - before;
    assert!((4..12).contains(&sealed), "{sealed}");
    let mut joined = Cast::new().join(1);
    super::fixture::sync(&mut ledger, &mut joined, at(5));
    assert_eq!(joined.digest().unwrap(), ledger.digest().unwrap());
}

fn in_redb(storage: impl redb::StorageBackend) -> Box<RedbBacking> {
    Box::new(RedbBacking::open(storage, 1 << 20).unwrap())
}

#[test]
fn a_workspace_in_redb_is_there_after_reopening() {
    let cast = Cast::new();
    let file_on_disk = tempfile::tempfile().unwrap();
    let storage = || redb::backends::FileBackend::new(file_on_disk.try_clone().unwrap()).unwrap();
    let mut ledger = cast.founder_over(in_redb(storage()));
    let d = folder(&mut ledger, at(1), ROOT, "d");
    let a = file(&mut ledger, at(1), d, "a");
    write(&mut ledger, at(1), a, "one");
    commit(&mut ledger, at(2));
    assert!(ledger.writer().compact().unwrap());
    let digest = ledger.digest().unwrap();
    drop(ledger);
    let ledger =
        Ledger::open(in_redb(storage()), cast.device(0), &cast.user, cast.keyring.clone(), at(9)).unwrap();
    assert_eq!(ledger.digest().unwrap(), digest);
    assert_eq!(text(&ledger, "d/a").unwrap(), "one");
}

#[test]
fn opening_what_is_not_there_or_not_ours_says_so() {
    let cast = Cast::new();
    let shared = Shared::default();
    let open = |cast: &Cast| {
        Ledger::open(Box::new(shared.clone()), cast.device(0), &cast.user, cast.keyring.clone(), at(9))
            .map(drop)
    };
    assert!(matches!(open(&cast), Err(LedgerError::Setup(_))));
    let mut ledger = cast.founder_over(Box::new(shared.clone()));
    commit(&mut ledger, at(1));
    assert!(open(&cast).is_ok());
    let mut other = Cast::new();
    other.keyring.workspace = crate::identity::WorkspaceId::from_bytes([9; 16]);
    assert!(matches!(open(&other), Err(LedgerError::Setup(_))));
}

/// Fails every write after some; as a disk does.
#[derive(Debug)]
struct Failing(redb::backends::InMemoryBackend, std::sync::Arc<std::sync::atomic::AtomicBool>);

impl redb::StorageBackend for Failing {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        if self.1.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(std::io::Error::other("the disk is gone"));
        }
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
}

#[test]
fn after_one_failed_write_no_write_succeeds_again() {
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let storage = Failing(redb::backends::InMemoryBackend::new(), broken.clone());
    let mut ledger = Cast::new().founder_over(in_redb(storage));
    commit(&mut ledger, at(1));
    file(&mut ledger, at(2), ROOT, "a");
    let batch = ledger.freeze(at(3)).unwrap().unwrap();
    broken.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(ledger.writer().write(&batch), Err(StoreError::Failed(_))));
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(ledger.writer().write(&batch), Err(StoreError::Latched)));
    assert_eq!(names(&ledger, ROOT), ["a"], "reads go on from memory");
}

#[test]
fn a_foreign_file_is_refused() {
    let storage = redb::backends::InMemoryBackend::new();
    redb::StorageBackend::set_len(&storage, 8192).unwrap();
    redb::StorageBackend::write(&storage, 0, &[7; 8192]).unwrap();
    assert!(matches!(RedbBacking::open(storage, 1 << 20), Err(StoreError::Foreign)));
}

proptest! {
    #![proptest_config(super::fixture::cases(24))]

    #[test]
    fn redb_and_memory_keep_the_same_tree(ops in proptest::collection::vec((0..6u8, 0..12u8), 1..60)) {
        let cast = Cast::new();
        let mut one = cast.founder_over(Box::new(crate::MemoryBacking::default()));
        let mut two = cast.founder_over(in_redb(redb::backends::InMemoryBackend::new()));
        for (step, (verb, name)) in ops.iter().enumerate() {
            let now = at(step as i64 * 10);
            for ledger in [&mut one, &mut two] {
                let name = format!("n{name}");
                match verb {
                    0..3 => drop(ledger.create_node(now, ROOT, name.as_bytes(), super::fixture::node(crate::Kind::File))),
                    3 => drop(ledger.unlink(now, ROOT, name.as_bytes())),
                    4 => if let Some(entry) = find(ledger, &name) { write(ledger, now, entry.ino, &name); },
                    _ => commit(ledger, now),
                }
            }
            prop_assert_eq!(one.digest().unwrap(), two.digest().unwrap());
        }
        let names_one = names(&one, ROOT);
        prop_assert_eq!(names_one, names(&two, ROOT));
    }
}
