//! Days of the week as people write them: `mon-fri`, `sat,sun`, `fri-mon`.

use crate::answers::Weekday;

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The days that are written, as bits; bit 0 is Monday.
///
/// # Errors
/// In words: it is no day, or none at all.
pub fn read(written: &str) -> Result<u8, String> {
    let written = written.to_lowercase();
    if written.trim().is_empty() {
        return Err("name one day at least; write days like mon-fri or sat,sun".into());
    }
    let day = |name: &str| NAMES.iter().position(|day| *day == name.trim());
    let mut bits = 0;
    for part in written.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (day(first), day(last)) else {
            return Err(format!("\"{}\" is no day; write days like mon-fri or sat,sun", part.trim()));
        };
        let count = (last + NAMES.len() - first) % NAMES.len() + 1;
        bits |= (first..first + count).fold(0_u8, |bits, day| bits | 1 << (day % NAMES.len()));
    }
    Ok(bits)
}

/// `mon-fri`, `sat,sun`: what [`read`] reads, and nothing for no day.
#[must_use]
pub fn text(bits: u8) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for day in (0..NAMES.len()).filter(|day| bits & 1 << day != 0) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let run = |(first, last): (usize, usize)| match last - first {
        0 => NAMES[first].to_string(),
        1 => format!("{},{}", NAMES[first], NAMES[last]),
        _ => format!("{}-{}", NAMES[first], NAMES[last]),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(",")
}

/// These days as bits.
#[must_use]
pub fn bits(days: &[Weekday]) -> u8 {
    (0..).zip(&Weekday::ALL).filter(|(_, day)| days.contains(day)).fold(0, |bits, (at, _)| bits | 1 << at)
}

/// The days of these bits, from Monday on.
#[must_use]
pub fn of(bits: u8) -> Vec<Weekday> {
    (0..).zip(Weekday::ALL).filter(|(day, _): &(usize, _)| bits & 1 << day != 0).map(|(_, day)| day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_write_them() {
        for (written, bits) in [
            ("mon", 0b1),
            ("Mon-Fri", 0b1_1111),
            ("sat,sun", 0b110_0000),
            ("fri-mon", 0b111_0001),
            ("mon-sun", 0x7f),
            ("wed, sat - sun", 0b110_0100),
        ] {
            assert_eq!(read(written), Ok(bits), "{written}");
        }
        assert!(read("monday").unwrap_err().contains("\"monday\" is no day"));
        assert!(read(" ").unwrap_err().contains("name one day at least"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for days in 1..=0x7f {
            assert_eq!(read(&text(days)), Ok(days));
            assert_eq!(bits(&of(days)), days);
        }
        assert_eq!(text(0b110_1111), "mon-thu,sat,sun");
        assert_eq!(text(0), "");
    }
}
