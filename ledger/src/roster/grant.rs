//! Secrets handed to a member: sealed to the agreement key, named by a commitment.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::RosterError;
use crate::identity::{RealmId, UserId, WorkspaceId};
use crate::keys::{EpochKey, SealedBox, UserKeys, UserPublicKeys, seal_box};

/// A sealed box of 32 bytes has 80; a little room for later forms.
const MAX_SEALED_BYTES: usize = 128;
const PURPOSE: &[u8] = b"peerdrive roster grant v1\0";

/// Which secret it is. The order of variants is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Secret {
    /// A realm's epoch key.
    Epoch { realm: RealmId, epoch: u32, commitment: [u8; 32] },
    /// The workspace's dedup secret.
    Dedup,
}

/// One secret, sealed to one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    pub secret: Secret,
    pub to: UserId,
    sealed: Vec<u8>,
}

/// An epoch key that a user was given.
pub struct OpenedEpoch {
    /// The realm it is for.
    pub realm: RealmId,
    /// Its number.
    pub epoch: u32,
    /// The key.
    pub key: EpochKey,
}

impl Grant {
    /// Hands an epoch key to a user.
    pub fn epoch(
        by: &UserKeys,
        to: &UserPublicKeys,
        workspace: &WorkspaceId,
        realm: RealmId,
        (epoch, key): (u32, &EpochKey),
    ) -> Result<Self, RosterError> {
        let secret = Secret::Epoch { realm, epoch, commitment: key.commitment() };
        Self::seal(by, to, workspace, secret, key.as_bytes())
    }

    /// Hands the dedup secret to a user.
    pub fn dedup(
        by: &UserKeys,
        to: &UserPublicKeys,
        workspace: &WorkspaceId,
        dedup_secret: &[u8; 32],
    ) -> Result<Self, RosterError> {
        Self::seal(by, to, workspace, Secret::Dedup, dedup_secret)
    }

    fn seal(
        by: &UserKeys,
        to: &UserPublicKeys,
        workspace: &WorkspaceId,
        secret: Secret,
        message: &[u8; 32],
    ) -> Result<Self, RosterError> {
        let purpose = purpose(&secret, workspace);
        let ephemeral = by.ephemeral_for(&to.agreement, &purpose, message);
        Ok(Self { secret, to: to.id(), sealed: seal_box(&to.agreement, &ephemeral, &purpose, message)? })
    }

    /// The epoch key in it, when it is one, is for this user, and is the key it says it is.
    pub fn open_epoch(&self, keys: &UserKeys, workspace: &WorkspaceId) -> Option<OpenedEpoch> {
        let Secret::Epoch { realm, epoch, commitment } = self.secret else { return None };
        let key = EpochKey::from_bytes(*self.open(keys, workspace)?);
        (key.commitment() == commitment).then_some(OpenedEpoch { realm, epoch, key })
    }

    /// The dedup secret in it, when it is one and is for this user.
    pub fn open_dedup(&self, keys: &UserKeys, workspace: &WorkspaceId) -> Option<Zeroizing<[u8; 32]>> {
        if self.secret == Secret::Dedup { self.open(keys, workspace) } else { None }
    }

    fn open(&self, keys: &UserKeys, workspace: &WorkspaceId) -> Option<Zeroizing<[u8; 32]>> {
        if self.to != keys.id() {
            return None;
        }
        let message = SealedBox(&self.sealed).open(keys, &purpose(&self.secret, workspace))?;
        message.as_slice().try_into().ok().map(Zeroizing::new)
    }

    pub fn is_bounded(&self) -> bool {
        self.sealed.len() <= MAX_SEALED_BYTES
    }
}

/// What the box vouches for: it cannot be passed off as another secret or another workspace's.
fn purpose(secret: &Secret, workspace: &WorkspaceId) -> Vec<u8> {
    let mut purpose = [PURPOSE, workspace.as_bytes()].concat();
    match secret {
        Secret::Epoch { realm, epoch, commitment } => {
            purpose.push(0);
            purpose.extend_from_slice(realm.as_bytes());
            purpose.extend_from_slice(&epoch.to_be_bytes());
            purpose.extend_from_slice(commitment);
        }
        Secret::Dedup => purpose.push(1),
    }
    purpose
}
