//! Whether others hold what they should: now and then each host is asked to prove that it has one chunk, drawn at random among those
//! that this device keeps too.
//!
//! ```text
//!  Job::Kept (one, behind a random id) ─► Job::Prove here ─► Audit (id, nonce) ─┬─ the same proof: right
//!                                                            ├─ another: wrong ─► Job::Doubt ─► outbox: copied elsewhere;
//!                                                            │           no copies go there until it proves one
//!                                                            ├─ not here: missing; it looks by itself whether it should be
//!                                                            └─ nothing within 30 s: silent
//! ```
//!
//! The proof is over the whole sealed chunk and a nonce that was never used, so it cannot be kept in place of the chunk.

use chunkstore::ChunkId;

use super::Node;
use super::garbage::Lacking;
use super::jobs::{At, Waiting};
use super::outbox::Cause;
use super::peer::Slot;
use crate::input::Millis;
use crate::output::{Job, JobResult};
use crate::view::Audit;
use crate::wire::{Message, RawId};

/// Between two audits of a host.
const AUDIT_EVERY_MS: Millis = 600_000;
const JITTER_MS: Millis = 120_000;
/// After one that failed.
const AUDIT_AGAIN_MS: Millis = 60_000;
/// The first after a link came up.
const AUDIT_FIRST_MS: Millis = 60_000;
/// Who has not answered by then is silent.
const ANSWER_MAX_MS: Millis = 30_000;
/// The disk may take so long.
const JOB_MAX_MS: Millis = 120_000;
/// Proofs that are being made for one peer.
const PROOFS_MAX: usize = 1;

/// Audits of one host.
pub(super) struct Auditing {
    pub told: Audit,
    at: Millis,
    next_question: u32,
    open: Option<Open>,
}

struct Open {
    question: u32,
    id: ChunkId,
    proof: [u8; 32],
}

impl Auditing {
    pub(super) fn new(now: Millis) -> Self {
        Self { told: Audit::default(), at: now, next_question: 0, open: None }
    }

    pub(super) fn begin(&mut self, now: Millis) {
        self.at = self.at.max(now + AUDIT_FIRST_MS);
    }

    /// Who hangs up at a question gives no answer.
    pub(super) fn hang_up(&mut self, now: Millis) {
        if self.open.take().is_some() {
            self.told.silent += 1;
            self.at = now + AUDIT_AGAIN_MS;
        }
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        Some(self.at)
    }
}

impl Node {
    /// The next audit of a host that is here.
    pub(super) fn audit_on_time(&mut self, slot: Slot) {
        let now = self.now;
        if now < self.peers.get(slot).auditing.at {
            return;
        }
        self.peers.get_mut(slot).auditing.hang_up(now);
        let jitter = self.jitter(JITTER_MS);
        let partitions = if self.are_equals(slot) { self.all_shared_partitions(slot) } else { Vec::new() };
        let after = Some(ChunkId(self.draw()));
        let auditing = &mut self.peers.get_mut(slot).auditing;
        if partitions.is_empty() {
            auditing.at = now + AUDIT_EVERY_MS + jitter;
            return;
        }
        auditing.at = now + JOB_MAX_MS;
        let Some(at) = self.peers.link(slot).map(|link| (slot, link.generation)) else { return };
        self.job(Job::Kept { partitions, after, max: 1, confirmed: true }, Waiting::AuditPick { at });
    }

    pub(super) fn audit_picked(&mut self, at: At, result: &JobResult) {
        if self.peers.link_of(at).is_none() {
            return;
        }
        match result {
            JobResult::Ids(ids) if !ids.is_empty() => {
                let (id, nonce) = (ids[0], self.draw());
                self.job(Job::Prove { id, nonce }, Waiting::AuditOwn { at, id, nonce });
            }
            // The draw fell behind the last one.
            _ => self.audit_later(at.0, AUDIT_AGAIN_MS),
        }
    }

    pub(super) fn audit_own(&mut self, at: At, id: ChunkId, nonce: [u8; 32], result: &JobResult) {
        if self.peers.link_of(at).is_none() {
            return;
        }
        let JobResult::Proof(Some(proof)) = result else {
            if matches!(result, JobResult::Failed) {
                self.note_damage();
            }
            return self.audit_later(at.0, AUDIT_AGAIN_MS);
        };
        let now = self.now;
        let auditing = &mut self.peers.get_mut(at.0).auditing;
        auditing.next_question = auditing.next_question.wrapping_add(1);
        let question = auditing.next_question;
        auditing.open = Some(Open { question, id, proof: *proof });
        auditing.at = now + ANSWER_MAX_MS;
        auditing.told.asked += 1;
        self.send(at.0, &Message::Audit { question, id: id.0, nonce });
    }

    pub(super) fn take_audited(&mut self, slot: Slot, question: u32, proof: Option<[u8; 32]>) {
        let peer = self.peers.get_mut(slot);
        let Some(open) = peer.auditing.open.take_if(|open| open.question == question) else { return };
        let told = &mut peer.auditing.told;
        let (device, id) = (peer.device, open.id);
        let next = match proof {
            Some(proof) if proof == open.proof => {
                told.right += 1;
                self.trust(slot, true);
                AUDIT_EVERY_MS
            }
            Some(_) => {
                told.wrong += 1;
                tracing::warn!(%device, %id, "a host claims a chunk that it cannot show: it gets no copies for now");
                self.trust(slot, false);
                self.job(Job::Doubt { ids: vec![id] }, Waiting::Doubt { id });
                AUDIT_AGAIN_MS
            }
            // It may be one that nothing names any more, and that this device has not given up yet.
            None => {
                told.missing += 1;
                AUDIT_EVERY_MS
            }
        };
        self.audit_later(slot, next);
    }

    fn trust(&mut self, slot: Slot, trusted: bool) {
        let peer = self.peers.get_mut(slot);
        if std::mem::replace(&mut peer.distrusted, !trusted) == trusted {
            self.hosts.dirty = true;
        }
    }

    fn audit_later(&mut self, slot: Slot, after: Millis) {
        let at = self.now + after + self.jitter(if after == AUDIT_EVERY_MS { JITTER_MS } else { 1 });
        self.peers.get_mut(slot).auditing.at = at;
    }

    /// The chunk may not be where it should: it is offered anew.
    pub(super) fn doubted(&mut self, id: ChunkId, result: &JobResult) {
        if matches!(result, JobResult::Ok) && !self.put_in_outbox(id, Cause::Healing) {
            self.walk.owe(Cause::Healing);
        }
    }

    // The other side.

    pub(super) fn take_audit(&mut self, slot: Slot, question: u32, id: RawId, nonce: [u8; 32]) {
        let now = self.now;
        let Some(link) = self.peers.link(slot) else { return };
        // Over the bound it is not answered: it counts as silent there.
        if link.guest.proofs >= PROOFS_MAX || !link.care.proofs.take(now) {
            return;
        }
        link.guest.proofs += 1;
        let (at, id) = ((slot, link.generation), ChunkId(id));
        self.job(Job::Prove { id, nonce }, Waiting::ProofFor { at, question, id });
    }

    pub(super) fn answer_audit(&mut self, at: At, question: u32, id: ChunkId, result: &JobResult) {
        let proof = match result {
            JobResult::Proof(proof) => *proof,
            _ => None,
        };
        match result {
            JobResult::Proof(Some(_)) => {}
            JobResult::Proof(None) => self.job(Job::Lacking { ids: vec![id] }, Waiting::AuditLacking),
            _ => self.note_damage(),
        }
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.proofs -= 1;
        self.send(at.0, &Message::Audited { question, proof });
    }

    pub(super) fn audit_lacking(&mut self, result: JobResult) {
        if let JobResult::Ids(ids) = result {
            self.ask_what_lacks(Lacking::Audited, ids);
        }
    }
}
