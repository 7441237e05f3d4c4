//! Time as the ledger sees it: wall time is handed in, stamps order the edits.
//!
//! A stamp is a hybrid logical clock (Kulkarni et al. 2014, "Logical Physical Clocks"): 48 bits of milliseconds since
//! 1970 and a 16-bit counter in one `u64`, then the device's tag to make it unique. It follows the wall clock when
//! that runs forward and counts on by itself when that was set back, so a device never stamps backwards.

use crate::identity::DeviceTag;

/// How far ahead of this device's wall time a stamp may be before its transaction is held back, milliseconds.
pub const CLOCK_AHEAD_MAX_MS: u64 = 5 * 60 * 1000;

/// A moment: seconds since 1970 and nanoseconds below a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    /// Seconds since the Unix epoch, negative before it.
    pub secs: i64,
    /// Nanoseconds, below 1 000 000 000.
    pub nanos: u32,
}

impl Time {
    /// Milliseconds since 1970, zero before it, as much of them as a stamp can hold.
    pub fn millis(self) -> u64 {
        let whole = u64::try_from(self.secs).unwrap_or(0).saturating_mul(1000);
        whole.saturating_add(u64::from(self.nanos / 1_000_000)).min((1 << 48) - 1)
    }

    /// The moment so many milliseconds after 1970.
    pub fn from_millis(millis: u64) -> Self {
        Self { secs: (millis / 1000) as i64, nanos: (millis % 1000) as u32 * 1_000_000 }
    }
}

/// What every edit is told of the present. The ledger reads no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The computer's wall time.
    pub wall: Time,
}

/// The place of an edit in the total order of all edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Milliseconds since 1970 (upper 48 bits) and a counter (lower 16).
    pub clock: u64,
    /// Who made the edit.
    pub device: DeviceTag,
}

impl Default for Stamp {
    /// Before all others.
    fn default() -> Self {
        Self { clock: 0, device: DeviceTag(0) }
    }
}

impl Stamp {
    /// The wall time of the edit, to the millisecond, as its author's clock had it.
    pub fn time(self) -> Time {
        Time::from_millis(self.clock >> 16)
    }
}

/// Names a version of a file's content: the stamp of the edit that published it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VersionId(pub Stamp);

/// The hybrid logical clock of one device.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    last: u64,
}

impl Clock {
    /// A clock that continues after `last`.
    pub(crate) fn after(last: u64) -> Self {
        Self { last }
    }

    /// The greatest value given or seen.
    pub(crate) fn last(self) -> u64 {
        self.last
    }

    /// The next value: greater than all before, at the wall time if that is ahead.
    pub(crate) fn tick(&mut self, now: Now) -> u64 {
        self.last = self.last.saturating_add(1).max(now.wall.millis() << 16);
        self.last
    }

    /// Takes note of another device's value, so that what is stamped next is greater.
    pub(crate) fn observe(&mut self, clock: u64) {
        self.last = self.last.max(clock);
    }
}

/// Whether `clock` is too far in the future of `now` to be believed.
pub(crate) fn is_ahead(clock: u64, now: Now) -> bool {
    clock >> 16 > now.wall.millis() + CLOCK_AHEAD_MAX_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Now {
        Now { wall: Time { secs, nanos: 0 } }
    }

    #[test]
    fn a_clock_set_back_a_year_counts_on() {
        let mut clock = Clock::default();
        let before = clock.tick(at(2_000_000_000));
        let after = clock.tick(at(2_000_000_000 - 365 * 86_400));
        assert_eq!(after, before + 1);
        assert!(clock.tick(at(2_000_000_001)) > after);
    }

    #[test]
    fn a_seen_stamp_is_always_behind_the_next() {
        let mut clock = Clock::default();
        clock.tick(at(1000));
        clock.observe(5_000_000 << 16);
        assert!(clock.tick(at(1000)) > 5_000_000 << 16);
    }

    #[test]
    fn more_than_65536_edits_in_a_millisecond_keep_their_order() {
        let mut clock = Clock::default();
        let mut last = 0;
        for _ in 0..70_000 {
            let next = clock.tick(at(7));
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn five_minutes_ahead_is_believed_and_more_is_not() {
        let now = at(1_000_000);
        let limit = now.wall.millis() + CLOCK_AHEAD_MAX_MS;
        assert!(!is_ahead(limit << 16 | 0xffff, now));
        assert!(is_ahead((limit + 1) << 16, now));
    }

    #[test]
    fn times_before_1970_stamp_as_zero() {
        assert_eq!(Time { secs: -5, nanos: 3 }.millis(), 0);
        assert_eq!(Time::from_millis(1_234_567), Time { secs: 1234, nanos: 567_000_000 });
    }
}
