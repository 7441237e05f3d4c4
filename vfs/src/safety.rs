//! Which files others hold too.
//!
//! A file is safe when the transaction that published its current version is on enough hosts, with all chunks that it names: each
//! device says up to which of its transactions that is so. Versions carry clocks, not sequence numbers, so what is said of sequences
//! is turned into clocks once, when it is said.
//!
//! Counting goes over all files, so it is not done when everything or nothing is safe, and otherwise at most once a second and a
//! bounded time in each call; until it is through, the count before stands.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ledger::identity::DeviceTag;
use ledger::{Cursor, Kind, Time, VersionId};
use parking_lot::Mutex;

use crate::core::Core;
use crate::people::{PeopleError, shown, told};
use crate::{Drive, Error};

/// Time that one call spends counting, at most about.
const COUNT_STEP: Duration = Duration::from_millis(20);
/// Inodes looked at under one hold of the ledger's lock.
const COUNT_STEP_INODES: usize = 256;
/// Between two counts, at least.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// What the group says of the safety of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Safety {
    /// This drive has other computers.
    pub peers: bool,
    /// For each device, the last of its transactions that is safe with all before it.
    pub safe_through: Vec<(DeviceTag, u64)>,
    /// The last transaction of this device that is on another computer, with all before it.
    pub elsewhere_through: u64,
}

/// How safe one file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSafety {
    /// On enough hosts.
    Safe,
    /// Not yet: it is being stored, or is on another computer and still being copied.
    OnItsWay,
    /// On this computer alone, as far as anybody said.
    OnlyHere,
}

/// What was said of safety at one moment, for a look at many files.
pub(crate) struct SafetyView {
    told: Told,
    own: DeviceTag,
}

impl SafetyView {
    /// How safe a file with this current version is.
    pub(crate) fn of(&self, head: Option<VersionId>, unsettled: bool) -> FileSafety {
        if self.told.safety.peers && !unsettled && self.told.is_safe(head) {
            return FileSafety::Safe;
        }
        if unsettled || (self.told.safety.peers && !self.told.is_only_here(head, self.own)) {
            FileSafety::OnItsWay
        } else {
            FileSafety::OnlyHere
        }
    }
}

/// Counts of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SafetyCounts {
    pub(crate) safe: u64,
    pub(crate) only_here: u64,
    /// When the oldest of those was written that wait for other computers.
    pub(crate) only_here_since: Option<Time>,
}

/// What was said last, and the count under way.
#[derive(Default)]
pub(crate) struct SafetyBook {
    told: Mutex<Told>,
    count: Mutex<Count>,
}

#[derive(Default, Clone, PartialEq, Eq)]
struct Told {
    safety: Safety,
    /// Clocks up to which versions of each device are safe.
    clocks: BTreeMap<DeviceTag, u64>,
    /// Clock up to which own versions are on another computer.
    elsewhere_clock: Option<u64>,
    /// Everything on this computer's disk is safe.
    all: bool,
    /// Everything that this computer wrote is on another one too.
    all_elsewhere: bool,
}

#[derive(Default)]
struct Count {
    done: SafetyCounts,
    finished: Option<Instant>,
    under_way: Option<(Cursor, Told, SafetyCounts)>,
}

impl Told {
    fn is_safe(&self, version: Option<VersionId>) -> bool {
        match version {
            Some(VersionId(stamp)) => self.clocks.get(&stamp.device).is_some_and(|safe| stamp.clock <= *safe),
            // A name without content: told by nothing less than that all is safe.
            None => self.all,
        }
    }

    /// Whether nothing was said of another computer that has it too.
    fn is_only_here(&self, version: Option<VersionId>, own: DeviceTag) -> bool {
        match version {
            Some(VersionId(stamp)) => stamp.device == own && Some(stamp.clock) > self.elsewhere_clock,
            None => !self.all_elsewhere,
        }
    }
}

impl Drive {
    /// Takes note of what is safe. Cheap enough to be called with every acknowledgement.
    pub fn set_safety(&self, safety: Safety) {
        self.core.told_safety(safety);
    }

    /// Whether the current content of this file is settled, durable here and on enough hosts.
    ///
    /// # Errors
    /// There is no such file.
    pub fn is_safe(&self, path: &[u8]) -> Result<bool, PeopleError> {
        let core = &self.core;
        let wrong = |error| told(&format!("{} cannot be looked up", shown(path)), error);
        let ino = self.resolve(path).map_err(wrong)?;
        if core.nodes.get(ino).is_some_and(|node| node.lock().dirty.is_some()) {
            return Ok(false);
        }
        core.renew_safety();
        let is_file = self.attr(ino).map_err(wrong)?.kind == Kind::File;
        let head = core.ledger.read().head(ino).map_err(|error| wrong(core.ledger_error(&error)))?;
        let told = core.safety.told.lock();
        Ok(told.safety.peers && told.is_safe(head.filter(|_| is_file)))
    }
}

impl Core {
    /// What is said of safety now.
    pub(crate) fn safety_view(&self) -> SafetyView {
        self.renew_safety();
        SafetyView { told: self.safety.told.lock().clone(), own: self.ledger.read().device().tag() }
    }

    fn told_safety(&self, safety: Safety) {
        let ledger = self.ledger.read();
        let mut told = Told { safety, ..Told::default() };
        let clock_at = |device, sequence| match ledger.clock_at(device, sequence) {
            Ok(clock) => clock,
            Err(error) => {
                tracing::warn!(%error, "a logged transaction cannot be read: its files count as not safe");
                None
            }
        };
        for (device, sequence) in &told.safety.safe_through {
            told.clocks.extend(clock_at(*device, *sequence).map(|clock| (*device, clock)));
        }
        told.elsewhere_clock = clock_at(ledger.device().tag(), told.safety.elsewhere_through);
        drop(ledger);
        *self.safety.told.lock() = told;
        self.renew_safety();
    }

    /// Whether everything is safe changes with every edit as well.
    fn renew_safety(&self) {
        let unsealed = self.has_unsealed();
        let ledger = self.ledger.read();
        let mut told = self.safety.told.lock();
        let through = &told.safety.safe_through;
        let reached =
            |device, sequence| through.iter().any(|(tag, safe)| *tag == device && *safe >= sequence);
        let all = !unsealed && ledger.written_clocks().all(|(device, sequence, _)| reached(device, sequence));
        // What was said of a log may have come before the log itself.
        let come: Vec<_> =
            ledger.written_clocks().filter(|(device, sequence, _)| reached(*device, *sequence)).collect();
        told.clocks.extend(come.into_iter().map(|(device, _, clock)| (device, clock)));
        told.all = all;
        let own = ledger.device().tag();
        let last = ledger.written_clocks().find(|(device, ..)| *device == own);
        let reached = last.filter(|(_, sequence, _)| *sequence <= told.safety.elsewhere_through);
        told.elsewhere_clock = told.elsewhere_clock.max(reached.map(|(.., clock)| clock));
        told.all_elsewhere = !unsealed && last.is_some() == reached.is_some();
    }

    /// How many files are safe, and how many are on this computer alone.
    pub(crate) fn count_safety(&self, files: u64) -> Result<SafetyCounts, Error> {
        self.renew_safety();
        let told = self.safety.told.lock().clone();
        if !told.safety.peers {
            return Ok(SafetyCounts { only_here: files, ..SafetyCounts::default() });
        }
        if told.all {
            return Ok(SafetyCounts { safe: files, ..SafetyCounts::default() });
        }
        let mut count = self.safety.count.lock();
        let rested = count.finished.is_none_or(|at| at.elapsed() >= COUNT_PAUSE);
        if count.under_way.is_none() && rested {
            count.under_way = Some((Cursor::default(), told, SafetyCounts::default()));
        }
        self.count_on(&mut count)?;
        Ok(count.done)
    }

    fn count_on(&self, count: &mut Count) -> Result<(), Error> {
        let Some((cursor, told, mut sums)) = count.under_way.take() else { return Ok(()) };
        let (began, own) = (Instant::now(), self.ledger.read().device().tag());
        let mut next = Some(cursor);
        while let Some(cursor) = next {
            if began.elapsed() >= COUNT_STEP {
                count.under_way = Some((cursor, told, sums));
                return Ok(());
            }
            let step = self.ledger.read().for_each_file(cursor, COUNT_STEP_INODES, &mut |_, version| {
                let is_safe = told.is_safe(version);
                let only_here = !is_safe && told.is_only_here(version, own);
                sums.safe += u64::from(is_safe);
                sums.only_here += u64::from(only_here);
                let waits = version.filter(|_| only_here).map(|version| version.0.time());
                sums.only_here_since = sums.only_here_since.into_iter().chain(waits).min();
            });
            next = step.map_err(|error| self.ledger_error(&error))?;
        }
        (count.done, count.finished) = (sums, Some(Instant::now()));
        Ok(())
    }

    /// Up to where the own log is on enough hosts; `None` where there is nobody else to hold it.
    pub(crate) fn own_safe_through(&self) -> Option<u64> {
        let own = self.ledger.read().device().tag();
        let told = self.safety.told.lock();
        let own_log = told.safety.safe_through.iter().find(|(tag, _)| *tag == own);
        told.safety.peers.then_some(own_log.map_or(0, |(_, safe)| *safe))
    }

    /// Whether edits are in no durable transaction yet.
    pub(crate) fn has_unsealed(&self) -> bool {
        self.ledger.read().has_unwritten()
    }
}
