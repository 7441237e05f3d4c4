//! The key of one installation, and the file `device.key`.

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::frame::Frame;
use super::signature::{self, Signature};
use super::{Entropy, KeyError};
use crate::identity::DeviceId;

const FILE: Frame = Frame { magic: b"PDdevkey", version: 1, what: "device key", max_body_bytes: 32 };
const FORM_OPEN: u16 = 0;

/// The Ed25519 key that makes an installation itself: it signs transactions and is the TLS identity.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl ZeroizeOnDrop for DeviceKey {}

impl DeviceKey {
    /// A new key.
    pub fn generate(entropy: &mut Entropy<'_>) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        entropy(seed.as_mut());
        Self(SigningKey::from_bytes(&seed))
    }

    /// The public half.
    pub fn public(&self) -> DevicePublicKey {
        DevicePublicKey(self.0.verifying_key().to_bytes())
    }

    /// The identifier of this device.
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.public())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(&self.0.sign(message).to_bytes())
    }

    /// The 32-byte seed (RFC 8032), for a TLS library that wants the key itself.
    pub fn secret_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The content of `device.key`. Write it with owner-only access.
    pub fn to_file_bytes(&self) -> Zeroizing<Vec<u8>> {
        FILE.encode(FORM_OPEN, self.secret_seed().as_ref())
    }

    /// Reads the content of `device.key`.
    ///
    /// # Errors
    /// [`KeyError::NotThisFile`], [`KeyError::NewerVersion`] or [`KeyError::Damaged`].
    pub fn from_file_bytes(file: &[u8]) -> Result<Self, KeyError> {
        match FILE.decode(file)? {
            (FORM_OPEN, body) => {
                let seed = body.try_into().map_err(|_| FILE.damaged())?;
                Ok(Self(SigningKey::from_bytes(seed)))
            }
            _ => Err(FILE.damaged()),
        }
    }
}

/// The public half of a [`DeviceKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DevicePublicKey([u8; 32]);

impl DevicePublicKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// [`KeyError::InvalidPublicKey`] when they are no point of the curve or one of its weak points.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        if signature::is_signing_key(&bytes) { Ok(Self(bytes)) } else { Err(KeyError::InvalidPublicKey) }
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature of this device.
    ///
    /// # Errors
    /// [`KeyError::InvalidSignature`] or [`KeyError::InvalidPublicKey`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        signature::check(&self.0, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_entropy;
    use super::*;

    #[test]
    fn file_bytes_and_identifier_are_fixed() {
        let key = DeviceKey::generate(&mut test_entropy(1));
        assert_eq!(
            data_encoding::HEXLOWER.encode(&key.to_file_bytes()),
            "50446465766b657900010000000000205dc76cbd474e91b7e85a02bcba29892273ebf93f20bab06b2f352313a5050c05935f0395da608cbd637374f6b311c1bf"
        );
        assert_eq!(key.id().to_text(), "WGBA1GH-PNS0062-GQ975HX-CZP75T3-B48YKVZ-6Y9P8NK-S726Q4T-6NYK5GW");
        assert_eq!(format!("{}", key.id().tag()), "e416a0c236ae4003");
    }

    #[test]
    fn file_survives_and_its_faults_are_told_apart() {
        let key = DeviceKey::generate(&mut test_entropy(1));
        let file = key.to_file_bytes();
        assert_eq!(DeviceKey::from_file_bytes(&file).ok().unwrap().id(), key.id());
        for at in 8..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x01;
            assert!(DeviceKey::from_file_bytes(&broken).is_err(), "byte {at}");
        }
        for length in 8..file.len() {
            let found = DeviceKey::from_file_bytes(&file[..length]).err();
            assert_eq!(found, Some(KeyError::Damaged { what: "device key" }), "length {length}");
        }
        let mut newer = file.clone();
        newer[9] = 2;
        let found = DeviceKey::from_file_bytes(&newer).err();
        assert_eq!(found, Some(KeyError::NewerVersion { what: "device key", found: 2, supported: 1 }));
        let found = DeviceKey::from_file_bytes(b"something else").err();
        assert_eq!(found, Some(KeyError::NotThisFile { what: "device key" }));
    }

    #[test]
    fn signatures_fit_only_their_message_and_key() {
        let key = DeviceKey::generate(&mut test_entropy(1));
        let other = DeviceKey::generate(&mut test_entropy(2));
        let signature = key.sign(b"message");
        assert!(key.public().verify(b"message", &signature).is_ok());
        assert_eq!(key.public().verify(b"massage", &signature), Err(KeyError::InvalidSignature));
        assert_eq!(other.public().verify(b"message", &signature), Err(KeyError::InvalidSignature));
    }

    #[test]
    fn weak_public_keys_are_refused() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        assert_eq!(DevicePublicKey::from_bytes(identity_point), Err(KeyError::InvalidPublicKey));
        assert_eq!(DevicePublicKey::from_bytes([0xff; 32]), Err(KeyError::InvalidPublicKey));
    }
}
