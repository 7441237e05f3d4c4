//! When the next pack is due, and how fast it may be read.

use std::time::Duration;

use super::kept::{Kept, LastPass};

/// Read at most, bytes a second, where that is enough for a pass in its time: a small part of what any disk gives.
const RATE_BYTES_PER_S: u64 = 8 << 20;
/// A pass is planned in half of its time, so that a computer that is off or busy at times still comes through.
const HASTE: u64 = 2;
/// A clock that says that the pass begins so much later was set back since.
const CLOCK_SLACK_MS: u64 = 3_600_000;

/// How everything is read once in a while.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// A whole pass takes so long, milliseconds; 0: nothing is read.
    pub every_ms: u64,
}

/// What there is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next pack.
    Read,
    /// Nothing for so long.
    Rest(Duration),
}

impl Plan {
    /// Where a pass stands whose clock may have been set since.
    pub fn begun(&self, kept: Option<Kept>, now_ms: u64) -> Kept {
        let fresh = Kept { began_ms: now_ms, ..Kept::default() };
        let kept = kept.unwrap_or(fresh);
        // The next pass begins when this one is over: that lies ahead by one pass at most.
        let ahead = now_ms.saturating_add(self.every_ms).saturating_add(CLOCK_SLACK_MS);
        if kept.began_ms > ahead { Kept { began_ms: now_ms, ..kept } } else { kept }
    }

    /// A pack is due when the time of the pass has gone on as far as the bytes of all packs.
    pub fn next(&self, kept: &Kept, total_bytes: u64, now_ms: u64) -> Next {
        if kept.hurried {
            return Next::Read;
        }
        let total = u128::from(total_bytes.max(kept.bytes).max(1));
        let share = u128::from(self.every_ms / HASTE) * u128::from(kept.bytes) / total;
        let due_ms = kept.began_ms.saturating_add(u64::try_from(share).unwrap_or(u64::MAX));
        match due_ms.saturating_sub(now_ms) {
            0 => Next::Read,
            rest => Next::Rest(Duration::from_millis(rest)),
        }
    }

    /// Whether it goes on though the disk has other work: the pass should be over already, or something is known to be bad.
    pub fn is_urgent(&self, kept: &Kept, now_ms: u64) -> bool {
        kept.hurried || now_ms > kept.began_ms.saturating_add(self.every_ms)
    }

    /// Something was found damaged that this pass did not find: where one is, others are. All is read, from the beginning.
    pub fn alarmed(&self, kept: &Kept, now_ms: u64) -> Kept {
        if kept.hurried {
            *kept
        } else {
            Kept { began_ms: now_ms, hurried: true, passes: kept.passes, ..Kept::default() }
        }
    }

    /// Bytes a second at most: enough for twice of what is there within a pass.
    pub fn rate_bytes_per_s(&self, total_bytes: u64) -> u64 {
        let needed = total_bytes.saturating_mul(HASTE) / (self.every_ms / 1000).max(1);
        RATE_BYTES_PER_S.max(needed)
    }

    /// A pack was read.
    pub fn read(&self, kept: &Kept, pack: u64, bytes: u64, bad_chunks: u64) -> Kept {
        let (bytes, bad_chunks) = (kept.bytes + bytes, kept.bad_chunks + bad_chunks);
        Kept { after: Some(pack), bytes, bad_chunks, hurried: kept.hurried || bad_chunks > 0, ..*kept }
    }

    /// No pack is left: the next pass begins when this one's time is over.
    pub fn over(&self, kept: &Kept, now_ms: u64) -> Kept {
        let (bytes, bad_chunks) = (kept.bytes, kept.bad_chunks);
        let last = LastPass { ended_ms: now_ms.max(1), bytes, bad_chunks, by_hand: false };
        let began_ms = kept.began_ms.saturating_add(self.every_ms).max(now_ms);
        Kept { began_ms, passes: kept.passes.with(last), ..Kept::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const PLAN: Plan = Plan { every_ms: 30 * DAY_MS };
    const PACK: u64 = 64 << 20;

    #[test]
    fn a_pass_is_spread_over_half_its_time_and_the_next_waits_for_its_own() {
        let (mut kept, mut now) = (PLAN.begun(None, 5 * DAY_MS), 5 * DAY_MS);
        let mut times = Vec::new();
        while kept.bytes < 10 * PACK {
            match PLAN.next(&kept, 10 * PACK, now) {
                Next::Read => {
                    times.push((now - 5 * DAY_MS) as f64 / DAY_MS as f64);
                    kept = PLAN.read(&kept, times.len() as u64, PACK, 0);
                }
                Next::Rest(time) => now += u64::try_from(time.as_millis()).unwrap(),
            }
        }
        assert_eq!(times, [0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.5, 12.0, 13.5]);
        let ended = PLAN.over(&kept, now);
        assert_eq!((ended.began_ms, ended.after, ended.bytes), (35 * DAY_MS, None, 0));
        assert_eq!(ended.passes.last().unwrap().bytes, 10 * PACK);
        assert!(matches!(PLAN.next(&ended, 10 * PACK, now), Next::Rest(_)));
        assert_eq!(PLAN.next(&ended, 10 * PACK, 35 * DAY_MS), Next::Read);
    }

    #[test]
    fn what_is_late_is_urgent_and_a_large_disk_is_read_fast_enough() {
        let kept = PLAN.begun(None, DAY_MS);
        assert!(!PLAN.is_urgent(&kept, 31 * DAY_MS) && PLAN.is_urgent(&kept, 31 * DAY_MS + 1));
        assert_eq!(PLAN.rate_bytes_per_s(1 << 30), RATE_BYTES_PER_S);
        let large = 100_u64 << 40;
        assert!(PLAN.rate_bytes_per_s(large) * 30 * 86_400 >= large * 199 / 100);
    }

    #[test]
    fn damage_hurries_the_pass_and_damage_found_elsewhere_begins_one() {
        let read = PLAN.read(&PLAN.begun(None, 0), 1, PACK, 0);
        assert!(matches!(PLAN.next(&read, 10 * PACK, 0), Next::Rest(_)));
        let bad = PLAN.read(&read, 2, PACK, 3);
        assert!(PLAN.next(&bad, 10 * PACK, 0) == Next::Read && PLAN.is_urgent(&bad, 0));
        assert_eq!((PLAN.alarmed(&bad, 9), bad.bad_chunks), (bad, 3), "it is hurried already");
        let alarmed = PLAN.alarmed(&read, 9);
        assert_eq!((alarmed.after, alarmed.began_ms, alarmed.hurried), (None, 9, true));
        let over = PLAN.over(&bad, 10);
        assert_eq!(PLAN.over(&over, 20).passes.all().len(), 2, "earlier passes are remembered");
        assert!(!over.hurried && over.passes.last().unwrap().bad_chunks == 3);
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_stop_it() {
        let ahead = Kept { began_ms: 400 * DAY_MS, bytes: 7, ..Kept::default() };
        let begun = PLAN.begun(Some(ahead), DAY_MS);
        assert_eq!((begun.began_ms, begun.bytes), (DAY_MS, 7));
        let waits = Kept { began_ms: 30 * DAY_MS, ..Kept::default() };
        assert_eq!(PLAN.begun(Some(waits), DAY_MS), waits);
    }
}
