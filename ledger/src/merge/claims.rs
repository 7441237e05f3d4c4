//! Which link claims which name in which directory.
//!
//! What must hold after every change: each living link has one claim, in the slot of its name, in the directory it
//! stands in (or the one that directory's entries show in). Links that died have a grave instead.

use std::collections::BTreeSet;

use crate::error::LedgerError;
use crate::node::{EntryId, Ino, Kind, ROOT};
use crate::store::Table;
use crate::tree::{Claim, InodeRow, Link, Shown, State, displaced_name, grave_key, slot_key};

/// A slot: directory (after aliases) and name.
pub(super) type Slot = (Ino, Vec<u8>);

impl State {
    /// Moves the claims of `moved` to where their links now stand, then settles the slots that were shared.
    pub(super) fn settle_claims(&mut self, moved: &BTreeSet<Ino>) -> Result<(), LedgerError> {
        let mut shared = Vec::new();
        let mut risen = Vec::new();
        for ino in moved {
            let row = self.known_row(*ino)?;
            for (index, link) in row.links.iter().enumerate() {
                self.keep_grave(*ino, &row, link);
                let shown = wanted(link);
                if shown == link.shown {
                    continue;
                }
                if at(link, &shown) == link.shown_at() {
                    self.row_mut(*ino)?.links[index].shown = shown;
                    continue;
                }
                self.unclaim(*ino, index, &mut shared)?;
                if shown != Shown::No {
                    risen.push((*ino, index, shown));
                }
            }
            if row.contested {
                self.share_slots_of(*ino, &mut shared)?;
            }
        }
        self.forget_dead_aliases(moved)?;
        for (ino, index, shown) in risen {
            self.row_mut(ino)?.links[index].shown = shown;
            self.claim(ino, index, &mut shared)?;
        }
        self.settle_slots(shared)
    }

    fn keep_grave(&mut self, ino: Ino, row: &InodeRow, link: &Link) {
        let (true, Some(kind)) = (link.place.deleted, row.kind()) else { return };
        let key = grave_key(link.place.parent, &link.place.name, link.place.stamp);
        if link.is_alive() {
            self.layers.delete(Table::Graves, key);
        } else if !row.expired {
            let entry = (link.entry != row.id).then_some(link.entry);
            let claim = Claim { ino, kind, entry, displaced: false };
            self.layers.put(Table::Graves, key, crate::tree::encode_slot(&[claim]));
        }
    }

    fn share_slots_of(&self, ino: Ino, shared: &mut Vec<Slot>) -> Result<(), LedgerError> {
        for link in &self.known_row(ino)?.links {
            if let Some((dir, name)) = link.shown_at() {
                shared.push((self.canonical(dir)?, name.to_vec()));
            }
        }
        Ok(())
    }

    // A directory that died holds nothing, so nothing has to leave the one its entries showed in.
    fn forget_dead_aliases(&mut self, moved: &BTreeSet<Ino>) -> Result<(), LedgerError> {
        for ino in moved {
            let row = self.known_row(*ino)?;
            if row.alias.is_some() && !row.is_alive() {
                self.row_mut(*ino)?.alias = None;
            }
        }
        Ok(())
    }

    pub(super) fn claim(
        &mut self,
        ino: Ino,
        index: usize,
        shared: &mut Vec<Slot>,
    ) -> Result<(), LedgerError> {
        let row = self.known_row(ino)?;
        let (Some(kind), Some((dir, name))) = (row.kind(), row.links[index].shown_at()) else {
            return Ok(());
        };
        let dir = self.canonical(dir)?;
        let claim = Claim { ino, kind, entry: extra_entry(&row, &row.links[index]), displaced: false };
        // One that was merged into another may stand alone from here on.
        if row.alias.is_some() {
            shared.push((dir, name.to_vec()));
        }
        self.add_claim(dir, name, claim, shared)
    }

    fn unclaim(&mut self, ino: Ino, index: usize, shared: &mut Vec<Slot>) -> Result<(), LedgerError> {
        let row = self.known_row(ino)?;
        let link = &row.links[index];
        let Some((dir, name)) = link.shown_at() else { return Ok(()) };
        let dir = self.canonical(dir)?;
        let entry = extra_entry(&row, link);
        if link.displaced {
            let aside = displaced_name(name, link.entry);
            self.remove_claim(dir, &aside, ino, entry, true, shared)?;
        }
        self.remove_claim(dir, name, ino, entry, false, shared)?;
        let only = row.links.len() == 1;
        let row = self.row_mut(ino)?;
        row.links[index].shown = Shown::No;
        row.links[index].displaced = false;
        if only {
            row.contested = false;
            row.shadowed = 0;
        }
        Ok(())
    }

    pub(super) fn add_claim(
        &mut self,
        dir: Ino,
        name: &[u8],
        claim: Claim,
        shared: &mut Vec<Slot>,
    ) -> Result<(), LedgerError> {
        self.change_slot(dir, name, shared, |claims| {
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        })
    }

    pub(super) fn remove_claim(
        &mut self,
        dir: Ino,
        name: &[u8],
        ino: Ino,
        entry: Option<EntryId>,
        displaced: bool,
        shared: &mut Vec<Slot>,
    ) -> Result<(), LedgerError> {
        self.change_slot(dir, name, shared, |claims| {
            claims.retain(|c| c.ino != ino || c.entry != entry || c.displaced != displaced);
        })
    }

    fn change_slot(
        &mut self,
        dir: Ino,
        name: &[u8],
        shared: &mut Vec<Slot>,
        change: impl FnOnce(&mut Vec<Claim>),
    ) -> Result<(), LedgerError> {
        let key = slot_key(dir, name);
        let empty = self.known_empty.take().is_some_and(|empty| empty == key);
        let mut claims = if empty { Vec::new() } else { self.slot_at(&key)? };
        let (named, a_dir, several) = (!claims.is_empty(), holds_dir(&claims), claims.len() > 1);
        change(&mut claims);
        let row = self.row_mut(dir)?;
        row.entries = (row.entries + u64::from(!claims.is_empty())).saturating_sub(named.into());
        row.subdirs = (row.subdirs + u64::from(holds_dir(&claims))).saturating_sub(a_dir.into());
        self.put_slot(key, &claims);
        if several || claims.len() > 1 {
            shared.push((dir, name.to_vec()));
        }
        self.changed_slots.push((dir, name.to_vec()));
        Ok(())
    }
}

pub(super) fn holds_dir(claims: &[Claim]) -> bool {
    claims.iter().any(|claim| claim.kind == Kind::Directory)
}

/// The link's id where a claim has to tell it from the inode's first.
pub(super) fn extra_entry(row: &InodeRow, link: &Link) -> Option<EntryId> {
    (link.entry != row.id).then_some(link.entry)
}

fn wanted(link: &Link) -> Shown {
    if !link.is_alive() {
        return Shown::No;
    }
    match (link.fallback, &link.place.origin) {
        (0, _) => Shown::AsPlaced,
        (1, Some((parent, name))) => Shown::At(*parent, name.clone()),
        _ => Shown::At(ROOT, link.place.name.clone()),
    }
}

fn at<'a>(link: &'a Link, shown: &'a Shown) -> Option<(Ino, &'a [u8])> {
    match shown {
        Shown::No => None,
        Shown::AsPlaced => Some((link.place.parent, &link.place.name)),
        Shown::At(parent, name) => Some((*parent, name)),
    }
}
