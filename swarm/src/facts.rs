//! What a device says of itself: its room, its site, where it can be reached. Signed, so that others can pass it on: `signed.rs`.

use std::net::SocketAddr;

use bytes::Bytes;
use ledger::identity::{DeviceId, WorkspaceId};
use ledger::keys::{DeviceKey, DevicePublicKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::signed::{Form, FormError};

/// Most bytes of encoded facts.
pub const FACTS_MAX_BYTES: usize = 2048;
/// Longest name of a site, bytes.
pub const SITE_MAX_BYTES: usize = 32;
/// Most addresses of one device.
pub const ADDRESSES_MAX: usize = 16;

/// In a device's capabilities: it passes packets on between two others that do not reach each other.
pub const RELAYS: u32 = 1;
/// Likewise: it is leaving. It gives no room any more (its contribution is 0, which older releases understand too), and still holds
/// what the others have not taken over.
pub const LEAVES: u32 = 2;

const VERSION: u8 = 1;
const FORM: Form = Form {
    magic: b"PDfc",
    version: VERSION,
    context: b"peerdrive 2026 facts signature v1\0",
    max_bytes: FACTS_MAX_BYTES,
};

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Who.
    pub device: DeviceId,
    /// When, milliseconds since 1970 by its own clock; the greatest counts, so it must rise with every change.
    pub issued_ms: u64,
    /// Room it gives to the workspace, bytes; 0: it hosts nothing.
    pub contributed_bytes: u64,
    /// Of which are taken, bytes.
    pub used_bytes: u64,
    /// It takes no more chunks for now.
    pub full: bool,
    /// Where it stands, up to [`SITE_MAX_BYTES`]; empty when nobody said. One site holds one copy while sites suffice.
    pub site: String,
    /// Where it can be reached, up to [`ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
    /// Its own log is safe through this sequence number.
    pub safe_through: u64,
    /// Bits of what it can do beyond the first version.
    pub capabilities: u32,
}

/// Why facts are not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FactsError {
    /// Not facts, or longer than they may be.
    #[error("these bytes are not a device's facts: refuse them")]
    Malformed,
    /// From a later release.
    #[error("these facts have format {found} and this release reads {VERSION}: install a newer PeerDrive")]
    Newer {
        /// The version found.
        found: u8,
    },
    /// Of another workspace or device, or forged.
    #[error("the signature of a device's facts does not fit: refuse them")]
    Signature,
}

/// Facts with the signature of their device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFacts {
    workspace: WorkspaceId,
    facts: Facts,
    bytes: Bytes,
}

impl SignedFacts {
    /// Signs facts. A site or addresses beyond what is allowed are cut off.
    ///
    /// # Panics
    /// If the key is not that of `facts.device`.
    #[must_use]
    pub fn sign(key: &DeviceKey, workspace: WorkspaceId, mut facts: Facts) -> Self {
        assert_eq!(facts.device, key.id(), "a device signs its own facts only");
        while facts.site.len() > SITE_MAX_BYTES {
            facts.site.pop();
        }
        facts.addresses.truncate(ADDRESSES_MAX);
        let bytes = FORM.sign(key, workspace, &facts);
        Self { workspace, facts, bytes }
    }

    /// Reads what [`SignedFacts::as_bytes`] gave. Not yet believed: [`SignedFacts::verify`] comes next.
    ///
    /// # Errors
    /// [`FactsError::Malformed`] or [`FactsError::Newer`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FactsError> {
        let (workspace, facts): (_, Facts) = FORM.decode(bytes).map_err(|error| match error {
            FormError::Malformed => FactsError::Malformed,
            FormError::Newer(found) => FactsError::Newer { found },
        })?;
        let bounded = facts.site.len() <= SITE_MAX_BYTES && facts.addresses.len() <= ADDRESSES_MAX;
        if !bounded {
            return Err(FactsError::Malformed);
        }
        Ok(Self { workspace, facts, bytes: Bytes::copy_from_slice(bytes) })
    }

    /// Checks that the device named in the facts said them about this workspace.
    ///
    /// # Errors
    /// [`FactsError::Signature`].
    pub fn verify(&self, key: &DevicePublicKey, workspace: &WorkspaceId) -> Result<(), FactsError> {
        let ours = self.workspace == *workspace && DeviceId::of(key) == self.facts.device;
        let valid = ours && FORM.is_by(key, &self.bytes);
        if valid { Ok(()) } else { Err(FactsError::Signature) }
    }

    /// What was said.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The encoded form, at most [`FACTS_MAX_BYTES`].
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
