//! What the disk was asked for, and where its answers go.

use std::collections::BTreeMap;

use bytes::Bytes;
use chunkstore::ChunkId;

use super::Node;
use super::peer::Slot;
use crate::input::Urgency;
use crate::output::{Job, JobResult, Output};
use crate::wire::{GroupMark, Place, RecordMark};

/// A peer and the generation of its link: answers for a link that is gone lead nowhere.
pub(super) type At = (Slot, u64);

/// Who waits for a job.
pub(super) enum Waiting {
    ServeRead {
        at: At,
        id: ChunkId,
        urgency: Urgency,
    },
    PushRead {
        at: At,
        place: Place,
    },
    HostStore {
        at: At,
        place: Place,
        id: ChunkId,
        bytes: usize,
    },
    /// `placed`: the chunk, while it is being kept for good.
    FetchStore {
        from: Slot,
        id: ChunkId,
        placed: Option<Bytes>,
    },
    Flush,
    Have {
        at: At,
        batch: u32,
        ids: Vec<ChunkId>,
    },
    /// `surplus`: what stays placed is to be given up later.
    Replicated {
        surplus: bool,
        ids: Vec<ChunkId>,
    },
    /// By the numbers under which they are held.
    Named {
        numbers: Vec<u64>,
    },
    LookAgain {
        position: u64,
    },
    Readable {
        position: u64,
    },
    Walk,
    Requeue {
        partitions: Vec<u16>,
    },
    Surplus {
        partitions: Vec<u16>,
    },
    LogSince {
        at: At,
    },
    Accept {
        at: At,
        bytes: usize,
    },
    OutlinesSince {
        at: At,
    },
    Count {
        at: At,
        question: u32,
        weight: usize,
    },
    RosterMarks {
        at: At,
    },
    Doubt {
        id: ChunkId,
    },
    /// Of chunks that are in the outbox already.
    DoubtAgain,
    Damaged,
    /// Of a comparison that this device began.
    OwnSums {
        at: At,
        question: u32,
        partitions: Vec<u16>,
    },
    Lacking {
        at: At,
        question: u32,
    },
    /// Of a comparison that the peer began.
    SumsFor {
        at: At,
        question: u32,
        mark: GroupMark,
        detailed: bool,
        partitions: Vec<u16>,
    },
    ListFor {
        at: At,
        question: u32,
    },
    AuditPick {
        at: At,
    },
    AuditOwn {
        at: At,
        id: ChunkId,
        nonce: [u8; 32],
    },
    ProofFor {
        at: At,
        question: u32,
        id: ChunkId,
    },
    GarbageListed,
    GarbageDone {
        last: Option<ChunkId>,
        looked_at: u64,
    },
    JudgeFor {
        at: At,
        question: u32,
    },
    /// Of a chunk that could not be proven.
    AuditLacking,
    RosterCompare {
        at: At,
        theirs: Vec<RecordMark>,
    },
}

/// Jobs that are under way.
#[derive(Default)]
pub(super) struct Jobs {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

impl Jobs {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        self.waiting.remove(&id)
    }
}

impl Node {
    pub(super) fn job(&mut self, job: Job, waiting: Waiting) {
        let id = self.jobs.next;
        self.jobs.next += 1;
        self.jobs.waiting.insert(id, waiting);
        self.out.push_back(Output::Job { id, job });
    }

    pub(super) fn job_done(&mut self, waiting: Waiting, result: JobResult) {
        match waiting {
            Waiting::ServeRead { at, id, urgency } => self.serve_read(at, id, urgency, result),
            Waiting::PushRead { at, place } => self.push_read(at, place, result),
            Waiting::HostStore { at, place, id, bytes } => self.host_stored(at, place, id, bytes, &result),
            Waiting::FetchStore { from, id, placed } => self.fetch_stored(from, id, placed, &result),
            Waiting::Flush => self.flushed(matches!(result, JobResult::Flushed(true))),
            Waiting::Have { at, batch, ids } => self.offer_looked_up(at, batch, &ids, result),
            Waiting::Replicated { surplus, ids } => self.cleared(surplus, ids, &result),
            Waiting::Named { numbers } => self.names_told(&numbers, &result),
            Waiting::LookAgain { position } => self.looked_again(position, &result),
            Waiting::Readable { position } => self.durably_readable(position, &result),
            Waiting::Walk => self.walked(result),
            Waiting::Requeue { partitions } => self.requeued(partitions, &result),
            Waiting::Surplus { partitions } => self.surplus_marked(partitions, &result),
            Waiting::LogSince { at } => self.log_read(at, result),
            Waiting::OutlinesSince { at } => self.outlines_read(at, result),
            Waiting::Accept { at, bytes } => self.accepted(at, bytes, &result),
            Waiting::Count { at, question, weight } => self.counted(at, question, weight, &result),
            Waiting::Doubt { id } => self.doubted(id, &result),
            // An index that fails takes nothing in: it gives nothing up either.
            Waiting::DoubtAgain => {}
            Waiting::Damaged => self.damage_told(result),
            Waiting::OwnSums { at, question, partitions } => {
                self.own_sums(at, question, &partitions, &result);
            }
            Waiting::Lacking { at, question } => self.lacking(at, question, result),
            Waiting::SumsFor { at, question, mark, detailed, partitions } => {
                self.answer_compare(at, (question, mark, detailed), &partitions, &result);
            }
            Waiting::ListFor { at, question } => self.answer_list(at, question, &result),
            Waiting::AuditPick { at } => self.audit_picked(at, &result),
            Waiting::AuditOwn { at, id, nonce } => self.audit_own(at, id, nonce, &result),
            Waiting::ProofFor { at, question, id } => self.answer_audit(at, question, id, &result),
            Waiting::GarbageListed => self.garbage_listed(result),
            Waiting::GarbageDone { last, looked_at } => self.garbage_done(last, looked_at, &result),
            Waiting::JudgeFor { at, question } => self.answer_judge(at, question, result),
            Waiting::AuditLacking => self.audit_lacking(result),
            Waiting::RosterMarks { at } => self.tell_roster_marks(at, result),
            Waiting::RosterCompare { at, theirs } => self.send_missing_records(at, theirs, result),
        }
    }
}
