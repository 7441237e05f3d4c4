//! How much one of several hosts claims of what is to be healed.
//!
//! ```text
//!  all who have a chunk offer it ─► the receiver wants it of the first, and says *later* to the others ─► the first sends
//! ```
//!
//! Who offers everything at once claims everything: over a slow line what a fast one would bring in a second then comes for an hour. So
//! each claims little at first, and more while what it claims gets there soon. The lines share the work by what they take, nobody
//! has to know how fast the others' are, and no chunk is sent twice, since a claim is at an end long before its time is
//! (`EXPECTED_MS` in hosting.rs).

use crate::input::Millis;

/// Chunks claimed at first: at the usual 64 KiB a line of 1 Mbit/s takes two seconds for them.
const FIRST_CHUNKS: usize = 4;
/// Most of them: 1 GiB/s at the usual chunk, were each claim a quarter of a second old.
const MOST_CHUNKS: usize = 4096;
/// Offered at a time at most while the peer wants nothing: to find out what it lacks. All of that may be claimed at once, which is 2 MiB.
const SCAN_CHUNKS: usize = 32;
/// Claims that end sooner let more be claimed, those that end later less. A disk may well take a second or two for a flush.
const SOON_MS: Millis = 5_000;
const LATE_MS: Millis = 10_000;
/// Who claimed nothing for so long begins anew: the line may be another.
const IDLE_MS: Millis = 10_000;

/// What is claimed of one peer's chunks.
pub(super) struct Claims {
    /// Offered, and not there or refused yet.
    open: usize,
    most: usize,
    /// So much was offered last and not wanted: twice as much may be next.
    unwanted: usize,
    ended_at: Millis,
}

impl Claims {
    pub(super) fn new(now: Millis) -> Self {
        Self { open: 0, most: FIRST_CHUNKS, unwanted: 0, ended_at: now }
    }

    /// So many may be offered now; in few large offers rather than in many small ones.
    pub(super) fn room(&self, now: Millis) -> usize {
        let most = if self.is_idle(now) { FIRST_CHUNKS } else { self.most };
        let free = most.saturating_sub(self.open);
        match self.open {
            0 if !self.is_idle(now) => most.max(SCAN_CHUNKS.min(2 * self.unwanted)),
            _ if free >= most.div_ceil(2) => free,
            _ => 0,
        }
    }

    fn is_idle(&self, now: Millis) -> bool {
        self.open == 0 && now >= self.ended_at + IDLE_MS
    }

    pub(super) fn begin(&mut self, now: Millis, chunks: usize) {
        if self.is_idle(now) {
            (self.most, self.unwanted) = (FIRST_CHUNKS, 0);
        }
        self.open += chunks;
    }

    /// An offer of so many was answered.
    pub(super) fn answered(&mut self, chunks: usize, any_wanted: bool) {
        self.unwanted = if any_wanted { 0 } else { chunks };
    }

    /// A claim is at an end, for whatever reason.
    pub(super) fn end(&mut self, now: Millis) {
        self.open -= 1;
        self.ended_at = now;
    }

    /// What was claimed at this time is there.
    pub(super) fn arrived(&mut self, now: Millis, since: Millis) {
        let took = now.saturating_sub(since);
        if took <= SOON_MS {
            self.most = (self.most + 1).min(MOST_CHUNKS);
        } else if took > LATE_MS {
            self.most = (self.most - 1).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers what there is room for, and gets this answer and a receipt for what was wanted after so long.
    fn round(claims: &mut Claims, now: &mut Millis, wants: bool, took: Millis) -> usize {
        let chunks = claims.room(*now);
        let since = *now;
        claims.begin(*now, chunks);
        claims.answered(chunks, wants);
        *now += took;
        for _ in 0..chunks {
            claims.arrived(*now, since);
            claims.end(*now);
        }
        chunks
    }

    #[test]
    fn what_gets_there_soon_is_claimed_twice_as_much_the_next_time() {
        let (mut claims, mut now) = (Claims::new(0), 0);
        let rounds: Vec<_> = (0..12).map(|_| round(&mut claims, &mut now, true, 20)).collect();
        assert_eq!(rounds, [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096]);
    }

    #[test]
    fn over_a_slow_line_no_more_is_claimed_than_it_takes_in_some_seconds() {
        let (mut claims, mut now) = (Claims::new(0), 0);
        // Half a second for a chunk.
        for _ in 0..50 {
            let took = claims.room(now) as u64 * 500;
            let chunks = round(&mut claims, &mut now, true, took);
            assert!(chunks <= 20, "{chunks}");
        }
        // It becomes slower still.
        let rounds: Vec<_> = (0..3).map(|_| round(&mut claims, &mut now, true, 60_000)).collect();
        assert!(rounds[0] > 4 && rounds[1..] == [1, 1], "{rounds:?}");
    }

    #[test]
    fn what_the_peer_has_is_looked_through_faster_and_claims_little_again_when_it_wants_some() {
        let (mut claims, mut now) = (Claims::new(0), 0);
        let looked: Vec<_> = (0..5)
            .map(|_| {
                let chunks = claims.room(now);
                claims.begin(now, chunks);
                claims.answered(chunks, false);
                now += 5;
                (0..chunks).for_each(|_| claims.end(now));
                chunks
            })
            .collect();
        assert_eq!(looked, [4, 8, 16, 32, 32]);
        let wanted = claims.room(now);
        claims.begin(now, wanted);
        claims.answered(wanted, true);
        assert_eq!((wanted, claims.room(now)), (32, 0));
        (0..wanted).for_each(|_| claims.end(now));
        assert_eq!(claims.room(now), 4);
    }

    #[test]
    fn who_claimed_nothing_for_a_while_begins_anew() {
        let (mut claims, mut now) = (Claims::new(0), 0);
        (0..8).for_each(|_| {
            round(&mut claims, &mut now, true, 20);
        });
        assert_eq!(claims.room(now), 1024);
        assert_eq!(claims.room(now + IDLE_MS), FIRST_CHUNKS);
    }
}
