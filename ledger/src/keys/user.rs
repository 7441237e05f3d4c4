//! The keys of one person: everything follows from a 32-byte root seed, which is also the recovery phrase.

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::signature::{self, Signature};
use super::{Entropy, KeyError, phrase};
use crate::identity::UserId;

const SIGNING_CONTEXT: &str = "peerdrive 2026 user signing key v1";
const AGREEMENT_CONTEXT: &str = "peerdrive 2026 user agreement key v1";
const EPHEMERAL_CONTEXT: &str = "peerdrive 2026 user ephemeral secret v1";

/// The opened keys of a user.
#[derive(Clone, ZeroizeOnDrop)]
pub struct UserKeys {
    root: [u8; 32],
    signing: SigningKey,
    agreement: StaticSecret,
}

impl UserKeys {
    /// New keys.
    pub fn generate(entropy: &mut Entropy<'_>) -> Self {
        let mut root = Zeroizing::new([0; 32]);
        entropy(root.as_mut());
        Self::from_root(&root)
    }

    pub(super) fn from_root(root: &[u8; 32]) -> Self {
        let signing_seed = Zeroizing::new(blake3::derive_key(SIGNING_CONTEXT, root));
        let agreement_seed = Zeroizing::new(blake3::derive_key(AGREEMENT_CONTEXT, root));
        Self {
            root: *root,
            signing: SigningKey::from_bytes(&signing_seed),
            agreement: StaticSecret::from(*agreement_seed),
        }
    }

    /// Rebuilds the keys from the 24 words. Case and spacing do not matter.
    ///
    /// # Errors
    /// [`KeyError::PhraseLength`], [`KeyError::PhraseWord`] (names the word) or [`KeyError::PhraseChecksum`].
    pub fn from_recovery_phrase(words: &str) -> Result<Self, KeyError> {
        phrase::parse(words).map(|root| Self::from_root(&root))
    }

    /// The 24 words (BIP 39, English) that rebuild these keys: show once, on paper only.
    pub fn recovery_phrase(&self) -> Zeroizing<String> {
        phrase::write(&self.root)
    }

    /// The identifier of this user.
    pub fn id(&self) -> UserId {
        UserId::of(&self.public())
    }

    /// Both public keys.
    pub fn public(&self) -> UserPublicKeys {
        UserPublicKeys { signing: self.signing_public(), agreement: self.agreement_public() }
    }

    /// The public key others check this user's signatures with.
    pub fn signing_public(&self) -> UserSigningPublicKey {
        UserSigningPublicKey(self.signing.verifying_key().to_bytes())
    }

    /// The public key others seal secrets to.
    pub fn agreement_public(&self) -> AgreementPublicKey {
        AgreementPublicKey(PublicKey::from(&self.agreement).to_bytes())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(&self.signing.sign(message).to_bytes())
    }

    pub(super) fn root(&self) -> &[u8; 32] {
        &self.root
    }

    pub(super) fn agreement_secret(&self) -> &StaticSecret {
        &self.agreement
    }

    /// An ephemeral secret for sealing this message to this recipient, unguessable to all others and the same each
    /// time: where the ledger seals, it has no source of randomness.
    pub(crate) fn ephemeral_for(
        &self,
        recipient: &AgreementPublicKey,
        purpose: &[u8],
        message: &[u8],
    ) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(EPHEMERAL_CONTEXT);
        hasher.update(&self.root).update(recipient.as_bytes());
        hasher.update(&(purpose.len() as u64).to_be_bytes()).update(purpose).update(message);
        let secret = Zeroizing::new(*hasher.finalize().as_bytes());
        zeroize::Zeroize::zeroize(&mut hasher);
        secret
    }
}

/// The public keys of a user; their [`UserId`] vouches for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPublicKeys {
    /// Checks signatures.
    pub signing: UserSigningPublicKey,
    /// Receives sealed secrets.
    pub agreement: AgreementPublicKey,
}

impl UserPublicKeys {
    /// The identifier of the user who holds the secret halves.
    pub fn id(&self) -> UserId {
        UserId::of(self)
    }
}

/// The public half of a user's Ed25519 signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSigningPublicKey([u8; 32]);

impl UserSigningPublicKey {
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

    /// Checks a signature of this user.
    ///
    /// # Errors
    /// [`KeyError::InvalidSignature`] or [`KeyError::InvalidPublicKey`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        signature::check(&self.0, message, signature)
    }
}

/// The public half of a user's X25519 agreement key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementPublicKey([u8; 32]);

impl AgreementPublicKey {
    /// The key with these bytes; every 32 bytes are one (RFC 7748), weak ones are refused when something is sealed.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_entropy;
    use super::*;

    #[test]
    fn derivation_is_fixed() {
        let keys = UserKeys::from_root(&[7; 32]);
        assert_eq!(keys.id().to_text(), "JNMAHZ6-JSZ2CS7-43MYVSV-43T4BME-ATHKZDF-5T004JQ-NSN2P73-X3DHS0H");
        assert_eq!(
            data_encoding::HEXLOWER.encode(keys.signing_public().as_bytes()),
            "867535108c9376d242aa7fbc2d231cfa8d82ece882c5a81ad81cf8efa8a31745"
        );
        assert_eq!(
            data_encoding::HEXLOWER.encode(keys.agreement_public().as_bytes()),
            "4febdfcf949d9b9f165e5e0bc7a11cab4b699dc69ff47ba20d2db1e36243e41e"
        );
    }

    #[test]
    fn the_recovery_phrase_rebuilds_the_same_user() {
        let keys = UserKeys::generate(&mut test_entropy(3));
        let again = UserKeys::from_recovery_phrase(&keys.recovery_phrase()).ok().unwrap();
        assert_eq!(again.id(), keys.id());
        assert_eq!(again.public(), keys.public());
    }
}
