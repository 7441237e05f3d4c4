//! From a passphrase to a key: Argon2id (RFC 9106).

use std::borrow::Cow;

use argon2::{Algorithm, Argon2, Params, Version};
use bip39::Mnemonic;
use zeroize::{Zeroize, Zeroizing};

use super::KeyError;

pub(super) const SALT_BYTES: usize = 16;

/// What one guess at a passphrase costs. Stored beside the sealed keys, so the default may rise later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes (computed one after another here).
    pub lanes: u32,
}

impl PassphraseCost {
    /// 64 MiB and 3 passes: the second recommended setting of RFC 9106 with one lane, a few tenths of a second.
    pub const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// The least there is: for tests, never for keys that matter.
    pub const LEAST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// Most memory accepted from a file, KiB (1 GiB): a hostile file must not exhaust the machine.
    const MAX_MEMORY_KIB: u32 = 1 << 20;
    const MAX_PASSES: u32 = 64;
    const MAX_LANES: u32 = 16;

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`KeyError::CostOutOfRange`].
    pub fn check(&self) -> Result<(), KeyError> {
        let lanes_fit = (1..=Self::MAX_LANES).contains(&self.lanes);
        let memory_fits =
            (8..=Self::MAX_MEMORY_KIB).contains(&self.memory_kib) && self.memory_kib / 8 >= self.lanes;
        if lanes_fit && memory_fits && (1..=Self::MAX_PASSES).contains(&self.passes) {
            return Ok(());
        }
        Err(KeyError::CostOutOfRange {
            min_kib: 8 * self.lanes.clamp(1, Self::MAX_LANES),
            max_kib: Self::MAX_MEMORY_KIB,
            max_passes: Self::MAX_PASSES,
            max_lanes: Self::MAX_LANES,
        })
    }
}

/// The key that this passphrase opens. The passphrase is taken in Unicode normal form KD, so that the same letters
/// typed on another system give the same key.
pub(super) fn stretch(
    passphrase: &str,
    salt: &[u8; SALT_BYTES],
    cost: PassphraseCost,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if passphrase.is_empty() {
        return Err(KeyError::EmptyPassphrase);
    }
    cost.check()?;
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .expect("the bounds of PassphraseCost are narrower than Argon2's");
    let mut key = Zeroizing::new([0; 32]);
    let mut normal = Cow::Borrowed(passphrase);
    Mnemonic::normalize_utf8_cow(&mut normal);
    let outcome = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
        normal.as_bytes(),
        salt,
        key.as_mut(),
    );
    if let Cow::Owned(mut copy) = normal {
        copy.zeroize();
    }
    outcome.map_err(|_| KeyError::OutOfMemory { needed_kib: cost.memory_kib })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretching_is_fixed() {
        let key = stretch("correct horse", &[5; 16], PassphraseCost::LEAST).unwrap();
        assert_eq!(
            data_encoding::HEXLOWER.encode(key.as_ref()),
            "906ca9491b31e085ff8439547d986a8bcc4249c33efea2cac9b057d1230dfce1"
        );
    }

    #[test]
    fn composed_and_decomposed_letters_are_one_passphrase() {
        let composed = stretch("caf\u{e9}", &[5; 16], PassphraseCost::LEAST).unwrap();
        let decomposed = stretch("cafe\u{301}", &[5; 16], PassphraseCost::LEAST).unwrap();
        assert_eq!(composed, decomposed);
    }

    #[test]
    fn unreasonable_costs_are_refused_before_any_memory_is_taken() {
        for cost in [
            PassphraseCost { memory_kib: u32::MAX, ..PassphraseCost::DEFAULT },
            PassphraseCost { memory_kib: 0, ..PassphraseCost::DEFAULT },
            PassphraseCost { memory_kib: 16, passes: 1, lanes: 4 },
            PassphraseCost { passes: 0, ..PassphraseCost::DEFAULT },
            PassphraseCost { passes: u32::MAX, ..PassphraseCost::DEFAULT },
            PassphraseCost { lanes: 0, ..PassphraseCost::DEFAULT },
            PassphraseCost { lanes: u32::MAX, ..PassphraseCost::DEFAULT },
        ] {
            let found = stretch("x", &[5; 16], cost).err();
            assert!(matches!(found, Some(KeyError::CostOutOfRange { .. })), "{cost:?}");
        }
    }
}
