//! Ed25519 signatures as a plain value, and the one way they are checked.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use super::KeyError;

/// An Ed25519 signature. Kept as two halves because serde knows arrays of up to 32.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature([u8; 32], [u8; 32]);

impl Signature {
    /// The signature with these bytes; whether it fits shows when it is checked.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        first.copy_from_slice(&bytes[..32]);
        second.copy_from_slice(&bytes[32..]);
        Self(first, second)
    }

    /// The 64 bytes.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.0);
        bytes[32..].copy_from_slice(&self.1);
        bytes
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// Checks a signature strictly (RFC 8032 with canonical points and no small-order keys), so that all devices agree.
pub(super) fn check(key: &[u8; 32], message: &[u8], signature: &Signature) -> Result<(), KeyError> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| KeyError::InvalidPublicKey)?;
    let signature = ed25519_dalek::Signature::from_bytes(&signature.to_bytes());
    key.verify_strict(message, &signature).map_err(|_| KeyError::InvalidSignature)
}

/// Whether these bytes can be the public key of a signer: a point of the curve, not a weak one, in its only form
/// (another form of the same point would give the same key a second identifier).
pub(super) fn is_signing_key(key: &[u8; 32]) -> bool {
    let canonical = |point: &VerifyingKey| point.to_edwards().compress().to_bytes() == *key;
    VerifyingKey::from_bytes(key).is_ok_and(|point| !point.is_weak() && canonical(&point))
}
