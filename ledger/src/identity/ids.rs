//! The identifier types. All are plain values: none is a secret.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::{self, IdKind, IdTextError};
use crate::keys::{DevicePublicKey, UserPublicKeys};

/// Declares one identifier: a byte array with a checked text form.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The identifier with these bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes, as they stand in every stored format.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// The text form: base32 in groups of seven with check characters. [`FromStr`] reads it back.
            pub fn to_text(&self) -> String {
                text::encode($kind, &self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_text())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.to_text())
            }
        }

        impl FromStr for $name {
            type Err = IdTextError;

            fn from_str(text: &str) -> Result<Self, IdTextError> {
                text::decode($kind, text).map(Self)
            }
        }
    };
}

identifier! {
    /// One installation: BLAKE3 of its Ed25519 public key.
    DeviceId, 32, IdKind::Device
}

identifier! {
    /// A person: BLAKE3 (derive-key) of the signing and the agreement public key, so it vouches for both.
    UserId, 32, IdKind::User
}

identifier! {
    /// One shared drive. It commits to its founder, see [`WorkspaceId::founded_by`].
    WorkspaceId, 16, IdKind::Workspace
}

identifier! {
    /// A folder with its own keys and member list; the root of a workspace is its first realm.
    RealmId, 16, IdKind::Realm
}

const USER_ID_CONTEXT: &str = "peerdrive 2026 user id v1";
const WORKSPACE_ID_CONTEXT: &str = "peerdrive 2026 workspace id v1";

impl DeviceId {
    /// The identifier of the device that holds this key.
    pub fn of(key: &DevicePublicKey) -> Self {
        Self(*blake3::hash(key.as_bytes()).as_bytes())
    }

    /// The short form used in stamps.
    pub fn tag(&self) -> DeviceTag {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        DeviceTag(u64::from_be_bytes(first))
    }
}

impl UserId {
    /// The identifier of the user who holds these keys.
    pub fn of(keys: &UserPublicKeys) -> Self {
        let mut both = [0; 64];
        both[..32].copy_from_slice(keys.signing.as_bytes());
        both[32..].copy_from_slice(keys.agreement.as_bytes());
        Self(blake3::derive_key(USER_ID_CONTEXT, &both))
    }
}

impl WorkspaceId {
    /// The identifier of the workspace this user founds with this random salt and root realm. Only that user can sign
    /// a first roster record that fits it, so a workspace needs no other anchor of trust than its identifier.
    pub fn founded_by(founder: &UserId, salt: &[u8; 16], root_realm: &RealmId) -> Self {
        let mut input = [0; 64];
        input[..32].copy_from_slice(founder.as_bytes());
        input[32..48].copy_from_slice(salt);
        input[48..].copy_from_slice(root_realm.as_bytes());
        let long = blake3::derive_key(WORKSPACE_ID_CONTEXT, &input);
        let mut id = [0; 16];
        id.copy_from_slice(&long[..16]);
        Self(id)
    }
}

/// The first 8 bytes of a [`DeviceId`], big-endian: what stamps and inode numbers carry instead of the whole.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceTag(pub u64);

impl fmt::Display for DeviceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for DeviceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceTag({self})")
    }
}
