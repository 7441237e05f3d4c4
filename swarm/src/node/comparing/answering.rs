//! Answering who compares himself with this device.

use chunkstore::{ChunkId, PARTITIONS};

use super::SETTLE_MS;
use super::marks::{group_mark, partition_mark};
use crate::node::Node;
use crate::node::jobs::{At, Waiting};
use crate::node::peer::Slot;
use crate::output::{Job, JobResult};
use crate::wire::{GroupMark, LISTED_MAX_IDS, Message, RawId, Said, raw_ids};

/// Questions of one peer about sums, and about lists, that are looked up at a time.
const SUMS_MAX: usize = 2;
const LISTS_MAX: usize = 1;

impl Node {
    pub(in crate::node) fn take_compare(
        &mut self,
        slot: Slot,
        question: u32,
        group: u8,
        mark: GroupMark,
        detailed: bool,
    ) {
        let now = self.now;
        let answers = self.are_equals(slot) && self.is_quiet() && self.mending.rested(now, SETTLE_MS);
        let Some(link) = self.peers.link(slot) else { return };
        if !answers || link.guest.sums >= SUMS_MAX || !link.care.sums.take(now) {
            return self.send(slot, &Message::Compared { question, said: Said::NotNow });
        }
        link.guest.sums += 1;
        let at = (slot, link.generation);
        let partitions = self.shared_partitions(slot, group);
        let waiting = Waiting::SumsFor { at, question, mark, detailed, partitions: partitions.clone() };
        self.job(Job::Sums { partitions }, waiting);
    }

    pub(in crate::node) fn answer_compare(
        &mut self,
        at: At,
        (question, theirs, detailed): (u32, GroupMark, bool),
        partitions: &[u16],
        result: &JobResult,
    ) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.sums -= 1;
        let said = match result {
            JobResult::Sums(sums) => {
                let sums: Vec<_> = partitions.iter().copied().zip(sums.iter().copied()).collect();
                let mark = group_mark(&sums);
                // Of what is empty here the peer can lack nothing.
                let filled = sums.iter().filter(|(_, sum)| sum.count > 0);
                let marks = filled.map(|(partition, sum)| (*partition, partition_mark(sum)));
                let marks = if detailed { marks.collect() } else { Vec::new() };
                if mark == theirs { Said::Same } else { Said::Other { mark, marks } }
            }
            _ => Said::NotNow,
        };
        self.send(at.0, &Message::Compared { question, said });
    }

    pub(in crate::node) fn take_list(
        &mut self,
        slot: Slot,
        question: u32,
        mut partitions: Vec<u16>,
        after: Option<RawId>,
    ) {
        let now = self.now;
        // Who stands in for a host without room asks too, and there may be something here that this device does not own any more.
        partitions.retain(|partition| {
            let owns = |owners: &[Slot]| owners.contains(&slot);
            *partition < PARTITIONS
                && (owns(self.hosts.keepers(*partition)) || owns(self.hosts.owners(*partition)))
        });
        partitions.sort_unstable();
        partitions.dedup();
        let Some(link) = self.peers.link(slot) else { return };
        // Over the bound it is not answered: the peer asks again.
        if link.guest.lists >= LISTS_MAX || !link.care.lists.take(now) {
            return;
        }
        link.guest.lists += 1;
        let waiting = Waiting::ListFor { at: (slot, link.generation), question };
        let after = after.map(ChunkId);
        self.job(Job::Kept { partitions, after, max: LISTED_MAX_IDS, confirmed: false }, waiting);
    }

    pub(in crate::node) fn answer_list(&mut self, at: At, question: u32, result: &JobResult) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.lists -= 1;
        if let JobResult::Ids(ids) = result {
            let ids = &ids[..ids.len().min(LISTED_MAX_IDS)];
            self.send(at.0, &Message::Listed { question, ids: raw_ids(ids) });
        }
    }
}
