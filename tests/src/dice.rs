//! Chance that can be had again.

use crate::noise;

/// Draws the same numbers for the same seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Those of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bytes = noise(self.0, 8);
        u64::from_le_bytes(bytes.try_into().expect("eight bytes")) % limit
    }

    /// True so many times of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The seed of this run: `$PEERDRIVE_SEED`, or the usual one. A test that fails must tell it.
///
/// # Panics
/// When the variable is no number.
#[must_use]
pub fn seed(usual: u64) -> u64 {
    std::env::var("PEERDRIVE_SEED").map_or(usual, |text| text.parse().expect("PEERDRIVE_SEED is a number"))
}
