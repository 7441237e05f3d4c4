//! The set of records: which are in, which wait, which are refused.
//!
//! A record is judged once, when all its parents are in, by the view of exactly its ancestors. That view is the same
//! everywhere, so the verdict is too, and the order of arrival decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::bits::Bits;
use super::grant::{Grant, Secret};
use super::power::{self, Past};
use super::record::{Action, RecordHash, RosterRecord, Vouch};
use super::role::{Need, Role};
use super::view::{Device, View};
use super::{RosterError, record};
use crate::identity::{UserId, WorkspaceId};

pub(super) const MAX_RECORDS: usize = 4096;
/// Of these, what members may fill who look after nobody; the rest is kept for those who can remove them.
const MAX_RECORDS_FOR_MEMBERS: usize = MAX_RECORDS / 2;
pub(super) const MAX_HELD_RECORDS: usize = 256;

const DIGEST_CONTEXT: &str = "peerdrive 2026 roster digest v1";

/// What became of a record that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is in, and perhaps others that waited for it.
    Added,
    /// It was in, or waiting, already.
    Duplicate,
    /// It waits for records that it names and that are not here yet: its author may be known by them only.
    Held,
}

/// A record that is in.
#[derive(Clone)]
pub(super) struct Node {
    pub record: RosterRecord,
    /// Positions of all records it descends from.
    pub ancestors: Bits,
    /// Longest way to a founding.
    pub depth: u32,
    /// The power it takes.
    pub need: Need,
    /// The user whose power it lessens.
    pub lessens: Option<UserId>,
}

#[derive(Clone)]
pub(super) struct Graph {
    workspace: WorkspaceId,
    nodes: Vec<Node>,
    positions: HashMap<RecordHash, usize>,
    heads: BTreeSet<RecordHash>,
    held: BTreeMap<RecordHash, RosterRecord>,
    refused_after_holding: u64,
}

impl Graph {
    pub fn new(workspace: WorkspaceId) -> Self {
        Self {
            workspace,
            nodes: Vec::new(),
            positions: HashMap::new(),
            heads: BTreeSet::new(),
            held: BTreeMap::new(),
            refused_after_holding: 0,
        }
    }

    /// Whether exactly one record was added since there were `before`, and it descends from all of them. Its author was
    /// judged by all of them and nothing stands beside it, so it counts and changes for none whether it does.
    pub fn is_one_step_beyond(&self, before: usize) -> bool {
        self.nodes.len() == before + 1 && self.nodes[before].ancestors.count() == before
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn records(&self) -> impl Iterator<Item = &RosterRecord> {
        self.nodes.iter().map(|node| &node.record)
    }

    /// Whether a record of exactly these bytes is in, or waits for its parents.
    pub fn has(&self, bytes: &[u8]) -> bool {
        let Some(hash) = RosterRecord::hash_of(bytes) else { return false };
        let is_in = self.positions.get(&hash).map(|position| &self.nodes[*position].record);
        is_in.or_else(|| self.held.get(&hash)).is_some_and(|record| record.as_bytes() == bytes)
    }

    pub fn held(&self) -> usize {
        self.held.len()
    }

    pub fn refused_after_holding(&self) -> u64 {
        self.refused_after_holding
    }

    /// Every grant of every record that is in.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.records().flat_map(|record| match record.action() {
            Action::Grant(grants) => grants.as_slice(),
            _ => &[],
        })
    }

    /// What a new record names as seen: the records nobody has built on yet.
    pub fn parents_for_new(&self) -> Vec<RecordHash> {
        self.heads.iter().take(record::MAX_PARENTS).copied().collect()
    }

    pub fn digest(&self) -> [u8; 32] {
        let hashes: BTreeSet<_> = self.positions.keys().collect();
        let mut hasher = blake3::Hasher::new_derive_key(DIGEST_CONTEXT);
        for hash in hashes {
            hasher.update(hash.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// Takes a record in. `current` is the view of all records that are in.
    pub fn apply(&mut self, record: RosterRecord, current: &View) -> Result<Applied, RosterError> {
        if record.workspace() != self.workspace {
            return Err(RosterError::OtherWorkspace);
        }
        if self.positions.contains_key(&record.hash()) || self.held.contains_key(&record.hash()) {
            return Ok(Applied::Duplicate);
        }
        if !self.knows_parents(&record) {
            return self.hold(record);
        }
        self.admit(record, Some(current))?;
        self.release();
        Ok(Applied::Added)
    }

    fn knows_parents(&self, record: &RosterRecord) -> bool {
        record.parents().iter().all(|parent| self.positions.contains_key(parent))
    }

    fn hold(&mut self, record: RosterRecord) -> Result<Applied, RosterError> {
        if self.held.len() >= MAX_HELD_RECORDS {
            return Err(RosterError::TooManyHeld);
        }
        self.held.insert(record.hash(), record);
        Ok(Applied::Held)
    }

    /// Admits held records whose parents have come, until none is left that can be.
    fn release(&mut self) {
        while let Some(hash) =
            self.held.values().find(|held| self.knows_parents(held)).map(RosterRecord::hash)
        {
            let record = self.held.remove(&hash).expect("the hash was just found among the held");
            if self.admit(record, None).is_err() {
                self.refused_after_holding += 1;
            }
        }
    }

    fn admit(&mut self, record: RosterRecord, current: Option<&View>) -> Result<(), RosterError> {
        if self.nodes.len() >= MAX_RECORDS {
            return Err(RosterError::Full);
        }
        let mut ancestors = Bits::default();
        let mut depth = 0;
        for position in record.parents().iter().map(|parent| self.positions[parent]) {
            ancestors.union(&self.nodes[position].ancestors);
            ancestors.insert(position);
            depth = depth.max(self.nodes[position].depth + 1);
        }
        let (need, lessens) = match current {
            Some(view) if ancestors.count() == self.nodes.len() => judge(&record, view)?,
            _ => judge(&record, &View::of(self, &ancestors))?,
        };
        if need < Need::Admin && self.nodes.len() >= MAX_RECORDS_FOR_MEMBERS {
            return Err(RosterError::Full);
        }
        for parent in record.parents() {
            self.heads.remove(parent);
        }
        self.heads.insert(record.hash());
        self.positions.insert(record.hash(), self.nodes.len());
        self.nodes.push(Node { record, ancestors, depth, need, lessens });
        Ok(())
    }
}

/// What a record takes and lessens, or why its author was not allowed to write it, by the view of its past.
fn judge(record: &RosterRecord, past: &View) -> Result<(Need, Option<UserId>), RosterError> {
    let need = power::need_of(record, past)?;
    if !need.met_by(past.role_of(&record.author())) {
        return Err(RosterError::NotAllowed { needed: need.word() });
    }
    let lessens = power::lessens(record, past);
    if lessens.is_some_and(|user| past.role_of(&user) == Some(Role::Owner)) && past.owners() == 1 {
        return Err(RosterError::LastOwner);
    }
    match record.action() {
        Action::Grant(grants) if grants.iter().any(|grant| skips_epochs(grant, past)) => {
            Err(RosterError::EpochSkips)
        }
        Action::Vouch(vouch) if !adds_something(vouch, past) => Err(RosterError::NothingToVouchFor),
        _ => Ok((need, lessens)),
    }
}

/// Numbers must not run ahead: one near the end of their range would leave no room for the next.
fn skips_epochs(grant: &Grant, past: &View) -> bool {
    match grant.secret {
        Secret::Epoch { realm, epoch, .. } => epoch == 0 || epoch > past.last_epoch(&realm).saturating_add(1),
        Secret::Dedup => false,
    }
}

/// Only of a device that may not write any more, and only what is not applied anyway.
fn adds_something(vouch: &Vouch, past: &View) -> bool {
    let news = |device: &Device| {
        let outline = vouch.outline.is_some_and(|outline| !device.may_declare(&outline));
        !device.writes.allows(vouch.through) || outline
    };
    past.devices.get(&vouch.device).is_some_and(news)
}
