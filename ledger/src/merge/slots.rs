//! Names that several links claim.
//!
//! Directories of one name are one directory: the senior one (smallest id) holds the entries of all. Of files of one
//! name the latest opens, the others' versions are conflicts of it. A directory and a file: the directory keeps the
//! name, the file shows beside it under a name made from its id; if that is a directory too, it stays hidden.

use std::cmp::Reverse;
use std::sync::Arc;

use super::claims::{Slot, extra_entry, holds_dir};
use crate::error::LedgerError;
use crate::node::{EntryId, Ino, Kind};
use crate::store::Table;
use crate::tree::{Claim, InodeRow, Slots, State, displaced_name, name_of_key, prefix_end, slot_key};

/// Names in [`Table::Contested`] that begin so are slots with several claims.
pub(crate) const SEVERAL_CLAIMS: u8 = b's';

impl State {
    /// Settles slots until none is left to settle.
    pub(super) fn settle_slots(&mut self, mut shared: Vec<Slot>) -> Result<(), LedgerError> {
        while let Some((dir, name)) = shared.pop() {
            self.settle_slot(dir, &name, &mut shared)?;
        }
        Ok(())
    }

    fn settle_slot(&mut self, dir: Ino, name: &[u8], shared: &mut Vec<Slot>) -> Result<(), LedgerError> {
        let key = slot_key(dir, name);
        let claims = self.slot_at(&key)?;
        let sorted = self.sort_claims(&claims)?;
        let several = sorted.len() > 1;
        if sorted != claims {
            self.put_slot(key.clone(), &sorted);
            self.changed_slots.push((dir, name.to_vec()));
        }
        self.mark_contested(&key, &sorted, several)?;
        if self.merge_dirs(&sorted, shared)? {
            // Rows moved; this slot may have gone with them.
            shared.push((self.canonical(dir)?, name.to_vec()));
            return Ok(());
        }
        self.displace_files(dir, name, &sorted, shared)
    }

    // What shows first: the senior directory, else the latest file.
    fn sort_claims(&self, claims: &[Claim]) -> Result<Vec<Claim>, LedgerError> {
        if claims.len() < 2 {
            return Ok(claims.to_vec());
        }
        let mut keyed = Vec::with_capacity(claims.len());
        for claim in claims {
            let row = self.known_row(claim.ino)?;
            let entry = claim.entry.unwrap_or(row.id);
            let is_dir = claim.kind == Kind::Directory;
            let latest = if is_dir { None } else { Some(row.top_stamp()) };
            keyed.push(((!is_dir, Reverse(latest), entry, claim.displaced), *claim));
        }
        keyed.sort_unstable_by_key(|(key, _)| *key);
        Ok(keyed.into_iter().map(|(_, claim)| claim).collect())
    }

    fn mark_contested(&mut self, key: &[u8], claims: &[Claim], several: bool) -> Result<(), LedgerError> {
        let mark = [&[SEVERAL_CLAIMS][..], key].concat();
        let marked = self.layers.get(Table::Contested, &mark)?.is_some();
        match (marked, several) {
            (false, true) => self.layers.put(Table::Contested, mark, Vec::new()),
            (true, false) => self.layers.delete(Table::Contested, mark),
            _ => {}
        }
        let files = claims.iter().filter(|claim| claim.kind != Kind::Directory).count() as u32;
        let top_is_file = !holds_dir(claims);
        for (index, claim) in claims.iter().enumerate() {
            let shadowed = if index == 0 && top_is_file { files - 1 } else { 0 };
            let row = self.known_row(claim.ino)?;
            let contested = several || (row.contested && row.links.len() > 1);
            if row.contested != contested || row.shadowed != shadowed {
                let row = self.row_mut(claim.ino)?;
                row.contested = contested;
                row.shadowed = shadowed;
            }
        }
        Ok(())
    }

    // Makes the first directory hold the entries of the others. Answers whether any rows had to move.
    fn merge_dirs(&mut self, claims: &[Claim], shared: &mut Vec<Slot>) -> Result<bool, LedgerError> {
        let dirs = claims.iter().filter(|claim| claim.kind == Kind::Directory).map(|claim| claim.ino);
        let mut changed = Vec::new();
        let mut holders = Vec::new();
        let mut senior = None;
        for dir in dirs {
            let alias = senior.filter(|senior| *senior != dir);
            senior = senior.or(Some(dir));
            let row = self.known_row(dir)?;
            if row.alias != alias {
                holders.push(row.alias.unwrap_or(dir));
                changed.push((dir, alias));
            }
        }
        holders.sort_unstable();
        holders.dedup();
        let mut homeless = Vec::new();
        for holder in holders {
            self.take_entries(holder, &mut homeless)?;
        }
        for (dir, alias) in &changed {
            self.row_mut(*dir)?.alias = *alias;
        }
        for (ino, entry) in homeless {
            let row = self.known_row(ino)?;
            let index = row.links.iter().position(|link| link.entry == entry);
            if let Some(index) = index {
                self.claim(ino, index, shared)?;
            }
        }
        Ok(!changed.is_empty())
    }

    // Empties the table of a directory's names; the links whose claims stood there go to `homeless`.
    fn take_entries(&mut self, dir: Ino, homeless: &mut Vec<(Ino, EntryId)>) -> Result<(), LedgerError> {
        for (key, claims) in self.slots_of(dir)? {
            for claim in &claims {
                let row = self.known_row(claim.ino)?;
                let entry = claim.entry.unwrap_or(row.id);
                if claim.displaced {
                    self.set_displaced(claim.ino, entry, false)?;
                } else {
                    homeless.push((claim.ino, entry));
                }
            }
            if claims.len() > 1 {
                self.layers.delete(Table::Contested, [&[SEVERAL_CLAIMS][..], &key].concat());
                self.forget_sharing(&claims)?;
            }
            if let Some((_, name)) = name_of_key(&key) {
                self.changed_slots.push((dir, name.to_vec()));
            }
            self.layers.delete(Table::Children, key);
        }
        let row = self.row_mut(dir)?;
        (row.entries, row.subdirs) = (0, 0);
        Ok(())
    }

    fn forget_sharing(&mut self, claims: &[Claim]) -> Result<(), LedgerError> {
        for claim in claims {
            let row = self.row_mut(claim.ino)?;
            row.contested = row.links.len() > 1;
            row.shadowed = 0;
        }
        Ok(())
    }

    fn slots_of(&self, dir: Ino) -> Result<Slots, LedgerError> {
        let from = dir.to_be_bytes();
        let mut slots = Vec::new();
        let mut bad = None;
        self.layers.scan(Table::Children, &from, prefix_end(&from).as_deref(), &mut |key, value| {
            match crate::tree::decode_slot(value) {
                Ok(claims) => slots.push((key.to_vec(), claims)),
                Err(error) => bad = Some(error),
            }
            bad.is_none()
        })?;
        bad.map_or(Ok(slots), |error| Err(error.into()))
    }

    // Files whose name a directory holds get a claim beside it; others lose it.
    fn displace_files(
        &mut self,
        dir: Ino,
        name: &[u8],
        claims: &[Claim],
        shared: &mut Vec<Slot>,
    ) -> Result<(), LedgerError> {
        let taken = holds_dir(claims);
        for claim in claims.iter().filter(|claim| claim.kind != Kind::Directory && !claim.displaced) {
            let row: Arc<InodeRow> = self.known_row(claim.ino)?;
            let entry = claim.entry.unwrap_or(row.id);
            let Some(link) = row.links.iter().find(|link| link.entry == entry) else { continue };
            if link.displaced == taken {
                continue;
            }
            let aside = displaced_name(name, entry);
            let extra = extra_entry(&row, link);
            self.set_displaced(claim.ino, entry, taken)?;
            if taken {
                self.add_claim(dir, &aside, Claim { displaced: true, ..*claim }, shared)?;
            } else {
                self.remove_claim(dir, &aside, claim.ino, extra, true, shared)?;
            }
        }
        Ok(())
    }

    fn set_displaced(&mut self, ino: Ino, entry: EntryId, displaced: bool) -> Result<(), LedgerError> {
        let row = self.row_mut(ino)?;
        if let Some(link) = row.links.iter_mut().find(|link| link.entry == entry) {
            link.displaced = displaced;
        }
        Ok(())
    }
}
