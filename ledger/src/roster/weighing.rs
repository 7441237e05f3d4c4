//! Which records count, and what those come to that do.
//!
//! A record counts when its author had the power it takes by those of its ancestors that
//! count, and would still have it after each *barrier*: a record that counts, lessens its author, and stands beside
//! it (neither knows the other). Who is removed thus cannot act "at the same time", and back-dating gains nothing.
//! Where two lessen each other, one becomes the barrier first: the one that takes more power, then the one nearer to
//! the founding, then the one with the smaller hash.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::RecordHash;
use super::bits::Bits;
use super::graph::Node;
use super::name::SealedName;
use super::power::{self, Past};
use super::record::{Action, Cut, Vouch};
use super::role::{Need, Role};
use crate::identity::{DeviceId, UserId};
use crate::keys::UserPublicKeys;

/// Finds out which records count, and answers questions about them.
pub(super) struct Weighing<'a> {
    nodes: &'a [Node],
    within: &'a Bits,
    pub about_user: BTreeMap<UserId, Vec<usize>>,
    pub about_device: HashMap<DeviceId, Vec<usize>>,
    vouches: HashMap<DeviceId, Vec<usize>>,
    by_author: HashMap<UserId, Vec<usize>>,
}

impl<'a> Weighing<'a> {
    pub fn new(nodes: &'a [Node], within: &'a Bits) -> Self {
        let mut weighing = Self {
            nodes,
            within,
            about_user: BTreeMap::new(),
            about_device: HashMap::new(),
            vouches: HashMap::new(),
            by_author: HashMap::new(),
        };
        for position in within.iter() {
            let record = &nodes[position].record;
            weighing.by_author.entry(record.author()).or_default().push(position);
            match record.action() {
                Action::Found(_) => weighing.about_user.entry(record.author()).or_default().push(position),
                Action::Member(member) => {
                    weighing.about_user.entry(member.user.id()).or_default().push(position);
                }
                Action::Device { claim, .. } => {
                    weighing.about_device.entry(claim.device()).or_default().push(position);
                }
                Action::RemoveDevice(cut) => {
                    weighing.about_device.entry(cut.device).or_default().push(position);
                }
                Action::Vouch(vouch) => weighing.vouches.entry(vouch.device).or_default().push(position),
                Action::Grant(_) | Action::Policy(_) => {}
            }
        }
        weighing
    }

    /// The records that count.
    pub fn counting(&self) -> Bits {
        let mut lessening: Vec<_> = self.within.iter().filter(|p| self.nodes[*p].lessens.is_some()).collect();
        lessening
            .sort_unstable_by_key(|position| (Reverse(self.nodes[*position].need), self.rank(*position)));
        let mut barriers = Vec::new();
        for position in lessening {
            if self.has_rivals(position) && self.counting_behind(&barriers).contains(position) {
                barriers.push(position);
            }
        }
        self.counting_behind(&barriers)
    }

    /// Whether the user whose power this record lessens wrote anything beside it.
    fn has_rivals(&self, lessening: usize) -> bool {
        let target = self.nodes[lessening].lessens;
        let written = target.and_then(|target| self.by_author.get(&target));
        written.is_some_and(|written| written.iter().any(|other| self.beside(lessening, *other)))
    }

    /// Whether neither of two records knows the other.
    fn beside(&self, one: usize, other: usize) -> bool {
        one != other
            && !self.nodes[one].ancestors.contains(other)
            && !self.nodes[other].ancestors.contains(one)
    }

    /// The records whose authors had the power they take, and would have it after each of these barriers beside them.
    fn counting_behind(&self, barriers: &[usize]) -> Bits {
        let mut counting = Bits::default();
        for position in self.within.iter() {
            let node = &self.nodes[position];
            let before = Before { weighing: self, node, counting: &counting };
            let Ok(need) = power::need_of(&node.record, &before) else { continue };
            let had = need.met_by(before.role_of(&node.record.author()));
            if had && (barriers.contains(&position) || !self.is_barred(position, need, barriers)) {
                counting.insert(position);
            }
        }
        counting
    }

    fn is_barred(&self, position: usize, need: Need, barriers: &[usize]) -> bool {
        let author = Some(self.nodes[position].record.author());
        let bars =
            |barrier: &&usize| self.nodes[**barrier].lessens == author && self.beside(**barrier, position);
        barriers.iter().filter(bars).any(|barrier| match self.action(*barrier) {
            Action::Member(member) => !need.met_by(member.role),
            _ => false,
        })
    }

    /// Of these records (ancestors first), those that count and that no other counting one descends from.
    pub fn deciding(&self, positions: &[usize], counting: &Bits) -> Vec<usize> {
        let mut deciding: Vec<usize> = Vec::new();
        for position in positions.iter().rev().copied().filter(|position| counting.contains(*position)) {
            // What overrules it is younger, and either decides itself or is overruled by one that does.
            if !deciding.iter().any(|later| self.nodes[*later].ancestors.contains(position)) {
                deciding.push(position);
            }
        }
        deciding
    }

    /// The least role these records give; the outer `None` when there are none.
    pub fn least_role(&self, deciding: &[usize]) -> Option<Option<Role>> {
        let roles = deciding.iter().filter_map(|position| match self.action(*position) {
            Action::Found(_) => Some(Some(Role::Owner)),
            Action::Member(member) => Some(member.role),
            _ => None,
        });
        roles.min()
    }

    /// Up to where a removed device's log is applied; `None` when none of these removes it.
    pub fn removal(&self, deciding: &[usize]) -> Option<u64> {
        let removals = deciding.iter().filter_map(|position| match self.action(*position) {
            Action::RemoveDevice(cut) => Some(cut.accepted_through),
            _ => None,
        });
        removals.max()
    }

    /// What members vouch for of a device's log. All of it counts together: what one of them has, all get.
    pub fn vouches(&self, device: &DeviceId, counting: &'a Bits) -> impl Iterator<Item = &'a Vouch> {
        let positions = self.vouches.get(device).map_or(&[][..], Vec::as_slice).iter();
        let nodes = self.nodes;
        let counted = positions.copied().filter(|position| counting.contains(*position));
        counted.filter_map(move |position| match nodes[position].record.action() {
            Action::Vouch(vouch) => Some(vouch),
            _ => None,
        })
    }

    pub fn action(&self, position: usize) -> &'a Action {
        self.nodes[position].record.action()
    }

    /// A total order that never puts a record before its ancestors.
    pub fn rank(&self, position: usize) -> (u32, RecordHash) {
        (self.nodes[position].depth, self.nodes[position].record.hash())
    }

    /// How many records descend from this one; ties are broken by hash.
    pub fn weight(&self, position: usize) -> (usize, RecordHash) {
        let built_on =
            self.within.iter().filter(|later| self.nodes[*later].ancestors.contains(position)).count();
        (built_on, self.nodes[position].record.hash())
    }

    pub fn name_in(&self, position: usize) -> Option<&'a SealedName> {
        match self.action(position) {
            Action::Member(member) => member.name.as_ref(),
            _ => None,
        }
    }

    pub fn user_keys_in(&self, position: usize) -> &'a UserPublicKeys {
        match self.action(position) {
            Action::Member(member) => &member.user,
            _ => self.nodes[position].record.author_keys(),
        }
    }

    pub fn cuts_in(&self, position: usize) -> &'a [Cut] {
        match self.action(position) {
            Action::Member(member) => &member.cuts,
            _ => &[],
        }
    }
}

/// That part of a record's past that counts.
struct Before<'a> {
    weighing: &'a Weighing<'a>,
    node: &'a Node,
    counting: &'a Bits,
}

impl Before<'_> {
    fn of(&self, positions: Option<&Vec<usize>>) -> Vec<usize> {
        let positions = positions.map_or(&[][..], Vec::as_slice);
        let before: Vec<_> = positions.iter().copied().filter(|p| self.node.ancestors.contains(*p)).collect();
        self.weighing.deciding(&before, self.counting)
    }
}

impl Past for Before<'_> {
    fn role_of(&self, user: &UserId) -> Option<Role> {
        self.weighing.least_role(&self.of(self.weighing.about_user.get(user))).flatten()
    }

    fn owner_of(&self, device: &DeviceId) -> Option<UserId> {
        let about = self.weighing.about_device.get(device)?.iter().copied();
        let additions = about.filter(|p| self.node.ancestors.contains(*p) && self.counting.contains(*p));
        let owners = additions.filter_map(|position| match self.weighing.action(position) {
            Action::Device { claim, .. } => Some((self.weighing.rank(position), claim.user())),
            _ => None,
        });
        owners.max_by_key(|(rank, _)| *rank).map(|(_, user)| user)
    }
}
