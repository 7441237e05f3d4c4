//! A secret sealed to one user's agreement key: X25519 with an ephemeral key, BLAKE3, AES-256-GCM-SIV.
//!
//! ```text
//!  0  32  ephemeral public key
//! 32   n  ciphertext
//!  …  16  tag
//! ```
//!
//! `key = BLAKE3-derive-key(shared ‖ ephemeral public ‖ recipient public)`, nonce 0, associated data = the purpose.
//! Every ephemeral secret is fresh (random, or a keyed hash of the very message), so one key seals one message.
//! A box says nothing about who made it: whoever carries it must be authenticated in another way.

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::{AgreementPublicKey, KeyError, UserKeys, aead};

const KEY_CONTEXT: &str = "peerdrive 2026 sealed box key v1";
const NONCE: [u8; 12] = [0; 12];
const PUBLIC_KEY_BYTES: usize = 32;

/// Bytes that a box adds to its message.
pub(crate) const OVERHEAD_BYTES: usize = PUBLIC_KEY_BYTES + aead::TAG_BYTES;

/// Seals `message` to the owner of `recipient`.
///
/// # Errors
/// [`KeyError::InvalidPublicKey`] when the recipient's key is one of the weak points that agree on zero with anyone.
pub(crate) fn seal_box(
    recipient: &AgreementPublicKey,
    ephemeral: &Zeroizing<[u8; 32]>,
    purpose: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let secret = StaticSecret::from(**ephemeral);
    let public = PublicKey::from(&secret).to_bytes();
    let key = agree(&secret, recipient.as_bytes(), &public, recipient.as_bytes())
        .ok_or(KeyError::InvalidPublicKey)?;
    // Sealed in a buffer of its own that already has room for the tag, so the message leaves no copy behind.
    let mut sealed = Vec::with_capacity(message.len() + aead::TAG_BYTES);
    sealed.extend_from_slice(message);
    aead::seal_in_place(&key, NONCE, purpose, &mut sealed);
    Ok([&public[..], &sealed].concat())
}

/// A box as it was received.
pub(crate) struct SealedBox<'a>(pub &'a [u8]);

impl SealedBox<'_> {
    /// Opens it with the keys it was sealed to; `None` when it was sealed to others, for another purpose, or damaged.
    pub fn open(&self, keys: &UserKeys, purpose: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (ephemeral, sealed) = self.0.split_first_chunk::<PUBLIC_KEY_BYTES>()?;
        let own = keys.agreement_public();
        let key = agree(keys.agreement_secret(), ephemeral, ephemeral, own.as_bytes())?;
        let mut message = Zeroizing::new(sealed.to_vec());
        aead::open_in_place(&key, NONCE, purpose, &mut message)?;
        Some(message)
    }
}

/// The key both ends come to; `None` for a weak public key.
fn agree(
    secret: &StaticSecret,
    other: &[u8; 32],
    ephemeral: &[u8; 32],
    recipient: &[u8; 32],
) -> Option<Zeroizing<[u8; 32]>> {
    let shared = secret.diffie_hellman(&PublicKey::from(*other));
    if !shared.was_contributory() {
        return None;
    }
    let mut input = Zeroizing::new([0; 96]);
    input[..32].copy_from_slice(shared.as_bytes());
    input[32..64].copy_from_slice(ephemeral);
    input[64..].copy_from_slice(recipient);
    Some(Zeroizing::new(blake3::derive_key(KEY_CONTEXT, input.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::super::test_entropy;
    use super::*;

    #[test]
    fn a_box_opens_for_its_recipient_and_purpose_only() {
        let (anna, boris) =
            (UserKeys::generate(&mut test_entropy(1)), UserKeys::generate(&mut test_entropy(2)));
        let sealed =
            seal_box(&anna.agreement_public(), &Zeroizing::new([9; 32]), b"test", b"secret").unwrap();
        assert_eq!(sealed.len(), 6 + OVERHEAD_BYTES);
        assert_eq!(SealedBox(&sealed).open(&anna, b"test").unwrap().as_slice(), b"secret");
        assert!(SealedBox(&sealed).open(&boris, b"test").is_none());
        assert!(SealedBox(&sealed).open(&anna, b"other").is_none());
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(SealedBox(&broken).open(&anna, b"test").is_none(), "byte {at}");
            assert!(SealedBox(&sealed[..at]).open(&anna, b"test").is_none(), "length {at}");
        }
    }

    #[test]
    fn a_weak_recipient_is_refused() {
        let weak = AgreementPublicKey::from_bytes([0; 32]);
        let found = seal_box(&weak, &Zeroizing::new([9; 32]), b"test", b"secret").err();
        assert_eq!(found, Some(KeyError::InvalidPublicKey));
    }
}
