//! Comparing what this device keeps with what others keep of the same partitions: what it should have and lacks is fetched. It heals
//! missed messages, wiped disks and files that went bad alike. Each device looks after itself; the other side only answers.
//!
//! ```text
//!  of 256 partitions, those that both own:
//!  Job::Sums ─► Compare ─┬─ same: the next group
//!                        ├─ not now, chunks are on their way: again in a moment
//!                        └─ other: after 10 s the same difference still ─► marks of partitions ─► List ─► Listed
//!                                                       mending.rs ◄─ Job::Lacking ◄─ (4096 ids at a time) ◄─┘
//! ```
//!
//! Where an owner has no room, sums say nothing: `uneven.rs`.
//!
//! A difference may be none of ours: the other lacks something, or keeps what nothing names any more. Then the lists brought nothing
//! to fetch, and are not asked for again for a day, or an hour if what is kept changed.

mod answering;
mod marks;
mod steps;
mod uneven;

pub(super) use self::uneven::Probes;

use chunkstore::{ChunkId, PartitionSum};

use self::uneven::{Probing, Uneven};
use super::Node;
use super::backoff::Backoff;
use super::pace::Pace;
use super::peer::{ME, Slot};
use crate::input::Millis;
use crate::wire::{CAN_COMPARE, GROUP_PARTITIONS, GROUPS, GroupMark};

/// After a link came up, and after chunks moved, before anything is compared: what is on its way is no difference.
const SETTLE_MS: Millis = 5_000;
/// A difference counts if it is the same after so long.
const STABLE_MS: Millis = 10_000;
/// Between two groups when all are to be compared soon.
const STEP_MS: Millis = 250;
/// And when all is quiet: all groups within an hour.
const QUIET_STEP_MS: Millis = 225_000;
/// All groups are compared soon after a link came up, but not more often than this.
const PASS_EVERY_MS: Millis = 600_000;
/// An answer of a peer that has not come by then will not.
const ANSWER_MAX_MS: Millis = 30_000;
/// The disk may take so long.
const JOB_MAX_MS: Millis = 600_000;
/// Between two looks for room to mend more.
const ROOM_EVERY_MS: Millis = 1_000;
/// A difference that brought nothing to fetch rests so long, if it stays the same and if it does not.
const REST_MS: Millis = 24 * 3_600_000;
const REST_CHANGED_MS: Millis = 3_600_000;
/// The same when logs came since: what nothing named then may be named now.
const REST_LOGS_MS: Millis = 20 * 60_000;
/// Questions of one peer about sums that are answered: so many at once, then one in this time.
const SUMS_AT_ONCE: u64 = 40;
const SUMS_EVERY_MS: Millis = 1_000;
/// The same for lists.
const LISTS_AT_ONCE: u64 = 16;
const LISTS_EVERY_MS: Millis = 250;
/// And for proofs.
const PROOFS_AT_ONCE: u64 = 4;
const PROOFS_EVERY_MS: Millis = 30_000;
/// And for judgements.
const JUDGEMENTS_AT_ONCE: u64 = 8;
const JUDGEMENTS_EVERY_MS: Millis = 3_000;

/// How often a peer may make this device look through what it keeps.
pub(super) struct CarePace {
    pub sums: Pace,
    pub lists: Pace,
    pub proofs: Pace,
    pub judgements: Pace,
}

impl CarePace {
    pub(super) const fn new() -> Self {
        Self {
            sums: Pace::new(SUMS_AT_ONCE, SUMS_EVERY_MS),
            lists: Pace::new(LISTS_AT_ONCE, LISTS_EVERY_MS),
            proofs: Pace::new(PROOFS_AT_ONCE, PROOFS_EVERY_MS),
            judgements: Pace::new(JUDGEMENTS_AT_ONCE, JUDGEMENTS_EVERY_MS),
        }
    }
}

/// How far this device is in comparing itself with one peer. Outlives the link.
pub(super) struct Comparing {
    group: u8,
    /// So many groups are to be compared soon.
    soon: u8,
    /// Some of the groups compared since then differ.
    differs: bool,
    step_at: Millis,
    again: Backoff,
    /// When all groups were last found to be the same, or not to be ours.
    passed_at: Option<Millis>,
    next_question: u32,
    open: Option<Open>,
    seen: [Seen; GROUPS as usize],
    uneven: Uneven,
}

/// Digests of a group here and there.
type Pair = (GroupMark, GroupMark);

/// What is remembered of a group.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// A difference, and since when it is known.
    differs: Option<(Pair, Millis)>,
    /// One that brought nothing to fetch.
    fruitless: Option<(Pair, Millis)>,
}

/// A comparison under way.
struct Open {
    question: u32,
    until: Millis,
    step: Step,
}

enum Step {
    /// The sums are being made here.
    Sums,
    /// The peer was asked.
    Asked { sums: Vec<(u16, PartitionSum)>, mark: GroupMark, detailed: bool },
    /// The peer was asked for a list, or the list is being looked up, or room is waited for.
    Listing(Listing),
    /// Hosts without room are asked what they have of a page of the list.
    Probing(Probing),
}

struct Listing {
    partitions: Vec<u16>,
    what: Listed,
    /// Where the next page begins, if there is one.
    after: Option<ChunkId>,
    /// So many were lacking so far.
    found: usize,
    waits_for_room: bool,
}

/// Why a list is asked for.
#[derive(Clone, Copy)]
enum Listed {
    /// This difference is looked into.
    Difference(Pair),
    /// The two need not have the same.
    Uneven,
}

impl Seen {
    /// Whether details are worth asking for: the difference was there before, and not in vain.
    fn is_due(&self, ours: GroupMark, logs_at: Millis, now: Millis) -> bool {
        let stable = self.differs.filter(|(pair, since)| pair.0 == ours && now >= since + STABLE_MS);
        stable.is_some_and(|(pair, _)| !self.rests(pair, logs_at, now))
    }

    /// `logs_at`: when logs last came.
    fn rests(&self, pair: Pair, logs_at: Millis, now: Millis) -> bool {
        self.fruitless.is_some_and(|(known, at)| {
            let rest = match () {
                () if logs_at >= at => REST_LOGS_MS,
                () if known == pair => REST_MS,
                () => REST_CHANGED_MS,
            };
            now < at + rest
        })
    }
}

impl Comparing {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            group: 0,
            soon: GROUPS,
            differs: false,
            step_at: now,
            again: Backoff::new(now, STABLE_MS, QUIET_STEP_MS),
            passed_at: None,
            next_question: 0,
            open: None,
            seen: [Seen::default(); GROUPS as usize],
            uneven: Uneven::new(now),
        }
    }

    /// The peer is here.
    pub(super) fn begin(&mut self, now: Millis) {
        self.uneven.hasten(now);
        self.step_at = now + SETTLE_MS;
        if self.passed_at.is_none_or(|at| now >= at + PASS_EVERY_MS) {
            self.soon = GROUPS;
        }
    }

    /// The peer is gone.
    pub(super) fn hang_up(&mut self) {
        self.open = None;
        self.uneven.group = 0;
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        let next = self.step_at.min(self.uneven.again.next);
        Some(self.open.as_ref().map_or(next, |open| open.until))
    }

    fn question(&mut self) -> u32 {
        self.next_question = self.next_question.wrapping_add(1);
        self.next_question
    }

    fn open(&mut self, until: Millis, step: Step) -> u32 {
        let question = self.question();
        self.open = Some(Open { question, until, step });
        question
    }

    /// Takes what is under way, if it is this question.
    fn take(&mut self, question: u32) -> Option<Open> {
        self.open.take_if(|open| open.question == question)
    }

    /// Nothing came of it: the same group again.
    fn retry(&mut self, now: Millis) {
        self.open = None;
        self.again.grow(now);
        self.step_at = self.again.next;
        self.uneven.again.next = self.uneven.again.next.max(self.again.next);
    }

    /// Goes on with the next group.
    fn advance(&mut self, now: Millis, differs: bool, jitter: Millis) {
        self.open = None;
        self.group = (self.group + 1) % GROUPS;
        self.differs |= differs;
        self.soon = self.soon.saturating_sub(1);
        if self.soon > 0 {
            self.step_at = now + STEP_MS;
        } else if std::mem::take(&mut self.differs) {
            self.soon = GROUPS;
            self.again.grow(now);
            self.step_at = self.again.next;
        } else {
            self.passed_at = Some(now);
            self.again.reset(now);
            self.step_at = now + QUIET_STEP_MS + jitter;
        }
    }
}

impl Node {
    /// Partitions of a group of which this device and the peer should keep everything.
    fn shared_partitions(&self, slot: Slot, group: u8) -> Vec<u16> {
        let first = u16::from(group) * GROUP_PARTITIONS;
        let shared = |partition: &u16| {
            let keepers = self.hosts.keepers(*partition);
            keepers.contains(&ME) && keepers.contains(&slot)
        };
        (first..first + GROUP_PARTITIONS).filter(shared).collect()
    }

    /// All of them.
    pub(super) fn all_shared_partitions(&self, slot: Slot) -> Vec<u16> {
        (0..GROUPS).flat_map(|group| self.shared_partitions(slot, group)).collect()
    }

    /// Whether the two keep the same things: who is full keeps less.
    pub(super) fn are_equals(&self, slot: Slot) -> bool {
        let (me, peer) = (self.peers.get(ME), self.peers.get(slot));
        let knows =
            peer.link.as_ref().is_some_and(|link| link.greeted && link.capabilities & CAN_COMPARE != 0);
        knows && me.hosts() && peer.hosts() && !me.is_full() && !peer.is_full()
    }

    /// Whether nothing is on its way, between others and this device, that would make a difference.
    fn is_quiet(&self) -> bool {
        let moved = self.moved_at.is_some_and(|at| self.now < at + SETTLE_MS);
        !moved && self.walk.is_idle() && !self.hosts.is_requeueing()
    }
}
