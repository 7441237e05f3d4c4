//! A folder: its names, and those that would be there after a cut.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::Cut;
use super::platter::Odds;
use crate::Dice;

#[derive(Debug, Default)]
pub(super) struct Folder {
    live: BTreeMap<OsString, u64>,
    durable: BTreeMap<OsString, u64>,
    /// What makes the one of the other, in order.
    changes: Vec<Change>,
}

/// One change, which a cut keeps or loses as a whole.
#[derive(Debug, Clone)]
enum Change {
    Set(OsString, u64),
    Remove(OsString),
    Move { from: OsString, to: OsString, ino: u64 },
}

impl Change {
    fn apply(self, names: &mut BTreeMap<OsString, u64>) {
        match self {
            Self::Set(name, ino) => drop(names.insert(name, ino)),
            Self::Remove(name) => drop(names.remove(&name)),
            Self::Move { from, to, ino } => {
                names.remove(&from);
                names.insert(to, ino);
            }
        }
    }
}

impl Folder {
    pub(super) fn get(&self, name: &OsStr) -> Option<u64> {
        self.live.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&OsString, u64)> {
        self.live.iter().map(|(name, ino)| (name, *ino))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Everything it names, or may name after a cut.
    pub(super) fn named(&self) -> impl Iterator<Item = u64> {
        self.live.values().chain(self.durable.values()).copied()
    }

    pub(super) fn set(&mut self, name: &OsStr, ino: u64) {
        self.change(Change::Set(name.into(), ino));
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        self.change(Change::Remove(name.into()));
    }

    pub(super) fn rename(&mut self, from: &OsStr, to: &OsStr, ino: u64) {
        self.change(Change::Move { from: from.into(), to: to.into(), ino });
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.live);
        self.changes.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.changes.clear();
        self.durable.clone_from(&self.live);
    }

    pub(super) fn cut(&mut self, odds: Odds, dice: &mut Dice, cut: &mut Cut) {
        for change in std::mem::take(&mut self.changes) {
            if odds.keep(dice) {
                change.apply(&mut self.durable);
                cut.names_kept += 1;
            } else {
                cut.names_lost += 1;
            }
        }
        self.live.clone_from(&self.durable);
    }
}
