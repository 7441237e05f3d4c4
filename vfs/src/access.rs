//! What the roster allows this computer, and asks of it: whether its changes count, and what an `fsync` waits for.
//!
//! Who must not write takes in no change at all: the others would refuse it, and what looked stored would be nowhere. It is
//! looked up whenever records came, so that a mount becomes writable, or stops being so, while it is there.

use std::sync::Weak;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use ledger::roster::{FsyncLevel, Roster};
use ledger::{Ledger, identity::DeviceId};

use crate::core::Core;
use crate::{Error, Reply};

/// What holds now; looked at by every change, so without a lock.
#[derive(Default)]
pub(crate) struct Access {
    bar: AtomicU8,
    /// Computers that an `fsync` waits for, this one among them; 0: none but this one.
    copies: AtomicU8,
    /// `fsync`s that were not on enough computers in time, since the drive was opened.
    too_late: AtomicU64,
}

/// Why this computer takes no changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bar {
    Reader = 1,
    Removed = 2,
}

impl Bar {
    fn of(roster: &Roster, device: &DeviceId) -> Option<Self> {
        // Whom the roster does not know yet, nobody refuses: what he writes waits at the others until he is vouched for.
        let device = roster.device_by_id(device)?;
        match device.role {
            None => Some(Self::Removed),
            Some(role) if !role.writes() => Some(Self::Reader),
            Some(_) => None,
        }
    }
}

impl Access {
    /// How many computers an `fsync` waits for, where that is more than this one.
    pub(crate) fn fsync_copies(&self) -> Option<u8> {
        Some(self.copies.load(Ordering::Relaxed)).filter(|copies| *copies > 1)
    }

    /// How often that was not so in time.
    pub(crate) fn too_late(&self) -> u64 {
        self.too_late.load(Ordering::Relaxed)
    }

    pub(crate) fn is_barred(&self) -> bool {
        self.bar.load(Ordering::Relaxed) != 0
    }

    /// Why no changes are taken, in words.
    pub(crate) fn why_barred(&self) -> Option<&'static str> {
        match self.bar.load(Ordering::Relaxed) {
            0 => None,
            bar if bar == Bar::Reader as u8 => {
                Some("your role is reader: an owner or admin of the drive can make you a writer")
            }
            _ => Some("this computer was taken out of the drive: join it again to go on"),
        }
    }
}

impl Core {
    /// Looks at the roster anew.
    pub(crate) fn renew_access(&self) {
        let (bar, copies) = {
            let ledger = self.ledger.read();
            (Bar::of(ledger.roster(), &ledger.device()), fsync_copies(&ledger))
        };
        self.access.copies.store(copies, Ordering::Relaxed);
        let bar = bar.map_or(0, |bar| bar as u8);
        if self.access.bar.swap(bar, Ordering::Relaxed) != bar {
            match self.access.why_barred() {
                Some(why) => tracing::warn!(why, "the drive takes no changes from this computer"),
                None => {
                    tracing::info!("the drive takes changes from this computer");
                    self.retry_starved();
                }
            }
        }
    }

    /// Refuses a change that the others would refuse, or that the disk cannot take.
    pub(crate) fn changeable(&self) -> Result<(), Error> {
        if self.access.is_barred() { Err(Error::ReadOnly) } else { self.writable() }
    }

    /// Answers when everything done before this call is on disk, here and on as many computers as the workspace wants.
    pub(crate) fn make_durable_as_wanted(&self, reply: Reply<()>) {
        let Some(copies) = self.access.fsync_copies() else { return self.make_durable(reply) };
        let core = self.this.clone();
        self.make_durable(Box::new(move |kept| match kept {
            Ok(()) => Waiting { reply: Some(reply), core }.ask(copies),
            Err(error) => reply(Err(error)),
        }));
    }
}

fn fsync_copies(ledger: &Ledger) -> u8 {
    match ledger.roster().policy().fsync {
        FsyncLevel::Local => 0,
        FsyncLevel::Replicas(copies) => copies,
    }
}

/// An `fsync` that waits for other computers; answered also when whoever should answer drops it.
struct Waiting {
    reply: Option<Reply<()>>,
    core: Weak<Core>,
}

impl Waiting {
    /// What it waits for is durable here.
    fn ask(self, copies: u8) {
        let Some(core) = self.core.upgrade() else { return };
        let sequence = {
            let ledger = core.ledger.read();
            ledger.frontier().0.get(&ledger.device()).copied().unwrap_or(0)
        };
        // Without a group it is dropped, and so answered.
        if let Some(group) = core.fetcher.group() {
            group.await_copies(sequence, copies, Box::new(move |done| self.end(done)));
        }
    }

    fn end(mut self, done: bool) {
        self.answer(if done { Ok(()) } else { Err(Error::Io) });
    }

    fn answer(&mut self, outcome: Result<(), Error>) {
        let Some(reply) = self.reply.take() else { return };
        if let (Err(_), Some(core)) = (outcome, self.core.upgrade()) {
            core.access.too_late.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("an fsync was not on enough computers in time; it is on this one");
        }
        reply(outcome);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.answer(Err(Error::Io));
    }
}
