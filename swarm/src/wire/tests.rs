use proptest::prelude::*;

use super::*;

fn device(byte: u8) -> DeviceId {
    DeviceId::from_bytes([byte; 32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digests() -> Digests {
    Digests { roster: [1; 32], facts: [2; 16], frontier: [3; 16] }
}

/// Another mark, and those of so many partitions.
fn other(partitions: u16) -> Said {
    let marks = (0..partitions).map(|number| (number % 2 * 300, [7; 8])).collect();
    Said::Other { mark: [5; 16], marks }
}

fn scrubbed() -> Scrubbed {
    Scrubbed { every_s: 300, ended_ms: 1, bytes: 2, bad_chunks: 3, damaged_chunks: 4, healed_chunks: 5 }
}

/// One of each, in the order of their numbers on the wire.
fn all() -> Vec<(Message, Vec<Bytes>)> {
    let hello = Message::Hello {
        workspace: WorkspaceId::from_bytes([9; 16]),
        capabilities: 300,
        heard: true,
        digests: digests(),
        facts: Some(vec![7, 7]),
    };
    let part = |text: &'static str| Bytes::from_static(text.as_bytes());
    vec![
        (hello, vec![]),
        (Message::Beat(digests()), vec![]),
        (Message::Frontier { whole: true, logs: vec![(device(1), 1), (device(2), 300)] }, vec![]),
        (Message::AskFrontier, vec![]),
        (Message::Facts(vec![vec![1, 2], vec![]]), vec![]),
        (Message::Lost(device(4)), vec![]),
        (Message::RecordHashes(vec![[5; 16]]), vec![]),
        (Message::Records(vec![3, 1]), vec![part("abc"), part("d")]),
        (Message::Transactions(vec![2]), vec![part("tx")]),
        (Message::Offer { batch: 129, ids: vec![[6; 32]] }, vec![]),
        (
            Message::Want {
                batch: 129,
                answers: vec![Answer::Have, Answer::Want, Answer::Later, Answer::Full],
            },
            vec![],
        ),
        (Message::Chunks(vec![((129, 1), [7; 32], 2), ((129, 2), [8; 32], 0)]), vec![part("ch"), part("")]),
        (Message::Receipt { kept: vec![(129, 1)], refused: vec![(129, 2), (130, 0)] }, vec![]),
        (Message::Get { id: [9; 32], now: true }, vec![]),
        (Message::Chunk { id: [9; 32], bytes: 5 }, vec![part("chunk")]),
        (Message::NotHere([9; 32]), vec![]),
        (Message::Taken(vec![(device(1), 300)]), vec![]),
        (Message::Count { question: 300, ids: vec![[6; 32], [7; 32]] }, vec![]),
        (Message::Counted { question: 300, held: Some(2) }, vec![]),
        (Message::Found(device(5)), vec![]),
        (Message::OutlineDigest([8; 16]), vec![]),
        (Message::Outlined(vec![(device(1), 300)]), vec![]),
        (Message::Outlines(vec![3, 2]), vec![part("one"), part("tw")]),
        (Message::Compare { question: 300, group: 15, mark: [6; 16], detailed: true }, vec![]),
        (Message::Compared { question: 300, said: other(2) }, vec![]),
        (Message::List { question: 300, partitions: vec![1, 300], after: Some([7; 32]) }, vec![]),
        (Message::Listed { question: 300, ids: vec![[6; 32], [7; 32]] }, vec![]),
        (Message::Audit { question: 300, id: [6; 32], nonce: [7; 32] }, vec![]),
        (Message::Audited { question: 300, proof: Some([8; 32]) }, vec![]),
        (Message::Judge { question: 300, ids: vec![[6; 32], [7; 32]] }, vec![]),
        (Message::Judged { question: 300, judgement: Some(vec![1, 2]) }, vec![]),
        (Message::Scrubbed(scrubbed()), vec![]),
    ]
}

fn frame(message: &Message, parts: &[Bytes]) -> Bytes {
    [&message.encode()[..], &parts.concat()].concat().into()
}

#[test]
fn every_message_has_its_bytes() {
    let frames: Vec<_> = all().iter().map(|(message, parts)| hex(&frame(message, parts))).collect();
    assert_eq!(frames.iter().map(|found| shortened(found)).collect::<Vec<_>>(), GOLDEN);
}

/// Long runs of one byte as `{byte}x{count}`, to keep the golden bytes readable.
fn shortened(hex: &str) -> String {
    let bytes: Vec<_> = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    let runs = bytes.chunk_by(|a, b| a == b);
    let run = |run: &[&str]| if run.len() > 4 { format!("[{}x{}]", run[0], run.len()) } else { run.concat() };
    runs.map(run).collect()
}

const GOLDEN: &[&str] = &[
    "0100[09x16]ac02[01x33][02x16][03x16]01020707",
    "[01x34][02x16][03x16]",
    "01020102[01x33][02x32]ac02",
    "0103",
    "01040202010200",
    "0105[04x32]",
    "010601[05x16]",
    "010702030161626364",
    "010801027478",
    "0109810101[06x32]",
    "010a81010400010203",
    "010b02810101[07x32]02810102[08x32]006368",
    "010c0181010102810102820100",
    "010d[09x32]01",
    "010e[09x32]056368756e6b",
    "010f[09x32]",
    "0110[01x33]ac02",
    "0111ac0202[06x32][07x32]",
    "0112ac020102",
    "0113[05x32]",
    "0114[08x16]",
    "0115[01x33]ac02",
    "01160203026f6e657477",
    "0117ac020f[06x16]01",
    "0118ac0202[05x16]0200[07x8]ac02[07x8]",
    "0119ac020201ac0201[07x32]",
    "011aac0202[06x32][07x32]",
    "011bac02[06x32][07x32]",
    "011cac0201[08x32]",
    "011dac0202[06x32][07x32]",
    "011eac0201020102",
    "011fac020102030405",
];

#[test]
fn messages_come_back_with_their_parts() {
    for (message, parts) in all() {
        assert_eq!(Message::decode(&frame(&message, &parts)), Ok((message, parts)));
    }
}

#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(Message::decode(&Bytes::new()), Err(MessageError::Malformed));
    assert_eq!(Message::decode(&Bytes::from_static(&[2, 3])), Err(MessageError::Version { found: 2 }));
    assert_eq!(Message::decode(&Bytes::from_static(&[1, 200])), Err(MessageError::Malformed));
    for (message, parts) in all() {
        let whole = frame(&message, &parts);
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(Message::decode(&longer.into()), Err(MessageError::Malformed), "{message:?}");
        for end in 1..whole.len() {
            assert!(Message::decode(&whole.slice(..end)).is_err(), "{message:?} cut at {end}");
        }
    }
}

#[test]
fn lists_beyond_their_bounds_are_refused() {
    let over = [
        Message::Offer { batch: 0, ids: vec![[0; 32]; OFFER_MAX_CHUNKS + 1] },
        Message::Count { question: 0, ids: vec![[0; 32]; COUNT_MAX_CHUNKS + 1] },
        Message::Want { batch: 0, answers: vec![Answer::Have; OFFER_MAX_CHUNKS + 1] },
        Message::Chunks(vec![((0, 0), [0; 32], 0); OFFER_MAX_CHUNKS + 1]),
        Message::Receipt { kept: vec![(0, 0); RECEIPTS_MAX], refused: vec![(0, 0)] },
        Message::Facts(vec![Vec::new(); FACTS_MAX_IN_MESSAGE + 1]),
        Message::Facts(vec![vec![0; FACTS_MAX_BYTES + 1]]),
        Message::Frontier { whole: true, logs: vec![(device(0), 0); FRONTIER_MAX_DEVICES + 1] },
        Message::Transactions(vec![0; PARTS_MAX + 1]),
        Message::RecordHashes(vec![[0; 16]; RECORD_HASHES_MAX + 1]),
        Message::Compare { question: 0, group: GROUPS, mark: [0; 16], detailed: false },
        Message::Compared { question: 0, said: other(GROUP_PARTITIONS + 1) },
        Message::List { question: 0, partitions: vec![0; 257], after: None },
        Message::Listed { question: 0, ids: vec![[0; 32]; LISTED_MAX_IDS + 1] },
    ];
    for message in over {
        assert_eq!(Message::decode(&message.encode()), Err(MessageError::Malformed));
    }
}

#[test]
fn the_largest_messages_fit_their_lanes() {
    let most = [
        Message::Offer { batch: u32::MAX, ids: vec![[0; 32]; OFFER_MAX_CHUNKS] },
        Message::Count { question: u32::MAX, ids: vec![[0; 32]; COUNT_MAX_CHUNKS] },
        Message::Receipt { kept: vec![(u32::MAX, u16::MAX); RECEIPTS_MAX], refused: Vec::new() },
        Message::Frontier { whole: true, logs: vec![(device(0), u64::MAX); FRONTIER_MAX_DEVICES] },
        Message::Facts(vec![vec![0; FACTS_MAX_BYTES]; FACTS_MAX_IN_MESSAGE]),
        Message::RecordHashes(vec![[0; 16]; RECORD_HASHES_MAX]),
        Message::Listed { question: u32::MAX, ids: vec![[0; 32]; LISTED_MAX_IDS] },
    ];
    for message in most {
        let bytes = message.encode().len();
        assert!(bytes <= message.lane().frame_max_bytes(), "{bytes} for {:?}", message.lane());
    }
    let largest = chunkstore::seal::MAX_SEALED_BYTES;
    let message = Message::Chunks(vec![((0, 0), [0; 32], part_length(&vec![0; largest].into()))]);
    assert!(message.encode().len() + largest <= Lane::Bulk.frame_max_bytes());
}

proptest! {
    #[test]
    fn any_bytes_are_safe(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), version: bool) {
        if let (true, Some(first)) = (version, bytes.first_mut()) {
            *first = WIRE_VERSION;
        }
        decode_message_for_fuzzing(&bytes);
    }

    #[test]
    fn a_changed_byte_is_safe(index in 0..all().len(), at: prop::sample::Index, change in 1..=255_u8) {
        let (message, parts) = &all()[index];
        let mut bytes = frame(message, parts).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        decode_message_for_fuzzing(&bytes);
    }
}
