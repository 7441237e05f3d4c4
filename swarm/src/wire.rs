//! The messages between members: one version byte, one postcard body, and for some the raw bytes of chunks or transactions
//! behind it, so that these are neither copied nor parsed. Bytes in `docs/formats/swarm.md`.
//!
//! ```text
//!  ┌─────────┬──────────────────┬───────────────────────────────┐
//!  │ version │ postcard Message │ raw parts, lengths in Message │
//!  └─────────┴──────────────────┴───────────────────────────────┘
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use chunkstore::ChunkId;
use ledger::identity::{DeviceId, WorkspaceId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::facts::FACTS_MAX_BYTES;
use crate::input::{Lane, Urgency};
use crate::judgement::{JUDGED_MAX_IDS, JUDGEMENT_MAX_BYTES};
use crate::view::Scrubbed;

/// The version of all messages.
pub const WIRE_VERSION: u8 = 1;
/// Most chunks in one offer.
pub(crate) const OFFER_MAX_CHUNKS: usize = 1024;
/// Most devices in one frontier message; further ones come in further messages.
pub(crate) const FRONTIER_MAX_DEVICES: usize = 4096;
/// Most facts in one message.
pub(crate) const FACTS_MAX_IN_MESSAGE: usize = 64;
/// Most hashes of roster records in one message.
pub(crate) const RECORD_HASHES_MAX: usize = 1 << 16;
/// Most raw parts in one message.
pub(crate) const PARTS_MAX: usize = 4096;
/// Most receipts in one message.
pub(crate) const RECEIPTS_MAX: usize = 8192;

/// Most chunks in one question for who holds them.
pub(crate) const COUNT_MAX_CHUNKS: usize = 4096;
/// In a hello's capabilities: it answers [`Message::Count`]. Who does not know a message ends the link over it.
pub(crate) const CAN_COUNT: u32 = 1;
/// Likewise: it knows [`Message::Found`].
pub(crate) const CAN_FIND: u32 = 2;
/// It knows the outlines of logs, and the messages about them.
pub(crate) const CAN_OUTLINE: u32 = 4;
/// It answers [`Message::Compare`], [`Message::List`] and [`Message::Audit`].
pub(crate) const CAN_COMPARE: u32 = 8;
/// It answers [`Message::Judge`], where it holds keys.
pub(crate) const CAN_JUDGE: u32 = 16;
/// It knows [`Message::Scrubbed`].
pub(crate) const CAN_HEAR_SCRUBBED: u32 = 32;
/// What this release can do.
pub(crate) const CAPABILITIES: u32 =
    CAN_COUNT | CAN_FIND | CAN_OUTLINE | CAN_COMPARE | CAN_JUDGE | CAN_HEAR_SCRUBBED;
/// Partitions that are compared at once.
pub(crate) const GROUP_PARTITIONS: u16 = 256;
/// So many groups there are.
pub(crate) const GROUPS: u8 = 16;
/// Most ids in one list of what is kept.
pub(crate) const LISTED_MAX_IDS: usize = 4096;

/// A chunk's id as it travels.
pub(crate) type RawId = [u8; 32];
/// Enough of a record's hash to tell records apart.
pub(crate) type RecordMark = [u8; 16];
/// Enough of a digest of one partition to tell two apart that should be equal.
pub(crate) type PartitionMark = [u8; 8];
/// The same for a group of partitions.
pub(crate) type GroupMark = [u8; 16];
/// A chunk within an offer: the offer's number and the place in it.
pub(crate) type Place = (u32, u16);

/// What members say to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The first message of a link, in both directions.
    /// `heard`: the other's hello has come; who has not been heard says hello again.
    Hello { workspace: WorkspaceId, capabilities: u32, heard: bool, digests: Digests, facts: Option<Vec<u8>> },
    /// Once in a while: what the other should know by now, in short.
    Beat(Digests),
    /// How far the sender's logs are durable. `whole`: forget what was told before.
    Frontier { whole: bool, logs: Vec<(DeviceId, u64)> },
    /// Tell the whole frontier.
    AskFrontier,
    /// Signed facts of anybody.
    Facts(Vec<Vec<u8>>),
    /// A person declared this device lost.
    Lost(DeviceId),
    /// Marks of all roster records the sender has.
    RecordHashes(Vec<RecordMark>),
    /// Roster records; raw parts.
    Records(Vec<u32>),
    /// Sealed transactions; raw parts.
    Transactions(Vec<u32>),
    /// Chunks the receiver should keep.
    Offer { batch: u32, ids: Vec<RawId> },
    /// Answer to an offer, one for each id.
    Want { batch: u32, answers: Vec<Answer> },
    /// Chunks of offers; raw parts.
    Chunks(Vec<(Place, RawId, u32)>),
    /// These are durable here, those are refused.
    Receipt { kept: Vec<Place>, refused: Vec<Place> },
    /// Send this chunk.
    Get { id: RawId, now: bool },
    /// The chunk that was asked for; one raw part.
    Chunk { id: RawId, bytes: u32 },
    /// It is not here.
    NotHere(RawId),
    /// How far logs were taken in, durable or not yet: more may be sent.
    Taken(Vec<(DeviceId, u64)>),
    /// How many of these chunks are there? Only to who says [`CAN_COUNT`].
    Count { question: u32, ids: Vec<RawId> },
    /// So many; `None`: it cannot be told.
    Counted { question: u32, held: Option<u32> },
    /// A person says that this device is not lost after all. Only to who says [`CAN_FIND`].
    Found(DeviceId),
    /// Digest of the outlines that are known. This and the next two only to who says [`CAN_OUTLINE`].
    OutlineDigest([u8; 16]),
    /// Counters of the outlines that are known: tell newer ones.
    Outlined(Vec<(DeviceId, u64)>),
    /// Outlines of logs, signed by their devices; raw parts.
    Outlines(Vec<u32>),
    /// Does the receiver keep the same of the partitions that both own in this group? Only to who says [`CAN_COMPARE`].
    Compare { question: u32, group: u8, mark: GroupMark, detailed: bool },
    /// The answer.
    Compared { question: u32, said: Said },
    /// What does the receiver keep of these partitions, behind this id?
    List { question: u32, partitions: Vec<u16>, after: Option<RawId> },
    /// That, in order; as many as are allowed when there is more.
    Listed { question: u32, ids: Vec<RawId> },
    /// Prove that this chunk is there.
    Audit { question: u32, id: RawId, nonce: [u8; 32] },
    /// The proof; `None`: it is not here.
    Audited { question: u32, proof: Option<[u8; 32]> },
    /// Which of these does nothing name that the receiver retains? Only to who says [`CAN_JUDGE`].
    Judge { question: u32, ids: Vec<RawId> },
    /// That, signed; `None`: it cannot be told.
    Judged { question: u32, judgement: Option<Vec<u8>> },
    /// How the sender's own reading of all its chunks went. Only to who says [`CAN_HEAR_SCRUBBED`].
    Scrubbed(Scrubbed),
}

/// Whether two keep the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// They do.
    Same,
    /// Chunks are on their way: ask again.
    NotNow,
    /// They do not. `marks`: of each partition that both own and of which the sender keeps something, if details were
    /// asked for.
    Other { mark: GroupMark, marks: Vec<(u16, PartitionMark)> },
}

/// Digests of what two members should have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digests {
    pub roster: [u8; 32],
    pub facts: [u8; 16],
    pub frontier: [u8; 16],
}

/// What becomes of an offered chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It is durable here.
    Have,
    /// Send it.
    Want,
    /// Somebody else is sending it; ask again.
    Later,
    /// No room.
    Full,
}

/// Why a frame is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum MessageError {
    /// From another release.
    #[error("the peer speaks version {found} of the messages and this release speaks {WIRE_VERSION}")]
    Version { found: u8 },
    /// Not a message, or more of something than allowed.
    #[error("the frame is no message")]
    Malformed,
}

impl Message {
    /// The lane it belongs on.
    pub(crate) fn lane(&self) -> Lane {
        match self {
            Self::RecordHashes(_) | Self::Records(_) | Self::Transactions(_) | Self::Outlines(_) => Lane::Log,
            Self::Chunks(_) | Self::Chunk { .. } => Lane::Bulk,
            _ => Lane::Control,
        }
    }

    /// The version byte and the body: the first part of the frame.
    pub(crate) fn encode(&self) -> Bytes {
        let out = vec![WIRE_VERSION];
        postcard::to_extend(self, out).expect("a message can always be written to memory").into()
    }

    /// Takes a frame apart into the message and its raw parts. Any bytes are safe.
    pub(crate) fn decode(frame: &Bytes) -> Result<(Self, Vec<Bytes>), MessageError> {
        match frame.first() {
            Some(&WIRE_VERSION) => {}
            Some(&found) => return Err(MessageError::Version { found }),
            None => return Err(MessageError::Malformed),
        }
        let (message, rest): (Self, &[u8]) =
            postcard::take_from_bytes(&frame[1..]).map_err(|_| MessageError::Malformed)?;
        if !message.is_bounded() {
            return Err(MessageError::Malformed);
        }
        let raw = frame.slice(frame.len() - rest.len()..);
        let parts = cut(raw, &message.lengths()).ok_or(MessageError::Malformed)?;
        Ok((message, parts))
    }

    fn is_bounded(&self) -> bool {
        match self {
            Self::Hello { facts, .. } => facts.as_ref().is_none_or(|facts| facts.len() <= FACTS_MAX_BYTES),
            Self::Facts(all) => {
                all.len() <= FACTS_MAX_IN_MESSAGE && all.iter().all(|facts| facts.len() <= FACTS_MAX_BYTES)
            }
            Self::Frontier { logs, .. } | Self::Taken(logs) | Self::Outlined(logs) => {
                logs.len() <= FRONTIER_MAX_DEVICES
            }
            Self::RecordHashes(hashes) => hashes.len() <= RECORD_HASHES_MAX,
            Self::Records(lengths) | Self::Transactions(lengths) | Self::Outlines(lengths) => {
                lengths.len() <= PARTS_MAX
            }
            Self::Offer { ids, .. } => ids.len() <= OFFER_MAX_CHUNKS,
            Self::Count { ids, .. } => ids.len() <= COUNT_MAX_CHUNKS,
            Self::Want { answers, .. } => answers.len() <= OFFER_MAX_CHUNKS,
            Self::Chunks(items) => items.len() <= OFFER_MAX_CHUNKS,
            Self::Receipt { kept, refused } => kept.len() + refused.len() <= RECEIPTS_MAX,
            Self::Compare { group, .. } => *group < GROUPS,
            Self::Compared { said: Said::Other { marks, .. }, .. } => {
                marks.len() <= usize::from(GROUP_PARTITIONS)
            }
            Self::List { partitions, .. } => partitions.len() <= usize::from(GROUP_PARTITIONS),
            Self::Listed { ids, .. } => ids.len() <= LISTED_MAX_IDS,
            Self::Judge { ids, .. } => ids.len() <= JUDGED_MAX_IDS,
            Self::Judged { judgement, .. } => {
                judgement.as_ref().is_none_or(|judgement| judgement.len() <= JUDGEMENT_MAX_BYTES)
            }
            _ => true,
        }
    }

    fn lengths(&self) -> Vec<u32> {
        match self {
            Self::Records(lengths) | Self::Transactions(lengths) | Self::Outlines(lengths) => lengths.clone(),
            Self::Chunks(items) => items.iter().map(|(.., bytes)| *bytes).collect(),
            Self::Chunk { bytes, .. } => vec![*bytes],
            _ => Vec::new(),
        }
    }
}

/// Cuts the raw bytes into parts that fill them exactly.
fn cut(mut raw: Bytes, lengths: &[u32]) -> Option<Vec<Bytes>> {
    let mut parts = Vec::with_capacity(lengths.len());
    for length in lengths {
        let length = *length as usize;
        if length > raw.len() {
            return None;
        }
        parts.push(raw.split_to(length));
    }
    raw.is_empty().then_some(parts)
}

/// The lane a fetched chunk comes by.
pub(crate) fn chunk_lane(urgency: Urgency) -> Lane {
    match urgency {
        Urgency::Now => Lane::Urgent,
        Urgency::Soon => Lane::Bulk,
    }
}

/// Length of a raw part.
pub(crate) fn part_length(part: &Bytes) -> u32 {
    u32::try_from(part.len()).expect("chunks, records and transactions are far below 4 GiB")
}

/// Ids as they travel.
pub(crate) fn raw_ids(ids: &[ChunkId]) -> Vec<RawId> {
    ids.iter().map(|id| id.0).collect()
}

/// A short digest of a frontier, of the counters of outlines, or of when facts were issued.
pub(crate) fn numbers_digest(numbers: &BTreeMap<DeviceId, u64>) -> [u8; 16] {
    // In one piece: that is several times as fast.
    let mut bytes = Vec::with_capacity(numbers.len() * 40);
    for (device, number) in numbers {
        bytes.extend_from_slice(device.as_bytes());
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    short(blake3::Hasher::new().update(&bytes))
}

/// The first half of a hash.
pub(crate) fn short(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut short = [0; 16];
    hasher.finalize_xof().fill(&mut short);
    short
}

/// Decodes a frame and throws it away: for the fuzzer, which has no other way in.
#[doc(hidden)]
pub fn decode_message_for_fuzzing(frame: &[u8]) {
    let frame = Bytes::copy_from_slice(frame);
    if let Ok((message, parts)) = Message::decode(&frame) {
        let again = [&message.encode()[..], &parts.concat()].concat();
        let same = Message::decode(&again.into()).expect("what was decoded encodes to a message");
        assert_eq!(same, (message, parts));
    }
}

#[cfg(test)]
mod tests;
