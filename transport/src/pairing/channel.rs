//! What is handed over after the proofs: sealed once more, with keys that only the two devices have.
//!
//! ```text
//!  message ─AES-256-GCM-SIV(key of the direction, counter)─▶ length u32 ‖ ciphertext ‖ tag 16
//! ```
//!
//! TLS alone would not do: its other end is only known by the proofs. The counter makes every nonce of a key new.

use std::net::SocketAddr;
use std::time::Duration;

use aes_gcm_siv::aead::AeadInOut;
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce, Tag};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::exchange::ChannelKeys;
use super::secret::Selector;
use super::stream::PairingStream;
use super::{PairingError, Role};
use crate::close::CloseCode;
use crate::endpoint::PairingLink;
use crate::key::PeerKey;

/// Bytes of one message, before it is sealed.
pub const PAIRED_MESSAGE_MAX_BYTES: usize = 1 << 20;
const TAG_BYTES: usize = 16;
/// How long finishing waits for the other side.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// A channel between two devices that have proven the same secret.
pub struct PairedChannel {
    link: PairingLink,
    stream: PairingStream,
    selector: Selector,
    sealing: Direction,
    opening: Direction,
}

impl PairedChannel {
    pub(super) fn new(
        link: PairingLink,
        stream: PairingStream,
        selector: Selector,
        keys: &ChannelKeys,
        role: Role,
    ) -> Self {
        let (sealing, opening) = match role {
            Role::Joiner => (&keys.to_inviter, &keys.to_joiner),
            Role::Inviter => (&keys.to_joiner, &keys.to_inviter),
        };
        Self { link, stream, selector, sealing: Direction::new(sealing), opening: Direction::new(opening) }
    }

    /// The device at the other end: it knows the secret and holds this key.
    #[must_use]
    pub fn peer(&self) -> PeerKey {
        self.link.peer()
    }

    /// Where the other side is.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        self.link.remote_address()
    }

    /// Which invitation was accepted.
    #[must_use]
    pub fn selector(&self) -> Selector {
        self.selector
    }

    /// Sends one message of at most [`PAIRED_MESSAGE_MAX_BYTES`].
    ///
    /// # Errors
    /// If it is larger, or the connection is gone.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), PairingError> {
        if message.len() > PAIRED_MESSAGE_MAX_BYTES {
            return Err(PairingError::TooLarge);
        }
        let sealed = self.sealing.seal(message);
        self.stream.write(sealed).await
    }

    /// The next message.
    ///
    /// # Errors
    /// [`PairingError::Finished`] when the other side has finished; else if the connection is gone or the message
    /// is not what the other side sent.
    pub async fn recv(&mut self) -> Result<Vec<u8>, PairingError> {
        let sealed = self.stream.read(PAIRED_MESSAGE_MAX_BYTES + TAG_BYTES).await?;
        self.opening.open(sealed).ok_or(PairingError::Tampered)
    }

    /// Waits until the other side has received everything and finished too, at most 5 s, then closes.
    pub async fn finish(mut self) {
        let _ = timeout(FINISH_MAX, self.stream.finish()).await;
        self.link.connection.close(CloseCode::Done.to_wire(), b"");
    }
}

/// One direction: a key and the number of the next message.
struct Direction {
    key: Zeroizing<[u8; 32]>,
    counter: u64,
}

impl Direction {
    fn new(key: &[u8; 32]) -> Self {
        Self { key: Zeroizing::new(*key), counter: 0 }
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        nonce.into()
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new((&*self.key).into())
    }

    fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(message.len() + TAG_BYTES);
        sealed.extend_from_slice(message);
        let nonce = self.nonce();
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce, b"", sealed.as_mut_slice().into())
            .expect("GCM-SIV takes messages up to 64 GiB, and these have at most 1 MiB");
        sealed.extend_from_slice(&tag);
        sealed
    }

    fn open(&mut self, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let length = sealed.len().checked_sub(TAG_BYTES)?;
        let tag = Tag::try_from(&sealed[length..]).ok()?;
        sealed.truncate(length);
        let nonce = self.nonce();
        self.cipher().decrypt_inout_detached(&nonce, b"", sealed.as_mut_slice().into(), &tag).ok()?;
        Some(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_opens_once_in_its_place_and_unchanged() {
        let (mut sealing, mut opening) = (Direction::new(&[1; 32]), Direction::new(&[1; 32]));
        let (first, second) = (sealing.seal(b"one"), sealing.seal(b"two"));
        assert_eq!(opening.open(first.clone()).unwrap(), b"one");
        assert_eq!(opening.open(first), None, "replayed");
        let mut opening = Direction::new(&[1; 32]);
        assert_eq!(opening.open(second), None, "out of place");
        let mut changed = Direction::new(&[1; 32]).seal(b"one");
        changed[0] ^= 1;
        assert_eq!(Direction::new(&[1; 32]).open(changed), None);
        assert_eq!(Direction::new(&[1; 32]).open(vec![0; 15]), None);
    }

    #[test]
    fn golden_message() {
        let sealed = Direction::new(&[1; 32]).seal(b"one");
        assert_eq!(data_encoding::HEXLOWER.encode(&sealed), "9e24fcf865deb4a4430ac4693abdbb8ed7d59a");
    }
}
