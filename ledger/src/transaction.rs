//! The sealed form of a transaction: what logs hold and devices exchange.
//!
//! ```text
//!   0   4  magic "PDtx"
//!   4   2  version           integers are big-endian
//!   6   2  reserved, zero
//!   8  16  workspace
//!  24  32  device
//!  56   8  sequence
//!  64  16  realm
//!  80   4  epoch
//!  84  32  previous          hash of this device's transaction before, zeros for the first
//! 116   4  ciphertext length n, tag included
//! 120   n  ciphertext        AES-256-GCM-SIV of: codec byte (0 raw, 1 zstd) ‖ edits
//!   …  64  signature         Ed25519 by the device over: context ‖ header (120 bytes) ‖ BLAKE3(ciphertext)
//! ```
//!
//! **Key and nonce.** The key is derived from the epoch key, workspace, realm, epoch and device; the nonce is the
//! sequence number. A device gives each sequence number once, so no pair repeats. Should a device be set back to an old
//! copy of its disk and give a number twice, GCM-SIV still keeps both messages secret and authentic (RFC 8452): the
//! nonce is then mixed with a hash of header and edits, and only an exact repetition shows as such.

use thiserror::Error;

use crate::identity::{DeviceId, RealmId, WorkspaceId};
use crate::keys::{DeviceKey, DevicePublicKey, EpochKey, Signature, open_in_place, seal_in_place};
use zeroize::Zeroizing;

/// Most bytes of plain edits in one transaction.
pub const MAX_EDITS_BYTES: usize = 1 << 20;
/// Most bytes of one sealed transaction.
pub const MAX_TRANSACTION_BYTES: usize = HEADER_BYTES + MAX_CIPHERTEXT_BYTES + SIGNATURE_BYTES;

const MAGIC: &[u8; 4] = b"PDtx";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 120;
const TAG_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 64;
const MIN_CIPHERTEXT_BYTES: usize = 1 + TAG_BYTES;
const MAX_CIPHERTEXT_BYTES: usize = 1 + MAX_EDITS_BYTES + TAG_BYTES;

const CODEC_RAW: u8 = 0;
const CODEC_ZSTD: u8 = 1;
const ZSTD_LEVEL: i32 = 3;

const KEY_CONTEXT: &str = "peerdrive 2026 transaction key v1";
const SIGNATURE_CONTEXT: &[u8] = b"peerdrive 2026 transaction signature v1\0";
const HASH_CONTEXT: &str = "peerdrive 2026 transaction hash v1";

/// Why a transaction was not sealed, read or opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TransactionError {
    /// More edits than fit.
    #[error("the edits take {bytes} bytes and a transaction holds {MAX_EDITS_BYTES}: split them")]
    TooLarge {
        /// Size of the plain edits.
        bytes: usize,
    },
    /// The header names another device than the key.
    #[error("the transaction names another device than the one whose key is given")]
    OtherDevice,
    /// Not a transaction.
    #[error("these bytes are not a transaction: refuse them")]
    Malformed,
    /// From a later release.
    #[error(
        "this transaction has format {found} and this release reads up to {VERSION}: install a newer PeerDrive"
    )]
    NewerVersion {
        /// The version it has.
        found: u16,
    },
    /// Changed on the way, or forged.
    #[error("the transaction's signature does not fit: refuse it")]
    InvalidSignature,
    /// Another key sealed it, or it was changed.
    #[error("the transaction does not open with this epoch key: fetch the realm's keys, or refuse it")]
    WrongKey,
}

/// What everybody may read of a transaction, hosts without keys included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionHeader {
    /// The drive it changes.
    pub workspace: WorkspaceId,
    /// Who made it.
    pub device: DeviceId,
    /// Its number in that device's log, from 1, without gaps.
    pub sequence: u64,
    /// The realm whose key seals it.
    pub realm: RealmId,
    /// Which of the realm's keys.
    pub epoch: u32,
    /// Hash of the transaction before in this log; zeros for the first.
    pub previous: [u8; 32],
}

impl TransactionHeader {
    fn encode(&self, ciphertext_length: usize) -> [u8; HEADER_BYTES] {
        let length =
            u32::try_from(ciphertext_length).expect("ciphertexts are bounded by MAX_CIPHERTEXT_BYTES");
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(MAGIC);
        header[4..6].copy_from_slice(&VERSION.to_be_bytes());
        header[8..24].copy_from_slice(self.workspace.as_bytes());
        header[24..56].copy_from_slice(self.device.as_bytes());
        header[56..64].copy_from_slice(&self.sequence.to_be_bytes());
        header[64..80].copy_from_slice(self.realm.as_bytes());
        header[80..84].copy_from_slice(&self.epoch.to_be_bytes());
        header[84..116].copy_from_slice(&self.previous);
        header[116..].copy_from_slice(&length.to_be_bytes());
        header
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> (Self, usize) {
        let header = Self {
            workspace: WorkspaceId::from_bytes(field(bytes, 8)),
            device: DeviceId::from_bytes(field(bytes, 24)),
            sequence: u64::from_be_bytes(field(bytes, 56)),
            realm: RealmId::from_bytes(field(bytes, 64)),
            epoch: u32::from_be_bytes(field(bytes, 80)),
            previous: field(bytes, 84),
        };
        (header, u32::from_be_bytes(field(bytes, 116)) as usize)
    }

    fn key(&self, epoch_key: &EpochKey) -> Zeroizing<[u8; 32]> {
        let mut input = Zeroizing::new([0; 100]);
        input[..32].copy_from_slice(epoch_key.as_bytes());
        input[32..48].copy_from_slice(self.workspace.as_bytes());
        input[48..64].copy_from_slice(self.realm.as_bytes());
        input[64..68].copy_from_slice(&self.epoch.to_be_bytes());
        input[68..].copy_from_slice(self.device.as_bytes());
        Zeroizing::new(blake3::derive_key(KEY_CONTEXT, input.as_ref()))
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.sequence.to_be_bytes());
        nonce
    }
}

fn field<const BYTES: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; BYTES] {
    let mut field = [0; BYTES];
    field.copy_from_slice(&header[at..at + BYTES]);
    field
}

/// Seals `edits` (already encoded) into a transaction.
///
/// # Errors
/// [`TransactionError::TooLarge`], or [`TransactionError::OtherDevice`] when `header.device` is not `device`.
pub fn seal(
    header: &TransactionHeader,
    edits: &[u8],
    epoch_key: &EpochKey,
    device: &DeviceKey,
) -> Result<Vec<u8>, TransactionError> {
    if edits.len() > MAX_EDITS_BYTES {
        return Err(TransactionError::TooLarge { bytes: edits.len() });
    }
    if header.device != device.id() {
        return Err(TransactionError::OtherDevice);
    }
    let mut ciphertext = pack(edits);
    let head = header.encode(ciphertext.len() + TAG_BYTES);
    seal_in_place(&header.key(epoch_key), header.nonce(), &head, &mut ciphertext);
    let signature = device.sign(&signed_message(&head, &ciphertext)).to_bytes();
    Ok([&head[..], &ciphertext, &signature].concat())
}

/// A transaction as it was received. Parsed is not yet trusted: [`SealedTransaction::verify`] comes next.
pub struct SealedTransaction<'a> {
    header: TransactionHeader,
    head: &'a [u8; HEADER_BYTES],
    ciphertext: &'a [u8],
    signature: &'a [u8; SIGNATURE_BYTES],
}

impl<'a> SealedTransaction<'a> {
    /// Takes the bytes apart.
    ///
    /// # Errors
    /// [`TransactionError::Malformed`] or [`TransactionError::NewerVersion`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TransactionError> {
        let (magic_and_version, _) = bytes.split_first_chunk::<6>().ok_or(TransactionError::Malformed)?;
        let found = u16::from_be_bytes([magic_and_version[4], magic_and_version[5]]);
        if !bytes.starts_with(MAGIC) || found == 0 {
            return Err(TransactionError::Malformed);
        }
        if found > VERSION {
            return Err(TransactionError::NewerVersion { found });
        }
        let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(TransactionError::Malformed)?;
        let (ciphertext, signature) =
            rest.split_last_chunk::<SIGNATURE_BYTES>().ok_or(TransactionError::Malformed)?;
        let (header, length) = TransactionHeader::decode(head);
        let bounded = (MIN_CIPHERTEXT_BYTES..=MAX_CIPHERTEXT_BYTES).contains(&length);
        // Encoding the header again must give the same bytes: there is one form only.
        if !bounded || ciphertext.len() != length || header.encode(length) != *head {
            return Err(TransactionError::Malformed);
        }
        Ok(Self { header, head, ciphertext, signature })
    }

    /// The header. Whether it is the device's own shows [`SealedTransaction::verify`].
    pub fn header(&self) -> &TransactionHeader {
        &self.header
    }

    /// Checks that the device named in the header signed these bytes.
    ///
    /// # Errors
    /// [`TransactionError::OtherDevice`] when `key` is another device's, [`TransactionError::InvalidSignature`].
    pub fn verify(&self, key: &DevicePublicKey) -> Result<(), TransactionError> {
        if DeviceId::of(key) != self.header.device {
            return Err(TransactionError::OtherDevice);
        }
        key.verify(&signed_message(self.head, self.ciphertext), &Signature::from_bytes(self.signature))
            .map_err(|_| TransactionError::InvalidSignature)
    }

    /// The plain edits, at most [`MAX_EDITS_BYTES`].
    ///
    /// # Errors
    /// [`TransactionError::WrongKey`], and [`TransactionError::Malformed`] when what was sealed is no list of edits.
    pub fn open(&self, epoch_key: &EpochKey) -> Result<Vec<u8>, TransactionError> {
        let mut plain = self.ciphertext.to_vec();
        open_in_place(&self.header.key(epoch_key), self.header.nonce(), self.head, &mut plain)
            .ok_or(TransactionError::WrongKey)?;
        unpack(plain)
    }

    /// What the next transaction of this device names as `previous`. It covers what is signed, not the signature.
    pub fn hash(&self) -> [u8; 32] {
        blake3::derive_key(HASH_CONTEXT, &signed_message(self.head, self.ciphertext))
    }
}

/// Codec byte and payload: compressed where that is smaller.
fn pack(edits: &[u8]) -> Vec<u8> {
    let compressed = zstd::bulk::compress(edits, ZSTD_LEVEL).ok().filter(|small| small.len() < edits.len());
    let (codec, payload) = compressed.as_deref().map_or((CODEC_RAW, edits), |small| (CODEC_ZSTD, small));
    let mut packed = Vec::with_capacity(1 + payload.len() + TAG_BYTES);
    packed.push(codec);
    packed.extend_from_slice(payload);
    packed
}

fn unpack(mut plain: Vec<u8>) -> Result<Vec<u8>, TransactionError> {
    match plain.first() {
        Some(&CODEC_RAW) => {
            plain.remove(0);
            Ok(plain)
        }
        Some(&CODEC_ZSTD) => {
            zstd::bulk::decompress(&plain[1..], MAX_EDITS_BYTES).map_err(|_| TransactionError::Malformed)
        }
        _ => Err(TransactionError::Malformed),
    }
}

fn signed_message(head: &[u8; HEADER_BYTES], ciphertext: &[u8]) -> Vec<u8> {
    [SIGNATURE_CONTEXT, head, blake3::hash(ciphertext).as_bytes()].concat()
}

#[cfg(test)]
mod tests;
