//! Versions, deleted names, conflicts: what can be had back.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Bound;

use super::Ledger;
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::merge::{SEVERAL_CLAIMS, SEVERAL_HEADS};
use crate::node::{Conflict, DeletedEntry, Ino, NewVersion, VersionInfo};
use crate::stamp::{Now, Stamp, VersionId};
use crate::store::Table;
use crate::tree::{VersionRow, decode_slot, prefix_end, version_of_key};
use crate::wire::WireError;

/// The newest versions of those that are told to it.
struct Newest {
    before: Option<VersionId>,
    limit: usize,
    infos: Vec<VersionInfo>,
}

impl Newest {
    fn push(&mut self, info: VersionInfo) {
        if self.before.is_some_and(|before| info.id >= before) {
            return;
        }
        self.infos.push(info);
        if self.infos.len() >= self.limit.saturating_mul(2) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.infos.sort_unstable_by_key(|info| Reverse(info.id));
        self.infos.truncate(self.limit);
    }
}

/// Bytes of a grave's key after the name: a zero, clock, device.
const GRAVE_TAIL_BYTES: usize = 17;

impl Ledger {
    /// Every version of a file that is kept, newest first; those of files hidden behind it under its name too.
    ///
    /// # Errors
    /// `NotFound`, or the store failed.
    pub fn versions(&self, ino: Ino) -> Result<Vec<VersionInfo>, LedgerError> {
        self.versions_before(ino, None, usize::MAX)
    }

    /// At most `limit` of them, those made before `before`. However many there are, twice that many are in memory at most.
    ///
    /// # Errors
    /// As [`Ledger::versions`].
    pub fn versions_before(
        &self,
        ino: Ino,
        before: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<VersionInfo>, LedgerError> {
        let mut newest = Newest { before, limit, infos: Vec::new() };
        for claimant in self.claimants_of(ino)? {
            self.versions_of(claimant, claimant == ino, &mut newest)?;
        }
        newest.cut();
        Ok(newest.infos)
    }

    fn versions_of(&self, ino: Ino, opens: bool, infos: &mut Newest) -> Result<(), LedgerError> {
        let row = self.state.row(ino)?.ok_or(LedgerError::NotFound)?;
        let head = row.head.as_ref().map(|head| head.id);
        let info = |id: VersionId, size, mtime, parents, is_head: bool| VersionInfo {
            id,
            ino,
            time: id.0.time(),
            size,
            mtime,
            device: id.0.device,
            current: opens && head == Some(id),
            conflict: is_head && !(opens && head == Some(id)),
            parents,
        };
        if let Some(head) = &row.head {
            infos.push(info(head.id, head.size, head.mtime, head.parents.clone(), true));
        }
        let from = ino.to_be_bytes();
        let mut bad = None;
        self.state.layers.scan(Table::Versions, &from, prefix_end(&from).as_deref(), &mut |key, value| {
            let Some(id) = version_of_key(key).filter(|id| Some(*id) != head) else { return true };
            match VersionRow::decode(value) {
                Ok(VersionRow { replaced, body: Some(body) }) if !body.is_given_up() => {
                    infos.push(info(id, body.size, body.mtime, body.parents, replaced.is_none()));
                }
                Ok(_) => {}
                Err(error) => bad = Some(error),
            }
            bad.is_none()
        })?;
        bad.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Makes the content of an older version, or of one in conflict, the current one: as a new version, so that this
    /// too can be undone.
    ///
    /// # Errors
    /// `NotFound`, `Expired`, or the store failed.
    pub fn restore_version(
        &mut self,
        now: Now,
        ino: Ino,
        version: VersionId,
    ) -> Result<VersionId, LedgerError> {
        let (size, content) = self.content_of(ino, version)?;
        let base = self.born_row(ino)?.head.as_ref().map(|head| head.id);
        self.publish(now, ino, NewVersion { base, size, mtime: now.wall, content })
    }

    /// Ends a file's conflict: a new version with the content of `keep` replaces all heads, and files hidden behind
    /// this one are deleted. What is replaced stays in the history.
    ///
    /// # Errors
    /// `NotFound`, `Expired`, or the store failed.
    pub fn resolve_conflict(
        &mut self,
        now: Now,
        ino: Ino,
        keep: VersionId,
    ) -> Result<VersionId, LedgerError> {
        let (size, content) = self.content_of(ino, keep)?;
        self.begin(now)?;
        self.delete_hidden(now, ino)?;
        let row = self.born_row(ino)?;
        let heads: Vec<VersionId> = row.heads().take(crate::tree::PARENTS_MAX).collect();
        self.publish_over(now, &row, heads, NewVersion { base: None, size, mtime: now.wall, content })
    }

    /// Names deleted in a directory that can be had back, at most `limit`, after the position `after` (empty to begin).
    /// The second value is the position to go on from.
    ///
    /// # Errors
    /// The store failed.
    pub fn deleted(
        &self,
        dir: Ino,
        after: &[u8],
        limit: usize,
    ) -> Result<(Vec<DeletedEntry>, Option<Vec<u8>>), LedgerError> {
        let prefix = dir.to_be_bytes();
        let from = if after.is_empty() { prefix.to_vec() } else { [after, &[0]].concat() };
        let mut graves = Vec::new();
        let mut last = None;
        let end = prefix_end(&prefix);
        self.state.layers.scan(Table::Graves, &from, end.as_deref(), &mut |key, value| {
            if graves.len() >= limit {
                return false;
            }
            graves.push((key.to_vec(), decode_slot(value)));
            last = Some(key.to_vec());
            true
        })?;
        let next = if graves.len() >= limit { last } else { None };
        let mut entries = Vec::with_capacity(graves.len());
        for (key, claims) in graves {
            let (name, stamp) = grave_of_key(&key).ok_or(WireError::Malformed("grave"))?;
            let Some(claim) = claims?.first().copied() else { continue };
            let Some(row) = self.state.row(claim.ino)?.filter(|row| !row.expired) else { continue };
            entries.push(DeletedEntry {
                name,
                ino: claim.ino,
                time: stamp.time(),
                kind: claim.kind,
                device: stamp.device,
                size: row.size(),
            });
        }
        Ok((entries, next))
    }

    /// Files in conflict, at most `limit`, with inode numbers above `after`.
    ///
    /// # Errors
    /// The store failed.
    pub fn conflicts(&self, after: Ino, limit: usize) -> Result<Vec<Conflict>, LedgerError> {
        let mut inodes = BTreeSet::new();
        let mut slots = Vec::new();
        self.state.layers.scan(
            Table::Contested,
            &[SEVERAL_HEADS],
            Some(&[SEVERAL_CLAIMS + 1]),
            &mut |key, _| {
                match key.split_first() {
                    Some((&SEVERAL_HEADS, ino)) => {
                        inodes.extend(ino.first_chunk().copied().map(u64::from_be_bytes));
                    }
                    Some((&SEVERAL_CLAIMS, slot)) => slots.push(slot.to_vec()),
                    _ => {}
                }
                true
            },
        )?;
        for slot in slots {
            inodes.extend(self.state.slot_at(&slot)?.first().map(|top| top.ino));
        }
        let mut conflicts = Vec::new();
        for ino in inodes.range((Bound::Excluded(after), Bound::Unbounded)) {
            let Some(row) = self.state.row(*ino)?.filter(|row| !row.is_dir() && row.is_alive()) else {
                continue;
            };
            if row.others.is_empty() && row.shadowed == 0 {
                continue;
            }
            if conflicts.len() == limit {
                break;
            }
            let mut versions = self.versions(*ino)?;
            versions.retain(|version| version.current || version.conflict);
            conflicts.push(Conflict { ino: *ino, versions });
        }
        Ok(conflicts)
    }
}

fn grave_of_key(key: &[u8]) -> Option<(Vec<u8>, Stamp)> {
    let name = key.get(16..key.len().checked_sub(GRAVE_TAIL_BYTES)?)?;
    let tail = key.last_chunk::<16>()?;
    let (clock, device) = tail.split_first_chunk::<8>()?;
    let device = device.first_chunk::<8>()?;
    let stamp = Stamp { clock: u64::from_be_bytes(*clock), device: DeviceTag(u64::from_be_bytes(*device)) };
    Some((name.to_vec(), stamp))
}
