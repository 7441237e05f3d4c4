//! What tests look at below the ledger's surface.

use std::collections::BTreeMap;

use super::Ledger;
use crate::edit::Stamped;
use crate::node::{Ino, InodeId, Kind, ROOT, Stats};
use crate::stamp::VersionId;
use crate::tree::InodeRow;

impl Ledger {
    pub(crate) fn claims_for_test(&self, dir: Ino, name: &[u8]) -> Vec<Ino> {
        self.state.slot(dir, name).unwrap().iter().map(|claim| claim.ino).collect()
    }

    pub(crate) fn row_for_test(&self, ino: Ino) -> InodeRow {
        self.state.known_row(ino).unwrap().as_ref().clone()
    }

    /// Inodes whose share of the counts is not settled.
    pub(crate) fn unsettled_for_test(&self) -> usize {
        self.state.unsettled()
    }

    /// Every edit made here, sealed or not.
    pub(crate) fn own_edits_for_test(&self) -> Vec<Stamped> {
        let own = self.state.own;
        let last = self.frontier.get(&own).map_or(0, |row| row.sequence);
        let lists = (1..=last).filter_map(|sequence| self.logged(own, sequence).unwrap());
        let mut edits: Vec<_> = lists.flat_map(|list| list.edits().cloned().collect::<Vec<_>>()).collect();
        edits.extend(self.pending.iter().cloned());
        edits
    }

    /// Whether the content of a version can still be had.
    pub(crate) fn keeps_version_for_test(&self, inode: InodeId, version: VersionId) -> bool {
        let ino = self.state.ino_of(inode).unwrap().unwrap();
        self.content_of(ino, version).is_ok()
    }

    /// Counts everything derived anew and compares.
    pub(crate) fn check_derived_for_test(&self) {
        let mut supports: BTreeMap<Ino, u64> = BTreeMap::new();
        let mut stats = Stats { transactions: self.state.stats.transactions, ..Stats::default() };
        let inodes = self.state.inodes_from(0, usize::MAX).unwrap();
        for ino in &inodes {
            let row = self.state.known_row(*ino).unwrap();
            assert_eq!(
                InodeRow::decode(&row.encode(*ino, self.state.own), *ino, self.state.own).unwrap(),
                *row
            );
            for link in &row.links {
                if let Some(parent) = link.counted {
                    assert_eq!(parent, link.place.parent, "inode {ino}");
                    *supports.entry(parent).or_default() += 1;
                }
                assert_eq!(link.shown_at().is_some(), link.is_alive());
                self.check_claim(*ino, &row, link);
            }
            if row.born.is_some() && row.is_alive() {
                match row.kind() {
                    Some(Kind::Directory) => stats.directories += 1,
                    _ => stats.files += 1,
                }
                stats.bytes += row.size();
                stats.conflicts += row.others.len() as u64 + u64::from(row.shadowed);
            }
        }
        assert_eq!(stats, self.state.stats);
        for ino in inodes {
            let row = self.state.known_row(ino).unwrap();
            assert_eq!(row.supports, supports.get(&ino).copied().unwrap_or(0), "supports of {ino}");
            self.check_entries(ino, &row);
        }
    }

    fn check_claim(&self, ino: Ino, row: &InodeRow, link: &crate::tree::Link) {
        let Some((dir, name)) = link.shown_at() else { return };
        let dir = self.state.canonical(dir).unwrap();
        let entry = (link.entry != row.id).then_some(link.entry);
        let claims = self.state.slot(dir, name).unwrap();
        let own = claims.iter().filter(|c| c.ino == ino && c.entry == entry && !c.displaced).count();
        assert_eq!(own, 1, "claim of {ino} on {name:?} in {dir}");
    }

    fn check_entries(&self, ino: Ino, row: &InodeRow) {
        let mut entries = Vec::new();
        if row.alias.is_none() && (row.is_dir() || ino == ROOT) {
            self.list(ino, 0, usize::MAX, &mut entries).unwrap();
            assert_eq!(row.entries, entries.len() as u64, "entries of {ino}");
            let dirs = entries.iter().filter(|entry| entry.kind == Kind::Directory).count();
            assert_eq!(row.subdirs, dirs as u64, "subdirectories of {ino}");
        } else {
            assert_eq!((row.entries, row.subdirs), (0, 0), "entries of {ino}, which holds none");
        }
    }
}
