//! Does what the swarm says: sends, gives jobs to the workers and takes their results, answers who waits.

use std::time::{Duration, Instant};

use swarm::{FetchError, Input, Job, JobResult, Output};
use transport::{CloseReason, Lane};

use super::Driver;

/// Facts that changed are told at most this often.
const FACTS_PAUSE: Duration = Duration::from_millis(500);

impl Driver {
    /// Does what the swarm says.
    pub(super) fn work_off(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Send { peer, lane, parts } => self.links.send(&peer, to_transport(lane), parts),
                Output::Disconnect { peer, why } => {
                    tracing::info!(device = %peer, why, "a peer is cut off");
                    if let Some(lived) = self.links.close(&peer, CloseReason::Protocol(why)) {
                        self.dialer.lost(Instant::now(), &peer, lived);
                        self.call_failed(&peer);
                        self.node.handle(self.now(), Input::Disconnected { peer });
                        self.tell_online();
                    }
                }
                Output::Job { id, job } => self.give(id, job),
                Output::Fetched { ticket, result } => {
                    if let Some(done) = self.fetches.remove(&ticket) {
                        done(result.map_err(|error| to_vfs(&error)));
                    }
                }
                Output::Holders { ticket, holders, .. } => {
                    if let Some(answer) = self.questions.remove(&ticket) {
                        // Who asked may have given up.
                        let _ = answer.send(holders);
                    }
                }
                Output::FactsLearned(signed) => self.keep_facts(&signed),
                Output::ElsewhereThrough { sequence } => {
                    self.parts.shared.set_own_elsewhere_through(sequence);
                    self.tell_safety();
                }
                Output::SafeThrough { sequence } => {
                    self.parts.shared.set_own_safe_through(sequence);
                    self.tell_safety();
                    let due = Instant::now().max(self.own_facts_told + FACTS_PAUSE);
                    self.own_facts_due.get_or_insert(due);
                }
                Output::CopiesPlaced(copies) => {
                    if self.placed_for.replace(copies) != Some(copies) {
                        self.unsaved_since.get_or_insert_with(Instant::now);
                    }
                }
                Output::Copied { ticket, done } => {
                    if let Some(answer) = self.copying.remove(&ticket) {
                        answer(done);
                    }
                }
                Output::PeerFrontier { peer, frontier } => self.parts.shared.set_frontier(peer, frontier),
            }
        }
    }

    pub(super) fn give(&mut self, number: u64, job: Job) {
        let bytes = if let Job::Store { bytes, .. } = &job { bytes.len() } else { 0 };
        self.storing_bytes += bytes;
        self.jobs.insert(number, bytes);
        self.parts.workers.give(number, job);
    }

    pub(super) fn done(&mut self, job: u64, result: JobResult) {
        let bytes = self.jobs.remove(&job).unwrap_or_default();
        self.storing_bytes -= bytes;
        let roster_may_have_changed = matches!(result, JobResult::Accepted { .. } | JobResult::Ok);
        self.handle(Input::Done { job, result });
        if roster_may_have_changed {
            self.refresh_members();
        }
    }
}

fn to_transport(lane: swarm::Lane) -> Lane {
    match lane {
        swarm::Lane::Control => Lane::Control,
        swarm::Lane::Log => Lane::Log,
        swarm::Lane::Urgent => Lane::Urgent,
        swarm::Lane::Bulk => Lane::Bulk,
    }
}

fn to_vfs(error: &FetchError) -> vfs::FetchError {
    match error {
        FetchError::NobodyHasIt => vfs::FetchError::NobodyHasIt,
        FetchError::TimedOut => vfs::FetchError::TimedOut,
        FetchError::Store(why) => {
            tracing::warn!(why, "a chunk came and could not be stored");
            vfs::FetchError::Store
        }
    }
}
