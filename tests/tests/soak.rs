//! Files are written in every way there is while the daemon is killed at any moment; each must then hold what it held at
//! some moment since its last sync.
//!
//! `PEERDRIVE_LONG=1` does it for many more rounds. The seed of a round that fails is told.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use blake3::Hash;
use tests::{Daemon, is_long, noise};

const ROUNDS: u64 = 12;
const LONG_ROUNDS: u64 = 400;
/// Files worked on at the same time.
const FILES: u64 = 6;
/// One round works so long at most before the crash, in milliseconds.
const WORK_MAX_MS: u64 = 2_000;
/// A file that has grown to this is emptied at the next chance. Bytes.
const FILE_MAX_BYTES: usize = 5 << 20;
/// Sizes of writes; each is one request of the kernel, so that it is there whole or not at all.
const WRITES: [usize; 5] = [1, 100, 4096, 70_000, 900_000];

#[test]
fn crashes_at_any_moment_leave_a_state_since_the_last_sync() {
    let mut daemon = Daemon::start();
    let mut contents: Vec<Vec<u8>> = vec![Vec::new(); FILES as usize];
    for (number, _) in (0..).zip(&contents) {
        File::create(path_of(&daemon.mount(), number)).unwrap().sync_all().unwrap();
    }
    for round in 0..if is_long() { LONG_ROUNDS } else { ROUNDS } {
        contents = one_round(&mut daemon, round, contents);
    }
}

/// Works on the files, crashes, and gives what they hold then.
fn one_round(daemon: &mut Daemon, round: u64, contents: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mount = daemon.mount();
    let stop = AtomicBool::new(false);
    let workers: Vec<Worker> = std::thread::scope(|scope| {
        let start = |(number, content)| {
            let worker = Worker::new(path_of(&mount, number), round * FILES + number, content);
            let stop = &stop;
            scope.spawn(move || worker.work(stop))
        };
        let workers: Vec<_> = (0..).zip(contents).map(start).collect();
        let mut dice = Dice(round);
        // Not to wait for something: the moment of the crash is what is drawn.
        std::thread::sleep(Duration::from_millis(50 + dice.below(WORK_MAX_MS)));
        daemon.kill();
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    daemon.start_again();
    workers.iter().map(|worker| worker.check(round)).collect()
}

fn path_of(mount: &Path, number: u64) -> PathBuf {
    mount.join(format!("file{number}"))
}

/// Works on one file, and remembers every state it went through.
struct Worker {
    path: PathBuf,
    dice: Dice,
    content: Vec<u8>,
    states: Vec<Hash>,
    /// Index of the state that was synced last.
    synced: usize,
}

impl Worker {
    fn new(path: PathBuf, seed: u64, content: Vec<u8>) -> Self {
        let states = vec![blake3::hash(&content)];
        Self { path, dice: Dice(seed), content, states, synced: 0 }
    }

    /// Until it is told to stop, or the drive is gone.
    fn work(mut self, stop: &AtomicBool) -> Self {
        let Ok(mut file) = open(&self.path) else { return self };
        while !stop.load(Ordering::Relaxed) {
            let done = match self.dice.below(100) {
                0..60 => self.write(&file),
                60..70 => self.cut(&file),
                70..90 => self.sync(&file),
                90..97 => self.reopen(&mut file),
                _ => self.replace(&mut file),
            };
            if done.is_err() {
                break;
            }
        }
        self
    }

    fn write(&mut self, file: &File) -> io::Result<()> {
        let at = self.dice.below(self.content.len() as u64 + 1) as usize;
        let bytes = self.bytes();
        if self.content.len() < at + bytes.len() {
            self.content.resize(at + bytes.len(), 0);
        }
        self.content[at..at + bytes.len()].copy_from_slice(&bytes);
        self.note();
        file.write_all_at(&bytes, at as u64)
    }

    fn cut(&mut self, file: &File) -> io::Result<()> {
        self.content.truncate(self.dice.below(self.content.len() as u64 + 1) as usize);
        self.note();
        file.set_len(self.content.len() as u64)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        self.synced = self.states.len() - 1;
        Ok(())
    }

    /// Closed, the file is settled; then it goes on.
    fn reopen(&mut self, file: &mut File) -> io::Result<()> {
        *file = open(&self.path)?;
        if self.content.len() < FILE_MAX_BYTES {
            return Ok(());
        }
        self.content.clear();
        self.note();
        file.set_len(0)
    }

    /// A new file over the old one, synced before or not.
    fn replace(&mut self, file: &mut File) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        self.content = self.bytes();
        self.note();
        let new = File::options().read(true).write(true).create(true).truncate(true).open(&beside)?;
        new.write_all_at(&self.content, 0)?;
        if self.dice.below(2) == 0 {
            new.sync_all()?;
        }
        fs::rename(&beside, &self.path)?;
        *file = new;
        Ok(())
    }

    /// Before the call: whether it was done when the drive went, nobody knows.
    fn note(&mut self) {
        self.states.push(blake3::hash(&self.content));
    }

    fn bytes(&mut self) -> Vec<u8> {
        let size = WRITES[self.dice.below(WRITES.len() as u64) as usize];
        noise(self.dice.below(u64::MAX), size)
    }

    fn check(&self, round: u64) -> Vec<u8> {
        let found = fs::read(&self.path).unwrap();
        let hash = blake3::hash(&found);
        let fitting = self.states[self.synced..].contains(&hash);
        let older = self.states.iter().position(|state| *state == hash);
        assert!(
            fitting,
            "round {round}: {} holds {} bytes as in state {older:?} of {}, synced was {}",
            self.path.display(),
            found.len(),
            self.states.len(),
            self.synced
        );
        found
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bytes = noise(self.0, 8);
        u64::from_le_bytes(bytes.try_into().expect("eight bytes")) % limit
    }
}
