//! Copies that nobody waits for yield to people.
//!
//! ```text
//!  the drive was used here, a reader waits here or at a peer ─► busy for 3 s ─► healing and rebalancing: 4 MiB/s each way,
//!                                                                               1 MiB on its way to a peer
//!  otherwise ─────────────────────────────────────────────────────────────────► as fast as it goes
//! ```
//!
//! What a person has just written is never held back, and neither is what is read. The pace is also the least: what is to be healed
//! gets it however busy people are, and peers take turns.

use super::Node;
use super::peer::Slot;
use crate::input::Millis;

/// While people work, so much is sent for healing and rebalancing, and as much fetched, bytes a second. At the usual chunk of 256 KiB
/// these are 16 reads a second, a sixth of what a hard disk can seek, and a thirtieth of a line of 1 Gbit/s: four fifths and more are
/// left to who waits. A host of 1 TB is healed by five others in 14 hours even if all of them are worked at without a pause.
pub(super) const BUSY_BYTES_PER_S: u64 = 4 << 20;
/// Meanwhile so many bytes may be on their way to one peer, and one chunk more: on a line of 10 Mbit/s what a person writes then
/// waits behind them for a second.
pub(super) const BUSY_IN_FLIGHT_BYTES: usize = 1 << 20;
/// Meanwhile so many chunks are offered to one peer ahead of being sent. At the pace they go within the 30 s for which a peer refuses
/// the same from others (`hosting.rs`).
pub(super) const BUSY_OFFERED_CHUNKS: usize = 32;
/// Meanwhile so many chunks are fetched at a time.
pub(super) const BUSY_FETCHING_CHUNKS: usize = 2;
/// Somebody who works reads or writes again within this time.
const BUSY_MS: Millis = 3_000;
/// So much of the pace may be taken at once: small chunks go several in a millisecond, which is the clock's step.
const BURST_US: u64 = 20_000;

/// How far work in the background may go.
#[derive(Default)]
pub(super) struct Background {
    busy_until: Millis,
    pub sending: Allowance,
    pub fetching: Allowance,
    /// Who was sent something last: the next one's turn comes first.
    pub last_served: Slot,
}

/// Bytes at [`BUSY_BYTES_PER_S`].
#[derive(Default)]
pub(super) struct Allowance {
    /// When what was taken is paid for, microseconds.
    paid_at_us: u64,
    /// Something waits for it.
    waits: bool,
}

impl Allowance {
    /// Whether more may go. If not, it is looked at again when it may.
    pub(super) fn allows(&mut self, now: Millis) -> bool {
        let allowed = self.paid_at_us <= now * 1000 + BURST_US;
        self.waits |= !allowed;
        allowed
    }

    /// So much went. A large chunk goes as a whole, and is paid for before the next.
    pub(super) fn charge(&mut self, now: Millis, bytes: usize) {
        self.paid_at_us = self.paid_at_us.max(now * 1000) + bytes as u64 * 1_000_000 / BUSY_BYTES_PER_S;
    }

    fn next_wake(&self, now: Millis) -> Option<Millis> {
        let allowed_at = self.paid_at_us.saturating_sub(BURST_US).div_ceil(1000);
        self.waits.then_some(allowed_at.max(now + 1))
    }
}

impl Background {
    pub(super) fn busy_until(&self) -> Millis {
        self.busy_until
    }

    /// Before everything that waits is looked at anew.
    pub(super) fn look_again(&mut self) {
        self.sending.waits = false;
        self.fetching.waits = false;
    }

    pub(super) fn next_wake(&self, now: Millis) -> Option<Millis> {
        [&self.sending, &self.fetching].iter().filter_map(|allowance| allowance.next_wake(now)).min()
    }
}

impl Node {
    /// Somebody works with the drive.
    pub(super) fn note_foreground(&mut self) {
        self.background.busy_until = self.now + BUSY_MS;
    }

    pub(super) fn is_busy(&self) -> bool {
        self.now < self.background.busy_until
    }

    /// All peers, whose turn it is in front.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = Slot> + use<> {
        let served = self.background.last_served;
        let (behind, before) = (self.peers.others(), self.peers.others());
        behind.filter(move |slot| *slot > served).chain(before.filter(move |slot| *slot <= served))
    }
}
