//! The backlog that only the store knows: walked at start, after an overflow, when owners changed, and when a host comes for
//! which chunks were let go from memory.

use chunkstore::ChunkId;

use super::Node;
use super::jobs::Waiting;
use super::outbox::{Cause, OUTBOX_MAX_CHUNKS, PARKED_MAX_CHUNKS};
use super::peer::ME;
use crate::input::Millis;
use crate::output::{Job, JobResult};

/// Ids asked of the store at a time.
const WALK_MAX_IDS: usize = 4096;
/// The walk rests while so many chunks are in memory: fresh ones must find room.
const WALK_RESTS_CHUNKS: usize = OUTBOX_MAX_CHUNKS / 2;
/// One that is for healing rests earlier: what it finds may stay for long, and what is written needs the room.
const HEALING_RESTS_CHUNKS: usize = PARKED_MAX_CHUNKS + (8 << 10);
const WALK_AGAIN_MS: Millis = 5_000;

/// Walking through the store.
pub(super) struct Walk {
    /// A walk is due.
    pub wanted: bool,
    running: Option<Running>,
    /// Chunks may lack copies that memory does not know of: nothing new is safe.
    debt: bool,
    /// Counts reasons for the debt: a walk pays only for those before it.
    reasons: u64,
    /// What a person wrote may be among what is found.
    written: bool,
    again_at: Millis,
}

struct Running {
    after: Option<ChunkId>,
    asked: bool,
    reasons: u64,
    cause: Cause,
}

impl Default for Walk {
    fn default() -> Self {
        Self { wanted: false, running: None, debt: true, reasons: 0, written: false, again_at: 0 }
    }
}

impl Walk {
    /// Chunks were not taken into memory: a walk is due.
    pub(super) fn owe(&mut self, cause: Cause) {
        self.owe_later(cause);
        self.wanted = true;
    }

    /// Chunks were let go from memory: a walk is due when their hosts come.
    pub(super) fn owe_later(&mut self, cause: Cause) {
        self.written |= cause == Cause::Written;
        self.debt = true;
        self.reasons += 1;
    }

    /// Chunks were marked in the store: a walk is due, and one that is under way may have missed them.
    pub(super) fn marked(&mut self) {
        self.wanted = true;
        self.reasons += 1;
    }

    /// Whether memory knows of all chunks that lack copies since the start.
    pub(super) fn is_settled(&self) -> bool {
        !self.debt
    }

    /// Whether no walk is due or under way.
    pub(super) fn is_idle(&self) -> bool {
        !self.wanted && self.running.is_none()
    }

    /// When the store is asked again after it failed.
    pub(super) fn next_wake(&self, now: Millis) -> Option<Millis> {
        let waits = self.running.as_ref().is_some_and(|running| !running.asked);
        (waits && self.again_at > now).then_some(self.again_at)
    }
}

impl Node {
    pub(super) fn pump_walk(&mut self) {
        // Alone there is nobody to give anything to.
        let company = self.hosts.slots().iter().any(|slot| *slot != ME && self.peers.get(*slot).is_greeted());
        if !self.hosts.started || !company {
            return;
        }
        if self.walk.wanted && self.walk.running.is_none() {
            self.walk.wanted = false;
            let reasons = self.walk.reasons;
            let written = std::mem::take(&mut self.walk.written);
            let cause = if written { Cause::Written } else { Cause::Healing };
            self.walk.running = Some(Running { after: None, asked: false, reasons, cause });
        }
        let healing = self.walk.running.as_ref().is_some_and(|running| running.cause == Cause::Healing);
        let most = if healing { HEALING_RESTS_CHUNKS } else { WALK_RESTS_CHUNKS };
        let rests = self.outbox.len() >= most || self.now < self.walk.again_at;
        if let Some(running) = self.walk.running.as_mut().filter(|running| !running.asked && !rests) {
            running.asked = true;
            let job = Job::Unreplicated { after: running.after, max: WALK_MAX_IDS };
            self.job(job, Waiting::Walk);
        }
    }

    pub(super) fn walked(&mut self, result: JobResult) {
        let Some(running) = &mut self.walk.running else { return };
        running.asked = false;
        let JobResult::Ids(ids) = result else {
            self.walk.again_at = self.now + WALK_AGAIN_MS;
            return;
        };
        self.walk.again_at = 0;
        let ended = ids.len() < WALK_MAX_IDS;
        running.after = ids.last().copied().or(running.after);
        let (reasons, cause) = (running.reasons, running.cause);
        let mut all = true;
        for id in ids {
            // What is held was offered to all its owners.
            all &= self.unnamed.has(&id) || self.put_in_outbox(id, cause);
        }
        if !all {
            self.walk.owe(cause);
        }
        if ended {
            self.walk.running = None;
            // What is about to be marked was not found by this walk.
            if self.walk.debt && self.walk.reasons == reasons && !self.hosts.is_requeueing() {
                self.walk.debt = false;
                self.safety.wait_for(self.outbox.next_position());
            }
        }
    }
}
