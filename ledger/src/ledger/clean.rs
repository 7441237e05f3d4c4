//! What the logs no longer need.
//!
//! ```text
//! others' logs ─► cleaned by their device, and nothing in it lives here? ─► the row goes
//! own log      ─► nothing in it lives ──────────────► to be declared
//!              ─► little in it lives ─► issued again ─► to be declared
//!
//! to be declared ─► durable here, safe elsewhere ─► outline, rows go
//! ```
//!
//! One pass walks all logs, others' first. What its device did not declare is never dropped, and of what others declared only
//! what says nothing here either: so a device that errs, or lies, takes nothing away from who has it.
//!
//! Each log is walked twice: first for what it issued again. An edit that is here twice can go where it was first.
//!
//! **Versions.** A version that was replaced and given up by history says one thing still: what it replaced is no head. So it goes
//! only after that: what it replaced is in no transaction any more that is kept here. Where that stays, beside what lives, as the
//! first content of a file beside its creation, the one thing is issued again in a few bytes ([`Edit::Passed`]). A newcomer can get such a version from a host
//! that missed the outline; it is a head there beside the true one, until a pass finds that its author declared it cleaned.

mod again;

use std::collections::HashSet;
use std::time::Duration;

use self::again::Moving;
use super::commit::log_key;
use super::prune::oldest_kept;
use super::retire::Carried;
use super::{Changed, FrontierRow, Ledger};
use crate::edit::{Edit, List, Stamped};
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::merge::Standing;
use crate::outline::{OUTLINE_MAX_RANGES, Outline, SignedOutline};
use crate::ranges::Ranges;
use crate::stamp::{Now, Stamp, VersionId};
use crate::store::Table;
use crate::tree::{State, prefix_end};
use crate::wire::WireError;

/// Where `meta` keeps what is to be declared.
const DECLARING_KEY: &[u8] = b"declaring";
/// Replaced versions of kept transactions that a pass remembers; with more it drops no version that replaced another.
const REPLACED_MAX_VERSIONS: usize = 1 << 18;
/// Rows that one declaration deletes; the rest goes with the next pass.
const DROPPED_MAX_ROWS: usize = 1 << 16;
/// From so many ranges on, living transactions between cleaned ones are issued again too, so that the ranges become one.
const CROWDED_RANGES: usize = OUTLINE_MAX_RANGES / 2;

/// What a step of cleaning did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CleanReport {
    /// Transactions of others whose rows were dropped.
    pub dropped: u64,
    /// Own transactions that are to be declared cleaned.
    pub cleaned: u64,
    /// Edits of them that are issued again.
    pub reissued: u64,
    /// What shows otherwise than before, because heads were found to be replaced.
    pub changed: Changed,
    /// The pass came to its end; the next step begins another.
    pub finished: bool,
}

/// A pass under way.
pub(super) struct Pass {
    /// What is still to be walked, the last first; the own log is taken last.
    walks: Vec<(DeviceTag, Walk)>,
    /// The transaction to go on with.
    next: u64,
    /// The own log goes so far.
    through: u64,
    /// What was done earlier is outside of the retention window: a clock.
    oldest: u64,
    replaced: Replaced,
    /// What the log that is walked issued again.
    carried: Carried,
    /// What the own outline says and will say.
    outline: Outline,
    moving: Moving,
}

/// Why a log is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// For what was issued again.
    Scout,
    /// For what can go.
    Clean,
}

/// Versions that are no heads, in transactions that are kept.
#[derive(Default)]
struct Replaced {
    versions: HashSet<Stamp>,
    /// There were more than are remembered.
    overflowed: bool,
}

impl Replaced {
    fn insert(&mut self, version: Stamp) {
        self.overflowed |= self.versions.len() >= REPLACED_MAX_VERSIONS;
        if !self.overflowed {
            self.versions.insert(version);
        }
    }

    fn forget(&mut self, version: Stamp) {
        self.versions.remove(&version);
    }
}

/// What becomes of an edit when its transaction is no longer kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is issued again.
    Stays,
    /// Only that what it replaced is replaced.
    Passes,
    Goes,
}

impl Pass {
    // Nothing was looked at.
    fn end_walk(&mut self) -> usize {
        self.walks.pop();
        self.next = 0;
        0
    }
}

impl Ledger {
    /// Looks at about `budget_edits` edits of the logs for what they no longer need, from where the step before stopped. Rows of
    /// others that their devices declared cleaned are dropped; what of the own log can be is found out, and is declared by
    /// [`Ledger::declare_cleaned`].
    ///
    /// # Errors
    /// The store failed, or a transaction cannot be read: nothing more is dropped in this pass.
    pub fn clean(
        &mut self,
        now: Now,
        retention: Duration,
        budget_edits: usize,
    ) -> Result<CleanReport, LedgerError> {
        self.begin(now)?;
        self.retire_due(now)?;
        let mut report = CleanReport::default();
        // What was found before must be declared first: else it would be found, and issued, once more.
        if self.declaring.is_some() {
            report.finished = true;
            return Ok(report);
        }
        let mut pass = self.cleaning.take().unwrap_or_else(|| self.begin_pass(oldest_kept(now, retention)));
        let mut left = budget_edits;
        while left > 0 {
            let Some(walk) = pass.walks.last().copied() else {
                report.finished = true;
                break;
            };
            left = left.saturating_sub(self.walk_on(walk, &mut pass, &mut report)?.max(1));
        }
        if report.finished {
            let end = self.end_pass(pass, &mut report);
            self.poisoned |= end.is_err();
            end?;
        } else {
            self.cleaning = Some(pass);
        }
        report.changed = self.derive_accepted()?;
        Ok(report)
    }

    fn begin_pass(&self, oldest: u64) -> Pass {
        let own = self.state.own;
        let others = self.frontier.keys().copied().filter(|tag| *tag != own);
        let outline = self.frontier.get(&own).and_then(FrontierRow::outline);
        let logs = std::iter::once(own).chain(others);
        Pass {
            walks: logs.flat_map(|tag| [(tag, Walk::Clean), (tag, Walk::Scout)]).collect(),
            next: 0,
            through: self.written.get(&own).map_or(0, |row| row.sequence),
            oldest,
            replaced: Replaced::default(),
            carried: Carried::new(),
            outline: outline.cloned().unwrap_or_default(),
            moving: Moving::default(),
        }
    }

    // Looks at the next transaction of a log. Answers how many edits it has.
    fn walk_on(
        &mut self,
        (tag, walk): (DeviceTag, Walk),
        pass: &mut Pass,
        report: &mut CleanReport,
    ) -> Result<usize, LedgerError> {
        let is_own = tag == self.state.own;
        if walk == Walk::Scout {
            let Some(sequence) = self.next_issued_again(tag, pass.next) else { return Ok(pass.end_walk()) };
            pass.next = sequence + 1;
            return self.scout(tag, sequence, pass);
        }
        let row = self.next_row(tag, pass.next)?.filter(|(sequence, _)| !is_own || *sequence <= pass.through);
        let Some((sequence, sealed)) = row else {
            pass.carried.clear();
            return Ok(pass.end_walk());
        };
        pass.next = sequence + 1;
        let list = self.open_logged(tag, &sealed)?;
        if is_own {
            self.clean_own(sequence, &list, pass, report)?;
        } else {
            self.clean_other((tag, sequence), &list, pass, report)?;
        }
        Ok(list.edits().count())
    }

    fn scout(&self, tag: DeviceTag, sequence: u64, pass: &mut Pass) -> Result<usize, LedgerError> {
        if tag != self.state.own {
            return self.note_carried(tag, sequence, &mut pass.carried);
        }
        let Some(list) = self.logged(tag, sequence)? else { return Ok(0) };
        self.note_replaced(list.edits(), &mut pass.replaced)?;
        Ok(list.edits().count())
    }

    /// The first transaction of a log that is here, from this number on.
    pub(super) fn next_row(&self, tag: DeviceTag, from: u64) -> Result<Option<(u64, Vec<u8>)>, LedgerError> {
        let mut row = None;
        let end = prefix_end(&tag.0.to_be_bytes());
        self.state.layers.scan(Table::Log, &log_key(tag, from), end.as_deref(), &mut |key, value| {
            row = key.last_chunk().map(|sequence| (u64::from_be_bytes(*sequence), value.to_vec()));
            false
        })?;
        Ok(row)
    }

    fn clean_other(
        &mut self,
        (tag, sequence): (DeviceTag, u64),
        list: &List,
        pass: &mut Pass,
        report: &mut CleanReport,
    ) -> Result<(), LedgerError> {
        if !self.frontier.get(&tag).is_some_and(|row| row.is_cleaned(sequence)) {
            return self.note_replaced(list.edits(), &mut pass.replaced);
        }
        // What is issued again is here twice.
        let only_here = |stamped: &&Stamped| {
            pass.carried.get(&stamped.stamp.clock).is_none_or(|carrier| *carrier <= sequence)
        };
        let only_here: Vec<_> = list.edits().filter(only_here).collect();
        if self.all_superseded(&only_here)? {
            self.state.layers.delete(Table::Log, log_key(tag, sequence));
            report.dropped += 1;
            return Ok(());
        }
        self.note_replaced(list.edits(), &mut pass.replaced)
    }

    fn all_superseded(&self, edits: &[&Stamped]) -> Result<bool, LedgerError> {
        for stamped in edits {
            if self.state.standing(stamped)? == Standing::Lives {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn note_replaced<'a>(
        &self,
        edits: impl Iterator<Item = &'a Stamped>,
        replaced: &mut Replaced,
    ) -> Result<(), LedgerError> {
        for Stamped { stamp, edit } in edits {
            let Edit::Publish { inode, .. } = edit else { continue };
            let row = self.state.ino_of(*inode)?.map(|ino| self.state.row(ino)).transpose()?.flatten();
            if !row.is_some_and(|row| row.heads().any(|head| head.0 == *stamp)) {
                replaced.insert(*stamp);
            }
        }
        Ok(())
    }

    fn clean_own(
        &mut self,
        sequence: u64,
        list: &List,
        pass: &mut Pass,
        report: &mut CleanReport,
    ) -> Result<(), LedgerError> {
        if self.frontier.get(&self.state.own).is_some_and(|row| row.is_cleaned(sequence)) {
            // A declaration before had too much to drop.
            self.state.layers.delete(Table::Log, log_key(self.state.own, sequence));
            return Ok(());
        }
        if let List::Again(_) = list {
            // Noted by the scout; what of it stays is noted again.
            list.edits().for_each(|stamped| pass.replaced.forget(stamped.stamp));
        }
        let next_to = |number: u64| pass.outline.cleaned.contains(number);
        let touches = next_to(sequence.saturating_sub(1)) || next_to(sequence + 1);
        let fates = self.fates(list, pass)?;
        let fits = touches || pass.outline.cleaned.len() < OUTLINE_MAX_RANGES;
        let crowded = touches && pass.outline.cleaned.len() >= CROWDED_RANGES && list.clock() < pass.oldest;
        let has_room = pass.outline.again.len() < OUTLINE_MAX_RANGES;
        if fits && fates.iter().all(|fate| *fate == Fate::Goes) {
            pass.outline.cleaned.insert(sequence, sequence);
            report.cleaned += 1;
        } else if fits && has_room && pass.moving.take(sequence, list, &fates, crowded) {
            pass.outline.cleaned.insert(sequence, sequence);
            report.cleaned += 1;
            let stays = list.edits().zip(&fates).filter(|(_, fate)| **fate == Fate::Stays);
            self.note_replaced(stays.map(|(edit, _)| edit), &mut pass.replaced)?;
        } else {
            self.note_replaced(list.edits(), &mut pass.replaced)?;
        }
        Ok(())
    }

    // What becomes of each edit if its transaction goes.
    fn fates(&self, list: &List, pass: &Pass) -> Result<Vec<Fate>, LedgerError> {
        let fate = |stamped: &Stamped| {
            let old = match self.state.standing(stamped)? {
                Standing::Lives => false,
                Standing::Superseded { since } => since.max(stamped.stamp.clock) < pass.oldest,
            };
            let gone = |version: &VersionId| self.is_gone(version.0, &pass.replaced);
            Ok(match &stamped.edit {
                _ if !old => Fate::Stays,
                Edit::Publish { parents, .. } if !parents.iter().all(gone) => Fate::Passes,
                Edit::Passed { replaced, .. } if !replaced.iter().all(gone) => Fate::Passes,
                _ => Fate::Goes,
            })
        };
        list.edits().map(fate).collect()
    }

    // Whether a version that was replaced is in no transaction any more. Logs are walked from their beginning, the own one last: what
    // it replaced was looked at before.
    fn is_gone(&self, version: Stamp, replaced: &Replaced) -> bool {
        let arrived = self.frontier.get(&version.device).is_some_and(|row| row.clock >= version.clock);
        arrived && !replaced.overflowed && !replaced.versions.contains(&version)
    }

    fn end_pass(&mut self, pass: Pass, report: &mut CleanReport) -> Result<(), LedgerError> {
        let mut outline = pass.outline;
        let known = self.frontier.get(&self.state.own).and_then(FrontierRow::outline);
        if known.map_or(outline.cleaned.is_empty(), |known| known.cleaned == outline.cleaned) {
            return Ok(());
        }
        outline.counter += 1;
        outline.through = pass.through;
        // Those that are cleaned by now hold nothing any more.
        let before = outline.again.iter().flat_map(|(first, last)| first..=last);
        let mut again: Ranges = before
            .filter(|carrier| !outline.cleaned.contains(*carrier))
            .map(|carrier| (carrier, carrier))
            .collect();
        for list in pass.moving.into_lists(self.frontier.get(&self.state.own).map_or(0, |row| row.clock)) {
            report.reissued += list.groups.iter().map(|group| group.edits.len() as u64).sum::<u64>();
            outline.through = self.seal_again(&list)?;
            again.insert(outline.through, outline.through);
        }
        outline.again = again;
        let signed = SignedOutline::sign(&self.device, self.keyring.workspace, outline);
        self.state.layers.put(Table::Meta, DECLARING_KEY.to_vec(), signed.as_bytes().to_vec());
        self.declaring = Some(signed);
        Ok(())
    }

    /// Whether something is to be declared cleaned: [`Ledger::declare_cleaned`].
    pub fn has_to_declare(&self) -> bool {
        self.declaring.is_some()
    }

    /// Declares cleaned what the last pass found, and drops it, if everything that was done after it is on this device's disk and,
    /// where there are others to hold it (`safe_through`: up to where the own log is safe), safe. Answers how many rows went.
    ///
    /// # Errors
    /// The store failed.
    pub fn declare_cleaned(&mut self, now: Now, safe_through: Option<u64>) -> Result<u64, LedgerError> {
        self.begin(now)?;
        let own = self.state.own;
        let written = self.written.get(&own).map_or(0, |row| row.sequence);
        let ready = |signed: &SignedOutline| {
            let through = signed.outline.through;
            written >= through && safe_through.is_none_or(|safe| safe >= through)
        };
        let Some(signed) = self.declaring.take_if(|signed| ready(signed)) else { return Ok(0) };
        let dropped = self.drop_own(&signed.outline.cleaned);
        self.poisoned |= dropped.is_err();
        let dropped = dropped?;
        self.keep_outline(signed);
        self.state.layers.delete(Table::Meta, DECLARING_KEY.to_vec());
        Ok(dropped)
    }

    fn drop_own(&mut self, cleaned: &Ranges) -> Result<u64, LedgerError> {
        let (own, mut keys) = (self.state.own, Vec::new());
        for (first, last) in cleaned.iter() {
            self.state.layers.scan(
                Table::Log,
                &log_key(own, first),
                Some(&log_key(own, last + 1)),
                &mut |key, _| {
                    keys.push(key.to_vec());
                    keys.len() < DROPPED_MAX_ROWS
                },
            )?;
            if keys.len() >= DROPPED_MAX_ROWS {
                break;
            }
        }
        let dropped = keys.len() as u64;
        keys.into_iter().for_each(|key| self.state.layers.delete(Table::Log, key));
        Ok(dropped)
    }
}

/// What is to be declared, as the last pass found it.
pub(super) fn read_declaring(state: &State) -> Result<Option<SignedOutline>, LedgerError> {
    let row = state.layers.get(Table::Meta, DECLARING_KEY)?;
    let signed = row.map(|bytes| SignedOutline::decode(&bytes)).transpose();
    signed.map_err(|_| WireError::Malformed("outline").into())
}
