//! Workspaces of one user with several devices, and time that passes when told.

use crate::keys::{DeviceKey, Keyring, UserKeys};
use crate::roster::DeviceClaim;
use crate::{
    Accepted, Backing, Batch, Content, Entry, Glance, Ino, Kind, Ledger, LedgerError, MemoryBacking, NewNode,
    NewVersion, Now, StoreError, Table, Time, VersionId,
};
use std::sync::Arc;

/// Where the tests' time begins: 2026-01-01.
pub(crate) const START_SECS: i64 = 1_767_225_600;

/// So many cases of a property, unless `PROPTEST_CASES` says otherwise.
pub(crate) fn cases(cases: u32) -> proptest::test_runner::Config {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let usual = proptest::test_runner::Config::default();
    if chosen { usual } else { proptest::test_runner::Config { cases, ..usual } }
}

pub(crate) fn at(millis: i64) -> Now {
    let nanos = millis.rem_euclid(1000) as u32 * 1_000_000;
    Now { wall: Time { secs: START_SECS + millis.div_euclid(1000), nanos } }
}

/// Bytes that look random and are the same in every run.
pub(crate) fn entropy(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    move |bytes| reader.fill(bytes)
}

/// A backing that others hold on to after its ledger is gone.
#[derive(Clone, Default)]
pub(crate) struct Shared(pub(super) Arc<MemoryBacking>);

impl Backing for Shared {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key)
    }

    fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        glance: &mut dyn FnMut(&[u8]) -> Glance,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.0.scan_some(table, from, to, glance, f)
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.write(batch)
    }

    fn compact(&self) -> Result<bool, StoreError> {
        self.0.compact()
    }
}

/// Keys of a user and of some devices, all in one workspace.
pub(crate) struct Cast {
    pub(crate) user: UserKeys,
    pub(crate) keyring: Keyring,
}

impl Cast {
    pub(crate) fn new() -> Self {
        let user = UserKeys::generate(&mut entropy(1));
        let keyring = Keyring::generate(&user.id(), &mut entropy(2));
        Self { user, keyring }
    }

    pub(crate) fn device(&self, number: u64) -> DeviceKey {
        DeviceKey::generate(&mut entropy(100 + number))
    }

    pub(crate) fn founder_over(&self, backing: Box<dyn Backing>) -> Ledger {
        let keyring = self.keyring.clone();
        Ledger::create(backing, self.device(0), &self.user, keyring, "drive", at(0)).unwrap()
    }

    pub(crate) fn join(&self, number: u64) -> Ledger {
        let backing = Box::new(MemoryBacking::default());
        Ledger::join(backing, self.device(number), &self.user, self.keyring.clone(), "drive", at(0)).unwrap()
    }

    /// So many ledgers of one workspace, each knowing the others.
    pub(crate) fn devices(&self, count: u64) -> Vec<Ledger> {
        let mut ledgers = vec![self.founder_over(Box::new(MemoryBacking::default()))];
        for number in 1..count {
            let claim = DeviceClaim::new(&self.device(number), self.user.id(), self.keyring.workspace);
            ledgers[0]
                .change_roster(at(0), |roster, keyring| {
                    Ok(vec![roster.add_device(&self.user, keyring, claim, "another")?])
                })
                .unwrap();
        }
        for number in 1..count {
            let mut joined = self.join(number);
            sync(&mut ledgers[0], &mut joined, at(0));
            ledgers.push(joined);
        }
        ledgers
    }
}

/// One device that has founded its workspace.
pub(crate) fn single() -> Ledger {
    Cast::new().founder_over(Box::new(MemoryBacking::default()))
}

pub(crate) fn commit(ledger: &mut Ledger, now: Now) {
    if let Some(batch) = ledger.freeze(now).unwrap() {
        ledger.writer().write(&batch).unwrap();
        ledger.thaw(batch);
    }
}

/// Hands `to` what it lacks of `from`.
pub(crate) fn sync(from: &mut Ledger, to: &mut Ledger, now: Now) {
    commit(from, now);
    commit(to, now);
    for sealed in from.transactions_since(&to.frontier(), usize::MAX).unwrap() {
        let accepted = to.accept(now, &sealed).unwrap();
        assert!(matches!(accepted, Accepted::Applied(_) | Accepted::Duplicate), "{accepted:?}");
    }
    commit(to, now);
}

pub(crate) fn node(kind: Kind) -> NewNode<'static> {
    let target: &[u8] = if kind == Kind::Symlink { b"elsewhere" } else { b"" };
    NewNode { kind, mode: 0o644, uid: 1000, gid: 1000, rdev: 0, target }
}

pub(crate) fn file(ledger: &mut Ledger, now: Now, dir: Ino, name: &str) -> Ino {
    ledger.create_node(now, dir, name.as_bytes(), node(Kind::File)).unwrap().ino
}

pub(crate) fn folder(ledger: &mut Ledger, now: Now, dir: Ino, name: &str) -> Ino {
    ledger.create_node(now, dir, name.as_bytes(), node(Kind::Directory)).unwrap().ino
}

/// Publishes `text` over what opens.
pub(crate) fn write(ledger: &mut Ledger, now: Now, ino: Ino, text: &str) -> VersionId {
    try_write(ledger, now, ino, text).unwrap()
}

pub(crate) fn try_write(
    ledger: &mut Ledger,
    now: Now,
    ino: Ino,
    text: &str,
) -> Result<VersionId, LedgerError> {
    let base = ledger.inode(ino)?.and_then(|inode| inode.head).map(|head| head.version);
    let content = Content::Inline(text.as_bytes().to_vec());
    ledger.publish(now, ino, NewVersion { base, size: text.len() as u64, mtime: now.wall, content })
}

pub(crate) fn find(ledger: &Ledger, path: &str) -> Option<Entry> {
    let mut at = crate::ROOT;
    let mut found = None;
    for name in path.split('/') {
        let entry = ledger.lookup(at, name.as_bytes()).unwrap()?;
        at = entry.ino;
        found = Some(entry);
    }
    found
}

pub(crate) fn text(ledger: &Ledger, path: &str) -> Option<String> {
    let entry = find(ledger, path)?;
    match ledger.content(entry.ino).unwrap()? {
        (_, _, Content::Inline(bytes)) => Some(String::from_utf8(bytes).unwrap()),
        _ => None,
    }
}

/// Names in a directory, sorted.
pub(crate) fn names(ledger: &Ledger, dir: Ino) -> Vec<String> {
    let mut entries = Vec::new();
    ledger.list(dir, 0, usize::MAX, &mut entries).unwrap();
    let mut names: Vec<_> = entries.into_iter().map(|entry| String::from_utf8(entry.name).unwrap()).collect();
    names.sort();
    names
}
