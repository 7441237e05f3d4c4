//! The frame around every key file, so that a wrong file, a newer one and a damaged one are told apart.
//!
//! ```text
//!  0  8  magic
//!  8  2  version          integers are big-endian
//! 10  2  form             which body this is
//! 12  4  body length n
//! 16  n  body
//!  …  16 check: BLAKE3 derive-key of everything before, first 16 bytes
//! ```
//!
//! The check finds accidents. It is no protection against a forger: bodies that need that carry an AEAD tag.

use zeroize::Zeroizing;

use super::KeyError;

pub(crate) const HEADER_BYTES: usize = 16;
const CHECK_BYTES: usize = 16;
const CHECK_CONTEXT: &str = "peerdrive 2026 key file check v1";

/// One kind of key file.
pub(crate) struct Frame {
    /// First bytes of the file.
    pub magic: &'static [u8; 8],
    /// Newest version this release reads, and the one it writes.
    pub version: u16,
    /// Its name in messages.
    pub what: &'static str,
    /// Longest body accepted.
    pub max_body_bytes: usize,
}

impl Frame {
    /// The header of a file with this form and body length; bodies that are sealed authenticate it.
    pub fn header(&self, form: u16, body_length: usize) -> [u8; HEADER_BYTES] {
        let length = u32::try_from(body_length).expect("bodies of key files are a few MiB at most");
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(self.magic);
        header[8..10].copy_from_slice(&self.version.to_be_bytes());
        header[10..12].copy_from_slice(&form.to_be_bytes());
        header[12..].copy_from_slice(&length.to_be_bytes());
        header
    }

    /// The whole file.
    pub fn encode(&self, form: u16, body: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut file = Zeroizing::new(Vec::with_capacity(HEADER_BYTES + body.len() + CHECK_BYTES));
        file.extend_from_slice(&self.header(form, body.len()));
        file.extend_from_slice(body);
        let check = check_of(&file);
        file.extend_from_slice(&check);
        file
    }

    /// Form and body of a file.
    pub fn decode<'a>(&self, file: &'a [u8]) -> Result<(u16, &'a [u8]), KeyError> {
        let rest = file.strip_prefix(self.magic).ok_or(KeyError::NotThisFile { what: self.what })?;
        let (version, rest) = rest.split_first_chunk().ok_or_else(|| self.damaged())?;
        let version = u16::from_be_bytes(*version);
        if version > self.version {
            return Err(KeyError::NewerVersion { what: self.what, found: version, supported: self.version });
        }
        let (form, rest) = rest.split_first_chunk().ok_or_else(|| self.damaged())?;
        let (length, rest) = rest.split_first_chunk().ok_or_else(|| self.damaged())?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > self.max_body_bytes || rest.len() != length + CHECK_BYTES {
            return Err(self.damaged());
        }
        let (body, check) = rest.split_at(length);
        if version == 0 || check != check_of(&file[..HEADER_BYTES + length]) {
            return Err(self.damaged());
        }
        Ok((u16::from_be_bytes(*form), body))
    }

    /// The error for bytes that are not what was written.
    pub fn damaged(&self) -> KeyError {
        KeyError::Damaged { what: self.what }
    }
}

fn check_of(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let long = blake3::derive_key(CHECK_CONTEXT, bytes);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&long[..CHECK_BYTES]);
    check
}
