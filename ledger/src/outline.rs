//! What a device declares to be cleaned out of its own log. Signed, so that others can pass it on; the greatest counter counts.
//!
//! ```text
//!   0   4  magic "PDol"
//!   4   1  version
//!   5  16  workspace
//!  21  32  device
//!  53   …  var counter ‖ var through ‖ ranges of sequence numbers that are cleaned ‖ ranges of those that are issued again
//!   …  64  signature     Ed25519 by the device over: context ‖ all before
//! ```
//!
//! `through` is how far the log went when this was declared: who knows it so far has all that was issued again. Ranges are
//! `var n ‖ n × (var distance ‖ var length)`. One begins `distance` after the first number it could begin at (1, or two after the end of the one before) and holds
//! `length` + 1 numbers. So there is one form only, and a log that was cleaned from its start costs a few bytes.

use thiserror::Error;

use crate::identity::{DeviceId, WorkspaceId};
use crate::keys::{DeviceKey, DevicePublicKey, Signature};
use crate::ranges::Ranges;
use crate::roster::OutlineHash;
use crate::wire::{Reader, WireError, Writer};

/// Most ranges in one outline. A device whose log has more holes cleans no further until it re-issued what lies between them.
pub(crate) const OUTLINE_MAX_RANGES: usize = 4096;
/// Most bytes of one outline: each number of a range takes seven at most.
pub const OUTLINE_MAX_BYTES: usize = 128 + 2 * OUTLINE_MAX_RANGES * 14;

const MAGIC: &[u8; 4] = b"PDol";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 5;
const SIGNATURE_BYTES: usize = 64;
const CONTEXT: &[u8] = b"peerdrive 2026 outline signature v1\0";
const HASH_CONTEXT: &str = "peerdrive 2026 outline hash v1";

/// Why an outline is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OutlineError {
    /// Not an outline, or longer than one may be.
    #[error("these bytes are not the outline of a log: refuse them")]
    Malformed,
    /// From a later release.
    #[error("this outline has format {found} and this release reads {VERSION}: install a newer PeerDrive")]
    Newer {
        /// The version found.
        found: u8,
    },
    /// Of another workspace.
    #[error("this outline is of another workspace: refuse it")]
    OtherWorkspace,
    /// Of another device than the key's, changed on the way, or forged.
    #[error("the signature of an outline does not fit: refuse it")]
    Signature,
    /// Its device may not write, or not any more.
    #[error("the outline's device may not write: refuse it")]
    NotAllowed,
    /// What was declared cleaned before is not in it.
    #[error("this outline takes back what its device declared before: its database was set back")]
    TakenBack,
}

/// What a device says of its own log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outline {
    /// The greatest of a device counts.
    pub(crate) counter: u64,
    /// How far the log went.
    pub(crate) through: u64,
    /// What nobody needs any more.
    pub(crate) cleaned: Ranges,
    /// Transactions that hold edits out of those.
    pub(crate) again: Ranges,
}

/// An outline with the signature of its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedOutline {
    pub(crate) workspace: WorkspaceId,
    pub(crate) device: DeviceId,
    pub(crate) outline: Outline,
    bytes: Vec<u8>,
}

/// Checks that `bytes` are an outline, and answers how many ranges it has. For fuzzing: it must answer, whatever the bytes.
///
/// # Errors
/// They are not, or of a newer format.
pub fn decode_outline(bytes: &[u8]) -> Result<usize, OutlineError> {
    SignedOutline::decode(bytes).map(|signed| signed.outline.cleaned.len() + signed.outline.again.len())
}

impl SignedOutline {
    /// Says this of the own log.
    pub(crate) fn sign(key: &DeviceKey, workspace: WorkspaceId, outline: Outline) -> Self {
        let device = key.id();
        let mut w = Writer::with_capacity(128 + outline.cleaned.len() * 4);
        w.raw(MAGIC);
        w.byte(VERSION);
        w.raw(workspace.as_bytes());
        w.raw(device.as_bytes());
        w.unsigned(outline.counter);
        w.unsigned(outline.through);
        outline.cleaned.write(&mut w);
        outline.again.write(&mut w);
        let signature = key.sign(&signed(&w.out)).to_bytes();
        w.raw(&signature);
        Self { workspace, device, outline, bytes: w.out }
    }

    /// Reads what [`SignedOutline::as_bytes`] gave. Not yet believed: [`SignedOutline::verify`] comes next.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, OutlineError> {
        if bytes.len() > OUTLINE_MAX_BYTES || !bytes.starts_with(MAGIC) {
            return Err(OutlineError::Malformed);
        }
        match bytes.get(4) {
            None | Some(0) => return Err(OutlineError::Malformed),
            Some(&VERSION) => {}
            Some(&found) => return Err(OutlineError::Newer { found }),
        }
        let end = bytes.len().checked_sub(SIGNATURE_BYTES).ok_or(OutlineError::Malformed)?;
        let body = bytes.get(HEAD_BYTES..end).ok_or(OutlineError::Malformed)?;
        Self::read(body, bytes).map_err(|_| OutlineError::Malformed)
    }

    fn read(body: &[u8], bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(body);
        let workspace = WorkspaceId::from_bytes(r.array()?);
        let device = DeviceId::from_bytes(r.array()?);
        let outline = Outline {
            counter: r.unsigned()?,
            through: r.unsigned()?,
            cleaned: Ranges::read(&mut r, OUTLINE_MAX_RANGES)?,
            again: Ranges::read(&mut r, OUTLINE_MAX_RANGES)?,
        };
        r.finish()?;
        Ok(Self { workspace, device, outline, bytes: bytes.to_vec() })
    }

    /// Checks that the device it names signed it.
    pub(crate) fn verify(&self, key: &DevicePublicKey) -> Result<(), OutlineError> {
        let (body, signature) = self.bytes.split_last_chunk().ok_or(OutlineError::Malformed)?;
        let own = DeviceId::of(key) == self.device;
        let valid = own && key.verify(&signed(body), &Signature::from_bytes(signature)).is_ok();
        if valid { Ok(()) } else { Err(OutlineError::Signature) }
    }

    /// What a member names it by who vouches for it.
    pub(crate) fn hash(&self) -> OutlineHash {
        blake3::derive_key(HASH_CONTEXT, &self.bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn signed(message: &[u8]) -> Vec<u8> {
    [CONTEXT, message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline() -> SignedOutline {
        let key = DeviceKey::generate(&mut |bytes: &mut [u8]| bytes.fill(3));
        let cleaned = [(1, 300), (302, 302), (1000, 1001)].into_iter().collect();
        let again = [(1100, 1100)].into_iter().collect();
        SignedOutline::sign(
            &key,
            WorkspaceId::from_bytes([9; 16]),
            Outline { counter: 7, through: 1200, cleaned, again },
        )
    }

    #[test]
    fn the_bytes_of_an_outline_are_what_they_were() {
        let outline = outline();
        let hex: String = outline.as_bytes()[53..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&outline.as_bytes()[..6], b"PDol\x01\x09");
        assert_eq!(&outline.as_bytes()[21..53], outline.device.as_bytes());
        assert_eq!(&hex[..hex.len() - 128], "07b0090300ab020000b8050101cb0800");
        assert_eq!(SignedOutline::decode(outline.as_bytes()).unwrap(), outline);
    }

    #[test]
    fn only_its_own_device_can_sign_an_outline() {
        let outline = outline();
        let key = DeviceKey::generate(&mut |bytes: &mut [u8]| bytes.fill(3));
        let other = DeviceKey::generate(&mut |bytes: &mut [u8]| bytes.fill(4));
        assert_eq!(outline.verify(&key.public()), Ok(()));
        assert_eq!(outline.verify(&other.public()), Err(OutlineError::Signature));
        for at in 5..outline.as_bytes().len() {
            let mut bytes = outline.as_bytes().to_vec();
            bytes[at] ^= 1;
            let refused = SignedOutline::decode(&bytes).and_then(|outline| outline.verify(&key.public()));
            assert!(refused.is_err(), "{at}");
        }
    }

    #[test]
    fn cut_and_newer_outlines_are_refused() {
        let bytes = outline().as_bytes().to_vec();
        for end in 0..bytes.len() {
            assert!(decode_outline(&bytes[..end]).is_err(), "{end}");
        }
        let newer = [&b"PDol\x02"[..], &bytes[5..]].concat();
        assert_eq!(decode_outline(&newer), Err(OutlineError::Newer { found: 2 }));
        assert_eq!(decode_outline(&vec![0; OUTLINE_MAX_BYTES + 1]), Err(OutlineError::Malformed));
    }
}
