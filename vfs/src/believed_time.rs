//! The wall time that housekeeping acts upon: what is given up for being old cannot be had back, and a clock may be wrong.
//!
//! Readings are compared with how much time passed since them by a clock that nobody sets. A clock that jumps ahead is
//! believed after a day of running; until then its time is what passed since the readings before. The first reading is the
//! newest edit: nothing was edited in the future. So a clock that is ahead for a while prunes nothing too early, and one
//! that was set right late only prunes later. Not seen: a clock that is ahead while something is edited, and still is at the
//! next start.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ledger::Time;

/// Between two readings that are kept.
const READ_EVERY: Duration = Duration::from_secs(3600);
/// How long a reading is held against those that follow.
const DOUBT: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct BelievedTime {
    /// Oldest first; times in milliseconds since 1970.
    readings: VecDeque<(Instant, u64)>,
}

impl BelievedTime {
    /// Begins with the time of the newest edit, if there is one, and what the clock says now.
    pub(crate) fn begun(newest: Option<Time>, wall: Time) -> Self {
        let at = Instant::now();
        let known = newest.into_iter().chain([wall]);
        Self { readings: known.map(|time| (at, time.millis())).collect() }
    }

    /// The present time, as far as it can be believed.
    pub(crate) fn now(&mut self, wall: Time) -> Time {
        Time::from_millis(self.at(Instant::now(), wall.millis()))
    }

    fn at(&mut self, at: Instant, wall: u64) -> u64 {
        while self.readings.front().is_some_and(|(then, _)| at.saturating_duration_since(*then) > DOUBT) {
            self.readings.pop_front();
        }
        let passed = |then: Instant| at.saturating_duration_since(then).as_millis() as u64;
        let least = self.readings.iter().map(|(then, read)| read.saturating_add(passed(*then))).min();
        if self.readings.back().is_none_or(|(then, _)| at.saturating_duration_since(*then) >= READ_EVERY) {
            self.readings.push_back((at, wall));
        }
        least.map_or(wall, |least| least.min(wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const TEN_YEARS_MS: u64 = 10 * 365 * 86_400_000;

    /// A clock that is right except while `is_ahead`, looked at every hour; what is believed then, less what is right.
    fn errors(newest_ms: u64, hours: u32, is_ahead: impl Fn(u32) -> bool) -> Vec<i64> {
        let start = Instant::now();
        let right = |hour: u32| 1_000_000_000_000 + u64::from(hour) * 3_600_000;
        let shown = |hour| right(hour) + if is_ahead(hour) { TEN_YEARS_MS } else { 0 };
        let mut time = BelievedTime { readings: VecDeque::from([(start, newest_ms), (start, shown(0))]) };
        (1..=hours)
            .map(|hour| time.at(start + HOUR * hour, shown(hour)) as i64 - right(hour) as i64)
            .collect()
    }

    #[test]
    fn a_right_clock_is_believed() {
        assert!(errors(1_000_000_000_000, 100, |_| false).iter().all(|error| *error == 0));
    }

    #[test]
    fn a_jump_ahead_is_not_believed_before_a_day() {
        let errors = errors(1_000_000_000_000, 60, |hour| hour >= 10);
        assert!(errors[..33].iter().all(|error| *error == 0), "{errors:?}");
        assert_eq!(*errors.last().unwrap() as u64, TEN_YEARS_MS);
        assert!(
            super::tests::errors(1_000_000_000_000, 60, |hour| hour == 10).iter().all(|error| *error == 0)
        );
    }

    #[test]
    fn a_clock_that_is_ahead_from_the_start_is_held_against_the_newest_edit() {
        assert!(errors(1_000_000_000_000, 24, |_| true).iter().all(|error| *error == 0));
    }

    #[test]
    fn a_computer_that_was_off_for_long_is_believed_after_a_day() {
        let errors = errors(900_000_000_000, 30, |_| false);
        assert!(errors.iter().all(|error| *error <= 0) && errors[26] == 0, "{errors:?}");
    }

    #[test]
    fn a_clock_set_back_is_believed() {
        assert!(errors(2_000_000_000_000, 10, |_| false).iter().all(|error| *error == 0));
    }
}
