//! `workspaces/<id>/scrubbed`: how far the reading of all chunks has come, so that it goes on after a start; and what earlier
//! passes found.
//!
//! ```text
//! "PDscrub\0" ‖ u16 version 3 ‖ u64 pass began ‖ u8 flags ‖ u64 the last pack read ‖ u64 bytes ‖ u64 damaged chunks
//!             ‖ u8 whole passes, 24 at most ‖ each, the newest first: u64 ended ‖ u64 bytes ‖ u64 damaged chunks ‖ u8 by hand
//! ```
//!
//! Integers big-endian. Flags: 1 a pack was read, 2 the pass is hurried. Times are milliseconds since 1970, of passes not 0. By hand:
//! 1 a person started it, 0 it came by itself. Version 2 did not say so, and had none by hand; version 1 had no number of passes and one
//! pass, all 0 for none. Both are read. Nothing else is lost with the file: a new pass begins.

use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"PDscrub\0";
const VERSION: u16 = 3;
/// None by hand.
const VERSION_BY_ITSELF: u16 = 2;
/// One pass and no number of them.
const VERSION_OF_ONE: u16 = 1;
/// Whole passes that are remembered at most: two years of them, one each month.
pub const PASSES_MAX: usize = 24;
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
    /// Whole passes.
    pub passes: Passes,
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
    /// A person started it.
    pub by_hand: bool,
}

/// The last [`PASSES_MAX`] of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passes {
    count: usize,
    newest_first: [LastPass; PASSES_MAX],
}

impl Passes {
    /// The newest first.
    pub fn all(&self) -> &[LastPass] {
        &self.newest_first[..self.count]
    }

    /// The newest.
    pub fn last(&self) -> Option<LastPass> {
        self.all().first().copied()
    }

    /// With one more; the oldest goes where there are too many.
    pub fn with(mut self, pass: LastPass) -> Self {
        self.newest_first.rotate_right(1);
        self.newest_first[0] = pass;
        self.count = (self.count + 1).min(PASSES_MAX);
        self
    }
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
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    out.extend(kept.began_ms.to_be_bytes());
    out.push(if kept.after.is_some() { HAS_READ } else { 0 } | if kept.hurried { HURRIED } else { 0 });
    let numbers = [kept.after.unwrap_or_default(), kept.bytes, kept.bad_chunks];
    out.extend(numbers.into_iter().flat_map(u64::to_be_bytes));
    let passes = kept.passes.all();
    out.push(u8::try_from(passes.len()).expect("there are PASSES_MAX of them at most"));
    for LastPass { ended_ms, bytes, bad_chunks, by_hand } in passes {
        out.extend([ended_ms, bytes, bad_chunks].into_iter().flat_map(|number| number.to_be_bytes()));
        out.push(u8::from(*by_hand));
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Kept> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_first_chunk()?;
    let (began, rest) = rest.split_first_chunk()?;
    let (flags, rest) = rest.split_first()?;
    let (numbers, rest) = rest.split_first_chunk::<24>()?;
    let [pack, read, bad_chunks] = three(numbers);
    let passes = match u16::from_be_bytes(*version) {
        VERSION_OF_ONE => one_pass(rest),
        VERSION_BY_ITSELF => some_passes::<24>(rest, |bytes| Some(pass(bytes))),
        VERSION => some_passes(rest, pass_by_whom),
        _ => None,
    };
    let kept = Kept {
        began_ms: u64::from_be_bytes(*began),
        after: (flags & HAS_READ != 0).then_some(pack),
        bytes: read,
        bad_chunks,
        hurried: flags & HURRIED != 0,
        passes: passes?,
    };
    (*flags <= HAS_READ | HURRIED).then_some(kept)
}

fn one_pass(bytes: &[u8]) -> Option<Passes> {
    let pass = pass(bytes.try_into().ok()?);
    Some(if pass.ended_ms > 0 { Passes::default().with(pass) } else { Passes::default() })
}

fn some_passes<const BYTES: usize>(
    bytes: &[u8],
    read: impl Fn(&[u8; BYTES]) -> Option<LastPass>,
) -> Option<Passes> {
    let (count, rest) = bytes.split_first()?;
    let (passes, rest) = rest.as_chunks::<BYTES>();
    let whole = rest.is_empty() && passes.len() == usize::from(*count) && passes.len() <= PASSES_MAX;
    let mut oldest_first = passes.iter().rev().map(|bytes| read(bytes).filter(|pass| pass.ended_ms > 0));
    let all = oldest_first.try_fold(Passes::default(), |all, pass| Some(all.with(pass?)));
    all.filter(|_| whole)
}

fn pass_by_whom(bytes: &[u8; 25]) -> Option<LastPass> {
    let (numbers, by_hand) = bytes.split_first_chunk()?;
    match by_hand {
        [by_hand @ 0..=1] => Some(LastPass { by_hand: *by_hand == 1, ..pass(numbers) }),
        _ => None,
    }
}

fn pass(bytes: &[u8; 24]) -> LastPass {
    let [ended_ms, bytes, bad_chunks] = three(bytes);
    LastPass { ended_ms, bytes, bad_chunks, by_hand: false }
}

fn three(bytes: &[u8; 24]) -> [u64; 3] {
    let (numbers, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_be_bytes(numbers[at]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passes(numbers: impl IntoIterator<Item = u64>) -> Passes {
        let pass = |number| {
            let (bytes, bad_chunks) = (number + 1, number + 2);
            LastPass { ended_ms: number, bytes, bad_chunks, by_hand: false }
        };
        numbers.into_iter().map(pass).fold(Passes::default(), Passes::with)
    }

    fn kept(passes: Passes) -> Kept {
        Kept { began_ms: 1, after: Some(2), bytes: 3, bad_chunks: 7, hurried: true, passes }
    }

    #[test]
    fn the_bytes_are_what_they_were() {
        let by_hand = LastPass { ended_ms: 8, bytes: 9, bad_chunks: 10, by_hand: true };
        let kept = kept(passes([4]).with(by_hand));
        let golden = b"PDscrub\0\x00\x03\
            \0\0\0\0\0\0\0\x01\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x07\
            \x02\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x0a\x01\
            \0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06\0";
        assert_eq!(encode(&kept), golden);
        assert_eq!(decode(golden), Some(kept));
        let mut newer = golden.to_vec();
        newer[9] = 4;
        assert_eq!(decode(&newer), None);
        let mut strange = golden.to_vec();
        *strange.last_mut().unwrap() = 2;
        assert_eq!(decode(&strange), None, "started by nobody");
        for end in 0..golden.len() {
            assert_eq!(decode(&golden[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(&encode(&Kept::default())), Some(Kept::default()));
    }

    #[test]
    fn the_second_version_is_read() {
        let two = b"PDscrub\0\x00\x02\
            \0\0\0\0\0\0\0\x01\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x07\
            \x02\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x0a\
            \0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06";
        assert_eq!(decode(two), Some(kept(passes([4, 8]))));
    }

    #[test]
    fn the_first_version_is_read() {
        let one = b"PDscrub\0\x00\x01\
            \0\0\0\0\0\0\0\x01\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x07\
            \0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06";
        assert_eq!(decode(one), Some(kept(passes([4]))));
        let none = [&one[..one.len() - 24], &[0; 24]].concat();
        assert_eq!(decode(&none), Some(kept(Passes::default())));
    }

    #[test]
    fn so_many_passes_are_remembered_and_no_more() {
        let many = passes(1..=100);
        assert_eq!((many.all().len(), many.last().unwrap().ended_ms), (PASSES_MAX, 100));
        assert_eq!(many.all()[PASSES_MAX - 1].ended_ms, 77);
        let bytes = encode(&kept(many));
        assert_eq!((decode(&bytes), bytes.len()), (Some(kept(many)), 44 + 25 * PASSES_MAX));
        let mut more = bytes;
        more[43] += 1;
        more.extend([1; 25]);
        assert_eq!(decode(&more), None);
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
        fn any_bytes_are_safe(version in 0..5_u16, bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            let _ = decode(&bytes);
            let _ = decode(&[&MAGIC[..], &version.to_be_bytes(), &bytes].concat());
        }
    }
}
