//! `workspaces/<id>/peers`: what is known of the other devices, so that they are found again after a start.
//!
//! ```text
//! "PDpeers\0" ‖ u16 version 1 ‖ entries: u32 length ‖ signed facts      integers big-endian
//! ```
//!
//! Nothing is lost with it: what a device signed is learnt again from any peer, and where it is, by looking around.

use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"PDpeers\0";
const VERSION: u16 = 1;
/// Devices kept at most.
const ENTRIES_MAX: usize = 4096;
/// Bytes of one entry at most.
const ENTRY_MAX_BYTES: usize = 4096;

/// The file.
#[derive(Debug, Clone)]
pub struct PeersFile {
    path: PathBuf,
}

impl PeersFile {
    /// In the workspace's folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("peers") }
    }

    /// The entries; none where the file is missing, newer or damaged, which is only logged.
    pub fn read(&self) -> Vec<Vec<u8>> {
        match platform::private_file::read(&self.path) {
            Ok(bytes) => decode(&bytes).unwrap_or_else(|| {
                tracing::warn!(path = %self.path.display(), "the list of peers cannot be read; it is made anew");
                Vec::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the list of peers cannot be read");
                Vec::new()
            }
        }
    }

    /// Writes them; a failure is only logged.
    pub fn write<'a>(&self, entries: impl IntoIterator<Item = &'a Vec<u8>>) {
        if let Err(error) = platform::private_file::replace(&self.path, &encode(entries)) {
            tracing::warn!(path = %self.path.display(), %error, "the list of peers cannot be written");
        }
    }
}

fn encode<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    for entry in entries.into_iter().filter(|entry| entry.len() <= ENTRY_MAX_BYTES).take(ENTRIES_MAX) {
        out.extend(u32::try_from(entry.len()).expect("an entry is short").to_be_bytes());
        out.extend(entry);
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, mut rest) = rest.split_first_chunk()?;
    if u16::from_be_bytes(*version) != VERSION {
        return None;
    }
    let mut entries = Vec::new();
    while let Some((len, behind)) = rest.split_first_chunk() {
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        if len > ENTRY_MAX_BYTES || entries.len() == ENTRIES_MAX {
            return None;
        }
        let (entry, behind) = behind.split_at_checked(len)?;
        entries.push(entry.to_vec());
        rest = behind;
    }
    rest.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_what_they_were() {
        let entries = [b"ab".to_vec(), Vec::new()];
        let golden = b"PDpeers\0\x00\x01\x00\x00\x00\x02ab\x00\x00\x00\x00";
        assert_eq!(encode(&entries), golden);
        assert_eq!(decode(golden).unwrap(), entries);
        let mut newer = golden.to_vec();
        newer[9] = 2;
        assert_eq!(decode(&newer), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
            let _ = decode(&[&MAGIC[..], &VERSION.to_be_bytes(), &bytes].concat());
        }
    }
}
