//! The steps of a comparison that this device began.

use chunkstore::{ChunkId, PartitionSum};

use super::marks::{group_mark, partition_mark};
use super::{
    ANSWER_MAX_MS, JOB_MAX_MS, Listed, Listing, Open, Pair, QUIET_STEP_MS, ROOM_EVERY_MS, SETTLE_MS,
    STABLE_MS, Step,
};
use crate::input::Millis;
use crate::node::Node;
use crate::node::garbage::Lacking;
use crate::node::jobs::{At, Waiting};
use crate::node::peer::Slot;
use crate::output::{Job, JobResult};
use crate::wire::{GROUPS, LISTED_MAX_IDS, Message, PartitionMark, RawId, Said};

const JITTER_MS: Millis = 10_000;

impl Node {
    /// The next step of comparing this device with a peer that is here.
    pub(in crate::node) fn compare_on_time(&mut self, slot: Slot) {
        let now = self.now;
        let comparing = &mut self.peers.get_mut(slot).comparing;
        if let Some(open) = comparing.open.take_if(|open| now >= open.until) {
            return match open.step {
                Step::Listing(listing) if listing.waits_for_room => self.ask_list(slot, listing),
                _ => comparing.retry(now),
            };
        }
        if comparing.open.is_none() && now >= comparing.uneven.again.next {
            self.compare_uneven(slot);
        }
        let comparing = &mut self.peers.get_mut(slot).comparing;
        if comparing.open.is_some() || now < comparing.step_at {
            return;
        }
        // What is being mended makes a difference to the next round, and none to the groups after it.
        let mends = comparing.soon == GROUPS && !self.mending.rested(now, SETTLE_MS);
        if !self.are_equals(slot) {
            self.peers.get_mut(slot).comparing.step_at = now + QUIET_STEP_MS;
        } else if mends || !self.is_quiet() {
            self.peers.get_mut(slot).comparing.step_at = now + SETTLE_MS;
        } else {
            self.compare_next(slot);
        }
    }

    fn compare_next(&mut self, slot: Slot) {
        let now = self.now;
        let next = self.peers.get(slot).comparing.group;
        let groups = (0..GROUPS).map(|further| (next + further) % GROUPS);
        let shared = groups.map(|group| (group, self.shared_partitions(slot, group)));
        let found = shared.into_iter().find(|(_, partitions)| !partitions.is_empty());
        let Some(generation) = self.peers.link(slot).map(|link| link.generation) else { return };
        let comparing = &mut self.peers.get_mut(slot).comparing;
        let Some((group, partitions)) = found else {
            comparing.step_at = now + QUIET_STEP_MS;
            return;
        };
        comparing.group = group;
        let question = comparing.open(now + JOB_MAX_MS, Step::Sums);
        let waiting = Waiting::OwnSums { at: (slot, generation), question, partitions: partitions.clone() };
        self.job(Job::Sums { partitions }, waiting);
    }

    pub(in crate::node) fn own_sums(
        &mut self,
        at: At,
        question: u32,
        partitions: &[u16],
        result: &JobResult,
    ) {
        let (now, logs_at) = (self.now, self.logs_at);
        if self.peers.link_of(at).is_none() {
            return;
        }
        let comparing = &mut self.peers.get_mut(at.0).comparing;
        if comparing.take(question).is_none() {
            return;
        }
        let JobResult::Sums(sums) = result else { return comparing.retry(now) };
        let sums: Vec<_> = partitions.iter().copied().zip(sums.iter().copied()).collect();
        let (group, mark) = (comparing.group, group_mark(&sums));
        let detailed = comparing.seen[usize::from(group)].is_due(mark, logs_at, now);
        let question = comparing.open(now + ANSWER_MAX_MS, Step::Asked { sums, mark, detailed });
        self.send(at.0, &Message::Compare { question, group, mark, detailed });
    }

    pub(in crate::node) fn take_compared(&mut self, slot: Slot, question: u32, said: Said) {
        let (now, logs_at) = (self.now, self.logs_at);
        let jitter = self.jitter(JITTER_MS);
        let comparing = &mut self.peers.get_mut(slot).comparing;
        let Some(Open { step: Step::Asked { sums, mark, detailed }, .. }) = comparing.take(question) else {
            return;
        };
        let seen = &mut comparing.seen[usize::from(comparing.group)];
        let (theirs, marks) = match said {
            Said::Other { mark: theirs, marks } if theirs != mark => (theirs, marks),
            Said::NotNow => return comparing.retry(now),
            Said::Same | Said::Other { .. } => {
                *seen = super::Seen::default();
                return comparing.advance(now, false, jitter);
            }
        };
        let pair = (mark, theirs);
        if seen.rests(pair, logs_at, now) {
            return comparing.advance(now, false, jitter);
        }
        match seen.differs {
            Some((known, since)) if known == pair && now >= since + STABLE_MS && detailed => {
                self.list_differing(slot, pair, &sums, &marks);
            }
            Some((known, _)) if known == pair => comparing.advance(now, true, jitter),
            _ => {
                seen.differs = Some((pair, now));
                comparing.advance(now, true, jitter);
            }
        }
    }

    fn list_differing(
        &mut self,
        slot: Slot,
        pair: Pair,
        sums: &[(u16, PartitionSum)],
        marks: &[(u16, PartitionMark)],
    ) {
        let differs = |(partition, mark): &&(u16, PartitionMark)| {
            sums.iter().any(|(own, sum)| own == partition && partition_mark(sum) != *mark)
        };
        let partitions = marks.iter().filter(differs).map(|(partition, _)| *partition).collect();
        self.ask_list(slot, Listing::new(partitions, Listed::Difference(pair)));
    }

    pub(super) fn ask_list(&mut self, slot: Slot, mut listing: Listing) {
        let now = self.now;
        if listing.partitions.is_empty() {
            return self.listed_all(slot, &listing);
        }
        listing.waits_for_room = !self.mending.has_room(LISTED_MAX_IDS);
        let waits = listing.waits_for_room;
        let (partitions, after) = (listing.partitions.clone(), listing.after.map(|id| id.0));
        let until = now + if waits { ROOM_EVERY_MS } else { ANSWER_MAX_MS };
        let question = self.peers.get_mut(slot).comparing.open(until, Step::Listing(listing));
        if !waits {
            self.send(slot, &Message::List { question, partitions, after });
        }
    }

    pub(in crate::node) fn take_listed(&mut self, slot: Slot, question: u32, ids: &[RawId]) {
        let Some(at) = self.peers.link(slot).map(|link| (slot, link.generation)) else { return };
        let comparing = &mut self.peers.get_mut(slot).comparing;
        let Some(Open { step: Step::Listing(mut listing), .. }) = comparing.take(question) else { return };
        let is_last = ids.len() < LISTED_MAX_IDS;
        let last = ids.last().copied().map(ChunkId).filter(|last| !is_last && Some(*last) > listing.after);
        listing.after = last;
        let wanted = ids.iter().map(|id| ChunkId(*id));
        let ids = wanted.filter(|id| listing.partitions.contains(&id.partition())).collect();
        match listing.what {
            Listed::Difference(_) => self.look_what_lacks(at, listing, ids),
            Listed::Uneven => self.ask_who_is_full(at, listing, ids),
        }
    }

    /// These of a page should be here.
    pub(super) fn look_what_lacks(&mut self, at: At, listing: Listing, ids: Vec<ChunkId>) {
        let until = self.now + JOB_MAX_MS;
        let question = self.peers.get_mut(at.0).comparing.open(until, Step::Listing(listing));
        self.job(Job::Lacking { ids }, Waiting::Lacking { at, question });
    }

    pub(in crate::node) fn lacking(&mut self, at: At, question: u32, result: JobResult) {
        if self.peers.link_of(at).is_none() {
            return;
        }
        match result {
            JobResult::Ids(ids) => self.ask_what_lacks(Lacking::Compared { at, question }, ids),
            _ => self.compare_again(at, question),
        }
    }

    pub(in crate::node) fn compare_again(&mut self, at: At, question: u32) {
        let now = self.now;
        let comparing = &mut self.peers.get_mut(at.0).comparing;
        if comparing.take(question).is_some() {
            comparing.retry(now);
        }
    }

    /// These are to be fetched; then the comparison goes on.
    pub(in crate::node) fn lacking_compared(&mut self, at: At, question: u32, mut ids: Vec<ChunkId>) {
        if self.peers.link_of(at).is_none() {
            return;
        }
        let comparing = &mut self.peers.get_mut(at.0).comparing;
        let Some(Open { step: Step::Listing(mut listing), .. }) = comparing.take(question) else { return };
        listing.found += ids.len();
        // What a peer is about to send is not fetched as well; if it does not come, it is found again.
        ids.retain(|id| !self.is_expected(id));
        self.mend(ids);
        if listing.after.is_some() {
            self.ask_list(at.0, listing);
        } else {
            self.listed_all(at.0, &listing);
        }
    }

    fn listed_all(&mut self, slot: Slot, listing: &Listing) {
        let now = self.now;
        let jitter = self.jitter(JITTER_MS);
        let comparing = &mut self.peers.get_mut(slot).comparing;
        let Listed::Difference(pair) = listing.what else {
            return comparing.uneven_listed(now, listing.found > 0);
        };
        let seen = &mut comparing.seen[usize::from(comparing.group)];
        seen.differs = None;
        if listing.found == 0 {
            seen.fruitless = Some((pair, now));
        } else {
            comparing.again.reset(now);
        }
        comparing.advance(now, listing.found > 0, jitter);
    }
}
