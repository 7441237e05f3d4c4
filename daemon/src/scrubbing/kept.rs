//! `workspaces/<id>/scrubbed`: how far the reading of all chunks has come, so that it goes on after a start.
//!
//! ```text
//! "PDscrub\0" ‖ u16 version 1 ‖ u64 pass began ‖ u8 flags ‖ u64 the last pack read ‖ u64 bytes ‖ u64 damaged chunks
//!             ‖ u64 last whole pass ended (0: none) ‖ u64 its bytes ‖ u64 its damaged chunks        integers big-endian
//! ```
//!
//! Flags: 1 a pack was read, 2 the pass is hurried. Times are milliseconds since 1970. Nothing is lost with the file: a new pass begins.

use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"PDscrub\0";
const VERSION: u16 = 1;
const HAS_READ: u8 = 1;
const HURRIED: u8 = 2;

/// The file.
#[derive(Debug, Clone)]
pub struct ScrubFile {
    path: PathBuf,
}

/// What it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// When this pass began.
    pub began_ms: u64,
    /// The last pack that it read.
    pub after: Option<u64>,
    /// Bytes it read.
    pub bytes: u64,
    /// Chunks it found damaged.
    pub bad_chunks: u64,
    /// Something was found damaged: the rest is read at once.
    pub hurried: bool,
    /// The last whole pass.
    pub last: Option<LastPass>,
}

/// A pass that came to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LastPass {
    /// When, not 0.
    pub ended_ms: u64,
    /// Bytes it read.
    pub bytes: u64,
    /// Chunks it found damaged.
    pub bad_chunks: u64,
}

impl ScrubFile {
    /// In the workspace's folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("scrubbed") }
    }

    /// What it holds; none where the file is missing, newer or damaged, which is only logged.
    pub fn read(&self) -> Option<Kept> {
        match platform::private_file::read(&self.path) {
            Ok(bytes) => {
                let kept = decode(&bytes);
                if kept.is_none() {
                    tracing::warn!(path = %self.path.display(), "how far scrubbing came cannot be read; it begins anew");
                }
                kept
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "how far scrubbing came cannot be read");
                None
            }
        }
    }

    /// Writes it; a failure is only logged.
    pub fn write(&self, kept: &Kept) {
        if let Err(error) = platform::private_file::replace(&self.path, &encode(kept)) {
            tracing::warn!(path = %self.path.display(), %error, "how far scrubbing came cannot be written");
        }
    }
}

fn encode(kept: &Kept) -> Vec<u8> {
    let last = kept.last.unwrap_or_default();
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    out.extend(kept.began_ms.to_be_bytes());
    out.push(if kept.after.is_some() { HAS_READ } else { 0 } | if kept.hurried { HURRIED } else { 0 });
    let numbers = [
        kept.after.unwrap_or_default(),
        kept.bytes,
        kept.bad_chunks,
        last.ended_ms,
        last.bytes,
        last.bad_chunks,
    ];
    out.extend(numbers.into_iter().flat_map(u64::to_be_bytes));
    out
}

fn decode(bytes: &[u8]) -> Option<Kept> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_first_chunk()?;
    if u16::from_be_bytes(*version) != VERSION {
        return None;
    }
    let (began, rest) = rest.split_first_chunk()?;
    let (flags, rest) = rest.split_first()?;
    let (numbers, rest) = rest.as_chunks::<8>();
    let [pack, read, bad_chunks, ended_ms, last_bytes, last_bad] = <[[u8; 8]; 6]>::try_from(numbers).ok()?;
    let number = u64::from_be_bytes;
    let last =
        LastPass { ended_ms: number(ended_ms), bytes: number(last_bytes), bad_chunks: number(last_bad) };
    let whole = rest.is_empty() && *flags <= HAS_READ | HURRIED;
    whole.then(|| Kept {
        began_ms: number(*began),
        after: (flags & HAS_READ != 0).then(|| number(pack)),
        bytes: number(read),
        bad_chunks: number(bad_chunks),
        hurried: flags & HURRIED != 0,
        last: Some(last).filter(|last| last.ended_ms > 0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_what_they_were() {
        let last = Some(LastPass { ended_ms: 4, bytes: 5, bad_chunks: 6 });
        let kept = Kept { began_ms: 1, after: Some(2), bytes: 3, bad_chunks: 7, hurried: true, last };
        let golden = b"PDscrub\0\x00\x01\
            \0\0\0\0\0\0\0\x01\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x07\
            \0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06";
        assert_eq!(encode(&kept), golden);
        assert_eq!(decode(golden), Some(kept));
        let mut newer = golden.to_vec();
        newer[9] = 2;
        assert_eq!(decode(&newer), None);
        assert_eq!(decode(&golden[..golden.len() - 1]), None);
        assert_eq!(decode(&encode(&Kept::default())), Some(Kept::default()));
    }

    #[test]
    fn a_file_that_makes_no_sense_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = ScrubFile::in_folder(dir.path());
        assert_eq!(file.read(), None);
        let kept = Kept { began_ms: 9, ..Kept::default() };
        file.write(&kept);
        assert_eq!(file.read(), Some(kept));
        std::fs::write(dir.path().join("scrubbed"), "garbage").unwrap();
        assert_eq!(file.read(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(version in 0..3_u16, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
            let _ = decode(&[&MAGIC[..], &version.to_be_bytes(), &bytes].concat());
        }
    }
}
