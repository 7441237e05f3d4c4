//! What a set of records comes to. A pure function of the set: nothing here knows an order of arrival.
//!
//! 1. **Which records count**: see `weighing.rs`.
//! 2. **Members.** Of the counting records about a user, those that no other one descends from decide; of several the
//!    least role wins, and *removed* is the least.
//! 3. **Devices** likewise: a removal that stands beside the addition wins.
//!    What is applied of the log of a device that may not write any more is what the records that took the right left of it, or what a
//!    member vouches for if that is more: trees cannot give back what they applied.
//! 4. **Epochs.** The newest whose keys only present members hold; failing that the newest.
//! 5. **The policy.** The last in the order that never puts a record before its ancestors.
//! 6. **The founding.** Only the founder can sign one, and whoever signs another later changes nothing: the one that
//!    most records descend from is read.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::Bits;
use super::grant::Secret;
use super::graph::Graph;
use super::name::{SealedName, Subject};
use super::policy::Policy;
use super::power::Past;
use super::record::{Action, Founding, OutlineHash};
use super::role::Role;
use super::weighing::Weighing;
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
    /// The last number that is.
    pub(crate) fn through(self) -> u64 {
        match self {
            Self::All => u64::MAX,
            Self::Through(last) => last,
        }
    }

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
    /// Outlines of its log that members vouch for.
    outlines: BTreeSet<OutlineHash>,
    name: SealedName,
}

impl Device {
    /// Its identifier.
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.key)
    }

    /// Whether an outline of its log is to be believed: of one that may not write any more only what a member had before, for it may
    /// have declared anything since.
    pub fn may_declare(&self, outline: &OutlineHash) -> bool {
        self.writes == WriteRight::All || self.outlines.contains(outline)
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
    /// `None`: nobody decided.
    pub policy: Option<Policy>,
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
        view.take_policy(weighing, counting);
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
            let device = self.with_user_cut(device, weighing, counting);
            self.devices.insert(*id, with_vouches(device, weighing, counting));
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
        let outlines = BTreeSet::new();
        Device { key, user, role, removed: role.is_none(), writes, outlines, name: name.clone() }
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

    fn take_policy(&mut self, weighing: &Weighing<'_>, counting: &Bits) {
        let decided = counting.iter().filter_map(|position| match weighing.action(position) {
            Action::Policy(policy) => Some((weighing.rank(position), *policy)),
            _ => None,
        });
        self.policy = decided.max_by_key(|(rank, _)| *rank).map(|(_, policy)| policy);
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

/// Widens what is applied of a device's log to what members had of it.
fn with_vouches(device: Device, weighing: &Weighing<'_>, counting: &Bits) -> Device {
    let WriteRight::Through(mut through) = device.writes else { return device };
    let mut outlines = BTreeSet::new();
    for vouch in weighing.vouches(&device.id(), counting) {
        through = through.max(vouch.through);
        outlines.extend(vouch.outline);
    }
    Device { writes: WriteRight::Through(through), outlines, ..device }
}
