//! The text form of identifiers: read aloud, typed, pasted out of a mail, and wrong in a way that can be named.
//!
//! ```text
//! 32 bytes = 52 symbols = 4 blocks     1234567-89ABCDX-…      each block: 13 symbols of 5 bits + 1 check symbol,
//! 16 bytes = 26 symbols = 2 blocks     └─ one block ─┘        shown as two groups of seven
//! ```
//!
//! The alphabet is Crockford's base32 (no I, L, O, U; case does not matter; O is read as 0, I and L as 1).
//! The check symbol makes the sum of `symbol · α^position` over GF(32) equal to a mask made of the kind of
//! identifier and the block's place. All positions have different weights, so one wrong symbol and any two exchanged
//! symbols in a block are always found, as are exchanged blocks; the kind tells a user from a device.

use thiserror::Error;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DATA_SYMBOLS: usize = 13;
const BLOCK_SYMBOLS: usize = DATA_SYMBOLS + 1;
const GROUP_SYMBOLS: usize = 7;
const GROUPS_PER_BLOCK: usize = BLOCK_SYMBOLS / GROUP_SYMBOLS;

/// What an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// An installation.
    Device,
    /// A person.
    User,
    /// A shared drive.
    Workspace,
    /// A folder with its own keys.
    Realm,
}

impl IdKind {
    const ALL: [Self; 4] = [Self::Device, Self::User, Self::Workspace, Self::Realm];

    /// The word for it in messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::User => "user",
            Self::Workspace => "workspace",
            Self::Realm => "realm",
        }
    }

    /// What the check sum of block `block` (0 to 3) comes to.
    fn mask(self, block: usize) -> u8 {
        let kind = match self {
            Self::Device => 0,
            Self::User => 4,
            Self::Workspace => 8,
            Self::Realm => 12,
        };
        kind | (block & 3) as u8
    }
}

/// Why a text is not the identifier that was asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdTextError {
    /// A character outside the alphabet.
    #[error(
        "character {position} of the {kind} id, '{found}', is never used in one: check it against the original"
    )]
    Character {
        /// The kind that was asked for.
        kind: &'static str,
        /// The character.
        found: char,
        /// Its place, counted from 1 without separators.
        position: usize,
    },
    /// Too many or too few characters.
    #[error(
        "a {kind} id has {expected} letters and digits, this has {found}: part of it is missing or doubled"
    )]
    Length {
        /// The kind that was asked for.
        kind: &'static str,
        /// Letters and digits there should be.
        expected: usize,
        /// Letters and digits there are.
        found: usize,
    },
    /// The check character of a block does not fit.
    #[error(
        "the {kind} id has a typing mistake in group {first_group} or {last_group}: compare these with the original"
    )]
    Check {
        /// The kind that was asked for.
        kind: &'static str,
        /// First suspicious group of seven, counted from 1.
        first_group: usize,
        /// Last suspicious group of seven.
        last_group: usize,
    },
    /// A well-formed identifier of something else.
    #[error("this is a {found} id, and a {wanted} id is needed")]
    OtherKind {
        /// The kind that was asked for.
        wanted: &'static str,
        /// The kind it is.
        found: &'static str,
    },
}

/// The text form of an identifier of 16 or 32 bytes.
pub(super) fn encode(kind: IdKind, bytes: &[u8]) -> String {
    let symbols = to_symbols(bytes);
    let mut text = String::with_capacity(symbols.len() * 5 / 4);
    let mut shown = 0;
    for (block, data) in symbols.chunks(DATA_SYMBOLS).enumerate() {
        let check = times_alpha(weighted_sum(data)) ^ kind.mask(block);
        for symbol in data.iter().chain([&check]) {
            if shown > 0 && shown % GROUP_SYMBOLS == 0 {
                text.push('-');
            }
            text.push(ALPHABET[usize::from(*symbol)] as char);
            shown += 1;
        }
    }
    text
}

/// The bytes of a text form. Spaces and hyphens may stand anywhere.
pub(super) fn decode<const BYTES: usize>(kind: IdKind, text: &str) -> Result<[u8; BYTES], IdTextError> {
    let expected = (BYTES * 8).div_ceil(5 * DATA_SYMBOLS) * BLOCK_SYMBOLS;
    let symbols = read_symbols(kind, text, expected)?;
    let wrong_block = first_wrong_block(kind, &symbols);
    if (symbols.len() != expected || wrong_block.is_some())
        && let Some(other) = other_kind(kind, &symbols)
    {
        return Err(IdTextError::OtherKind { wanted: kind.word(), found: other.word() });
    }
    if symbols.len() != expected {
        return Err(IdTextError::Length { kind: kind.word(), expected, found: symbols.len() });
    }
    match wrong_block {
        Some(block) => Err(check_error(kind, block)),
        None => from_symbols(&symbols).ok_or_else(|| check_error(kind, symbols.len() / BLOCK_SYMBOLS - 1)),
    }
}

/// Reads the symbols of `text`; stops (as too long) soon after `expected`, so a pasted book costs nothing.
fn read_symbols(kind: IdKind, text: &str, expected: usize) -> Result<Vec<u8>, IdTextError> {
    let mut symbols = Vec::with_capacity(expected);
    for found in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let position = symbols.len() + 1;
        let symbol = symbol_of(found).ok_or(IdTextError::Character { kind: kind.word(), found, position })?;
        symbols.push(symbol);
        if symbols.len() > 2 * expected {
            break;
        }
    }
    Ok(symbols)
}

fn symbol_of(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|symbol| *symbol as char == upper).map(|position| position as u8)
}

fn first_wrong_block(kind: IdKind, symbols: &[u8]) -> Option<usize> {
    symbols
        .chunks(BLOCK_SYMBOLS)
        .enumerate()
        .find(|(n, block)| weighted_sum(block) != kind.mask(*n))
        .map(|(n, _)| n)
}

fn other_kind(wanted: IdKind, symbols: &[u8]) -> Option<IdKind> {
    let whole = symbols.len() == 2 * BLOCK_SYMBOLS || symbols.len() == 4 * BLOCK_SYMBOLS;
    let fits = |kind: &IdKind| *kind != wanted && whole && first_wrong_block(*kind, symbols).is_none();
    IdKind::ALL.into_iter().find(fits)
}

fn check_error(kind: IdKind, block: usize) -> IdTextError {
    let first_group = block * GROUPS_PER_BLOCK + 1;
    IdTextError::Check { kind: kind.word(), first_group, last_group: first_group + GROUPS_PER_BLOCK - 1 }
}

/// Sum of `symbol · α^(distance to the end)` over GF(32).
fn weighted_sum(symbols: &[u8]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| times_alpha(sum) ^ symbol)
}

/// Multiplication by the generator α of GF(32) = GF(2)[x] / (x^5 + x^2 + 1).
fn times_alpha(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 0b10_0000 == 0 { doubled } else { doubled ^ 0b10_0101 }
}

fn to_symbols(bytes: &[u8]) -> Vec<u8> {
    let mut symbols = Vec::with_capacity((bytes.len() * 8).div_ceil(5));
    let (mut bits, mut held) = (0u32, 0);
    for byte in bytes {
        bits = (bits << 8 | u32::from(*byte)) & 0xfff;
        held += 8;
        while held >= 5 {
            held -= 5;
            symbols.push((bits >> held & 31) as u8);
        }
    }
    if held > 0 {
        symbols.push((bits << (5 - held) & 31) as u8);
    }
    symbols
}

/// The bytes behind the data symbols; `None` when the bits left over are not zero.
fn from_symbols<const BYTES: usize>(symbols: &[u8]) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let (mut bits, mut held, mut filled) = (0u32, 0, 0);
    for symbol in symbols.chunks(BLOCK_SYMBOLS).flat_map(|block| &block[..DATA_SYMBOLS]) {
        bits = (bits << 5 | u32::from(*symbol)) & 0xfff;
        held += 5;
        if held >= 8 && filled < BYTES {
            held -= 8;
            bytes[filled] = (bits >> held & 0xff) as u8;
            filled += 1;
        }
    }
    (bits & ((1 << held) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::{DeviceId, UserId, WorkspaceId};

    fn ascending() -> DeviceId {
        DeviceId::from_bytes(std::array::from_fn(|i| i as u8))
    }

    fn symbols_of(text: &str) -> Vec<char> {
        text.chars().filter(|c| *c != '-').collect()
    }

    #[test]
    fn text_forms_are_fixed() {
        assert_eq!(ascending().to_text(), "000G40R-40M30E2-209185G-R38E1WM-8124GK2-GAHC5RT-R34D1P7-0X3RFGB");
        assert_eq!(WorkspaceId::from_bytes([0xff; 16]).to_text(), "ZZZZZZZ-ZZZZZZ6-ZZZZZZZ-ZZZZZW1");
    }

    #[test]
    fn sloppy_typing_is_understood() {
        let text = ascending().to_text().to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(text.parse::<DeviceId>().unwrap(), ascending());
    }

    #[test]
    fn mistakes_are_named() {
        let good = ascending().to_text();
        let found = good.parse::<UserId>().unwrap_err();
        assert_eq!(found, IdTextError::OtherKind { wanted: "user", found: "device" });
        let found = good.parse::<WorkspaceId>().unwrap_err();
        assert_eq!(found, IdTextError::OtherKind { wanted: "workspace", found: "device" });
        let found = good[..20].parse::<DeviceId>().unwrap_err();
        assert!(matches!(found, IdTextError::Length { expected: 56, found: 18, .. }), "{found}");
        let found = good.replacen('0', "U", 1).parse::<DeviceId>().unwrap_err();
        assert!(matches!(found, IdTextError::Character { found: 'U', position: 1, .. }), "{found}");
        assert!("".parse::<DeviceId>().is_err());
    }

    #[test]
    fn a_very_long_text_is_refused_early() {
        assert!(matches!("0".repeat(1 << 20).parse::<DeviceId>(), Err(IdTextError::Length { .. })));
    }

    proptest! {
        #[test]
        fn every_id_survives_its_text(bytes: [u8; 32], short: [u8; 16]) {
            let (long, short) = (DeviceId::from_bytes(bytes), WorkspaceId::from_bytes(short));
            prop_assert_eq!(long.to_text().parse::<DeviceId>().unwrap(), long);
            prop_assert_eq!(short.to_text().parse::<WorkspaceId>().unwrap(), short);
        }

        #[test]
        fn one_wrong_symbol_is_found_and_placed(bytes: [u8; 32], at in 0usize..56, other in 0usize..32) {
            let mut symbols = symbols_of(&DeviceId::from_bytes(bytes).to_text());
            prop_assume!(symbols[at] != ALPHABET[other] as char);
            symbols[at] = ALPHABET[other] as char;
            let found = symbols.iter().collect::<String>().parse::<DeviceId>().unwrap_err();
            let first_group = at / 14 * 2 + 1;
            prop_assert_eq!(found, IdTextError::Check { kind: "device", first_group, last_group: first_group + 1 });
        }

        #[test]
        fn two_exchanged_symbols_of_a_block_are_found(bytes: [u8; 32], block in 0usize..4, a in 0usize..14, b in 0usize..14) {
            let mut symbols = symbols_of(&DeviceId::from_bytes(bytes).to_text());
            let (a, b) = (block * 14 + a, block * 14 + b);
            prop_assume!(symbols[a] != symbols[b]);
            symbols.swap(a, b);
            prop_assert!(symbols.iter().collect::<String>().parse::<DeviceId>().is_err());
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = text.parse::<DeviceId>();
            let _ = text.parse::<WorkspaceId>();
        }
    }
}
