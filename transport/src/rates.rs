//! How fast the drive may use the network: limits for all peers and for each, by hours of the week.
//!
//! ```text
//!  Rates ──effective(minute)──▶ Allowed ──▶ TokenBucket ×4: up, down, for all and for this peer
//! ```
//!
//! Everything here is pure: the time is an argument.

use std::time::{Duration, Instant};

/// Minutes of a week; minute 0 is Monday 00:00.
pub const WEEK_MINUTES: u16 = 7 * 24 * 60;
const DAY_MINUTES: u16 = 24 * 60;
const DAYS: u16 = 7;

/// Limits of the network's use in bytes per second; 0 is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// To all peers together.
    pub up_bytes_per_s: u64,
    /// From all peers together.
    pub down_bytes_per_s: u64,
    /// To each peer.
    pub per_peer_up: u64,
    /// From each peer.
    pub per_peer_down: u64,
    /// Other limits for all peers together at some hours; the first rule that fits counts.
    pub hours: Vec<HourRule>,
}

/// Limits at some hours of some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourRule {
    /// Bit 0 is Monday, bit 6 Sunday: the days on which the span begins.
    pub weekdays: u8,
    /// First minute of the span, counted from local midnight.
    pub from_minute: u16,
    /// First minute after the span; at most `from_minute` means it ends on the next day.
    pub to_minute: u16,
    /// Bytes per second to all peers together; 0 is no limit.
    pub up_bytes_per_s: u64,
    /// Bytes per second from all peers together; 0 is no limit.
    pub down_bytes_per_s: u64,
}

/// What all peers together may use now, in bytes per second; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// To peers.
    pub up_bytes_per_s: u64,
    /// From peers.
    pub down_bytes_per_s: u64,
}

impl Rates {
    /// The limits for all peers at a local minute of the week (0 is Monday 00:00).
    #[must_use]
    pub fn effective(&self, minute_of_week: u16) -> Allowed {
        let (up_bytes_per_s, down_bytes_per_s) = self
            .hours
            .iter()
            .find(|rule| rule.covers(minute_of_week))
            .map_or((self.up_bytes_per_s, self.down_bytes_per_s), |rule| {
                (rule.up_bytes_per_s, rule.down_bytes_per_s)
            });
        Allowed { up_bytes_per_s, down_bytes_per_s }
    }
}

impl HourRule {
    /// Whether the rule counts at a local minute of the week.
    #[must_use]
    pub fn covers(&self, minute_of_week: u16) -> bool {
        let minute_of_week = minute_of_week % WEEK_MINUTES;
        let (day, minute) = (minute_of_week / DAY_MINUTES, minute_of_week % DAY_MINUTES);
        let today = self.weekdays & (1 << day) != 0;
        let yesterday = self.weekdays & (1 << ((day + DAYS - 1) % DAYS)) != 0;
        if self.from_minute < self.to_minute {
            today && (self.from_minute..self.to_minute).contains(&minute)
        } else {
            (today && minute >= self.from_minute) || (yesterday && minute < self.to_minute)
        }
    }
}

/// A bucket always holds at least this much, or no packet would pass a low limit at once.
pub const BURST_MIN_BYTES: u64 = 64 << 10;
/// Traffic that may not wait can leave at most this long a debt to the traffic that can.
pub const DEBT_MAX: Duration = Duration::from_secs(10);

const NANOS: i128 = 1_000_000_000;

/// Bytes that may pass: filled evenly up to a quarter of a second's worth, emptied by use, and able to owe.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    bytes_per_s: u64,
    /// In bytes times nanoseconds per second, so that nothing is lost to rounding.
    level: i128,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket; a rate of 0 lets everything pass.
    #[must_use]
    pub fn new(bytes_per_s: u64, now: Instant) -> Self {
        let mut bucket = Self { bytes_per_s, level: 0, filled: now };
        bucket.level = bucket.capacity();
        bucket
    }

    /// Changes the rate. What was owed is forgiven when there is no limit any more.
    pub fn set_rate(&mut self, bytes_per_s: u64, now: Instant) {
        self.fill(now);
        if self.bytes_per_s == 0 || bytes_per_s == 0 {
            *self = Self::new(bytes_per_s, now);
        }
        self.bytes_per_s = bytes_per_s;
        self.level = self.level.min(self.capacity());
    }

    /// Takes bytes out, whether or not they are there: whoever does this then waits as [`TokenBucket::wait`] says.
    pub fn charge(&mut self, bytes: u64, now: Instant) {
        if self.bytes_per_s > 0 {
            self.fill(now);
            self.level = self.level.saturating_sub(i128::from(bytes) * NANOS);
        }
    }

    /// Takes bytes out if nothing is owed; else leaves all as it is and says false.
    pub fn charge_if_free(&mut self, bytes: u64, now: Instant) -> bool {
        let free = self.wait(now).is_zero();
        if free {
            self.charge(bytes, now);
        }
        free
    }

    /// Takes bytes out for traffic that does not wait. It leaves a debt of 10 s at most to the traffic that does.
    pub fn note(&mut self, bytes: u64, now: Instant) {
        if self.bytes_per_s > 0 {
            self.fill(now);
            let floor = self.level.min(-self.debt_max());
            self.level = self.level.saturating_sub(i128::from(bytes) * NANOS).max(floor);
        }
    }

    /// How long to wait until nothing is owed.
    #[must_use]
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.fill(now);
        if self.bytes_per_s == 0 || self.level >= 0 {
            return Duration::ZERO;
        }
        let nanos = (-self.level).div_euclid(i128::from(self.bytes_per_s)) + 1;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_nanos();
        let gained = i128::try_from(passed).unwrap_or(i128::MAX).saturating_mul(i128::from(self.bytes_per_s));
        self.level = self.level.saturating_add(gained).min(self.capacity());
        self.filled = self.filled.max(now);
    }

    fn capacity(&self) -> i128 {
        i128::from((self.bytes_per_s / 4).max(BURST_MIN_BYTES)) * NANOS
    }

    fn debt_max(&self) -> i128 {
        i128::from(self.bytes_per_s) * i128::from(DEBT_MAX.as_secs()) * NANOS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MONDAY: u8 = 1;
    const SUNDAY: u8 = 1 << 6;

    fn rule(weekdays: u8, from_minute: u16, to_minute: u16) -> HourRule {
        HourRule { weekdays, from_minute, to_minute, up_bytes_per_s: 7, down_bytes_per_s: 9 }
    }

    #[test]
    fn the_first_rule_that_covers_the_minute_counts() {
        let hours = vec![rule(MONDAY, 60, 120), HourRule { up_bytes_per_s: 8, ..rule(MONDAY, 0, 180) }];
        let rates = Rates { up_bytes_per_s: 1, down_bytes_per_s: 2, hours, ..Rates::default() };
        assert_eq!(rates.effective(60), Allowed { up_bytes_per_s: 7, down_bytes_per_s: 9 });
        assert_eq!(rates.effective(120), Allowed { up_bytes_per_s: 8, down_bytes_per_s: 9 });
        assert_eq!(rates.effective(180), Allowed { up_bytes_per_s: 1, down_bytes_per_s: 2 });
        assert_eq!(rates.effective(60 + DAY_MINUTES), Allowed { up_bytes_per_s: 1, down_bytes_per_s: 2 });
    }

    #[test]
    fn a_span_over_midnight_ends_on_the_next_day_and_wraps_the_week() {
        let night = rule(SUNDAY, 23 * 60, 6 * 60);
        assert!(night.covers(6 * DAY_MINUTES + 23 * 60));
        assert!(night.covers(5 * 60 + 59));
        assert!(!night.covers(6 * 60));
        assert!(!night.covers(6 * DAY_MINUTES + 60));
    }

    #[test]
    fn a_limit_holds_over_time() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1 << 20, start);
        let (mut now, mut sent) = (start, 0);
        while now < start + Duration::from_secs(60) {
            bucket.charge(64 << 10, now);
            sent += 64 << 10;
            now += bucket.wait(now);
        }
        let (least, most) = (60 << 20, (60 << 20) + (1 << 18) + (64 << 10));
        assert!((least..=most).contains(&sent), "{sent}");
    }

    #[test]
    fn a_large_piece_is_paid_in_full_but_a_flood_that_does_not_wait_is_not() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(1000, now);
        bucket.charge(BURST_MIN_BYTES + 100_000, now);
        assert_eq!(bucket.wait(now).as_secs(), 100);
        bucket.note(1, now);
        assert_eq!(bucket.wait(now).as_secs(), 100, "the debt of the one is not lessened by the other");
        let mut bucket = TokenBucket::new(1000, now);
        bucket.note(u64::MAX, now);
        assert_eq!(bucket.wait(now).as_secs(), DEBT_MAX.as_secs());
    }

    #[test]
    fn no_limit_never_waits_and_forgets_debts() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(1000, now);
        bucket.charge(10_000_000, now);
        bucket.set_rate(0, now);
        bucket.charge(u64::MAX, now);
        assert_eq!(bucket.wait(now), Duration::ZERO);
        bucket.set_rate(1000, now);
        assert_eq!(bucket.wait(now), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn waiting_as_told_is_enough(rate in 1u64.., charges in prop::collection::vec(0u64..1 << 40, 1..20)) {
            let now = Instant::now();
            let mut bucket = TokenBucket::new(rate, now);
            for bytes in charges {
                bucket.charge(bytes, now);
                bucket.note(bytes, now);
            }
            // Later than a clock can say is never.
            if let Some(then) = now.checked_add(bucket.wait(now)) {
                prop_assert_eq!(bucket.wait(then), Duration::ZERO);
            }
        }
    }
}
