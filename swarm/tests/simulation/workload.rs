//! What people do, and what goes wrong.

use std::time::Duration;

use bytes::Bytes;
use chunkstore::ChunkId;
use ledger::{Content, Kind as NodeKind, Ledger, NewNode, NewVersion, Now, ROOT, Rename};
use swarm::{Input, Urgency};

use crate::cast::CAST;
use crate::log::added;
use crate::network::Weather;
use crate::verdict::live_chunks;
use crate::world::World;

const NAMES: u64 = 24;
/// Devices that may be added and never start.
const NEWCOMERS: usize = 20;
/// What may happen in a step of a group's life: with the last ones devices are added that never start, disks are
/// spoilt, and computers come and go.
const ALL_TROUBLE: u64 = 18;
const TROUBLE_OF_CABLES: u64 = 14;
/// Of the choices of an edit: new content.
const PUBLISH: u64 = 7;
/// So long the simulated people keep history.
const RETENTION: Duration = Duration::from_secs(3);

impl World {
    /// A while of work and trouble, then all is mended.
    pub fn live(&mut self, steps: usize) {
        self.live_with(steps, ALL_TROUBLE);
    }

    /// The same, and disks and computers stay what they are.
    pub fn live_unspoilt(&mut self, steps: usize) {
        self.live_with(steps, TROUBLE_OF_CABLES);
    }

    fn live_with(&mut self, steps: usize, choices: u64) {
        for _ in 0..steps {
            let pause = self.random.within(20, 1500);
            self.run(pause);
            match self.random.below(choices) {
                14 => self.welcome_somewhere(),
                15 | 16 => self.spoil_something(),
                17 => self.change_who_is_there(),
                0..=7 => self.edit_somewhere(),
                8 | 9 => self.read_somewhere(),
                10 | 11 => self.break_something(),
                _ => self.mend_something(),
            }
            if self.random.permille(150) {
                self.clean_somewhere();
            }
        }
        self.mend_all();
    }

    /// Somebody looks through the logs for what they no longer need.
    pub fn clean_somewhere(&mut self) {
        if let Some(index) = self.someone_up() {
            self.clean(index);
        }
    }

    pub fn clean(&mut self, index: usize) {
        self.tally.logs_cleaned += 1;
        let machine = &mut self.machines[index];
        let now = machine.wall(self.now);
        machine.log.clean(now, RETENTION, machine.safe_through);
        self.commit_soon(index);
    }

    pub fn someone_up(&mut self) -> Option<usize> {
        let able: Vec<_> = self
            .machines
            .iter()
            .filter(|machine| machine.up && !machine.kind.blind && self.is_member(machine.index))
            .map(|machine| machine.index)
            .collect();
        (!able.is_empty()).then(|| able[self.random.index(able.len())])
    }

    pub fn edit_somewhere(&mut self) {
        if let Some(index) = self.someone_up() {
            self.edit_at(index);
        }
    }

    pub fn edit_at(&mut self, index: usize) {
        let mut chunks = Vec::new();
        for _ in 0..self.random.below(4) {
            let largest = if self.random.permille(30) { 300_000 } else { 3_000 };
            let bytes = vec![0; usize::try_from(self.random.within(40, largest)).unwrap()];
            let bytes = self.filled(bytes);
            chunks.push(self.put_chunk(index, bytes));
        }
        let content = chunks.iter().flat_map(|id| *id.as_bytes()).collect();
        let (choice, name, other) =
            (self.random.below(8), self.random.below(NAMES), self.random.below(NAMES));
        self.tally.edits += 1;
        self.feed(index, Input::Foreground);
        let now = self.machines[index].wall(self.now);
        let ledger = self.machines[index].log.ledger().unwrap();
        // Names that are taken or missing are part of life.
        let _ = edit(ledger, now, choice, &format!("n{name}"), &format!("n{other}"), content);
        self.commit_soon(index);
    }

    /// A file of this name with these chunks, which were put here just now.
    pub fn publish(&mut self, index: usize, name: &str, chunks: &[ChunkId]) {
        let now = self.machines[index].wall(self.now);
        let content = chunks.iter().flat_map(|id| *id.as_bytes()).collect();
        let ledger = self.machines[index].log.ledger().unwrap();
        edit(ledger, now, PUBLISH, name, "", content).unwrap();
        self.commit_soon(index);
    }

    /// One name is deleted.
    pub fn delete(&mut self, index: usize, name: &str) {
        let now = self.machines[index].wall(self.now);
        self.machines[index].log.ledger().unwrap().unlink(now, ROOT, name.as_bytes()).unwrap();
        self.commit_soon(index);
    }

    /// The content of a file, if there is one of this name.
    pub fn file(&mut self, index: usize, name: &str) -> Option<Content> {
        let ledger = self.machines[index].log.ledger().unwrap();
        let entry = ledger.lookup(ROOT, name.as_bytes()).unwrap()?;
        ledger.content(entry.ino).unwrap().map(|(.., content)| content)
    }

    /// Everything is deleted that was written at random.
    pub fn delete_all(&mut self, index: usize) {
        let now = self.machines[index].wall(self.now);
        let ledger = self.machines[index].log.ledger().unwrap();
        for name in 0..NAMES {
            // Names that are missing, or full folders, are part of life.
            let _ = ledger.unlink(now, ROOT, format!("n{name}").as_bytes());
        }
        self.commit_soon(index);
    }

    /// Somebody adds a device that never starts: the roster grows in several places at once.
    fn welcome_somewhere(&mut self) {
        let Some(index) = self.someone_up() else { return };
        let newcomers = &CAST.devices[self.machines.len()..][..NEWCOMERS];
        let device = &newcomers[self.random.index(newcomers.len())];
        let now = self.machines[index].wall(self.now);
        // Who has no roster yet, or has this device on it, cannot.
        if self.machines[index].log.ledger().unwrap().change_roster(now, added(device)).is_ok() {
            self.tell_roster(index);
            self.commit_soon(index);
        }
    }

    fn filled(&mut self, mut bytes: Vec<u8>) -> Bytes {
        let head = self.random.next().to_be_bytes();
        bytes[..8].copy_from_slice(&head);
        bytes.into()
    }

    pub fn read_somewhere(&mut self) {
        let Some(index) = self.someone_up() else { return };
        let live: Vec<_> = live_chunks(&mut self.machines[index]).into_iter().collect();
        if live.is_empty() {
            return;
        }
        let id = live[self.random.index(live.len())];
        if !self.machines[index].disk.chunks.contains_key(&id) {
            let urgency = if self.random.permille(500) { Urgency::Now } else { Urgency::Soon };
            self.fetch(index, id, urgency);
        }
    }

    fn break_something(&mut self) {
        let (a, b) = (self.random.index(self.machines.len()), self.random.index(self.machines.len()));
        match self.random.below(4) {
            0 if self.machines[a].up => self.crash(a),
            1 if self.machines[a].up => {
                self.tally.caches_dropped += 1;
                self.machines[a].disk.evict();
            }
            2 => self.split(),
            _ if a != b => {
                self.tally.cables_pulled += 1;
                self.cable(a, b, false);
            }
            _ => {}
        }
    }

    /// Two halves that do not see each other.
    fn split(&mut self) {
        let sides: Vec<_> = self.machines.iter().map(|_| self.random.permille(500)).collect();
        self.say(&format!("split {sides:?}"));
        self.tally.splits += 1;
        for a in 0..sides.len() {
            for b in a + 1..sides.len() {
                self.cable(a, b, sides[a] == sides[b]);
            }
        }
    }

    fn mend_something(&mut self) {
        let index = self.random.index(self.machines.len());
        self.boot_if_off(index);
        for other in 0..self.machines.len() {
            if other != index {
                self.cable(index, other, true);
            }
        }
    }

    pub fn mend_all(&mut self) {
        self.say("all is mended");
        self.weather = Weather::FINE;
        for index in 0..self.machines.len() {
            self.make_good(index);
            self.boot_if_off(index);
            for other in 0..index {
                self.cable(other, index, true);
            }
        }
        self.bury_all();
        self.make_room_for_two();
    }

    /// Where fewer than two hosts have room nothing new can ever be safe: people are told so, and make some.
    pub fn make_room_for_two(&mut self) {
        let hosts = self.hosts();
        let has_room = |host: &&usize| {
            let machine = &self.machines[**host];
            !machine.full && machine.disk.limit == usize::MAX
        };
        if hosts.iter().filter(has_room).count() >= 2 {
            return;
        }
        for host in hosts {
            let machine = &mut self.machines[host];
            (machine.full, machine.disk.limit) = (false, usize::MAX);
            self.tell_facts(host);
        }
    }

    fn boot_if_off(&mut self, index: usize) {
        let machine = &self.machines[index];
        if !machine.up && !machine.destroyed && machine.joined {
            self.boot(index);
        }
    }
}

fn edit(
    ledger: &mut Ledger,
    now: Now,
    choice: u64,
    name: &str,
    other: &str,
    content: Vec<u8>,
) -> Result<(), ledger::LedgerError> {
    let node = |kind| NewNode { kind, mode: 0o644, uid: 1, gid: 1, rdev: 0, target: b"" };
    let found = ledger.lookup(ROOT, name.as_bytes())?;
    match (choice, found) {
        (0, None) => ledger.create_node(now, ROOT, name.as_bytes(), node(NodeKind::Directory)).map(drop),
        (1, Some(_)) => {
            let (from, to) = ((ROOT, name.as_bytes()), (ROOT, other.as_bytes()));
            ledger.rename(now, from, to, Rename::Replace).map(drop)
        }
        (2, Some(entry)) => {
            let dir = ledger.lookup(ROOT, other.as_bytes())?.filter(|dir| dir.kind == NodeKind::Directory);
            let dir = dir.filter(|dir| dir.ino != entry.ino).map_or(ROOT, |dir| dir.ino);
            let (from, to) = ((ROOT, name.as_bytes()), (dir, name.as_bytes()));
            ledger.rename(now, from, to, Rename::Replace).map(drop)
        }
        (3, Some(_)) => ledger.unlink(now, ROOT, name.as_bytes()).map(drop),
        (_, found) => {
            let ino = match found {
                Some(entry) => entry.ino,
                None => ledger.create_node(now, ROOT, name.as_bytes(), node(NodeKind::File))?.ino,
            };
            let base = ledger.inode(ino)?.and_then(|inode| inode.head).map(|head| head.version);
            let size = content.len() as u64;
            let content = Content::Inline(content);
            ledger.publish(now, ino, NewVersion { base, size, mtime: now.wall, content }).map(drop)
        }
    }
}
