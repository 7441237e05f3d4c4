//! AES-256-GCM-SIV over a growing buffer: ciphertext, then the 16-byte tag.
//!
//! GCM-SIV (RFC 8452) stays safe when a nonce repeats: only the equality of two equal messages shows. Every caller
//! still argues in its own module why key and nonce never repeat.

use aes_gcm_siv::aead::AeadInOut;
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce, Tag};

/// Bytes that sealing adds.
pub(crate) const TAG_BYTES: usize = 16;

/// Seals all of `buffer` and appends the tag.
pub(crate) fn seal_in_place(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], buffer: &mut Vec<u8>) {
    let tag = Aes256GcmSiv::new(key.into())
        .encrypt_inout_detached(&Nonce::from(nonce), associated, buffer.as_mut_slice().into())
        .expect("GCM-SIV takes messages up to 64 GiB, and all formats here are bounded far below");
    buffer.extend_from_slice(&tag);
}

/// Opens what [`seal_in_place`] made; `None` when key, nonce, associated data or bytes are not the same.
/// The content of `buffer` is then unspecified.
#[must_use]
pub(crate) fn open_in_place(
    key: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    buffer: &mut Vec<u8>,
) -> Option<()> {
    let body_length = buffer.len().checked_sub(TAG_BYTES)?;
    let tag = Tag::try_from(&buffer[body_length..]).ok()?;
    buffer.truncate(body_length);
    Aes256GcmSiv::new(key.into())
        .decrypt_inout_detached(&Nonce::from(nonce), associated, buffer.as_mut_slice().into(), &tag)
        .ok()
}
