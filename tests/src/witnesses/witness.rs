//! One writer and what it knows.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use blake3::Hasher;

use super::Checked;
use super::fate::{Fate, State};
use crate::{Dice, noise};

/// The kernel sends the rest of a page that a write begins inside of as a request of its own. Bytes.
const PAGE_BYTES: u64 = 4096;
/// Sizes of what is written at once, bytes: from a page's start each is one request of the kernel, so it is there whole or not at
/// all.
const SIZES: [usize; 6] = [1, 90, 3_000, 20_000, 150_000, 900_000];
/// A log that has grown to this is given up for a new one. Bytes.
const LOG_MAX_BYTES: u64 = 2 << 20;
/// How often a witness syncs where it may, percent; drawn anew for each round.
const KEENNESS: [u64; 3] = [3, 25, 60];
/// Files made and not removed, at most.
const MADE_MAX: usize = 40;

pub(super) struct Witness {
    folder: PathBuf,
    dice: Dice,
    fates: BTreeMap<OsString, Fate>,
    log: Log,
    /// Names of files made, oldest first.
    made: VecDeque<String>,
    /// Counts names, so that none is used twice.
    next: u64,
    /// How often it syncs where it may, percent.
    keenness: u64,
    syncs: u64,
}

/// The file that is appended to.
#[derive(Default)]
struct Log {
    name: String,
    file: Option<File>,
    content: Hasher,
}

impl Witness {
    pub(super) fn new(mount: &Path, number: u64, seed: u64) -> Self {
        let folder = mount.join(format!("witness{number}"));
        fs::create_dir(&folder).expect("a new folder");
        let dice = Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        Self {
            folder,
            dice,
            fates: BTreeMap::new(),
            log: Log::default(),
            made: VecDeque::new(),
            next: 0,
            keenness: 0,
            syncs: 0,
        }
    }

    /// Until it is told to stop, or something fails.
    pub(super) fn work(&mut self, stop: &AtomicBool) -> io::Result<()> {
        self.keenness = KEENNESS[self.dice.below(KEENNESS.len() as u64) as usize];
        while !stop.load(Ordering::Relaxed) {
            match self.dice.below(100) {
                0..40 => self.append(),
                40..60 => self.replace(),
                60..85 => self.make(),
                85..95 => self.remove(),
                _ => self.sync_folder(),
            }?;
        }
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        if self.log.content.count() >= LOG_MAX_BYTES || self.log.name.is_empty() {
            self.begin_log()?;
        }
        if self.log.file.is_none() {
            self.log.file = Some(File::options().append(true).open(self.folder.join(&self.log.name))?);
        }
        let record = self.bytes();
        let name = self.log.name.clone();
        for request in requests(self.log.content.count(), &record) {
            self.log.content.update(request);
            let hash = self.log.content.finalize();
            self.fate(&name).content_becomes(hash);
            let Some(file) = &mut self.log.file else { unreachable!("it was opened") };
            file.write_all(request)?;
        }
        if self.wants_sync() {
            let Some(file) = &self.log.file else { unreachable!("it was opened") };
            if self.dice.percent(50) { file.sync_data() } else { file.sync_all() }?;
            self.synced(Some(&name));
        }
        Ok(())
    }

    fn begin_log(&mut self) -> io::Result<()> {
        let old = std::mem::take(&mut self.log);
        if !old.name.is_empty() {
            self.made.push_back(old.name);
        }
        let name = self.new_name("log");
        self.fate(&name).name_becomes(Some(blake3::hash(b"")));
        let file = File::options().append(true).create_new(true).open(self.folder.join(&name))?;
        self.log = Log { name, file: Some(file), content: Hasher::new() };
        Ok(())
    }

    /// A new file over the old one, synced before or not: whole in any case.
    fn replace(&mut self) -> io::Result<()> {
        let content = self.bytes();
        let (new, old) = ("state.new", "state");
        self.fate(new).name_becomes(Some(blake3::hash(b"")));
        let mut file = File::create(self.folder.join(new))?;
        self.fate(new).content_becomes(blake3::hash(&content));
        file.write_all(&content)?;
        // A name that nothing had before may come to be without its content, as on any file system.
        let is_first = self.fate(old).is_absent();
        if is_first || self.wants_sync() {
            file.sync_all()?;
            self.synced(Some(new));
        }
        drop(file);
        self.fate(new).name_becomes(None);
        self.fate(old).name_becomes(Some(blake3::hash(&content)));
        fs::rename(self.folder.join(new), self.folder.join(old))?;
        if self.wants_sync() { self.sync_folder() } else { Ok(()) }
    }

    fn make(&mut self) -> io::Result<()> {
        let name = self.new_name("made");
        self.fate(&name).name_becomes(Some(blake3::hash(b"")));
        let mut file = File::options().write(true).create_new(true).open(self.folder.join(&name))?;
        self.made.push_back(name.clone());
        let mut content = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let piece = self.bytes();
            for request in requests(content.len() as u64, &piece) {
                content.extend_from_slice(request);
                self.fate(&name).content_becomes(blake3::hash(&content));
                file.write_all(request)?;
            }
        }
        if self.wants_sync() {
            file.sync_all()?;
            self.synced(Some(&name));
        }
        drop(file);
        if self.made.len() > MADE_MAX { self.remove() } else { Ok(()) }
    }

    fn remove(&mut self) -> io::Result<()> {
        let Some(name) = self.made.pop_front() else { return Ok(()) };
        self.fate(&name).name_becomes(None);
        fs::remove_file(self.folder.join(&name))?;
        if self.wants_sync() { self.sync_folder() } else { Ok(()) }
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()?;
        self.synced(None);
        Ok(())
    }

    /// A sync said success: of this file's content, and of every name made, moved or removed before.
    fn synced(&mut self, file: Option<&str>) {
        self.syncs += 1;
        self.fates.values_mut().for_each(Fate::name_is_kept);
        if let Some(name) = file {
            self.fate(name).content_is_kept();
        }
    }

    fn wants_sync(&mut self) -> bool {
        self.dice.percent(self.keenness)
    }

    fn fate(&mut self, name: &str) -> &mut Fate {
        self.fates.entry(name.into()).or_insert_with(|| Fate::found(None))
    }

    fn new_name(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}{}", self.next)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let size = SIZES[self.dice.below(SIZES.len() as u64) as usize];
        noise(self.dice.below(u64::MAX), size)
    }

    pub(super) fn check(&mut self, told: &str) -> Checked {
        let mut checked = Checked { syncs: std::mem::take(&mut self.syncs), ..Checked::default() };
        for entry in fs::read_dir(&self.folder).unwrap_or_else(|error| self.lost(told, &error)) {
            let name = entry.unwrap_or_else(|error| self.lost(told, &error)).file_name();
            assert!(self.fates.contains_key(&name), "{told}: {name:?} was never made");
        }
        let fates = std::mem::take(&mut self.fates);
        for (name, fate) in fates {
            let path = self.folder.join(&name);
            let found = look(&path).unwrap_or_else(|error| self.lost(told, &error));
            assert!(fate.allows(found), "{told}: {}: {}", path.display(), fate.told(found));
            checked.names += 1;
            checked.acknowledged += u64::from(fate.is_kept());
            if found.is_some() {
                self.fates.insert(name, Fate::found(found));
            }
        }
        self.made.retain(|name| self.fates.contains_key(&OsString::from(name)));
        self.log.file = None;
        let log = fs::read(self.folder.join(&self.log.name)).ok().filter(|_| !self.log.name.is_empty());
        match log {
            Some(content) => {
                self.log.content = Hasher::new();
                self.log.content.update(&content);
            }
            None => self.log = Log::default(),
        }
        checked
    }

    fn lost(&self, told: &str, error: &io::Error) -> ! {
        panic!("{told}: {}: {error}", self.folder.display())
    }
}

/// The parts in which the kernel sends a write at `offset`.
fn requests(offset: u64, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let to_page = (offset.next_multiple_of(PAGE_BYTES) - offset) as usize;
    let (first, rest) = bytes.split_at(to_page.min(bytes.len()));
    [first, rest].into_iter().filter(|part| !part.is_empty())
}

fn look(path: &Path) -> io::Result<State> {
    match fs::read(path) {
        Ok(content) => Ok(Some(blake3::hash(&content))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
