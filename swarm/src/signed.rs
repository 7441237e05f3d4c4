//! What a device states and signs for one workspace, so that others can pass it on or keep it.
//!
//! ```text
//!   0   4  magic
//!   4   1  version
//!   5   n  body          postcard: workspace, statement
//!   …  64  signature     Ed25519 by the device over: context ‖ magic, version and body
//! ```

use bytes::Bytes;
use ledger::identity::WorkspaceId;
use ledger::keys::{DeviceKey, DevicePublicKey, Signature};
use serde::Serialize;
use serde::de::DeserializeOwned;

const HEAD_BYTES: usize = 5;
const SIGNATURE_BYTES: usize = 64;

/// One kind of statement.
pub(crate) struct Form {
    pub magic: &'static [u8; 4],
    pub version: u8,
    pub context: &'static [u8],
    pub max_bytes: usize,
}

/// Why bytes are no statement of this kind.
pub(crate) enum FormError {
    Malformed,
    Newer(u8),
}

impl Form {
    pub(crate) fn sign(&self, key: &DeviceKey, workspace: WorkspaceId, said: &impl Serialize) -> Bytes {
        let body =
            postcard::to_stdvec(&(workspace, said)).expect("a statement can always be written to memory");
        let mut bytes = [&self.magic[..], &[self.version], &body].concat();
        let signature = key.sign(&self.signed(&bytes)).to_bytes();
        bytes.extend_from_slice(&signature);
        bytes.into()
    }

    /// Reads a statement. Not yet believed: [`Form::is_by`] comes next.
    pub(crate) fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<(WorkspaceId, T), FormError> {
        if bytes.len() > self.max_bytes || !bytes.starts_with(self.magic) {
            return Err(FormError::Malformed);
        }
        match bytes.get(4) {
            None | Some(0) => return Err(FormError::Malformed),
            Some(version) if *version == self.version => {}
            Some(&found) => return Err(FormError::Newer(found)),
        }
        let end = bytes.len().checked_sub(SIGNATURE_BYTES).filter(|end| *end >= HEAD_BYTES);
        let body = bytes.get(HEAD_BYTES..end.ok_or(FormError::Malformed)?).ok_or(FormError::Malformed)?;
        let (said, rest) = postcard::take_from_bytes(body).map_err(|_| FormError::Malformed)?;
        if rest.is_empty() { Ok(said) } else { Err(FormError::Malformed) }
    }

    /// Whether the device with this key signed these bytes.
    pub(crate) fn is_by(&self, key: &DevicePublicKey, bytes: &[u8]) -> bool {
        bytes.split_last_chunk().is_some_and(|(body, signature)| {
            key.verify(&self.signed(body), &Signature::from_bytes(signature)).is_ok()
        })
    }

    fn signed(&self, message: &[u8]) -> Vec<u8> {
        [self.context, message].concat()
    }
}
