//! Who holds these chunks: every connected host is asked, and whoever does not answer is counted, not guessed.
//!
//! ```text
//!  WhoHas ─► Count (≤ 4096 ids) to each host ─► Job::Count there ─► Counted ─► Holders, when all answered or 3 s passed
//! ```

use std::collections::{BTreeMap, BTreeSet};

use chunkstore::ChunkId;

use super::Node;
use super::jobs::{At, Waiting};
use super::peer::{ME, Slot};
use crate::input::Millis;
use crate::output::{HOLDERS_MAX_IDS, Job, JobResult, Output};
use crate::wire::{CAN_COUNT, COUNT_MAX_CHUNKS, Message, RawId, raw_ids};

/// Whoever did not answer by then counts as silent.
const ANSWER_MAX_MS: Millis = 3_000;
/// A question with fewer ids counts as one with so many: this bounds the number of open ones too.
const QUESTION_MIN_IDS: usize = 512;

/// Questions of this device that are not answered yet.
#[derive(Default)]
pub(super) struct Holders {
    next: u32,
    queries: BTreeMap<u32, Query>,
    questions: BTreeMap<u32, Question>,
    open_ids: usize,
}

struct Query {
    ticket: u64,
    until: Millis,
    ids: usize,
    asked: u32,
    held: BTreeMap<Slot, u64>,
    silent: BTreeSet<Slot>,
    open: usize,
}

/// A part of a query, to one host.
struct Question {
    query: u32,
    slot: Slot,
    ids: u32,
}

impl Holders {
    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.queries.values().map(|query| query.until).min()
    }

    fn number(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Takes a question off. `held`: `None` when no answer will come.
    fn answer(&mut self, number: u32, held: Option<u32>) -> Option<u32> {
        let question = self.questions.remove(&number)?;
        let query = self.queries.get_mut(&question.query)?;
        query.open -= 1;
        match held {
            // Nobody holds more than was asked for.
            Some(held) => *query.held.entry(question.slot).or_default() += u64::from(held.min(question.ids)),
            None => {
                query.silent.insert(question.slot);
            }
        }
        (query.open == 0).then_some(question.query)
    }

    fn of_slot(&self, slot: Slot) -> Vec<u32> {
        let of = self.questions.iter().filter(|(_, question)| question.slot == slot);
        of.map(|(number, _)| *number).collect()
    }

    fn of_query(&self, query: u32) -> Vec<u32> {
        let of = self.questions.iter().filter(|(_, question)| question.query == query);
        of.map(|(number, _)| *number).collect()
    }

    fn due(&self, now: Millis) -> Vec<u32> {
        let due = self.queries.iter().filter(|(_, query)| query.until <= now);
        due.map(|(number, _)| *number).collect()
    }
}

/// What a list of ids counts, so that few long and many short ones are bounded alike: as much as its parts together.
fn weight(ids: usize) -> usize {
    let rest = ids % COUNT_MAX_CHUNKS;
    ids - rest + if rest > 0 { rest.max(QUESTION_MIN_IDS) } else { 0 }
}

impl Node {
    pub(super) fn who_has(&mut self, ticket: u64, ids: &[ChunkId]) {
        let hosts = self.hosts_here();
        let weight = weight(ids.len());
        if ids.is_empty() || self.holders.open_ids + weight > HOLDERS_MAX_IDS {
            let silent = if ids.is_empty() { 0 } else { count(hosts.len()) };
            self.out.push_back(Output::Holders { ticket, holders: Vec::new(), asked: 0, silent });
            return;
        }
        self.holders.open_ids += weight;
        let number = self.holders.number();
        let (until, asked) = (self.now + ANSWER_MAX_MS, count(hosts.len()));
        let (held, silent) = (BTreeMap::new(), BTreeSet::new());
        let query = Query { ticket, until, ids: weight, asked, held, silent, open: 0 };
        self.holders.queries.insert(number, query);
        hosts.into_iter().for_each(|slot| self.ask_count(number, slot, ids));
        self.end_answered(Some(number));
    }

    /// Connected hosts.
    fn hosts_here(&self) -> Vec<Slot> {
        let here =
            self.peers.iter().filter(|(slot, peer)| *slot != ME && peer.is_greeted() && peer.may_hold());
        here.map(|(slot, _)| slot).collect()
    }

    fn ask_count(&mut self, query: u32, slot: Slot, ids: &[ChunkId]) {
        let Some(open) = self.holders.queries.get_mut(&query) else { return };
        // An older release would end the link over a message that it does not know.
        if self.peers.link(slot).is_none_or(|link| link.capabilities & CAN_COUNT == 0) {
            open.silent.insert(slot);
            return;
        }
        for part in ids.chunks(COUNT_MAX_CHUNKS) {
            let question = self.holders.number();
            if let Some(open) = self.holders.queries.get_mut(&query) {
                open.open += 1;
            }
            self.holders.questions.insert(question, Question { query, slot, ids: count(part.len()) });
            self.send(slot, &Message::Count { question, ids: raw_ids(part) });
        }
    }

    pub(super) fn take_counted(&mut self, slot: Slot, question: u32, held: Option<u32>) {
        // Only who was asked can answer.
        if self.holders.questions.get(&question).is_some_and(|asked| asked.slot == slot) {
            let answered = self.holders.answer(question, held);
            self.end_answered(answered);
        }
    }

    /// The peer is gone: what it was asked stays without an answer.
    pub(super) fn holders_peer_gone(&mut self, slot: Slot) {
        for question in self.holders.of_slot(slot) {
            let answered = self.holders.answer(question, None);
            self.end_answered(answered);
        }
    }

    /// Queries whose time is over.
    pub(super) fn holders_due(&mut self) {
        for query in self.holders.due(self.now) {
            for question in self.holders.of_query(query) {
                self.holders.answer(question, None);
            }
            self.end_answered(Some(query));
        }
    }

    /// Tells the answer if nothing of it is open any more.
    fn end_answered(&mut self, query: Option<u32>) {
        let Some(number) = query else { return };
        if self.holders.queries.get(&number).is_none_or(|query| query.open > 0) {
            return;
        }
        let Some(query) = self.holders.queries.remove(&number) else { return };
        self.holders.open_ids -= query.ids;
        // Who answered for a part only is silent: half a count would be taken for the whole.
        let whole = query.held.into_iter().filter(|(slot, _)| !query.silent.contains(slot));
        let holders = whole.map(|(slot, held)| (self.peers.get(slot).device, held)).collect();
        let (ticket, asked, silent) = (query.ticket, query.asked, count(query.silent.len()));
        self.out.push_back(Output::Holders { ticket, holders, asked, silent });
    }

    // The other side.

    pub(super) fn take_count(&mut self, slot: Slot, question: u32, ids: &[RawId]) {
        let Some(link) = self.peers.link(slot) else { return };
        let weight = weight(ids.len()).max(QUESTION_MIN_IDS);
        // Over the bound it is not answered: it counts as silent there.
        if link.guest.counting_ids + weight > HOLDERS_MAX_IDS {
            return;
        }
        link.guest.counting_ids += weight;
        let at = (slot, link.generation);
        let ids = ids.iter().map(|id| ChunkId(*id)).collect();
        self.job(Job::Count { ids }, Waiting::Count { at, question, weight });
    }

    pub(super) fn counted(&mut self, at: At, question: u32, weight: usize, result: &JobResult) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.counting_ids -= weight;
        let held = match result {
            JobResult::Have(have) => Some(count(have.iter().filter(|held| **held).count())),
            _ => None,
        };
        self.send(at.0, &Message::Counted { question, held });
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("hosts and ids are bounded far below 2^32")
}
