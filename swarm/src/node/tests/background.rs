//! What is copied for healing yields to people, and is never stopped by them.

use std::collections::BTreeMap;

use super::ordering::{drain, say};
use super::*;
use crate::node::background::{BUSY_BYTES_PER_S, BUSY_IN_FLIGHT_BYTES};

const CHUNK_BYTES: usize = 256 << 10;
/// What the store knows of, and no peer has: 100 MiB.
const CHUNKS: u16 = 400;

/// A node whose store answers at once, and peers that take in what they are sent.
struct Group {
    node: Node,
    now: u64,
    backlog: BTreeMap<ChunkId, Bytes>,
    written: BTreeMap<ChunkId, Bytes>,
    /// Bytes of chunks sent to each peer.
    sent: BTreeMap<DeviceId, usize>,
    /// Of which are written by a person.
    sent_written: usize,
    /// Bytes fetched here.
    fetched: usize,
    /// Peers whose receipts are kept back, and what they got meanwhile.
    silent: BTreeMap<DeviceId, usize>,
    /// The peers have no room until then, and say nothing of it but this.
    refuse_until: u64,
}

fn content(number: u16) -> Bytes {
    let mut bytes = vec![0; CHUNK_BYTES];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

fn group(peers: u8) -> Group {
    let settings = Settings { copies: Copies::wanting(3), ..Settings::default() };
    let mut node = Node::new(key(0).id(), workspace(), settings, 7);
    node.handle(0, members(false));
    node.handle(0, Input::OwnFacts(facts(0, 1, false)));
    node.handle(0, Input::KnownFacts(Vec::new()));
    let backlog = (0..CHUNKS).map(content).map(|bytes| (ChunkId::of(&bytes), bytes)).collect();
    let (sent, silent) = (BTreeMap::new(), BTreeMap::new());
    let (written, sent_written, fetched) = (BTreeMap::new(), 0, 0);
    let mut group =
        Group { node, now: 0, backlog, written, sent, sent_written, fetched, silent, refuse_until: 0 };
    for peer in 1..=peers {
        group.node.handle(0, Input::Connected { peer: key(peer).id(), rtt_ms: 3 });
        say(&mut group.node, 0, peer, &hello(peer));
    }
    group
}

impl Group {
    /// For so long, somebody working meanwhile or not.
    fn run(&mut self, millis: u64, works: bool) {
        let until = self.now + millis;
        while self.now < until {
            if works && self.now.is_multiple_of(1_000) {
                self.node.handle(self.now, Input::Foreground);
            }
            self.work_off();
            let due = self.node.next_wake().unwrap_or(until);
            assert!(due > self.now, "it is {} and something is due at {due}", self.now);
            self.now = due.min(self.now / 1_000 * 1_000 + 1_000).min(until);
            self.node.handle(self.now, Input::Tick);
        }
        self.work_off();
    }

    fn work_off(&mut self) {
        loop {
            let outputs = drain(&mut self.node);
            if outputs.is_empty() {
                return;
            }
            outputs.into_iter().for_each(|output| self.answer(output));
        }
    }

    fn answer(&mut self, output: Output) {
        match output {
            Output::Job { id, job } => {
                let result = self.look_up(&job);
                self.node.handle(self.now, Input::Done { job: id, result });
            }
            Output::Send { peer, parts, .. } => {
                let number = (1..=PEERS).find(|number| key(*number).id() == peer).unwrap();
                let (message, _) = Message::decode(&parts.concat().into()).unwrap();
                self.hear(number, message);
            }
            _ => {}
        }
    }

    fn look_up(&self, job: &Job) -> JobResult {
        match job {
            Job::Unreplicated { after, max } => {
                let ids = self.backlog.keys().filter(|id| after.is_none_or(|after| **id > after));
                JobResult::Ids(ids.take(*max).copied().collect())
            }
            Job::Read { id, .. } => {
                JobResult::Chunk(self.backlog.get(id).or_else(|| self.written.get(id)).cloned())
            }
            Job::Damaged { .. } => JobResult::Ids(self.backlog.keys().copied().collect()),
            // Nothing is forgotten or compared here.
            Job::Named { ids } => JobResult::Named { open: ids.iter().copied().collect(), sequence: 0 },
            Job::Sums { .. } => JobResult::Failed,
            other => work(other, false),
        }
    }

    fn hear(&mut self, peer: u8, message: Message) {
        let device = key(peer).id();
        match message {
            Message::Offer { batch, ids } => {
                let refuses = self.now < self.refuse_until;
                let answers = vec![if refuses { Answer::Full } else { Answer::Want }; ids.len()];
                say(&mut self.node, self.now, peer, &Message::Want { batch, answers });
            }
            Message::Chunks(items) => {
                let bytes: usize = items.iter().map(|(.., bytes)| *bytes as usize).sum();
                *self.sent.entry(device).or_default() += bytes;
                let written = items.iter().filter(|(_, id, _)| self.written.contains_key(&ChunkId(*id)));
                self.sent_written += written.map(|(.., bytes)| *bytes as usize).sum::<usize>();
                if let Some(got) = self.silent.get_mut(&device) {
                    *got += bytes;
                    return;
                }
                let kept = items.iter().map(|(place, ..)| *place).collect();
                say(&mut self.node, self.now, peer, &Message::Receipt { kept, refused: Vec::new() });
            }
            Message::Get { id, .. } => {
                let part = self.backlog[&ChunkId(id)].clone();
                self.fetched += part.len();
                let message = Message::Chunk { id, bytes: part.len() as u32 };
                let bytes = [&message.encode()[..], &part].concat().into();
                let frame = Input::Frame { peer: device, lane: Lane::Bulk, bytes };
                self.node.handle(self.now, frame);
            }
            _ => {}
        }
    }

    fn sent(&self) -> usize {
        self.sent.values().sum()
    }

    fn write(&mut self, numbers: std::ops::Range<u16>) {
        let chunks: Vec<_> = numbers.map(content).map(|bytes| (ChunkId::of(&bytes), bytes)).collect();
        let ids = chunks.iter().map(|(id, _)| *id).collect();
        self.written.extend(chunks);
        self.node.handle(self.now, Input::Fresh { ids, overflowed: false });
        self.work_off();
    }
}

fn paced(millis: u64) -> std::ops::RangeInclusive<usize> {
    let pace = (BUSY_BYTES_PER_S * millis / 1_000) as usize;
    // A chunk on either side, and what may be taken at once.
    pace - 2 * CHUNK_BYTES..=pace + 2 * CHUNK_BYTES
}

#[test]
fn a_backlog_goes_at_once_while_nobody_works() {
    let mut group = group(1);
    group.run(1_000, false);
    assert_eq!(group.sent(), usize::from(CHUNKS) * CHUNK_BYTES);
}

#[test]
fn a_backlog_goes_at_a_steady_pace_while_somebody_works_and_then_at_once() {
    let mut group = group(1);
    group.run(10_000, true);
    assert!(paced(10_000).contains(&group.sent()), "{}", group.sent());
    // Three seconds after the last word of it.
    group.run(4_000, false);
    assert_eq!(group.sent(), usize::from(CHUNKS) * CHUNK_BYTES);
}

#[test]
fn who_works_without_end_does_not_stop_it() {
    let mut group = group(1);
    group.run(40_000, true);
    assert_eq!(group.sent(), usize::from(CHUNKS) * CHUNK_BYTES);
    assert_eq!(group.node.outbox.len(), 0);
}

#[test]
fn what_is_written_goes_at_once_whatever_waits_before_it() {
    let mut group = group(1);
    group.run(1_500, true);
    // New content, and some that waits at the pace.
    group.write(CHUNKS - 50..CHUNKS + 50);
    assert!(group.sent_written >= 100 * CHUNK_BYTES, "{}", group.sent_written);
    let others = group.sent() - group.sent_written;
    assert!(others <= *paced(1_500).end(), "{others}");
}

#[test]
fn peers_take_turns_and_share_the_pace() {
    let mut group = group(2);
    group.run(10_000, true);
    assert!(paced(10_000).contains(&group.sent()), "{}", group.sent());
    let shares: Vec<usize> = group.sent.values().copied().collect();
    assert!(shares.len() == 2 && shares[0].abs_diff(shares[1]) <= CHUNK_BYTES, "{shares:?}");
}

#[test]
fn who_refused_and_says_nothing_new_is_asked_again() {
    let mut group = group(1);
    group.refuse_until = 1_000;
    group.run(9 * 60_000, false);
    assert_eq!(group.sent(), 0, "it is passed over");
    group.run(2 * 60_000, false);
    assert_eq!(group.sent(), usize::from(CHUNKS) * CHUNK_BYTES);
}

#[test]
fn little_is_on_its_way_to_a_slow_peer_while_somebody_works() {
    let mut group = group(2);
    let slow = key(1).id();
    group.silent.insert(slow, 0);
    group.run(10_000, true);
    let got = group.silent[&slow];
    assert!((1..=BUSY_IN_FLIGHT_BYTES + CHUNK_BYTES).contains(&got), "{got}");
    assert!(group.sent() > 9 * BUSY_BYTES_PER_S as usize, "the other gets what it does not take");
}

#[test]
fn mending_is_paced_likewise() {
    for works in [false, true] {
        let mut group = group(1);
        group.node.handle(group.now, Input::Damaged);
        group.run(10_000, works);
        if works {
            assert!(paced(10_000).contains(&group.fetched), "{}", group.fetched);
            group.run(30_000, true);
        }
        assert!(group.fetched >= usize::from(CHUNKS) * CHUNK_BYTES, "{}", group.fetched);
    }
}

#[test]
fn a_reader_at_a_peer_counts_as_somebody_who_works() {
    let mut group = group(2);
    for _ in 0..10 {
        say(&mut group.node, group.now, 2, &Message::Get { id: ChunkId::of(&content(0)).0, now: true });
        group.run(1_000, false);
    }
    assert!(paced(10_000).contains(&group.sent()), "{}", group.sent());
}
