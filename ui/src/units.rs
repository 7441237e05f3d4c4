//! Sizes, rates and lengths of time as people write them: `10G`, `5M`, `24h`.
//!
//! Sizes are counted in powers of 1024, whatever of `10G`, `10GB` and `10GiB` is written, because disks and file
//! managers differ and a limit must not be passed. What is shown reads back as exactly the same value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units of size, from the largest.
const SIZE_UNITS: [(char, u32); 5] = [('P', 50), ('T', 40), ('G', 30), ('M', 20), ('K', 10)];
/// Units of time, from the longest, in seconds.
const SPAN_UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// Digits after the point that count; more would be finer than a byte.
const FRACTION_DIGITS: usize = 6;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Bytes per second; 0 means without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate(pub u64);

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

/// A text is not a size, rate or time; says what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a size.
    #[error("\"{0}\" is not a size: write a number and K, M, G or T, like 500M or 10G")]
    Size(String),
    /// Not a rate.
    #[error("\"{0}\" is not a rate: write bytes per second like 5M, or off for no limit")]
    Rate(String),
    /// Not a length of time.
    #[error("\"{0}\" is not a length of time: write a number and s, m, h, d or w, like 24h or 30d")]
    Span(String),
}

impl Span {
    /// The same as a [`Duration`].
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        size(text).map(Self).ok_or_else(|| UnitError::Size(shortened(text)))
    }
}

impl FromStr for ByteRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let trimmed = text.trim();
        if ["off", "unlimited"].contains(&trimmed.to_ascii_lowercase().as_str()) {
            return Ok(Self(0));
        }
        let bytes = trimmed.strip_suffix("/s").unwrap_or(trimmed);
        size(bytes).map(Self).ok_or_else(|| UnitError::Rate(shortened(text)))
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        span(text).map(Self).ok_or_else(|| UnitError::Span(shortened(text)))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZE_UNITS.iter().find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift);
        match unit {
            Some((letter, shift)) => write!(f, "{}{letter}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("off") } else { ByteSize(self.0).fmt(f) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SPAN_UNITS.iter().find(|(_, seconds)| self.0 != 0 && self.0.is_multiple_of(*seconds));
        match unit {
            Some((letter, seconds)) => write!(f, "{}{letter}", self.0 / seconds),
            None => f.write_str("0s"),
        }
    }
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_end);
    let shift = size_shift(suffix.trim_start())?;
    let (whole, fraction) = number.split_once('.').map_or((number, ""), |(whole, rest)| (whole, rest));
    let whole: u64 = whole.parse().ok()?;
    let bytes = whole.checked_mul(1 << shift)?;
    bytes.checked_add(fraction_of(fraction, number.contains('.'), 1 << shift)?)
}

/// The exponent of a unit: `G`, `GB` and `GiB` are the same, in either case; none and `B` are bytes.
fn size_shift(suffix: &str) -> Option<u32> {
    let upper = suffix.to_ascii_uppercase();
    if upper.is_empty() || upper == "B" {
        return Some(0);
    }
    let letter = upper.strip_suffix("IB").or_else(|| upper.strip_suffix('B')).unwrap_or(&upper);
    SIZE_UNITS
        .iter()
        .find(|(unit, _)| letter.len() == 1 && letter.starts_with(*unit))
        .map(|(_, shift)| *shift)
}

/// `0.fraction` of `unit`, rounded down.
fn fraction_of(fraction: &str, expected: bool, unit: u64) -> Option<u64> {
    if !expected {
        return Some(0);
    }
    if fraction.is_empty()
        || fraction.len() > FRACTION_DIGITS
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let digits: u128 = fraction.parse().ok()?;
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    u64::try_from(digits * u128::from(unit) / scale).ok()
}

/// One or more numbers with units, as in `1h30m`.
fn span(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let letter = rest[end..].chars().next()?;
        let (_, seconds) = SPAN_UNITS.iter().find(|(unit, _)| *unit == letter.to_ascii_lowercase())?;
        total = total.checked_add(number.checked_mul(*seconds)?)?;
        rest = rest[end + letter.len_utf8()..].trim_start();
    }
    Some(total)
}

/// What was typed, short enough for one line.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_as_written() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("512B", 512),
            ("10G", 10 << 30),
            ("10g", 10 << 30),
            ("10GB", 10 << 30),
            ("10 GiB", 10 << 30),
            (" 1.5M ", 3 << 19),
            ("64K", 64 << 10),
            ("2T", 2 << 40),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "G", "10X", "-1G", "1.G", "1..5G", ".5G", "1e3", "10GG", "99999999999999P", "1.1234567G"]
        {
            assert!(matches!(text.parse::<ByteSize>(), Err(UnitError::Size(_))), "{text}");
        }
        let message = "ten".parse::<ByteSize>().unwrap_err().to_string();
        assert!(message.contains("\"ten\"") && message.contains("10G"), "{message}");
    }

    #[test]
    fn rates_and_their_absence() {
        assert_eq!("5M".parse(), Ok(ByteRate(5 << 20)));
        assert_eq!("5M/s".parse(), Ok(ByteRate(5 << 20)));
        assert_eq!("off".parse(), Ok(ByteRate(0)));
        assert_eq!("unlimited".parse(), Ok(ByteRate(0)));
        assert!("fast".parse::<ByteRate>().is_err());
    }

    #[test]
    fn spans_add_up() {
        for (text, seconds) in
            [("24h", 86_400), ("1h30m", 5_400), ("2w", 1_209_600), ("30d", 2_592_000), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Span(seconds)), "{text}");
        }
        for text in ["", "24", "h", "1y", "-1h", "99999999999999999999s", "300000000000000w"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(value: u64, shift in 0u32..50) {
            let value = value >> shift << (shift / 2);
            prop_assert_eq!(ByteSize(value).to_string().parse(), Ok(ByteSize(value)));
            prop_assert_eq!(ByteRate(value).to_string().parse(), Ok(ByteRate(value)));
            prop_assert_eq!(Span(value).to_string().parse(), Ok(Span(value)));
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = text.parse::<ByteSize>();
            let _ = text.parse::<ByteRate>();
            let _ = text.parse::<Span>();
        }
    }
}
