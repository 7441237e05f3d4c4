//! Secrets and what protects them: device key, user keys, recovery phrase, passphrase, keyring.
//!
//! ```text
//! device.key ── DeviceKey (Ed25519) ── signs transactions, is the TLS identity
//! 24 words ─┐
//! user.key ─┴─ root seed (32 bytes) ─┬─ signing key (Ed25519)     signs roster records
//!   (open, or sealed by a passphrase)└─ agreement key (X25519) ── opens the keyring
//!                                                                  └─ dedup secret, database key, epoch keys
//! ```
//!
//! Secrets are wiped when dropped and can be neither printed nor logged: none implements `Debug` or `Display`.
//! The byte formats are in `docs/formats/keys.md`. Randomness is always an argument ([`Entropy`]).

mod aead;
mod device;
mod error;
mod frame;
mod keyring;
mod passphrase;
mod phrase;
mod sealed_box;
mod signature;
mod user;
mod user_file;

pub(crate) use aead::{open_in_place, seal_in_place};
pub use device::{DeviceKey, DevicePublicKey};
pub use error::KeyError;
pub use keyring::{EpochKey, Keyring};
pub use passphrase::PassphraseCost;
pub(crate) use sealed_box::{SealedBox, seal_box};
pub use signature::Signature;
pub use user::{AgreementPublicKey, UserKeys, UserPublicKeys, UserSigningPublicKey};
pub use user_file::{LockedUserKeys, UserKeyFile};

/// Fills a buffer with bytes nobody else can guess: the operating system's generator, or a fixed stream in tests.
pub type Entropy<'a> = dyn FnMut(&mut [u8]) + 'a;

/// An entropy stream for tests: reproducible, different for each seed.
#[cfg(test)]
pub(crate) fn test_entropy(seed: u8) -> impl FnMut(&mut [u8]) {
    let mut stream = blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof();
    move |buffer| stream.fill(buffer)
}

#[cfg(test)]
mod secrecy_tests;
