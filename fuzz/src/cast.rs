//! One workspace with one user and three devices, always the same.

use ledger::keys::{DeviceKey, Keyring, UserKeys};
use ledger::roster::DeviceClaim;
use ledger::transaction::SealedTransaction;
use ledger::{
    AttributeChange, ChunkRef, Content, Frontier, Ino, Kind, Ledger, MemoryBacking, NewNode, NewVersion, Now,
    Page, Piece, ROOT, Rename, Table, Time,
};

/// The devices of the workspace; number 0 founded it.
pub const DEVICES: u64 = 3;

/// A row as a batch has it.
pub type Row = (Table, Vec<u8>, Option<Vec<u8>>);

/// Milliseconds of the year 2026.
pub fn at(millis: i64) -> Now {
    let nanos = u32::try_from(millis.rem_euclid(1000)).expect("below 1000") * 1_000_000;
    Now { wall: Time { secs: 1_767_225_600 + millis.div_euclid(1000), nanos } }
}

fn entropy(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut stream = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    move |bytes| stream.fill(bytes)
}

/// The keys, and the transactions of a drive on which much has happened.
pub struct Cast {
    /// The one user.
    pub user: UserKeys,
    /// The workspace's secrets.
    pub keyring: Keyring,
    /// What a newcomer must take in before the devices are known: the founder's log so far.
    pub founding: Vec<Vec<u8>>,
    /// Everything of all logs.
    pub log: Vec<Vec<u8>>,
    /// Every row written on the way.
    pub rows: Vec<Row>,
}

impl Cast {
    /// Makes the keys and plays what happened; takes a few milliseconds.
    pub fn new() -> Self {
        let user = UserKeys::generate(&mut entropy(1));
        let keyring = Keyring::generate(&user.id(), &mut entropy(2));
        let mut cast = Self { user, keyring, founding: Vec::new(), log: Vec::new(), rows: Vec::new() };
        cast.play();
        cast
    }

    /// The key of a device, from 0; [`DEVICES`] itself is one that wrote nothing.
    pub fn device(&self, number: u64) -> DeviceKey {
        DeviceKey::generate(&mut entropy(100 + number))
    }

    /// A ledger of a device that wrote nothing itself and knows all devices.
    pub fn newcomer(&self) -> Ledger {
        let mut ledger = self.join(DEVICES);
        for sealed in &self.founding {
            ledger.accept(at(0), sealed).expect("memory does not fail");
        }
        ledger
    }

    /// The founder's part of the log.
    pub fn founder_log(&self) -> impl Iterator<Item = &Vec<u8>> {
        let founder = self.device(0).id();
        self.log.iter().filter(move |sealed| {
            SealedTransaction::parse(sealed).is_ok_and(|sealed| sealed.header().device == founder)
        })
    }

    fn join(&self, number: u64) -> Ledger {
        let backing = Box::<MemoryBacking>::default();
        Ledger::join(backing, self.device(number), &self.user, self.keyring.clone(), "drive", at(0))
            .expect("the cast's keys fit together")
    }

    fn play(&mut self) {
        let backing = Box::<MemoryBacking>::default();
        let mut founder =
            Ledger::create(backing, self.device(0), &self.user, self.keyring.clone(), "drive", at(0))
                .expect("keys fit");
        for number in 1..=DEVICES {
            let claim = DeviceClaim::new(&self.device(number), self.user.id(), self.keyring.workspace);
            founder
                .change_roster(at(0), |roster, keyring| {
                    Ok(vec![roster.add_device(&self.user, keyring, claim, "one")?])
                })
                .expect("the owner may add devices");
        }
        self.commit(&mut founder, 1);
        self.founding = founder.transactions_since(&Frontier::default(), usize::MAX).expect("memory");
        let mut devices = vec![founder];
        for number in 1..DEVICES {
            let mut joined = self.join(number);
            self.founding.iter().for_each(|sealed| drop(joined.accept(at(1), sealed).expect("memory")));
            devices.push(joined);
        }
        for round in 1..=3 {
            for (number, device) in devices.iter_mut().enumerate() {
                live(device, round * 1000 + number as i64, number);
                self.commit(device, round * 1000 + 100);
            }
            self.exchange(&mut devices, round * 1000 + 200);
        }
        self.log = devices[0].transactions_since(&Frontier::default(), usize::MAX).expect("memory");
    }

    fn exchange(&mut self, devices: &mut [Ledger], now: i64) {
        for from in 0..devices.len() {
            for to in 0..devices.len() {
                let theirs = devices[to].frontier();
                for sealed in devices[from].transactions_since(&theirs, usize::MAX).expect("memory") {
                    devices[to].accept(at(now), &sealed).expect("memory");
                }
                self.commit(&mut devices[to], now);
            }
        }
    }

    fn commit(&mut self, ledger: &mut Ledger, now: i64) {
        let Some(batch) = ledger.freeze(at(now)).expect("memory") else { return };
        batch.for_each(&mut |table, key, value| {
            self.rows.push((table, key.to_vec(), value.map(<[u8]>::to_vec)));
        });
        ledger.writer().write(&batch).expect("memory");
        ledger.thaw(batch);
    }
}

impl Default for Cast {
    fn default() -> Self {
        Self::new()
    }
}

/// A little of everything; what a device finds taken or missing it leaves be.
fn live(ledger: &mut Ledger, now: i64, number: usize) {
    let now = at(now);
    let (own, other) = (format!("folder {number}"), format!("folder {}", (number + 1) % 3));
    let dir = make(ledger, now, ROOT, &own, Kind::Directory);
    let shared = make(ledger, now, ROOT, "shared", Kind::Directory);
    for (place, content) in [(ROOT, 0), (dir, 1), (shared, 2)] {
        let ino = make(ledger, now, place, &format!("file {content}"), Kind::File);
        let base = ledger.inode(ino).expect("memory").and_then(|inode| inode.head).map(|head| head.version);
        let (size, content) = content_of(content);
        let _ = ledger.publish(now, ino, NewVersion { base, size, mtime: now.wall, content });
        let _ = ledger.set_xattr(now, ino, b"user.note", own.as_bytes());
        let _ = ledger.link(now, ino, shared, format!("link of {number}").as_bytes());
        let change = AttributeChange { mode: Some(0o600), ..AttributeChange::default() };
        let _ = ledger.set_attributes(now, ino, change);
    }
    make(ledger, now, dir, "symlink", Kind::Symlink);
    make(ledger, now, dir, "gone", Kind::Fifo);
    let _ = ledger.unlink(now, dir, b"gone");
    // Two devices that move two folders into each other.
    if let Some(target) = ledger.lookup(ROOT, other.as_bytes()).expect("memory") {
        let _ = ledger.rename(now, (ROOT, own.as_bytes()), (target.ino, b"moved"), Rename::Replace);
    }
}

fn make(ledger: &mut Ledger, now: Now, dir: Ino, name: &str, kind: Kind) -> Ino {
    let target: &[u8] = if kind == Kind::Symlink { b"elsewhere" } else { b"" };
    let node = NewNode { kind, mode: 0o644, uid: 1000, gid: 1000, rdev: 0, target };
    match ledger.create_node(now, dir, name.as_bytes(), node) {
        Ok(entry) => entry.ino,
        Err(_) => ledger.lookup(dir, name.as_bytes()).expect("memory").map_or(ROOT, |entry| entry.ino),
    }
}

fn content_of(number: u8) -> (u64, Content) {
    let chunk = ChunkRef { id: [number; 32], key: [!number; 32], len: 1000 };
    match number {
        0 => (5, Content::Inline(b"small".to_vec())),
        1 => (5000, Content::Chunks { fixed: false, pieces: vec![Piece::Chunk(chunk), Piece::Hole(4000)] }),
        _ => (9000, Content::Pages { fixed: true, depth: 1, pages: vec![Page { chunk, covers: 9000 }] }),
    }
}
