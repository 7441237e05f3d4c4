//! What a set of records comes to. A pure function of the set: nothing here knows an order of arrival.
//!
//! 1. **Which records count.** A record counts when its author had the power it takes by those of its ancestors that
//!    count, and would still have it after each *barrier*: a record that counts, lessens its author, and stands beside
//!    it (neither knows the other). Who is removed thus cannot act "at the same time", and back-dating gains nothing.
//!    Where two lessen each other, one becomes the barrier first: the one that takes more power, then the one nearer to
//!    the founding, then the one with the smaller hash.
//! 2. **Members.** Of the counting records about a user, those that no other one descends from decide; of several the
//!    least role wins, and *removed* is the least.
//! 3. **Devices** likewise: a removal that stands beside the addition wins.
//! 4. **Epochs.** The newest whose keys only present members hold; failing that the newest.
//! 5. **The founding.** Only the founder can sign one, and whoever signs another later changes nothing: the one that
//!    most records descend from is read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::bits::Bits;
use super::grant::Secret;
use super::graph::{Graph, Node};
use super::name::{SealedName, Subject};
use super::power::{self, Past};
use super::record::{Action, Cut, Founding};
use super::role::{Need, Role};
use crate::identity::{DeviceId, DeviceTag, RealmId, UserId};
use crate::keys::{DevicePublicKey, Keyring, UserPublicKeys};

/// A user who is or was a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The keys; their identifier is the user's.
    pub keys: UserPublicKeys,
    /// `None`: no longer a member.
    pub role: Option<Role>,
    name: Option<SealedName>,
}

impl Member {
    /// The user's name, when the keyring opens it.
    pub fn name(&self, keyring: &Keyring) -> Option<String> {
        self.name.as_ref()?.open(keyring, &Subject::User(self.keys.id()))
    }
}

/// Which transactions of a device's log are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRight {
    /// All.
    All,
    /// Those up to this sequence number (0: none): the device or its user lost the right after it.
    Through(u64),
}

impl WriteRight {
    /// Whether this one is.
    pub fn allows(self, sequence: u64) -> bool {
        match self {
            Self::All => true,
            Self::Through(last) => sequence <= last,
        }
    }
}

/// A device that belongs or belonged to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Checks its signatures.
    pub key: DevicePublicKey,
    /// Whose it is.
    pub user: UserId,
    /// The user's role; `None` when the user or the device was removed.
    pub role: Option<Role>,
    /// Whether the device, or its user, was removed.
    pub removed: bool,
    /// What of its log is applied.
    pub writes: WriteRight,
    name: SealedName,
}

impl Device {
    /// Its identifier.
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.key)
    }

    /// Its name, when the keyring opens it.
    pub fn name(&self, keyring: &Keyring) -> Option<String> {
        self.name.open(keyring, &Subject::Device(self.id()))
    }
}

type EpochName = (u32, [u8; 32]);

/// The roster as it is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    founding: Option<Founding>,
    pub members: BTreeMap<UserId, Member>,
    pub devices: BTreeMap<DeviceId, Device>,
    pub tags: BTreeMap<DeviceTag, DeviceId>,
    epochs: BTreeMap<RealmId, BTreeMap<EpochName, BTreeSet<UserId>>>,
}

impl Past for View {
    fn role_of(&self, user: &UserId) -> Option<Role> {
        self.members.get(user)?.role
    }

    fn owner_of(&self, device: &DeviceId) -> Option<UserId> {
        self.devices.get(device).map(|device| device.user)
    }
}

impl View {
    /// The view of these records only; with each, its ancestors must be among them.
    pub fn of(graph: &Graph, within: &Bits) -> Self {
        let weighing = Weighing::new(graph.nodes(), within);
        Self::of_counting(&weighing, &weighing.counting())
    }

    /// The view when these of the records count.
    pub fn of_counting(weighing: &Weighing<'_>, counting: &Bits) -> Self {
        let mut view = Self::default();
        view.take_members(weighing, counting);
        view.take_devices(weighing, counting);
        view.take_epochs(weighing, counting);
        view
    }

    pub fn founding(&self) -> Option<&Founding> {
        self.founding.as_ref()
    }

    pub fn owners(&self) -> usize {
        self.members.values().filter(|member| member.role == Some(Role::Owner)).count()
    }

    /// The realm's epochs that only present members hold the keys of, newest first.
    pub fn clean_epochs(&self, realm: &RealmId) -> impl Iterator<Item = EpochName> + '_ {
        let present = |user: &UserId| self.role_of(user).is_some_and(Role::holds_keys);
        let epochs = self.epochs.get(realm).into_iter().flatten().rev();
        epochs.filter(move |(_, granted)| granted.iter().all(present)).map(|(name, _)| *name)
    }

    /// The realm's newest epoch, whoever holds its key.
    pub fn newest_epoch(&self, realm: &RealmId) -> Option<EpochName> {
        self.epochs.get(realm)?.keys().next_back().copied()
    }

    /// The greatest epoch number in use, 0 for none.
    pub fn last_epoch(&self, realm: &RealmId) -> u32 {
        self.newest_epoch(realm).map_or(0, |(epoch, _)| epoch)
    }

    fn take_members(&mut self, weighing: &Weighing<'_>, counting: &Bits) {
        for (user, positions) in &weighing.about_user {
            let deciding = weighing.deciding(positions, counting);
            let Some(role) = weighing.least_role(&deciding) else { continue };
            let counted = || positions.iter().copied().filter(|position| counting.contains(*position));
            let latest =
                counted().filter(|p| weighing.name_in(*p).is_some()).max_by_key(|p| weighing.rank(*p));
            let keys = counted().map(|position| weighing.user_keys_in(position)).next();
            let Some(keys) = keys else { continue };
            let name = latest.and_then(|position| weighing.name_in(position)).cloned();
            self.members.insert(*user, Member { keys: *keys, role, name });
        }
        let foundings = counting.iter().filter_map(|position| match weighing.action(position) {
            Action::Found(founding) => Some((weighing.weight(position), founding)),
            _ => None,
        });
        self.founding = foundings.max_by_key(|(weight, _)| *weight).map(|(_, founding)| founding.clone());
    }

    fn take_devices(&mut self, weighing: &Weighing<'_>, counting: &Bits) {
        let mut by_age = Vec::new();
        for (id, positions) in &weighing.about_device {
            let deciding = weighing.deciding(positions, counting);
            let additions = positions.iter().filter(|p| counting.contains(**p));
            let additions = additions.filter(|p| matches!(weighing.action(**p), Action::Device { .. }));
            let oldest = additions.clone().map(|p| weighing.rank(*p)).min();
            let latest = additions.max_by_key(|p| weighing.rank(**p));
            let (Some(oldest), Some(latest)) = (oldest, latest) else { continue };
            let Action::Device { claim, name } = weighing.action(*latest) else { continue };
            by_age.push((oldest, *id));
            let device = self.device(*id, claim.key, claim.user, name, weighing.removal(&deciding));
            self.devices.insert(*id, self.with_user_cut(device, weighing, counting));
        }
        by_age.sort_unstable();
        for (_, id) in by_age {
            self.tags.entry(id.tag()).or_insert(id);
        }
    }

    fn device(
        &self,
        id: DeviceId,
        key: DevicePublicKey,
        user: UserId,
        name: &SealedName,
        removal: Option<u64>,
    ) -> Device {
        debug_assert_eq!(DeviceId::of(&key), id);
        let role = self.role_of(&user).filter(|_| removal.is_none());
        let writes = removal.map_or(WriteRight::All, WriteRight::Through);
        Device { key, user, role, removed: role.is_none(), writes, name: name.clone() }
    }

    /// Narrows what is applied of a device's log to what its user's last demotion left.
    fn with_user_cut(&self, device: Device, weighing: &Weighing<'_>, counting: &Bits) -> Device {
        if self.role_of(&device.user).is_some_and(Role::writes) {
            return device;
        }
        let about_user = weighing.about_user.get(&device.user).map_or(&[][..], Vec::as_slice);
        let id = device.id();
        let cuts = weighing.deciding(about_user, counting).into_iter().flat_map(|p| weighing.cuts_in(p));
        let through = cuts.filter(|cut| cut.device == id).map(|cut| cut.accepted_through).max().unwrap_or(0);
        let through = match device.writes {
            WriteRight::All => through,
            WriteRight::Through(earlier) => through.min(earlier),
        };
        Device { writes: WriteRight::Through(through), ..device }
    }

    fn take_epochs(&mut self, weighing: &Weighing<'_>, counting: &Bits) {
        for position in counting.iter() {
            let Action::Grant(grants) = weighing.action(position) else { continue };
            for grant in grants {
                if let Secret::Epoch { realm, epoch, commitment } = grant.secret {
                    let epochs = self.epochs.entry(realm).or_default();
                    epochs.entry((epoch, commitment)).or_default().insert(grant.to);
                }
            }
        }
    }
}

/// Finds out which records count, and answers questions about them.
pub(super) struct Weighing<'a> {
    nodes: &'a [Node],
    within: &'a Bits,
    about_user: BTreeMap<UserId, Vec<usize>>,
    about_device: HashMap<DeviceId, Vec<usize>>,
    by_author: HashMap<UserId, Vec<usize>>,
}

impl<'a> Weighing<'a> {
    pub fn new(nodes: &'a [Node], within: &'a Bits) -> Self {
        let mut weighing = Self {
            nodes,
            within,
            about_user: BTreeMap::new(),
            about_device: HashMap::new(),
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
                Action::Grant(_) => {}
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
    fn deciding(&self, positions: &[usize], counting: &Bits) -> Vec<usize> {
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
    fn least_role(&self, deciding: &[usize]) -> Option<Option<Role>> {
        let roles = deciding.iter().filter_map(|position| match self.action(*position) {
            Action::Found(_) => Some(Some(Role::Owner)),
            Action::Member(member) => Some(member.role),
            _ => None,
        });
        roles.min()
    }

    /// Up to where a removed device's log is applied; `None` when none of these removes it.
    fn removal(&self, deciding: &[usize]) -> Option<u64> {
        let removals = deciding.iter().filter_map(|position| match self.action(*position) {
            Action::RemoveDevice(cut) => Some(cut.accepted_through),
            _ => None,
        });
        removals.max()
    }

    fn action(&self, position: usize) -> &'a Action {
        self.nodes[position].record.action()
    }

    /// A total order that never puts a record before its ancestors.
    fn rank(&self, position: usize) -> (u32, super::RecordHash) {
        (self.nodes[position].depth, self.nodes[position].record.hash())
    }

    /// How many records descend from this one; ties are broken by hash.
    fn weight(&self, position: usize) -> (usize, super::RecordHash) {
        let built_on =
            self.within.iter().filter(|later| self.nodes[*later].ancestors.contains(position)).count();
        (built_on, self.nodes[position].record.hash())
    }

    fn name_in(&self, position: usize) -> Option<&'a SealedName> {
        match self.action(position) {
            Action::Member(member) => member.name.as_ref(),
            _ => None,
        }
    }

    fn user_keys_in(&self, position: usize) -> &'a UserPublicKeys {
        match self.action(position) {
            Action::Member(member) => &member.user,
            _ => self.nodes[position].record.author_keys(),
        }
    }

    fn cuts_in(&self, position: usize) -> &'a [Cut] {
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
