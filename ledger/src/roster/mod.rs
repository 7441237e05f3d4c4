//! Who belongs to a workspace, as what, with which devices and keys: a join of signed records.
//!
//! ```text
//! Found ◄── Member(anna, owner) ◄── Device ◄── Grant(epoch 1 → anna)
//!                                                   ▲       ▲
//!                          Member(boris, writer) ───┘       └─── Member(clara, reader)     two admins at once
//!                                        ▲                             ▲
//!                                        └──── Member(boris, gone) ────┘
//!                                                    ▲
//!                                                  Grant(epoch 2 → anna, clara)
//! ```
//!
//! Each record is signed by a user and names the records its author had seen (its *parents*). The roster is the set of
//! records whose parents are all known and whose author was allowed to write it *by what the parents say*, so the
//! verdict on a record never changes and does not depend on the order of arrival (`graph.rs`). What the set means is a
//! pure function of it (`view.rs`): the same records give the same roster on every device.
//!
//! | to change | open |
//! |---|---|
//! | the byte form of a record | `record.rs` |
//! | who may do what | `role.rs`, `power.rs` |
//! | which records count | `weighing.rs` |
//! | what concurrent records come to | `view.rs` |
//! | what can be decided about copies | `policy.rs` |
//! | how records are made | `author.rs` |

mod author;
mod bits;
mod error;
mod grant;
mod graph;
mod name;
mod policy;
mod power;
mod record;
mod role;
mod view;
mod weighing;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use zeroize::Zeroize;

use crate::identity::{DeviceId, DeviceTag, RealmId, UserId, WorkspaceId};
use crate::keys::{Entropy, EpochKey, Keyring, UserKeys};

pub use author::FoundingNames;
pub use error::RosterError;
pub use grant::OpenedEpoch;
pub use graph::Applied;
pub use name::{MAX_NAME_BYTES, SealedName};
pub use policy::{COPIES_MAX, COPIES_MIN, Copies, FsyncLevel, Policy, PolicyError};
pub use record::{Cut, DeviceClaim, MAX_RECORD_BYTES, OutlineHash, RecordHash, RosterRecord};
pub use role::Role;
pub use view::{Device, Member, WriteRight};

use bits::Bits;
use graph::Graph;
use view::View;
use weighing::Weighing;

/// The roster of one workspace.
#[derive(Clone)]
pub struct Roster {
    graph: Graph,
    /// Positions of the records that count; kept because a record that knows all others leaves it as it is.
    counting: Bits,
    view: View,
}

impl Roster {
    /// Most records a roster takes.
    pub const MAX_RECORDS: usize = graph::MAX_RECORDS;
    /// Most records that wait for their parents.
    pub const MAX_HELD_RECORDS: usize = graph::MAX_HELD_RECORDS;

    /// The roster of this workspace before its first record.
    pub fn new(workspace: WorkspaceId) -> Self {
        Self { graph: Graph::new(workspace), counting: Bits::default(), view: View::default() }
    }

    /// Whether a record of exactly these bytes was taken in already, or waits for its parents. Each member that a newcomer meets may
    /// tell it all records: what it has is not verified again.
    pub fn has(&self, bytes: &[u8]) -> bool {
        self.graph.has(bytes)
    }

    /// Takes a record in. Order and repetition do not matter.
    ///
    /// # Errors
    /// A [`RosterError`] when the record is refused: it stays out for ever and the roster is as before.
    pub fn apply(&mut self, record: RosterRecord) -> Result<Applied, RosterError> {
        let before = self.graph.nodes().len();
        let applied = self.graph.apply(record, &self.view)?;
        if applied == Applied::Added {
            self.read(before);
        }
        Ok(applied)
    }

    /// Brings the view up to date after records from position `before` on were added.
    fn read(&mut self, before: usize) {
        let within = Bits::first(self.graph.nodes().len());
        let weighing = Weighing::new(self.graph.nodes(), &within);
        if self.graph.is_one_step_beyond(before) {
            self.counting.insert(before);
        } else {
            self.counting = weighing.counting();
        }
        self.view = View::of_counting(&weighing, &self.counting);
    }

    /// The workspace this is the roster of.
    pub fn workspace(&self) -> WorkspaceId {
        self.graph.workspace()
    }

    /// All records taken in, parents before children: what a newcomer is sent.
    pub fn records(&self) -> impl Iterator<Item = &RosterRecord> {
        self.graph.records()
    }

    /// How many records wait for their parents.
    pub fn held(&self) -> usize {
        self.graph.held()
    }

    /// How many held records turned out to be refused once their parents came.
    pub fn refused_after_holding(&self) -> u64 {
        self.graph.refused_after_holding()
    }

    /// Equal on two devices exactly when they hold the same records.
    pub fn digest(&self) -> [u8; 32] {
        self.graph.digest()
    }

    /// The workspace's name, as its founder sealed it.
    pub fn workspace_name(&self, keyring: &Keyring) -> Option<String> {
        self.view.founding()?.name.open(keyring, &name::Subject::Workspace)
    }

    /// The realm of the root folder.
    pub fn root_realm(&self) -> Option<RealmId> {
        self.view.founding().map(|founding| founding.root_realm)
    }

    /// What was decided about copies; `None` when nobody did, and [`Policy::default`] holds.
    pub fn decided_policy(&self) -> Option<Policy> {
        self.view.policy
    }

    /// What holds for copies.
    pub fn policy(&self) -> Policy {
        self.view.policy.unwrap_or_default()
    }

    /// Everybody who ever was a member.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.view.members.values()
    }

    /// What is known of a user.
    pub fn member(&self, user: &UserId) -> Option<&Member> {
        self.view.members.get(user)
    }

    /// The role of a user; `None` for strangers and for members who left.
    pub fn role_of(&self, user: &UserId) -> Option<Role> {
        self.member(user)?.role
    }

    /// Every device that ever belonged to a member.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.view.devices.values()
    }

    /// The device that signs with this tag.
    pub fn device(&self, tag: DeviceTag) -> Option<&Device> {
        self.device_by_id(self.view.tags.get(&tag)?)
    }

    /// The device with this identifier.
    pub fn device_by_id(&self, device: &DeviceId) -> Option<&Device> {
        self.view.devices.get(device)
    }

    /// Whether the transaction with this number of this device's log is to be applied.
    pub fn may_write(&self, device: DeviceTag, sequence: u64) -> bool {
        self.device(device).is_some_and(|device| device.writes.allows(sequence))
    }

    /// Up to where this device's log is applied; nothing of it is cut off when nothing is known of the device yet.
    pub(crate) fn applied_through(&self, device: DeviceTag) -> u64 {
        self.device(device).map_or(u64::MAX, |device| device.writes.through())
    }

    /// Number of the newest epoch of the realm that only present members hold the key of; failing that of the newest.
    pub fn current_epoch(&self, realm: &RealmId) -> Option<u32> {
        let current = self.view.clean_epochs(realm).next().or_else(|| self.view.newest_epoch(realm));
        current.map(|(epoch, _)| epoch)
    }

    /// Number and key that new transactions of the root realm are sealed with: of the epochs that only present members
    /// hold, the newest whose key is in the keyring; failing that the newest in the keyring.
    pub fn current_key<'k>(&self, keyring: &'k Keyring) -> Option<(u32, &'k EpochKey)> {
        let in_keyring = |(epoch, commitment): (u32, [u8; 32])| {
            keyring.epoch_keys(epoch).find(|key| key.commitment() == commitment).map(|key| (epoch, key))
        };
        let newest =
            || keyring.epochs.iter().max_by_key(|(epoch, _)| *epoch).map(|(epoch, key)| (*epoch, key));
        self.view.clean_epochs(&keyring.root_realm).find_map(in_keyring).or_else(newest)
    }

    /// Whether somebody who must not read on holds every key of the realm, so that an admin has to make a new one
    /// ([`Roster::new_epoch`]). Members removed at the same time by two admins leave the roster so, and who leaves
    /// of his own accord.
    pub fn epoch_due(&self, realm: &RealmId) -> bool {
        self.view.clean_epochs(realm).next().is_none()
    }

    /// Every epoch key that was sealed to this user.
    pub fn open_epochs(&self, keys: &UserKeys) -> Vec<OpenedEpoch> {
        let mut seen = HashSet::new();
        let opened = self.graph.grants().filter_map(|grant| grant.open_epoch(keys, &self.workspace()));
        opened.filter(|epoch| seen.insert((epoch.realm, epoch.epoch, epoch.key.commitment()))).collect()
    }

    /// Adds every epoch key of the root realm that was sealed to this user. Answers whether the keyring changed.
    pub fn update_keyring(&self, keys: &UserKeys, keyring: &mut Keyring) -> bool {
        let mut changed = false;
        for opened in self.open_epochs(keys) {
            changed |= opened.realm == keyring.root_realm && keyring.add_epoch(opened.epoch, opened.key);
        }
        changed
    }

    /// The keyring as the roster's records give it to this user, with a database key for this device: what a user who
    /// has nothing left but the recovery phrase starts from. `None` when the user was given no keys.
    pub fn recover_keyring(&self, keys: &UserKeys, entropy: &mut Entropy<'_>) -> Option<Keyring> {
        let founding = self.view.founding()?;
        let mut dedup = self.graph.grants().find_map(|grant| grant.open_dedup(keys, &self.workspace()))?;
        let mut keyring = Keyring {
            workspace: self.workspace(),
            founding_salt: founding.salt,
            dedup_secret: *dedup,
            database_key: [0; 64],
            root_realm: founding.root_realm,
            epochs: Vec::new(),
        };
        dedup.zeroize();
        entropy(&mut keyring.database_key);
        self.update_keyring(keys, &mut keyring).then_some(keyring)
    }
}
