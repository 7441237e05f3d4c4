//! One signed statement about the roster, and its bytes.
//!
//! ```text
//! 0   4  magic "PDro"
//! 4   2  version, big-endian: the first release that knows the action
//! 6   n  body: postcard of `Body`
//! …  64  signature: Ed25519 by the author's user key over: context ‖ all bytes before
//! ```
//!
//! Whatever can be judged from a record alone is judged when it is parsed, so that a parsed record is well-formed,
//! bounded, and truly its author's.

use serde::{Deserialize, Serialize};

use super::RosterError;
use super::grant::Grant;
use super::name::SealedName;
use super::policy::Policy;
use super::role::Role;
use crate::identity::{DeviceId, RealmId, UserId, WorkspaceId};
use crate::keys::{DeviceKey, DevicePublicKey, Signature, UserKeys, UserPublicKeys, UserSigningPublicKey};

/// Most bytes of one record.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;
/// Most records one record names as seen.
pub(super) const MAX_PARENTS: usize = 16;

const MAGIC: &[u8; 4] = b"PDro";
/// The newest. A record has the least that can say what it states, so that releases that know less still read it.
const VERSION: u16 = 3;
const HEADER_BYTES: usize = 6;
const SIGNATURE_BYTES: usize = 64;
const SIGNATURE_CONTEXT: &[u8] = b"peerdrive 2026 roster record signature v1\0";
const POSSESSION_CONTEXT: &[u8] = b"peerdrive 2026 device claim v1\0";
const HASH_CONTEXT: &str = "peerdrive 2026 roster record hash v1";

/// Names a record: BLAKE3 of its bytes without the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordHash([u8; 32]);

impl RecordHash {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Up to where a device's log stays valid after its user, or it, lost the right to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Whose log.
    pub device: DeviceId,
    /// Last sequence number that is still applied; 0 for none.
    pub accepted_through: u64,
}

/// Names an outline of a log: BLAKE3 of its bytes.
pub type OutlineHash = [u8; 32];

/// A member's word on how much of the log of a device that lost the right to write was here before this was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vouch {
    /// Whose log.
    pub device: DeviceId,
    /// Last sequence number that is applied here.
    pub through: u64,
    /// The newest outline of that log that is believed here.
    pub outline: Option<OutlineHash>,
}

/// A device's own word that it belongs to a user: nobody can claim a device whose key he does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceClaim {
    pub(super) key: DevicePublicKey,
    pub(super) user: UserId,
    pub(super) possession: Signature,
}

impl DeviceClaim {
    /// The claim of this device for this user, for one workspace.
    pub fn new(device: &DeviceKey, user: UserId, workspace: WorkspaceId) -> Self {
        let key = device.public();
        Self { key, user, possession: device.sign(&possession_message(&key, &user, &workspace)) }
    }

    /// The device that claims.
    pub fn device(&self) -> DeviceId {
        DeviceId::of(&self.key)
    }

    /// The user it wants to belong to.
    pub fn user(&self) -> UserId {
        self.user
    }

    fn check(&self, workspace: &WorkspaceId) -> Result<(), RosterError> {
        let message = possession_message(&self.key, &self.user, workspace);
        self.key.verify(&message, &self.possession).map_err(|_| RosterError::InvalidSignature)
    }
}

fn possession_message(key: &DevicePublicKey, user: &UserId, workspace: &WorkspaceId) -> Vec<u8> {
    [POSSESSION_CONTEXT, key.as_bytes(), user.as_bytes(), workspace.as_bytes()].concat()
}

/// What the founder states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Founding {
    pub salt: [u8; 16],
    pub root_realm: RealmId,
    pub name: SealedName,
}

/// What a user is from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Membership {
    pub user: UserPublicKeys,
    /// `None`: no longer a member.
    pub role: Option<Role>,
    /// `None`: as before.
    pub name: Option<SealedName>,
    /// For those who lose the right to write.
    pub cuts: Vec<Cut>,
}

/// What a record states. The order of variants is part of the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    Found(Founding),
    Member(Membership),
    Device { claim: DeviceClaim, name: SealedName },
    RemoveDevice(Cut),
    Grant(Vec<Grant>),
    Policy(Policy),
    Vouch(Vouch),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    workspace: WorkspaceId,
    parents: Vec<RecordHash>,
    author: UserPublicKeys,
    action: Action,
}

/// A signed statement about the roster. Cheap enough to clone; the bytes are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterRecord {
    bytes: Vec<u8>,
    hash: RecordHash,
    author: UserId,
    body: Body,
}

impl RosterRecord {
    /// Signs a statement. `parents` are what the author has seen.
    pub(super) fn sign(
        author: &UserKeys,
        workspace: WorkspaceId,
        parents: Vec<RecordHash>,
        action: Action,
    ) -> Result<Self, RosterError> {
        let version = action.version();
        let body = Body { workspace, parents, author: author.public(), action };
        let mut bytes = [&MAGIC[..], &version.to_be_bytes()].concat();
        bytes = postcard::to_extend(&body, bytes)
            .expect("a body is made of plain data, which postcard always writes");
        let signature = author.sign(&signed_message(&bytes)).to_bytes();
        bytes.extend_from_slice(&signature);
        Self::parse(&bytes)
    }

    /// Reads a record and checks everything that can be judged from it alone, its signature first of all.
    ///
    /// # Errors
    /// [`RosterError::Malformed`], [`RosterError::NewerVersion`], [`RosterError::InvalidSignature`], or
    /// [`RosterError::OtherWorkspace`] for a founding that does not fit the workspace's identifier.
    pub fn parse(bytes: &[u8]) -> Result<Self, RosterError> {
        let (header, _) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(RosterError::Malformed)?;
        let found = u16::from_be_bytes([header[4], header[5]]);
        if !header.starts_with(MAGIC) || found == 0 || bytes.len() > MAX_RECORD_BYTES {
            return Err(RosterError::Malformed);
        }
        if found > VERSION {
            return Err(RosterError::NewerVersion { found, supported: VERSION });
        }
        let (signed, signature) =
            bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(RosterError::Malformed)?;
        let body = signed.get(HEADER_BYTES..).ok_or(RosterError::Malformed)?;
        let (body, rest): (Body, _) = postcard::take_from_bytes(body).map_err(|_| RosterError::Malformed)?;
        if !rest.is_empty() || found != body.action.version() {
            return Err(RosterError::Malformed);
        }
        let signature = Signature::from_bytes(signature);
        let signed_by_author = body.author.signing.verify(&signed_message(signed), &signature);
        signed_by_author.map_err(|_| RosterError::InvalidSignature)?;
        body.check()?;
        let hash = RecordHash(blake3::derive_key(HASH_CONTEXT, signed));
        Ok(Self { bytes: bytes.to_vec(), hash, author: body.author.id(), body })
    }

    /// What a record of these bytes is named by, if they are one: nothing is checked.
    pub(super) fn hash_of(bytes: &[u8]) -> Option<RecordHash> {
        let (signed, _) = bytes.split_last_chunk::<SIGNATURE_BYTES>()?;
        Some(RecordHash(blake3::derive_key(HASH_CONTEXT, signed)))
    }

    /// The bytes, as they are stored and sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What other records name it by.
    pub fn hash(&self) -> RecordHash {
        self.hash
    }

    /// Who signed it.
    pub fn author(&self) -> UserId {
        self.author
    }

    /// The workspace it is for.
    pub fn workspace(&self) -> WorkspaceId {
        self.body.workspace
    }

    pub(super) fn author_keys(&self) -> &UserPublicKeys {
        &self.body.author
    }

    pub(super) fn parents(&self) -> &[RecordHash] {
        &self.body.parents
    }

    pub(super) fn action(&self) -> &Action {
        &self.body.action
    }
}

impl Body {
    /// What can be judged without knowing other records.
    fn check(&self) -> Result<(), RosterError> {
        let founding = matches!(self.action, Action::Found(_));
        let ordered = self.parents.is_sorted_by(|a, b| a < b);
        if !ordered || self.parents.len() > MAX_PARENTS || founding != self.parents.is_empty() {
            return Err(RosterError::Malformed);
        }
        self.action.check_bounds()?;
        match &self.action {
            Action::Found(founding) => {
                let fits = WorkspaceId::founded_by(&self.author.id(), &founding.salt, &founding.root_realm)
                    == self.workspace;
                if fits { Ok(()) } else { Err(RosterError::OtherWorkspace) }
            }
            Action::Member(member) => {
                UserSigningPublicKey::from_bytes(*member.user.signing.as_bytes())?;
                Ok(())
            }
            Action::Device { claim, .. } => claim.check(&self.workspace),
            Action::RemoveDevice(_) | Action::Grant(_) | Action::Policy(_) | Action::Vouch(_) => Ok(()),
        }
    }
}

impl Action {
    /// The first version of the format that has it.
    fn version(&self) -> u16 {
        match self {
            Self::Policy(_) => 2,
            Self::Vouch(_) => 3,
            _ => 1,
        }
    }

    fn check_bounds(&self) -> Result<(), RosterError> {
        let bounded = match self {
            Self::Found(founding) => founding.name.is_bounded(),
            Self::Member(member) => member.name.as_ref().is_none_or(SealedName::is_bounded),
            Self::Device { name, .. } => name.is_bounded(),
            Self::RemoveDevice(_) | Self::Vouch(_) => true,
            Self::Grant(grants) => grants.iter().all(Grant::is_bounded),
            Self::Policy(policy) => policy.check().is_ok(),
        };
        if bounded { Ok(()) } else { Err(RosterError::Malformed) }
    }
}

fn signed_message(signed: &[u8]) -> Vec<u8> {
    [SIGNATURE_CONTEXT, signed].concat()
}
