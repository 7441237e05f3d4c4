//! What would be lost with some computers, as far as is known here.
//!
//! What is safe is on the hosts that placement names, and here if the store says so. Of what is not safe only two copies are sure: that of the
//! computer that wrote it, and that of this one if all of it is here. So the answer may name files that others hold too, and
//! none that is missing is left out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ledger::identity::DeviceTag;
use ledger::{Content, Entry};

use super::relocate::STEP_ENTRIES;
use crate::content::manifest::each_chunk;
use crate::core::Core;
use crate::safety::SafetyView;
use crate::{Drive, Error, FileSafety, Ino, Kind};

/// Folders that wait to be looked into at most; beyond that not every file was looked at.
const FOLDERS_WAITING_MAX: usize = 1 << 16;

/// Takes the folder and entry of a name.
type Visit<'a> = dyn FnMut(&[u8], &Entry) -> Result<(), Error> + 'a;

/// Which computers are lost, and who is left.
pub struct LossAsked<'a> {
    /// For each partition of chunks, how many other hosts that keep it would be left.
    pub hosts_left: &'a [u8],
    /// So many other computers that keep logs would be left.
    pub others_left: usize,
    /// This computer would be.
    pub this_is_left: bool,
    /// Whether another device would be.
    pub is_left: &'a dyn Fn(DeviceTag) -> bool,
    /// Files named at most, of each kind.
    pub limit: usize,
    /// How long it may take.
    pub patience: Duration,
}

/// Files that concern a loss.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerned {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The paths of the first.
    pub paths: Vec<Vec<u8>>,
}

/// What a loss would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LossTold {
    /// Files that were looked at.
    pub files: u64,
    /// No copy of some of it would be left.
    pub gone: Concerned,
    /// One copy of some of it would be left.
    pub single: Concerned,
    /// Every file was looked at, and all of each.
    pub complete: bool,
}

impl Concerned {
    fn add(&mut self, path: Vec<u8>, bytes: u64, limit: usize) {
        self.files += 1;
        self.bytes += bytes;
        if self.paths.len() < limit {
            self.paths.push(path);
        }
    }
}

impl Drive {
    /// Which files would be gone, or down to one copy.
    ///
    /// # Errors
    /// [`Error::Io`] when the tree cannot be read.
    pub fn loss(&self, asked: &LossAsked<'_>) -> Result<LossTold, Error> {
        let core = &self.core;
        let view = core.safety_view();
        let (mut told, mut whole) = (LossTold::default(), true);
        let through = core.each_name(asked.patience, &mut |folder, entry| {
            if entry.kind == Kind::File {
                told.files += 1;
                let (copies, bytes, known) = core.copies_left(&view, entry.ino, asked)?;
                whole &= known;
                let path = || path_of(folder, entry);
                match copies {
                    0 => told.gone.add(path(), bytes, asked.limit),
                    1 => told.single.add(path(), bytes, asked.limit),
                    _ => {}
                }
            }
            Ok(())
        })?;
        told.complete = through && whole;
        Ok(told)
    }
}

fn path_of(folder: &[u8], entry: &Entry) -> Vec<u8> {
    [folder, b"/", &entry.name].concat()
}

impl Core {
    /// Calls `visit` with the folder and entry of every name, until it is too late or there are too many folders. Whether every name was
    /// visited.
    pub(super) fn each_name(&self, patience: Duration, visit: &mut Visit<'_>) -> Result<bool, Error> {
        let (began, mut whole) = (Instant::now(), true);
        let mut folders = VecDeque::from([(crate::ROOT, Vec::new())]);
        let mut names: Vec<Entry> = Vec::with_capacity(STEP_ENTRIES);
        while let Some((dir, path)) = folders.pop_front() {
            let mut after = 0;
            loop {
                names.clear();
                let listed = self.ledger.read().list(dir, after, STEP_ENTRIES, &mut names);
                listed.map_err(|error| self.ledger_error(&error))?;
                let Some(last) = names.last() else { break };
                after = last.cookie;
                for entry in names.drain(..) {
                    visit(&path, &entry)?;
                    if entry.kind == Kind::Directory {
                        whole &= folders.len() < FOLDERS_WAITING_MAX;
                        if whole {
                            folders.push_back((entry.ino, path_of(&path, &entry)));
                        }
                    }
                }
                if began.elapsed() >= patience {
                    return Ok(false);
                }
            }
        }
        Ok(whole)
    }

    /// Copies of a file that would be left at least, its length, and whether all of it could be looked at.
    fn copies_left(
        &self,
        view: &SafetyView,
        ino: Ino,
        asked: &LossAsked<'_>,
    ) -> Result<(usize, u64, bool), Error> {
        let listed = match self.listed(view, ino, Vec::new()) {
            // It went meanwhile.
            Err(Error::NotFound) => return Ok((usize::MAX, 0, true)),
            listed => listed?,
        };
        let head = self.inode(ino)?.head.map(|head| head.version);
        let content = self.ledger.read().content(ino).map_err(|error| self.ledger_error(&error))?;
        let content = content.map(|(_, _, content)| content);
        let safe = listed.safety == Some(FileSafety::Safe);
        let (on_hosts, here, known) = match &content {
            Some(content) => self.chunk_copies(content, asked)?,
            None => (asked.others_left, true, true),
        };
        let copies = if safe {
            on_hosts + usize::from(asked.this_is_left && here)
        } else {
            let own = self.ledger.read().device().tag();
            let author = head.map(|head| head.0.device).filter(|author| *author != own);
            usize::from(author.is_some_and(asked.is_left)) + usize::from(asked.this_is_left && here)
        };
        Ok((copies, listed.attr.size, known))
    }

    /// The fewest other hosts left of any chunk, whether all chunks are here, and whether all could be looked at.
    fn chunk_copies(&self, content: &Content, asked: &LossAsked<'_>) -> Result<(usize, bool, bool), Error> {
        // What has no chunks is in the logs, which all keep.
        let (mut on_hosts, mut here) = (asked.others_left, true);
        let mut failed = None;
        let walked = each_chunk(&self.store, content, &mut |id| {
            let left = asked.hosts_left.get(usize::from(id.partition())).copied().unwrap_or(0);
            on_hosts = on_hosts.min(usize::from(left));
            match self.store.look_for(&[*id]) {
                Ok(held) => here &= held[0],
                Err(error) => failed = Some(crate::content::store_error(&error)),
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        match walked {
            Ok(()) => Ok((on_hosts, here, true)),
            // A page of the list is elsewhere: so is what it names.
            Err(Error::Missing(_)) => Ok((on_hosts, false, false)),
            Err(error) => Err(error),
        }
    }
}
