//! Making records. Each call applies what it makes and gives the records back, for the log.

use super::grant::Grant;
use super::name::{SealedName, Subject};
use super::policy::Policy;
use super::record::{Action, Cut, DeviceClaim, Founding, Membership, OutlineHash, Vouch};
use super::{Role, Roster, RosterError, RosterRecord};
use crate::identity::{DeviceId, UserId};
use crate::keys::{DeviceKey, Entropy, EpochKey, Keyring, UserKeys, UserPublicKeys};

/// Grants in one record: well inside `MAX_RECORD_BYTES`.
const MAX_GRANTS_PER_RECORD: usize = 256;

/// What a founder calls things.
#[derive(Clone, Copy, Debug)]
pub struct FoundingNames<'a> {
    /// The workspace.
    pub workspace: &'a str,
    /// Himself or herself.
    pub user: &'a str,
    /// The first device.
    pub device: &'a str,
}

impl Roster {
    /// The roster of a new workspace with its first owner and device, and its records.
    ///
    /// # Errors
    /// [`RosterError::WrongKeyring`] when the keyring was not made by [`Keyring::generate`] for this user;
    /// [`RosterError::InvalidName`].
    pub fn found(
        user: &UserKeys,
        device: &DeviceKey,
        keyring: &Keyring,
        names: FoundingNames<'_>,
    ) -> Result<(Self, Vec<RosterRecord>), RosterError> {
        let mut roster = Self::new(keyring.workspace);
        let founding = Founding {
            salt: keyring.founding_salt,
            root_realm: keyring.root_realm,
            name: SealedName::seal(names.workspace, keyring, &Subject::Workspace)?,
        };
        let mut records =
            vec![roster.write(user, Action::Found(founding)).map_err(|refused| match refused {
                RosterError::OtherWorkspace => RosterError::WrongKeyring,
                other => other,
            })?];
        let claim = DeviceClaim::new(device, user.id(), keyring.workspace);
        records.extend(roster.add_user(user, keyring, &user.public(), Role::Owner, names.user)?);
        records.push(roster.add_device(user, keyring, claim, names.device)?);
        Ok((roster, records))
    }

    /// Makes somebody a member, or gives a member another role and name, and hands over the keys that go with it.
    ///
    /// # Errors
    /// [`RosterError::NotAllowed`], [`RosterError::InvalidName`], [`RosterError::WrongKeyring`],
    /// [`RosterError::LastOwner`].
    pub fn add_user(
        &mut self,
        by: &UserKeys,
        keyring: &Keyring,
        user: &UserPublicKeys,
        role: Role,
        name: &str,
    ) -> Result<Vec<RosterRecord>, RosterError> {
        self.check_keyring(keyring)?;
        let name = Some(SealedName::seal(name, keyring, &Subject::User(user.id()))?);
        let membership = Membership { user: *user, role: Some(role), name, cuts: Vec::new() };
        self.in_one_go(|roster| {
            let mut records = vec![roster.write(by, Action::Member(membership))?];
            if role.holds_keys() {
                records.extend(roster.hand_over(by, keyring, user)?);
            }
            Ok(records)
        })
    }

    /// Adds a device to its user: the user's own, or one of a user whom `by` looks after.
    ///
    /// # Errors
    /// [`RosterError::NotAllowed`], [`RosterError::UnknownUser`], [`RosterError::InvalidSignature`] for a claim of
    /// another workspace, [`RosterError::InvalidName`].
    pub fn add_device(
        &mut self,
        by: &UserKeys,
        keyring: &Keyring,
        claim: DeviceClaim,
        name: &str,
    ) -> Result<RosterRecord, RosterError> {
        self.check_keyring(keyring)?;
        let name = SealedName::seal(name, keyring, &Subject::Device(claim.device()))?;
        self.write(by, Action::Device { claim, name })
    }

    /// Gives a device another name. The claim it came with stands.
    ///
    /// # Errors
    /// [`RosterError::UnknownDevice`] for one that is no member's now, [`RosterError::NotAllowed`], [`RosterError::InvalidName`].
    pub fn rename_device(
        &mut self,
        by: &UserKeys,
        keyring: &Keyring,
        device: DeviceId,
        name: &str,
    ) -> Result<RosterRecord, RosterError> {
        // A new record would bring a removed device back.
        if self.device_by_id(&device).is_none_or(|device| device.removed) {
            return Err(RosterError::UnknownDevice);
        }
        let claim = self.graph.records().filter_map(|record| match record.action() {
            Action::Device { claim, .. } if claim.device() == device => Some(*claim),
            _ => None,
        });
        let claim = claim.last().ok_or(RosterError::UnknownDevice)?;
        self.add_device(by, keyring, claim, name)
    }

    /// Gives a member another role. Who comes to hold keys is handed them; when a key holder becomes a host, a new
    /// epoch begins. `cuts` say how far the member's logs are valid, for a role that does not write.
    ///
    /// # Errors
    /// [`RosterError::UnknownUser`], [`RosterError::NotAllowed`], [`RosterError::LastOwner`],
    /// [`RosterError::WrongKeyring`].
    pub fn set_role(
        &mut self,
        by: &UserKeys,
        keyring: &mut Keyring,
        user: &UserId,
        role: Role,
        cuts: Vec<Cut>,
        entropy: &mut Entropy<'_>,
    ) -> Result<Vec<RosterRecord>, RosterError> {
        self.change(by, keyring, user, Some(role), cuts, entropy)
    }

    /// Removes a member: a new epoch begins, sealed to each who remains. `cuts` say how far the member's logs are valid.
    ///
    /// # Errors
    /// As [`Roster::set_role`].
    pub fn remove_user(
        &mut self,
        by: &UserKeys,
        keyring: &mut Keyring,
        user: &UserId,
        cuts: Vec<Cut>,
        entropy: &mut Entropy<'_>,
    ) -> Result<Vec<RosterRecord>, RosterError> {
        self.change(by, keyring, user, None, cuts, entropy)
    }

    /// Removes a device: its log is valid up to the cut. A lost device that held its user's keys in the open calls for
    /// removing the user and inviting the person with new keys; this alone stops only what the device signs.
    ///
    /// # Errors
    /// [`RosterError::UnknownDevice`] or [`RosterError::NotAllowed`].
    pub fn remove_device(
        &mut self,
        by: &UserKeys,
        device: DeviceId,
        accepted_through: u64,
    ) -> Result<RosterRecord, RosterError> {
        self.write(by, Action::RemoveDevice(Cut { device, accepted_through }))
    }

    /// Says how much of the log of a device that may not write any more was here before that was heard: it counts for all.
    ///
    /// # Errors
    /// [`RosterError::UnknownDevice`], [`RosterError::NothingToVouchFor`], or [`RosterError::NotAllowed`] for who may not write.
    pub fn vouch(
        &mut self,
        by: &UserKeys,
        device: DeviceId,
        through: u64,
        outline: Option<OutlineHash>,
    ) -> Result<RosterRecord, RosterError> {
        self.write(by, Action::Vouch(Vouch { device, through, outline }))
    }

    /// Decides about copies, for all computers.
    ///
    /// # Errors
    /// [`RosterError::Policy`] when the numbers do not fit together, [`RosterError::NotAllowed`].
    pub fn set_policy(&mut self, by: &UserKeys, policy: Policy) -> Result<RosterRecord, RosterError> {
        policy.check()?;
        self.write(by, Action::Policy(policy))
    }

    /// Begins a new epoch of the root realm: makes a key, puts it into the keyring, seals it to each member with keys.
    ///
    /// # Errors
    /// [`RosterError::NotAllowed`] or [`RosterError::WrongKeyring`].
    pub fn new_epoch(
        &mut self,
        by: &UserKeys,
        keyring: &mut Keyring,
        entropy: &mut Entropy<'_>,
    ) -> Result<Vec<RosterRecord>, RosterError> {
        self.check_keyring(keyring)?;
        let realm = keyring.root_realm;
        let epoch = self.view.last_epoch(&realm).checked_add(1).ok_or(RosterError::Full)?;
        let key = EpochKey::generate(entropy);
        let holders = self.members().filter(|member| member.role.is_some_and(Role::holds_keys));
        let grants: Result<Vec<_>, _> = holders
            .map(|member| Grant::epoch(by, &member.keys, &keyring.workspace, realm, (epoch, &key)))
            .collect();
        let grants = grants?;
        let records = self.in_one_go(|roster| roster.grant(by, grants))?;
        if keyring.add_epoch(epoch, key) { Ok(records) } else { Err(RosterError::WrongKeyring) }
    }

    fn change(
        &mut self,
        by: &UserKeys,
        keyring: &mut Keyring,
        user: &UserId,
        role: Option<Role>,
        cuts: Vec<Cut>,
        entropy: &mut Entropy<'_>,
    ) -> Result<Vec<RosterRecord>, RosterError> {
        self.check_keyring(keyring)?;
        let member = self.member(user).ok_or(RosterError::UnknownUser)?;
        let (keys, held) = (member.keys, member.role.is_some_and(Role::holds_keys));
        let holds = role.is_some_and(Role::holds_keys);
        self.in_one_go(|roster| {
            let membership = Membership { user: keys, role, name: None, cuts };
            let mut records = vec![roster.write(by, Action::Member(membership))?];
            if holds && !held {
                records.extend(roster.hand_over(by, keyring, &keys)?);
            }
            // Who leaves of his own accord cannot make the new key: `epoch_due` tells an admin to.
            if held && !holds && by.id() != *user {
                records.extend(roster.new_epoch(by, keyring, entropy)?);
            }
            Ok(records)
        })
    }

    /// Hands all epoch keys and the dedup secret to a user.
    fn hand_over(
        &mut self,
        by: &UserKeys,
        keyring: &Keyring,
        to: &UserPublicKeys,
    ) -> Result<Vec<RosterRecord>, RosterError> {
        let (workspace, realm) = (keyring.workspace, keyring.root_realm);
        let mut grants = vec![Grant::dedup(by, to, &workspace, &keyring.dedup_secret)?];
        for (epoch, key) in &keyring.epochs {
            grants.push(Grant::epoch(by, to, &workspace, realm, (*epoch, key))?);
        }
        self.grant(by, grants)
    }

    fn grant(&mut self, by: &UserKeys, grants: Vec<Grant>) -> Result<Vec<RosterRecord>, RosterError> {
        let mut rest = grants.into_iter().peekable();
        let mut records = Vec::new();
        while rest.peek().is_some() {
            let some = rest.by_ref().take(MAX_GRANTS_PER_RECORD).collect();
            records.push(self.write(by, Action::Grant(some))?);
        }
        Ok(records)
    }

    /// Several records or none: when one is refused, the roster is as before.
    fn in_one_go(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<Vec<RosterRecord>, RosterError>,
    ) -> Result<Vec<RosterRecord>, RosterError> {
        let before = self.clone();
        work(self).inspect_err(|_| *self = before)
    }

    fn write(&mut self, by: &UserKeys, action: Action) -> Result<RosterRecord, RosterError> {
        let founding = matches!(action, Action::Found(_));
        let parents = if founding { Vec::new() } else { self.graph.parents_for_new() };
        let record = RosterRecord::sign(by, self.workspace(), parents, action)?;
        self.apply(record.clone())?;
        Ok(record)
    }

    fn check_keyring(&self, keyring: &Keyring) -> Result<(), RosterError> {
        let fits = keyring.workspace == self.workspace() && Some(keyring.root_realm) == self.root_realm();
        if fits { Ok(()) } else { Err(RosterError::WrongKeyring) }
    }
}
