//! Names of people, devices and the workspace: readable to members, sealed for hosts.
//!
//! The key is derived from the epoch key, the workspace and whose name it is; the nonce is zero. A second name of the
//! same subject in the same epoch repeats the pair, which GCM-SIV allows: only a repeated equal name shows. Names are
//! padded with zeros to steps of 32 bytes, so their length tells little.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::RosterError;
use crate::identity::{DeviceId, UserId};
use crate::keys::{EpochKey, Keyring, open_in_place, seal_in_place};

/// Longest name, bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 128;

const KEY_CONTEXT: &str = "peerdrive 2026 roster name key v1";
const NONCE: [u8; 12] = [0; 12];
const PADDING_STEP: usize = 32;
const TAG_BYTES: usize = 16;

/// A name under a realm's epoch key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedName {
    epoch: u32,
    sealed: Vec<u8>,
}

/// Whose name it is.
pub(super) enum Subject {
    Workspace,
    User(UserId),
    Device(DeviceId),
}

impl Subject {
    fn bytes(&self) -> [u8; 33] {
        let (kind, id) = match self {
            Self::Workspace => (0, [0; 32]),
            Self::User(user) => (1, *user.as_bytes()),
            Self::Device(device) => (2, *device.as_bytes()),
        };
        let mut bytes = [kind; 33];
        bytes[1..].copy_from_slice(&id);
        bytes
    }
}

impl SealedName {
    /// Seals a name under the keyring's newest epoch key.
    pub(super) fn seal(name: &str, keyring: &Keyring, subject: &Subject) -> Result<Self, RosterError> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(RosterError::InvalidName { max_bytes: MAX_NAME_BYTES });
        }
        let (epoch, key) =
            keyring.epochs.iter().max_by_key(|(epoch, _)| *epoch).ok_or(RosterError::WrongKeyring)?;
        let mut sealed = Vec::with_capacity(MAX_NAME_BYTES + TAG_BYTES);
        sealed.extend_from_slice(name.as_bytes());
        sealed.resize(name.len().next_multiple_of(PADDING_STEP), 0);
        seal_in_place(&name_key(key, keyring, subject), NONCE, &[], &mut sealed);
        Ok(Self { epoch: *epoch, sealed })
    }

    /// The name, when the keyring has its key.
    pub(super) fn open(&self, keyring: &Keyring, subject: &Subject) -> Option<String> {
        keyring.epoch_keys(self.epoch).find_map(|key| {
            let mut plain = self.sealed.clone();
            open_in_place(&name_key(key, keyring, subject), NONCE, &[], &mut plain)?;
            let name = String::from_utf8(plain).ok()?;
            Some(name.trim_end_matches('\0').to_owned())
        })
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.sealed.len() <= MAX_NAME_BYTES + TAG_BYTES
    }
}

fn name_key(epoch_key: &EpochKey, keyring: &Keyring, subject: &Subject) -> Zeroizing<[u8; 32]> {
    let mut input = Zeroizing::new([0; 81]);
    input[..32].copy_from_slice(epoch_key.as_bytes());
    input[32..48].copy_from_slice(keyring.workspace.as_bytes());
    input[48..].copy_from_slice(&subject.bytes());
    Zeroizing::new(blake3::derive_key(KEY_CONTEXT, input.as_ref()))
}
