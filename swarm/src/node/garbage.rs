//! Garbage on a host without keys: it cannot tell what nothing names any more, so it asks a member, and keeps the answers.
//!
//! ```text
//!  Kept (4096 ids) ─► Judge ─► Judged ─► Job::Doom      until all was asked for
//!                                          │ a grace, and every member with keys was heard since
//!  Doomed          ─► Judge ─► Judged ─► Job::Collect   what is dead still is given up, the rest is spared
//! ```
//!
//! Everything fails on the safe side: without a member that has read all logs this host knows of, nothing is doomed or given up. Why
//! nothing that lives can be lost is argued in `docs/swarm.md`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chunkstore::{ChunkId, PARTITIONS};
use ledger::identity::DeviceId;

use super::Node;
use super::jobs::{At, Waiting};
use super::peer::{ME, Peer, Slot};
use crate::input::Millis;
use crate::judgement::{JUDGED_MAX_IDS, Judgement, SignedJudgement, covers};
use crate::output::{Job, JobResult};
use crate::settings::Settings;
use crate::view::GarbageView;
use crate::wire::{CAN_JUDGE, Message, RawId, raw_ids};

/// After a start there is more urgent work.
const FIRST_MS: Millis = 600_000;
/// Between two questions: a judge looks through its whole tree for each.
const PAGE_EVERY_MS: Millis = 15_000;
/// When nobody can judge, the disk failed, or somebody was not heard.
const AGAIN_MS: Millis = 60_000;
/// Between giving up and dooming anew.
const REST_MS: Millis = 3_600_000;
/// So long a judge has for an answer.
const ANSWER_MAX_MS: Millis = 120_000;
/// The same while copies that are missing here wait for it: then they are fetched, dead or alive.
const LACKING_ANSWER_MAX_MS: Millis = 5_000;
/// For who was silent longer nobody waits.
const WAITED_FOR_MAX_MS: Millis = 90 * 24 * 3_600_000;
/// Questions of one peer that are looked up at a time.
const JUDGING_MAX: usize = 1;

/// What the next step is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Dooming,
    /// All that is dead was doomed at this time.
    Grace(Millis),
    Collecting,
}

/// Giving up garbage.
pub(super) struct Garbage {
    phase: Phase,
    /// Where the pass goes on.
    after: Option<ChunkId>,
    at: Millis,
    /// A job is under way.
    working: bool,
    open: Option<Open>,
    next_question: u32,
    told: GarbageView,
}

/// A question without an answer.
struct Open {
    question: u32,
    judge: Slot,
    until: Millis,
    ids: Vec<ChunkId>,
    /// What the judge must have read.
    logs: BTreeMap<DeviceId, u64>,
    purpose: Purpose,
}

enum Purpose {
    Pass,
    /// These are missing here.
    Lacking(Lacking),
}

/// Who found out that something is missing here.
#[derive(Clone, Copy)]
pub(super) enum Lacking {
    /// A comparison, which waits.
    Compared { at: At, question: u32 },
    /// Somebody who asked for a proof.
    Audited,
}

impl Garbage {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            phase: Phase::Dooming,
            after: None,
            at: FIRST_MS.min(settings.garbage_pause_max_ms),
            working: false,
            open: None,
            next_question: 0,
            told: GarbageView::default(),
        }
    }

    fn next_wake(&self) -> Option<Millis> {
        let step = (!self.working && self.open.is_none()).then_some(self.at);
        step.into_iter().chain(self.open.as_ref().map(|open| open.until)).min()
    }

    fn end_pass(&mut self, now: Millis, grace: Millis, rest: Millis) {
        self.after = None;
        (self.phase, self.at) = match self.phase {
            Phase::Dooming => (Phase::Grace(now), now + grace),
            Phase::Grace(_) => (Phase::Collecting, now),
            Phase::Collecting => {
                // What was put again meanwhile waits no more, and was not among what was looked at.
                self.told.doomed_chunks = 0;
                (Phase::Dooming, now + rest)
            }
        };
    }
}

impl Node {
    fn garbage_pause(&self, usual: Millis) -> Millis {
        usual.min(self.settings.garbage_pause_max_ms)
    }

    /// When something is due; never for who can look for itself.
    pub(super) fn garbage_wake(&self) -> Option<Millis> {
        self.is_blind_host().then(|| self.garbage.next_wake()).flatten()
    }

    pub(super) fn garbage_view(&self) -> GarbageView {
        let unheard = match self.garbage.phase {
            Phase::Grace(since) => self.unheard_since(since),
            _ => Vec::new(),
        };
        GarbageView { unheard, ..self.garbage.told.clone() }
    }

    pub(super) fn is_blind_host(&self) -> bool {
        let me = self.peers.get(ME);
        me.may_hold() && me.member.is_some_and(|member| !member.holds_keys)
    }

    pub(super) fn garbage_on_time(&mut self) {
        let now = self.now;
        if !self.is_blind_host() {
            return;
        }
        if let Some(open) = self.garbage.open.take_if(|open| now >= open.until) {
            self.no_judgement(open);
        }
        if self.garbage.working || self.garbage.open.is_some() || now < self.garbage.at {
            return;
        }
        let (after, max) = (self.garbage.after, JUDGED_MAX_IDS);
        let job = match self.garbage.phase {
            Phase::Dooming => {
                Job::Kept { partitions: (0..PARTITIONS).collect(), after, max, confirmed: false }
            }
            Phase::Collecting => Job::Doomed { after, max },
            Phase::Grace(since) => {
                let all_heard = self.unheard_since(since).is_empty();
                if all_heard && now >= since + self.settings.garbage_grace_ms {
                    self.garbage.end_pass(now, 0, 0);
                    return self.garbage_on_time();
                }
                self.garbage.at = now + self.garbage_pause(AGAIN_MS);
                return;
            }
        };
        self.garbage.working = true;
        self.job(job, Waiting::GarbageListed);
    }

    pub(super) fn garbage_listed(&mut self, result: JobResult) {
        self.garbage.working = false;
        match result {
            JobResult::Ids(ids) if ids.is_empty() => {
                let grace = self.settings.garbage_grace_ms;
                let rest = self.garbage_pause(REST_MS);
                self.garbage.end_pass(self.now, grace, rest);
            }
            JobResult::Ids(ids) => {
                self.garbage.at = self.now + self.garbage_pause(AGAIN_MS);
                self.ask_judge(ids, ANSWER_MAX_MS, Purpose::Pass);
            }
            _ => self.garbage.at = self.now + self.garbage_pause(AGAIN_MS),
        }
    }

    /// Members with keys of which nothing was heard since: what they changed before may not be known.
    fn unheard_since(&self, since: Millis) -> Vec<DeviceId> {
        let unheard = |peer: &&Peer| {
            let counts = peer.member.is_some_and(|member| member.holds_keys)
                && !peer.declared_lost
                && peer.silent(self.now) < WAITED_FOR_MAX_MS;
            let heard = peer.told_at.is_some_and(|at| at > since || peer.is_greeted());
            counts && !heard
        };
        let others = self.peers.iter().filter(|(slot, _)| *slot != ME).map(|(_, peer)| peer);
        others.filter(unheard).map(|peer| peer.device).collect()
    }

    /// The most that is known of each log: here, and of what members with keys told. Others could make it look as if nobody had read
    /// enough.
    fn logs_known(&self) -> BTreeMap<DeviceId, u64> {
        let mut known: BTreeMap<_, _> =
            self.mine.0.iter().map(|(device, number)| (*device, *number)).collect();
        let members =
            self.peers.iter().filter(|(_, peer)| peer.member.is_some_and(|member| member.holds_keys));
        let told = members.flat_map(|(_, peer)| &peer.told.0);
        for (device, number) in told {
            let most = known.entry(*device).or_default();
            *most = (*most).max(*number);
        }
        known
    }

    /// Somebody who can read the drive and has read all that is known here.
    fn find_judge(&mut self, logs: &BTreeMap<DeviceId, u64>) -> Option<Slot> {
        let able = |(_, peer): &(Slot, &Peer)| {
            let link = peer.link.as_ref().filter(|link| link.greeted);
            let holds_keys = peer.member.is_some_and(|member| member.holds_keys);
            holds_keys && link.is_some_and(|link| link.capabilities & CAN_JUDGE != 0)
        };
        let told = |peer: &Peer| peer.told.0.iter().map(|(device, number)| (*device, *number)).collect();
        let judges = self.peers.iter().filter(able).filter(|(_, peer)| covers(&told(peer), logs));
        let judges: Vec<Slot> = judges.map(|(slot, _)| slot).collect();
        let chosen = usize::try_from(self.jitter(judges.len() as Millis)).ok()?;
        judges.get(chosen).copied()
    }

    /// Whether somebody could be asked.
    fn ask_judge(&mut self, ids: Vec<ChunkId>, patience: Millis, purpose: Purpose) -> bool {
        let logs = self.logs_known();
        let Some(judge) = self.find_judge(&logs) else { return false };
        let garbage = &mut self.garbage;
        garbage.next_question = garbage.next_question.wrapping_add(1);
        let question = garbage.next_question;
        let message = Message::Judge { question, ids: raw_ids(&ids) };
        garbage.open = Some(Open { question, judge, until: self.now + patience, ids, logs, purpose });
        self.send(judge, &message);
        true
    }

    /// The judge is gone.
    pub(super) fn judge_gone(&mut self, slot: Slot) {
        if let Some(open) = self.garbage.open.take_if(|open| open.judge == slot) {
            self.no_judgement(open);
        }
    }

    fn no_judgement(&mut self, open: Open) {
        match open.purpose {
            Purpose::Pass => self.garbage.at = self.now + self.garbage_pause(AGAIN_MS),
            Purpose::Lacking(how) => self.lacking_for_sure(how, open.ids),
        }
    }

    pub(super) fn take_judged(&mut self, slot: Slot, question: u32, bytes: Option<&[u8]>) {
        let is_asked = |open: &mut Open| open.question == question && open.judge == slot;
        let Some(open) = self.garbage.open.take_if(is_asked) else { return };
        let signed =
            bytes.and_then(SignedJudgement::decode).filter(|signed| self.is_valid(slot, &open, signed));
        let Some(signed) = signed else {
            self.counters.bad_messages += u64::from(bytes.is_some());
            return self.no_judgement(open);
        };
        let dead: BTreeSet<ChunkId> = signed.judgement().dead().collect();
        let (dead, alive): (Vec<_>, Vec<_>) = open.ids.into_iter().partition(|id| dead.contains(id));
        match open.purpose {
            Purpose::Pass => self.act_on(dead, alive, signed.as_bytes().clone()),
            Purpose::Lacking(how) => self.lacking_for_sure(how, alive),
        }
    }

    fn is_valid(&self, slot: Slot, open: &Open, signed: &SignedJudgement) -> bool {
        let Judgement { judge, asker, .. } = signed.judgement();
        let peer = self.peers.get(slot);
        let by_whom = *judge == peer.device && *asker == self.me();
        let reads = peer.member.filter(|member| member.holds_keys);
        by_whom
            && reads.is_some_and(|member| signed.is_by(&member.key, &self.workspace))
            && signed.judgement().covers(&open.logs)
    }

    fn act_on(&mut self, dead: Vec<ChunkId>, alive: Vec<ChunkId>, proof: Bytes) {
        let last = dead.iter().chain(&alive).max().copied();
        let mut looked_at = (dead.len() + alive.len()) as u64;
        let job = match self.garbage.phase {
            Phase::Dooming if !dead.is_empty() => {
                looked_at = dead.len() as u64;
                Job::Doom { ids: dead, proof }
            }
            Phase::Collecting => Job::Collect { dead, alive, proof },
            _ => return self.next_page(last),
        };
        self.garbage.working = true;
        self.job(job, Waiting::GarbageDone { last, looked_at });
    }

    pub(super) fn garbage_done(&mut self, last: Option<ChunkId>, looked_at: u64, result: &JobResult) {
        self.garbage.working = false;
        match result {
            JobResult::Ok => {
                self.garbage.told.doomed_chunks += looked_at;
                self.next_page(last);
            }
            JobResult::Collected(chunks) => {
                let told = &mut self.garbage.told;
                told.collected_chunks += chunks;
                // Those doomed before a start were not counted then.
                told.doomed_chunks = told.doomed_chunks.saturating_sub(looked_at);
                self.next_page(last);
            }
            _ => self.garbage.at = self.now + self.garbage_pause(AGAIN_MS),
        }
    }

    fn next_page(&mut self, last: Option<ChunkId>) {
        self.garbage.after = last.or(self.garbage.after);
        self.garbage.at = self.now + self.garbage_pause(PAGE_EVERY_MS);
    }

    /// These are missing here, another host has them. What nothing names is not fetched, if somebody is here who can tell: two hosts
    /// would else give each other back what either gives up.
    pub(super) fn ask_what_lacks(&mut self, how: Lacking, ids: Vec<ChunkId>) {
        if ids.is_empty() || !self.is_blind_host() {
            return self.lacking_for_sure(how, ids);
        }
        if self.garbage.open.is_some() {
            return self.lacking_later(how);
        }
        if !self.ask_judge(ids.clone(), LACKING_ANSWER_MAX_MS, Purpose::Lacking(how)) {
            self.lacking_for_sure(how, ids);
        }
    }

    fn lacking_for_sure(&mut self, how: Lacking, ids: Vec<ChunkId>) {
        match how {
            Lacking::Compared { at, question } => self.lacking_compared(at, question, ids),
            Lacking::Audited => self.mend(ids),
        }
    }

    /// One question at a time. What an audit found is found again by comparing.
    fn lacking_later(&mut self, how: Lacking) {
        if let Lacking::Compared { at, question } = how {
            self.compare_again(at, question);
        }
    }

    // The other side.

    pub(super) fn take_judge(&mut self, slot: Slot, question: u32, ids: &[RawId]) {
        let now = self.now;
        let asker = self.peers.get(slot).device;
        let reads = self.peers.get(ME).member.is_some_and(|member| member.holds_keys);
        let Some(link) = self.peers.link(slot) else { return };
        // Over the bound it is not answered: the host asks again.
        if !reads || link.guest.judging >= JUDGING_MAX || !link.care.judgements.take(now) {
            return;
        }
        link.guest.judging += 1;
        let waiting = Waiting::JudgeFor { at: (slot, link.generation), question };
        let ids = ids.iter().map(|id| ChunkId(*id)).collect();
        self.job(Job::Judge { asker, ids }, waiting);
    }

    pub(super) fn answer_judge(&mut self, at: At, question: u32, result: JobResult) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.judging -= 1;
        let judgement = match result {
            JobResult::Judgement(judgement) => judgement.map(|bytes| bytes.to_vec()),
            _ => None,
        };
        self.send(at.0, &Message::Judged { question, judgement });
    }
}
