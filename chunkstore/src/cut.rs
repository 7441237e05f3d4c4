//! Where chunks end.
//!
//! Content-defined cutting is `FastCDC` v2020 (W. Xia et al., "The Design of Fast Content-Defined Chunking", 2020),
//! normalisation level 2, with a gear table seeded from the workspace secret, so that chunk lengths tell a host
//! less. The size class is chosen by the *offset at which the chunk starts*, not by the file's size: a growing file
//! is never re-cut when it crosses a class, and an insert near the front meets the old cuts again.
//!
//! ```text
//!  offset of the chunk's first byte    average    min = avg/4    max = 4·avg
//!  0 .. 64 MiB                          64 KiB       16 KiB        256 KiB
//!  64 MiB .. 4 GiB                     256 KiB       64 KiB          1 MiB
//!  4 GiB ..                              1 MiB      256 KiB          4 MiB
//! ```
//!
//! Files that are overwritten in place use [`Cutting::Fixed`] blocks instead. Any change to variant, level, seed
//! derivation or sizes is a format change: it would end deduplication against what is stored.

use std::borrow::Cow;

use fastcdc::v2020::{Normalization, cut_gear, get_gear_with_seed, select_masks};

use crate::ids::DedupSecret;

/// Longest plaintext one chunk may have, bytes.
pub const MAX_CHUNK_BYTES: usize = 4 << 20;

/// Length and alignment of fixed blocks, bytes.
pub const FIXED_BLOCK_BYTES: usize = 64 << 10;

const KIB: usize = 1 << 10;
const SEED_CONTEXT: &str = "peerdrive 2026 chunkstore cut seed v1";

/// How a file is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cutting {
    /// By content.
    Content,
    /// In blocks of [`FIXED_BLOCK_BYTES`], aligned in the file: for files that are overwritten in place.
    Fixed,
}

/// Finds the ends of chunks for one workspace.
#[derive(Clone)]
pub struct Cutter {
    gear: Cow<'static, [u64]>,
    gear_shifted: Cow<'static, [u64]>,
    classes: [SizeClass; 3],
}

impl Cutter {
    /// A cutter whose gear table is seeded from the workspace's secret.
    #[must_use]
    pub fn new(secret: &DedupSecret) -> Self {
        let derived = blake3::derive_key(SEED_CONTEXT, secret.bytes());
        let seed = u64::from_le_bytes(*derived.first_chunk().expect("a derived key has 32 bytes"));
        let (gear, gear_shifted) = get_gear_with_seed(seed);
        Self { gear, gear_shifted, classes: CLASS_AVERAGES.map(SizeClass::of_average) }
    }

    /// Length of the chunk that starts at `data[0]`, which lies at byte `offset` of the file.
    ///
    /// `None` means that more data is needed to decide: `data` is shorter than [`Cutter::max_len`] and the file
    /// goes on. Otherwise the length is in `1..=data.len()`, except that an empty `data` at the end gives `None`.
    #[must_use]
    pub fn cut(&self, cutting: Cutting, offset: u64, data: &[u8], at_end: bool) -> Option<usize> {
        let max = Self::max_len(cutting, offset);
        if data.is_empty() || (data.len() < max && !at_end) {
            return None;
        }
        let window = &data[..data.len().min(max)];
        Some(match cutting {
            Cutting::Fixed => window.len(),
            Cutting::Content => self.cut_content(&self.classes[class_at(offset)], window),
        })
    }

    /// Longest chunk that can start at this offset, bytes: what to have at hand before asking for a cut.
    #[must_use]
    pub fn max_len(cutting: Cutting, offset: u64) -> usize {
        match cutting {
            Cutting::Content => CLASS_AVERAGES[class_at(offset)] * 4,
            Cutting::Fixed => FIXED_BLOCK_BYTES - (offset % FIXED_BLOCK_BYTES as u64) as usize,
        }
    }

    fn cut_content(&self, class: &SizeClass, window: &[u8]) -> usize {
        let (_, len) = cut_gear(
            window,
            class.average / 4,
            class.average,
            class.average * 4,
            class.mask_strict,
            class.mask_loose,
            class.mask_strict << 1,
            class.mask_loose << 1,
            &self.gear,
            &self.gear_shifted,
        );
        len
    }
}

const CLASS_AVERAGES: [usize; 3] = [64 * KIB, 256 * KIB, 1024 * KIB];
const CLASS_STARTS: [u64; 2] = [64 << 20, 4 << 30];

fn class_at(offset: u64) -> usize {
    CLASS_STARTS.iter().take_while(|start| offset >= **start).count()
}

#[derive(Clone, Copy)]
struct SizeClass {
    average: usize,
    mask_strict: u64,
    mask_loose: u64,
}

impl SizeClass {
    fn of_average(average: usize) -> Self {
        let (mask_strict, mask_loose) = select_masks(average, Normalization::Level2);
        Self { average, mask_strict, mask_loose }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::noise;

    fn cutter() -> Cutter {
        Cutter::new(&DedupSecret::new([7; 32]))
    }

    fn cuts(cutting: Cutting, start: u64, data: &[u8]) -> Vec<usize> {
        let cutter = cutter();
        let (mut at, mut lengths) = (0, Vec::new());
        while let Some(len) = cutter.cut(cutting, start + at as u64, &data[at..], true) {
            lengths.push(len);
            at += len;
        }
        assert_eq!(at, data.len());
        lengths
    }

    fn pieces<'a>(data: &'a [u8], lengths: &[usize]) -> HashSet<&'a [u8]> {
        let mut rest = data;
        lengths
            .iter()
            .map(|len| {
                let (piece, tail) = rest.split_at(*len);
                rest = tail;
                piece
            })
            .collect()
    }

    #[test]
    fn the_cuts_of_known_bytes_never_change() {
        let lengths = cuts(Cutting::Content, 0, &noise(1, 1 << 20));
        assert_eq!(lengths, GOLDEN_CUTS);
    }

    const GOLDEN_CUTS: &[usize] =
        &[64626, 69713, 139823, 40958, 84862, 114012, 76877, 76672, 68616, 66224, 66098, 83062, 82689, 14344];

    #[test]
    fn an_inserted_byte_makes_few_new_chunks() {
        let old = noise(2, 8 << 20);
        let mut new = old.clone();
        new.insert(1 << 20, 0x55);
        let (old_cuts, new_cuts) = (cuts(Cutting::Content, 0, &old), cuts(Cutting::Content, 0, &new));
        let known = pieces(&old, &old_cuts);
        let fresh = pieces(&new, &new_cuts).difference(&known).count();
        assert!((1..=3).contains(&fresh), "{fresh} new chunks");
    }

    #[test]
    fn an_insert_before_a_class_border_meets_the_old_cuts_again() {
        let border = 64 << 20;
        let start = border - (4 << 20);
        let old = noise(3, 12 << 20);
        let mut new = old.clone();
        new.insert(5, 0x55);
        let (old_cuts, new_cuts) = (cuts(Cutting::Content, start, &old), cuts(Cutting::Content, start, &new));
        let known = pieces(&old, &old_cuts);
        let fresh = pieces(&new, &new_cuts).difference(&known).count();
        assert!(fresh <= 8, "{fresh} new chunks of {}", new_cuts.len());
    }

    #[test]
    fn lengths_stay_inside_the_class_of_the_start() {
        for (start, average) in [(0_u64, 64 * KIB), (64 << 20, 256 * KIB), (4 << 30, 1024 * KIB)] {
            let data = noise(start + 4, 16 << 20);
            let lengths = cuts(Cutting::Content, start, &data);
            let (last, body) = lengths.split_last().unwrap();
            assert!(body.iter().all(|len| (average / 4..=average * 4).contains(len)), "{body:?}");
            assert!(*last <= average * 4);
            let mean = data.len() / lengths.len();
            assert!((average / 2..average * 2).contains(&mean), "mean {mean}");
            assert_eq!(Cutter::max_len(Cutting::Content, start), average * 4);
        }
        assert_eq!(Cutter::max_len(Cutting::Content, u64::MAX), MAX_CHUNK_BYTES);
    }

    #[test]
    fn a_streamed_file_is_cut_like_a_whole_one() {
        let data = noise(5, 3 << 20);
        let cutter = cutter();
        let (mut lengths, mut at, mut have) = (Vec::new(), 0, 0);
        while at < data.len() {
            let at_end = have == data.len();
            match cutter.cut(Cutting::Content, at as u64, &data[at..have], at_end) {
                Some(len) => {
                    lengths.push(len);
                    at += len;
                }
                None => have = (have + 100_000).min(data.len()),
            }
        }
        assert_eq!(lengths, cuts(Cutting::Content, 0, &data));
    }

    #[test]
    fn fixed_blocks_are_aligned_in_the_file() {
        assert_eq!(cuts(Cutting::Fixed, 0, &[0; 150_000]), [65536, 65536, 18928]);
        assert_eq!(cuts(Cutting::Fixed, 65530, &[0; 20]), [6, 14]);
        assert_eq!(cutter().cut(Cutting::Fixed, 0, &[0; 100], false), None);
        assert_eq!(cutter().cut(Cutting::Fixed, 65530, &[0; 100], false), Some(6));
    }

    #[test]
    fn nothing_is_cut_from_nothing() {
        assert_eq!(cutter().cut(Cutting::Content, 0, &[], true), None);
        assert_eq!(cutter().cut(Cutting::Content, 0, &[1], true), Some(1));
        assert_eq!(cutter().cut(Cutting::Content, 0, &[1], false), None);
    }

    #[test]
    fn another_secret_cuts_elsewhere() {
        let data = noise(6, 1 << 20);
        let other = Cutter::new(&DedupSecret::new([8; 32]));
        assert_ne!(
            other.cut(Cutting::Content, 0, &data, true),
            cutter().cut(Cutting::Content, 0, &data, true)
        );
    }
}
