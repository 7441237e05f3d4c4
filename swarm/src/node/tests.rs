//! A node among members who say whatever they like, over a disk that answers late or fails: it never breaks, asks for bounded work,
//! and its clock never stands still.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use bytes::Bytes;
use chunkstore::{ChunkId, PartitionSum};
use ledger::keys::DeviceKey;
use ledger::roster::Copies;
use proptest::prelude::*;

use super::*;
use crate::facts::{Facts, SignedFacts};
use crate::input::{Lane, Member, Urgency};
use crate::output::{Job, StoreRefusal};
use crate::view::Scrubbed;
use crate::wire::{Answer, CAPABILITIES, Digests, GROUPS, Message, Said};

mod background;
mod crowd;
mod fewest;
mod meeting;
mod once;
mod ordering;
mod pace;
mod told;

const PEERS: u8 = 3;

static KEYS: LazyLock<Vec<DeviceKey>> = LazyLock::new(|| {
    let key = |number: u8| DeviceKey::generate(&mut |buffer: &mut [u8]| buffer.fill(number + 1));
    (0..=PEERS).map(key).collect()
});

fn key(number: u8) -> &'static DeviceKey {
    &KEYS[usize::from(number)]
}

fn workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([5; 16])
}

fn facts(number: u8, issued: u64, full: bool) -> SignedFacts {
    let facts = Facts {
        device: key(number).id(),
        issued_ms: issued,
        contributed_bytes: 10 << 30,
        used_bytes: 0,
        full,
        site: String::new(),
        addresses: Vec::new(),
        safe_through: 0,
        capabilities: 0,
    };
    SignedFacts::sign(key(number), workspace(), facts)
}

fn hello(number: u8) -> Message {
    let digests = Digests { roster: [0; 32], facts: [0; 16], frontier: [0; 16] };
    let facts = Some(facts(number, 1, false).as_bytes().to_vec());
    Message::Hello { workspace: workspace(), capabilities: CAPABILITIES, heard: true, digests, facts }
}

/// All of them; whether this device is a host without keys.
fn members(blind: bool) -> Input {
    let member = |number| Member {
        device: key(number).id(),
        key: key(number).public(),
        holds_keys: number > 0 || !blind,
        may_host: true,
    };
    Input::Members((0..=PEERS).map(member).collect())
}

fn node() -> Node {
    let settings = Settings { push_window_bytes: 5_000, fetch_window_bytes: 5_000, ..Settings::default() };
    let mut node = Node::new(key(0).id(), workspace(), settings, 7);
    node.handle(0, members(false));
    node.handle(0, Input::OwnFacts(facts(0, 1, false)));
    node.handle(0, Input::KnownFacts(Vec::new()));
    node
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Connect(u8),
    Disconnect(u8),
    Say(u8, Message, Vec<u8>),
    Work { oldest: bool, fails: bool },
    Fresh(Vec<u8>),
    Fetch(u8, bool),
    Cancel(u64),
    Advance(u8, u64),
    NewFacts(u8, u64, bool),
    Lost(u8),
    Found(u8),
    WhoHas(Vec<u8>),
    Decide(u8),
    Await(u64, usize),
    Damaged,
    Foreground,
    Blind(bool),
}

fn chunk(number: u8) -> Bytes {
    vec![number; 40 * usize::from(number)].into()
}

fn id(number: u8) -> ChunkId {
    ChunkId::of(&chunk(number))
}

fn places() -> impl Strategy<Value = Vec<(u32, u16)>> {
    prop::collection::vec((0..4_u32, 0..6_u16), 0..6)
}

fn message() -> impl Strategy<Value = Message> {
    let answer =
        prop::sample::select(vec![Answer::Have, Answer::Want, Answer::Want, Answer::Later, Answer::Full]);
    let ids = prop::collection::vec(0..20_u8, 0..6);
    let digests = any::<[bool; 3]>().prop_map(|[roster, facts, frontier]| {
        Message::Beat(Digests {
            roster: [roster.into(); 32],
            facts: [facts.into(); 16],
            frontier: [frontier.into(); 16],
        })
    });
    prop_oneof![
        digests,
        (0..=PEERS).prop_map(hello),
        (any::<bool>(), prop::collection::vec((0..=PEERS, 0..5_u64), 0..4)).prop_map(|(whole, logs)| {
            Message::Frontier {
                whole,
                logs: logs.iter().map(|(number, sequence)| (key(*number).id(), *sequence)).collect(),
            }
        }),
        Just(Message::AskFrontier),
        (0..9_u32, prop::option::of(any::<u32>()))
            .prop_map(|(question, held)| Message::Counted { question, held }),
        (0..9_u32, prop::collection::vec(0..20_u8, 0..6)).prop_map(|(question, ids)| {
            Message::Count { question, ids: ids.iter().map(|number| id(*number).0).collect() }
        }),
        care(),
        (0..=PEERS).prop_map(|number| Message::Lost(key(number).id())),
        (0..=PEERS).prop_map(|number| Message::Found(key(number).id())),
        prop::collection::vec(any::<[u8; 16]>(), 0..3).prop_map(Message::RecordHashes),
        (0..4_u32, ids).prop_map(|(batch, ids)| {
            Message::Offer { batch, ids: ids.iter().map(|number| id(*number).0).collect() }
        }),
        (0..6_u32, prop::collection::vec(answer, 0..6))
            .prop_map(|(batch, answers)| Message::Want { batch, answers }),
        (places(), places()).prop_map(|(kept, refused)| Message::Receipt { kept, refused }),
        (0..20_u8, any::<bool>()).prop_map(|(number, now)| Message::Get { id: id(number).0, now }),
        (0..20_u8).prop_map(|number| Message::NotHere(id(number).0)),
        Just(Message::Chunks(Vec::new())),
        Just(Message::Transactions(Vec::new())),
        Just(Message::Records(Vec::new())),
        Just(Message::Outlines(Vec::new())),
        any::<bool>().prop_map(|same| Message::OutlineDigest([same.into(); 16])),
        prop::collection::vec((0..=PEERS, 0..5_u64), 0..4).prop_map(|counters| {
            Message::Outlined(
                counters.iter().map(|(number, counter)| (key(*number).id(), *counter)).collect(),
            )
        }),
        Just(Message::Chunk { id: [0; 32], bytes: 0 }),
        any::<u64>().prop_map(|bytes| Message::Scrubbed(Scrubbed { bytes, ..Scrubbed::default() })),
    ]
}

/// Comparing, listing, audits.
fn care() -> impl Strategy<Value = Message> {
    let question = || 0..4_u32;
    let partition = || (0..20_u8).prop_map(|number| id(number).partition());
    let other = (any::<[u8; 16]>(), prop::collection::vec((partition(), any::<[u8; 8]>()), 0..6))
        .prop_map(|(mark, marks)| Said::Other { mark, marks });
    let said = prop_oneof![Just(Said::Same), Just(Said::NotNow), other];
    prop_oneof![
        (question(), 0..GROUPS, any::<bool>()).prop_map(|(question, group, detailed)| {
            Message::Compare { question, group, mark: [0; 16], detailed }
        }),
        (question(), said).prop_map(|(question, said)| Message::Compared { question, said }),
        (question(), prop::collection::vec(partition(), 0..6), prop::option::of(0..20_u8)).prop_map(
            |(question, partitions, after)| {
                Message::List { question, partitions, after: after.map(|number| id(number).0) }
            }
        ),
        (question(), prop::collection::vec(0..20_u8, 0..6)).prop_map(|(question, ids)| {
            Message::Listed { question, ids: ids.iter().map(|number| id(*number).0).collect() }
        }),
        (question(), 0..20_u8).prop_map(|(question, number)| Message::Audit {
            question,
            id: id(number).0,
            nonce: [3; 32]
        }),
        (question(), prop::option::of(any::<[u8; 32]>()))
            .prop_map(|(question, proof)| Message::Audited { question, proof }),
        (question(), prop::collection::vec(0..20_u8, 0..6)).prop_map(|(question, ids)| {
            Message::Judge { question, ids: ids.iter().map(|number| id(*number).0).collect() }
        }),
        (question(), 1..=PEERS, prop::collection::vec(0..20_u8, 0..6)).prop_map(|(question, judge, ids)| {
            let ids: Vec<_> = ids.iter().map(|number| id(*number)).collect();
            Message::Judged { question, judgement: judged(judge, 0, &ids).map(|bytes| bytes.to_vec()) }
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 1..=PEERS;
    prop_oneof![
        2 => prop_oneof![0..50_u64, 0..100_000_u64, Just(25 * 3_600_000)].prop_map(Step::Pass),
        2 => peer().prop_map(Step::Connect),
        1 => peer().prop_map(Step::Disconnect),
        8 => (peer(), message(), prop::collection::vec(0..20_u8, 0..4))
            .prop_map(|(peer, message, chunks)| Step::Say(peer, message, chunks)),
        12 => any::<(bool, bool)>().prop_map(|(oldest, fails)| Step::Work { oldest, fails }),
        2 => prop::collection::vec(0..20_u8, 0..6).prop_map(Step::Fresh),
        2 => (0..20_u8, any::<bool>()).prop_map(|(number, now)| Step::Fetch(number, now)),
        1 => (0..20_u64).prop_map(Step::Cancel),
        2 => (0..=PEERS, 0..9_u64).prop_map(|(peer, sequence)| Step::Advance(peer, sequence)),
        1 => (0..=PEERS, 1..9_u64, any::<bool>())
            .prop_map(|(peer, issued, full)| Step::NewFacts(peer, issued, full)),
        1 => peer().prop_map(Step::Lost),
        1 => peer().prop_map(Step::Found),
        1 => Just(Step::Damaged),
        3 => Just(Step::Foreground),
        2 => any::<bool>().prop_map(Step::Blind),
        1 => prop::collection::vec(0..20_u8, 0..6).prop_map(Step::WhoHas),
        1 => any::<u8>().prop_map(Step::Decide),
        1 => (0..9_u64, 0..9_usize).prop_map(|(sequence, copies)| Step::Await(sequence, copies)),
    ]
}

/// The message with parts that fit it, where it has any.
fn filled(message: Message, chunks: &[u8]) -> (Message, Vec<Bytes>) {
    let parts: Vec<_> = chunks.iter().map(|number| chunk(*number)).collect();
    let lengths = || parts.iter().map(|part| part.len() as u32).collect();
    match message {
        Message::Chunks(_) => {
            let item = |(index, number): (u16, &u8)| ((0, index), id(*number).0, chunk(*number).len() as u32);
            (Message::Chunks((0..).zip(chunks).map(item).collect()), parts)
        }
        Message::Transactions(_) => (Message::Transactions(lengths()), parts),
        Message::Records(_) => (Message::Records(lengths()), parts),
        Message::Outlines(_) => (Message::Outlines(lengths()), parts),
        Message::Chunk { .. } => {
            let number = chunks.first().copied().unwrap_or(3);
            let part = chunk(number);
            (Message::Chunk { id: id(number).0, bytes: part.len() as u32 }, vec![part])
        }
        other => (other, Vec::new()),
    }
}

/// What a device says of these chunks to another: that all are dead.
fn judged(judge: u8, asker: u8, ids: &[ChunkId]) -> Option<Bytes> {
    let parties = (workspace(), key(asker).id());
    crate::judge(key(judge), parties, 1, Frontier::default(), ids.to_vec())
}

fn work(job: &Job, fails: bool) -> JobResult {
    match job {
        _ if fails => JobResult::Failed,
        Job::Read { id: wanted, .. } => {
            JobResult::Chunk((0..15).find(|number| id(*number) == *wanted).map(chunk))
        }
        Job::Store { id, bytes, .. } if ChunkId::of(bytes) != *id => {
            JobResult::Stored(Err(StoreRefusal::Wrong))
        }
        Job::Store { bytes, .. } if bytes.len() > 600 => JobResult::Stored(Err(StoreRefusal::Full)),
        Job::Store { .. } => JobResult::Stored(Ok(())),
        Job::Flush => JobResult::Flushed(true),
        Job::Have { ids } | Job::Count { ids } => {
            JobResult::Have(ids.iter().map(|id| id.0[0] % 2 == 0).collect())
        }
        Job::Named { ids } => {
            let open = ids.iter().filter(|id| id.0[0] % 3 == 0).copied().collect();
            JobResult::Named { open, sequence: 0 }
        }
        Job::Replicated { ids, .. } => JobResult::Ids(ids.clone()),
        Job::Requeue { .. }
        | Job::RequeueSurplus { .. }
        | Job::Doubt { .. }
        | Job::Doom { .. }
        | Job::AcceptRecords { .. } => JobResult::Ok,
        Job::Doomed { after: Some(_), .. } => JobResult::Ids(Vec::new()),
        Job::Doomed { .. } => JobResult::Ids((0..5).map(id).collect()),
        Job::Collect { dead, .. } => JobResult::Collected(dead.len() as u64),
        Job::Judge { ids, .. } => JobResult::Judgement(judged(0, 0, ids)),
        Job::Sums { partitions } => JobResult::Sums(vec![PartitionSum::default(); partitions.len()]),
        Job::Kept { max, .. } => JobResult::Ids((0..15).map(id).take(*max).collect()),
        Job::Damaged { .. } => JobResult::Ids((0..5).map(id).collect()),
        Job::Lacking { ids } => JobResult::Ids(ids.clone()),
        Job::Prove { id, nonce } => JobResult::Proof(Some(crate::audit_proof(nonce, &id.0))),
        Job::Unreplicated { .. } => JobResult::Ids((0..15).map(id).collect()),
        Job::LogSince { .. } => JobResult::Transactions(vec![chunk(9)]),
        Job::OutlinesSince { .. } => JobResult::Outlines(vec![chunk(9)]),
        Job::Accept { .. } | Job::AcceptOutlines { .. } => {
            JobResult::Accepted { frontier_now: Frontier::default(), refused: 1, held: 1 }
        }
        Job::RosterRecords => JobResult::Records(vec![chunk(1), chunk(2)]),
    }
}

/// A driver that answers when it is told to.
struct Driver {
    node: Node,
    now: u64,
    frontier: Frontier,
    jobs: VecDeque<(u64, Job)>,
    tickets: Vec<u64>,
    next_ticket: u64,
    /// Who asked for holders, and until when an answer is due.
    asking: BTreeMap<u64, u64>,
    /// Who waits for copies.
    copying: BTreeSet<u64>,
}

impl Driver {
    fn feed(&mut self, input: Input) {
        self.node.handle(self.now, input);
        while let Some(output) = self.node.poll() {
            match output {
                Output::Send { lane, parts, .. } => {
                    let frame: Bytes = parts.concat().into();
                    assert!(frame.len() <= lane.frame_max_bytes());
                    assert!(Message::decode(&frame).is_ok(), "what is sent can be read");
                }
                Output::Job { id, job } => self.jobs.push_back((id, job)),
                Output::Fetched { ticket, .. } => {
                    let at = self.tickets.iter().position(|known| *known == ticket);
                    self.tickets
                        .remove(at.expect("a ticket is answered once, and not after it was cancelled"));
                }
                Output::Copied { ticket, .. } => {
                    assert!(self.copying.remove(&ticket), "each is answered once");
                }
                Output::Holders { ticket, holders, asked, silent } => {
                    let until = self.asking.remove(&ticket).expect("each question is answered once");
                    assert!(self.now <= until, "in time");
                    assert!(
                        holders.iter().all(|(_, held)| *held <= 6),
                        "more than was asked for: {holders:?}"
                    );
                    assert!(asked == 0 || holders.len() as u32 + silent == asked);
                }
                _ => {}
            }
        }
        let wake = self.node.next_wake();
        assert!(wake.is_none_or(|at| at > self.now), "due at {wake:?} and it is {}", self.now);
        assert!(self.jobs.len() < 2_000, "{} jobs", self.jobs.len());
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => {
                self.now += millis;
                self.feed(Input::Tick);
            }
            Step::Connect(peer) => {
                self.feed(Input::Connected { peer: key(peer).id(), rtt_ms: 3 });
                self.step(Step::Say(peer, hello(peer), Vec::new()));
            }
            Step::Blind(blind) => self.feed(members(blind)),
            Step::Disconnect(peer) => self.feed(Input::Disconnected { peer: key(peer).id() }),
            Step::Say(peer, message, chunks) => {
                let (message, parts) = filled(message, &chunks);
                let bytes = [&message.encode()[..], &parts.concat()].concat().into();
                self.feed(Input::Frame { peer: key(peer).id(), lane: Lane::Bulk, bytes });
            }
            Step::Work { oldest, fails } => {
                let next = if oldest { self.jobs.pop_front() } else { self.jobs.pop_back() };
                if let Some((job, what)) = next {
                    self.feed(Input::Done { job, result: work(&what, fails) });
                }
            }
            Step::Fresh(numbers) => {
                let ids = numbers.iter().map(|number| id(*number)).collect();
                self.feed(Input::Fresh { ids, overflowed: numbers.is_empty() });
            }
            Step::Fetch(number, now) => {
                self.next_ticket += 1;
                self.tickets.push(self.next_ticket);
                let urgency = if now { Urgency::Now } else { Urgency::Soon };
                self.feed(Input::Fetch { ticket: self.next_ticket, id: id(number), urgency });
            }
            Step::Cancel(ticket) => {
                self.tickets.retain(|known| *known != ticket);
                self.feed(Input::CancelFetch { ticket });
            }
            Step::Advance(peer, sequence) => {
                let log = self.frontier.0.entry(key(peer).id()).or_default();
                *log = sequence.max(*log);
                self.feed(Input::LogAdvanced { frontier: self.frontier.clone() });
            }
            Step::NewFacts(0, issued, full) => self.feed(Input::OwnFacts(facts(0, issued, full))),
            Step::NewFacts(peer, issued, full) => {
                let all = Message::Facts(vec![facts(peer, issued, full).as_bytes().to_vec()]);
                self.step(Step::Say(1, all, Vec::new()));
            }
            Step::WhoHas(numbers) => {
                self.next_ticket += 1;
                // As late as the clock strides, which the driver would not let it.
                self.asking.insert(self.next_ticket, self.now + 3_000 + 25 * 3_600_000);
                let ids = numbers.iter().map(|number| id(*number)).collect();
                self.feed(Input::WhoHas { ticket: self.next_ticket, ids });
            }
            Step::Decide(target) => self.feed(Input::Copies(Copies::wanting(target))),
            Step::Await(sequence, copies) => {
                self.next_ticket += 1;
                self.copying.insert(self.next_ticket);
                self.feed(Input::AwaitCopies { ticket: self.next_ticket, sequence, copies });
            }
            Step::Found(peer) => self.feed(Input::DeclareFound { device: key(peer).id() }),
            Step::Damaged => self.feed(Input::Damaged),
            Step::Foreground => self.feed(Input::Foreground),
            Step::Lost(peer) => self.feed(Input::DeclareLost { device: key(peer).id() }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn nothing_a_member_says_breaks_a_node(steps in prop::collection::vec(step(), 0..150)) {
        let mut driver = Driver {
            node: node(),
            now: 0,
            frontier: Frontier::default(),
            jobs: VecDeque::new(),
            tickets: Vec::new(),
            next_ticket: 0,
            asking: BTreeMap::new(),
            copying: BTreeSet::new(),
        };
        for step in steps {
            driver.step(step);
        }
        // However it was, each fetch ends: with the disk's last answers, or by the clock.
        while let Some((job, what)) = driver.jobs.pop_front() {
            driver.feed(Input::Done { job, result: work(&what, false) });
            if driver.now > 100 * 3_600_000 { break; }
            driver.now += 100;
        }
        for _ in 0..200 {
            driver.now += 1_000;
            driver.feed(Input::Tick);
            for (job, what) in std::mem::take(&mut driver.jobs) {
                driver.feed(Input::Done { job, result: work(&what, false) });
            }
        }
        prop_assert!(driver.asking.is_empty(), "left without answer: {:?}", driver.asking);
        prop_assert!(driver.copying.is_empty(), "still waiting: {:?}", driver.copying);
        prop_assert!(driver.tickets.is_empty(), "left waiting: {:?}", driver.tickets);
    }
}
