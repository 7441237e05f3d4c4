//! What history gives up after a while, and what of it must still be kept.

use std::time::Duration;

use super::Ledger;
use crate::content::Content;
use crate::error::LedgerError;
use crate::node::Ino;
use crate::stamp::{Now, Stamp, VersionId};
use crate::store::Table;
use crate::tree::{InodeRow, VersionRow, grave_key, prefix_end, version_key, version_of_key};

/// Where a walk over all inodes stopped; the default begins at the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor(pub(super) Ino);

/// What a step of pruning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PruneReport {
    /// Versions given up.
    pub versions: u64,
    /// Deleted files and directories whose content was given up.
    pub inodes: u64,
    /// The walk came to the end; the next step begins anew.
    pub finished: bool,
}

/// The clock before which the retention window ended.
pub(super) fn oldest_kept(now: Now, retention: Duration) -> u64 {
    let keep_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
    now.wall.millis().saturating_sub(keep_ms) << 16
}

impl Ledger {
    /// Gives up versions that were replaced, and content of what was deleted, longer than `retention` ago. Looks at
    /// `budget_rows` inodes from where the step before stopped.
    ///
    /// Of a deleted inode the registers stay (some tens of bytes), so that an edit that arrives late still finds what
    /// it edits and every device comes to the same tree.
    ///
    /// # Errors
    /// The store failed.
    pub fn prune(
        &mut self,
        now: Now,
        retention: Duration,
        budget_rows: usize,
    ) -> Result<PruneReport, LedgerError> {
        self.prune_except(now, retention, budget_rows, &|_| false)
    }

    /// The same, but for versions that `keeps` wants: something of this device was made on them and is no version yet.
    ///
    /// # Errors
    /// Those of [`Ledger::prune`].
    pub fn prune_except(
        &mut self,
        now: Now,
        retention: Duration,
        budget_rows: usize,
        keeps: &dyn Fn(VersionId) -> bool,
    ) -> Result<PruneReport, LedgerError> {
        self.begin(now)?;
        let oldest = oldest_kept(now, retention);
        let mut report = PruneReport::default();
        let rows = self.state.inodes_from(self.prune_at.0, budget_rows)?;
        report.finished = rows.len() < budget_rows;
        self.prune_at = match rows.last() {
            Some(last) if !report.finished => Cursor(last + 1),
            _ => Cursor::default(),
        };
        for ino in rows {
            let result = self.prune_inode(ino, oldest, keeps, &mut report);
            self.poisoned |= result.is_err();
            result?;
        }
        self.state.settle_counts();
        Ok(report)
    }

    fn prune_inode(
        &mut self,
        ino: Ino,
        oldest: u64,
        keeps: &dyn Fn(VersionId) -> bool,
        report: &mut PruneReport,
    ) -> Result<(), LedgerError> {
        let row = self.state.known_row(ino)?;
        let keeps_head = row.head.as_ref().is_some_and(|head| keeps(head.id));
        let dead = row.born.is_some()
            && !row.is_alive()
            && row.links.iter().all(|link| link.place.deleted && link.place.stamp.clock < oldest);
        let opens = row.head.as_ref().map(|head| head.id);
        let long_head = row.head.as_ref().filter(|head| head.content.is_none()).map(|head| head.id);
        let mut gone = Vec::new();
        for (id, version) in self.state.versions_of(ino)? {
            let replaced_long_ago = version.replaced.is_some_and(|stamp: Stamp| stamp.clock < oldest);
            let old = replaced_long_ago && opens != Some(id);
            if version.body.is_some() && !keeps(id) && (old || (dead && long_head == Some(id))) {
                gone.push(id);
            }
        }
        report.versions += gone.len() as u64;
        for id in gone {
            self.state.layers.delete(Table::Versions, version_key(ino, id));
        }
        if dead && !row.expired && !keeps_head {
            self.expire(ino, &row)?;
            report.inodes += 1;
        }
        Ok(())
    }

    fn expire(&mut self, ino: Ino, row: &InodeRow) -> Result<(), LedgerError> {
        for link in &row.links {
            let key = grave_key(link.place.parent, &link.place.name, link.place.stamp);
            self.state.layers.delete(Table::Graves, key);
        }
        let row = self.state.row_mut(ino)?;
        row.expired = true;
        if let Some(head) = &mut row.head {
            head.content = None;
        }
        Ok(())
    }

    /// Hands every content that is kept (of every version of every inode) to `f`, `budget` inodes a step. Answers where
    /// to go on, `None` at the end.
    ///
    /// # Errors
    /// The store failed. What could not be read must count as in use.
    pub fn for_each_live_content(
        &self,
        cursor: Cursor,
        budget: usize,
        f: &mut dyn FnMut(&Content),
    ) -> Result<Option<Cursor>, LedgerError> {
        let inodes = self.state.inodes_from(cursor.0, budget)?;
        for ino in &inodes {
            let row = self.state.known_row(*ino)?;
            if let Some(content) = row.head.as_ref().and_then(|head| head.content.as_ref()) {
                f(content);
            }
            for (_, version) in self.state.versions_of(*ino)? {
                version.body.iter().for_each(|body| f(&body.content));
            }
        }
        Ok(inodes.last().filter(|_| inodes.len() == budget).map(|last| Cursor(last + 1)))
    }
}

impl crate::tree::State {
    /// Up to `limit` inode numbers from `from` on.
    pub(super) fn inodes_from(&self, from: Ino, limit: usize) -> Result<Vec<Ino>, LedgerError> {
        let mut inodes = std::collections::BTreeSet::new();
        let layers = &self.layers;
        for layer in layers.newest_first() {
            inodes.extend(layer.inodes.range(from..).take(limit).map(|(ino, _)| *ino));
        }
        let mut left = limit;
        layers.backing.scan(Table::Inodes, &from.to_be_bytes(), None, &mut |key, _| {
            inodes.extend(key.first_chunk().copied().map(u64::from_be_bytes));
            left = left.saturating_sub(1);
            left > 0
        })?;
        Ok(inodes.into_iter().take(limit).collect())
    }

    fn versions_of(&self, ino: Ino) -> Result<Vec<(VersionId, VersionRow)>, LedgerError> {
        let from = ino.to_be_bytes();
        let mut versions = Vec::new();
        self.layers.scan(Table::Versions, &from, prefix_end(&from).as_deref(), &mut |key, value| {
            versions.extend(version_of_key(key).map(|id| (id, VersionRow::decode(value))));
            true
        })?;
        versions.into_iter().map(|(id, row)| Ok((id, row?))).collect()
    }
}
