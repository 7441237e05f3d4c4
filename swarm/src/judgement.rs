//! A member's word on which chunks nothing names any more, asked for by a host that cannot look for itself; and the record that the
//! host keeps of it before it gives anything up.
//!
//! ```text
//!  record   0   1  what was done on it: 1 doomed, 2 given up
//!           1   8  when, ms since 1970, big-endian
//!           9   4  length n, big-endian
//!          13   n  the signed judgement
//!           …   8  first bytes of BLAKE3 over all before
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use chunkstore::ChunkId;
use ledger::Frontier;
use ledger::identity::{DeviceId, WorkspaceId};
use ledger::keys::{DeviceKey, DevicePublicKey};
use serde::{Deserialize, Serialize};

use crate::signed::Form;

/// Most chunks judged at once.
pub const JUDGED_MAX_IDS: usize = 4096;
/// Most logs that a judgement names; a workspace with more devices gets none.
pub const JUDGED_MAX_LOGS: usize = 2048;
/// Most bytes of a judgement: all ids, all logs, and what is around them.
pub const JUDGEMENT_MAX_BYTES: usize = JUDGED_MAX_IDS * 32 + JUDGED_MAX_LOGS * 42 + 512;

const FORM: Form = Form {
    magic: b"PDju",
    version: 1,
    context: b"peerdrive 2026 judgement signature v1\0",
    max_bytes: JUDGEMENT_MAX_BYTES,
};

const RECORD_HEAD_BYTES: usize = 13;
const RECORD_CHECK_BYTES: usize = 8;

/// What a member says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Who says it.
    pub judge: DeviceId,
    /// Who asked.
    pub asker: DeviceId,
    /// When, milliseconds since 1970 by the judge's clock.
    pub issued_ms: u64,
    /// How far it had read each log before it looked, up to [`JUDGED_MAX_LOGS`].
    pub logs: BTreeMap<DeviceId, u64>,
    /// Of the chunks it was asked for: those that no version names which it retains, rising, up to [`JUDGED_MAX_IDS`].
    pub dead: Vec<[u8; 32]>,
}

/// A judgement with the signature of its judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedJudgement {
    workspace: WorkspaceId,
    judgement: Judgement,
    bytes: Bytes,
}

impl SignedJudgement {
    /// Signs. `None` when there are more logs or chunks than a judgement holds.
    ///
    /// # Panics
    /// If the key is not that of `judgement.judge`.
    #[must_use]
    pub fn sign(key: &DeviceKey, workspace: WorkspaceId, judgement: Judgement) -> Option<Self> {
        assert_eq!(judgement.judge, key.id(), "a device signs its own judgements only");
        let bytes = judgement.is_bounded().then(|| FORM.sign(key, workspace, &judgement))?;
        Some(Self { workspace, judgement, bytes })
    }

    /// Reads what [`SignedJudgement::as_bytes`] gave; `None` if it is something else, or of a later release. Not yet believed.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (workspace, judgement): (_, Judgement) = FORM.decode(bytes).ok()?;
        let bytes = judgement.is_bounded().then(|| Bytes::copy_from_slice(bytes))?;
        Some(Self { workspace, judgement, bytes })
    }

    /// Whether the judge with this key said so of this workspace.
    #[must_use]
    pub fn is_by(&self, key: &DevicePublicKey, workspace: &WorkspaceId) -> bool {
        self.workspace == *workspace
            && DeviceId::of(key) == self.judgement.judge
            && FORM.is_by(key, &self.bytes)
    }

    /// What was said.
    #[must_use]
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// The encoded form, at most [`JUDGEMENT_MAX_BYTES`].
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl Judgement {
    fn is_bounded(&self) -> bool {
        self.logs.len() <= JUDGED_MAX_LOGS
            && self.dead.len() <= JUDGED_MAX_IDS
            && self.dead.is_sorted_by(|a, b| a < b)
    }

    /// Whether the judge had read at least so far.
    pub(crate) fn covers(&self, logs: &BTreeMap<DeviceId, u64>) -> bool {
        covers(&self.logs, logs)
    }

    /// The dead ones.
    pub fn dead(&self) -> impl Iterator<Item = ChunkId> + '_ {
        self.dead.iter().map(|id| ChunkId(*id))
    }
}

/// Whether `logs` are known as far as `needed` at least.
pub(crate) fn covers(logs: &BTreeMap<DeviceId, u64>, needed: &BTreeMap<DeviceId, u64>) -> bool {
    needed.iter().all(|(device, sequence)| logs.get(device) >= Some(sequence))
}

/// What was done on a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The dead ones are given up a grace later, if that is so still.
    Doomed = 1,
    /// They were given up.
    GivenUp = 2,
}

/// One record of a host's proofs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRecord {
    /// What was done.
    pub deed: Deed,
    /// When, milliseconds since 1970 by the host's clock.
    pub at_ms: u64,
    /// On whose word.
    pub judgement: SignedJudgement,
}

impl ProofRecord {
    /// The record's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let judgement = self.judgement.as_bytes();
        let length = u32::try_from(judgement.len()).expect("a judgement is far below 4 GiB");
        let head = [&[self.deed as u8][..], &self.at_ms.to_be_bytes(), &length.to_be_bytes()].concat();
        let mut bytes = [&head[..], judgement].concat();
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        bytes
    }

    /// The first record of these bytes and how long it is. `None` if there is none that is whole.
    #[must_use]
    pub fn decode_first(bytes: &[u8]) -> Option<(Self, usize)> {
        let (head, _) = bytes.split_first_chunk::<RECORD_HEAD_BYTES>()?;
        let [deed, a, b, c, d, e, f, g, h, length @ ..] = *head;
        let deed = [Deed::Doomed, Deed::GivenUp].into_iter().find(|known| *known as u8 == deed)?;
        let length = usize::try_from(u32::from_be_bytes(length))
            .ok()
            .filter(|length| *length <= JUDGEMENT_MAX_BYTES)?;
        let end = RECORD_HEAD_BYTES + length;
        let (content, rest) = bytes.split_at_checked(end)?;
        let found = rest.first_chunk::<RECORD_CHECK_BYTES>()?;
        if *found != check(content) {
            return None;
        }
        let judgement = SignedJudgement::decode(&content[RECORD_HEAD_BYTES..])?;
        let at_ms = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Some((Self { deed, at_ms, judgement }, end + RECORD_CHECK_BYTES))
    }
}

fn check(content: &[u8]) -> [u8; RECORD_CHECK_BYTES] {
    let mut check = [0; RECORD_CHECK_BYTES];
    blake3::Hasher::new().update(content).finalize_xof().fill(&mut check);
    check
}

/// A member's judgement on these chunks: `dead` is what it found, after it had read `logs`. `None` when it cannot be said.
#[must_use]
pub fn judge(
    key: &DeviceKey,
    (workspace, asker): (WorkspaceId, DeviceId),
    issued_ms: u64,
    logs: Frontier,
    mut dead: Vec<ChunkId>,
) -> Option<Bytes> {
    dead.sort_unstable();
    dead.dedup();
    let dead = dead.into_iter().map(|id| id.0).collect();
    let judgement = Judgement { judge: key.id(), asker, issued_ms, logs: logs.0.into_iter().collect(), dead };
    SignedJudgement::sign(key, workspace, judgement).map(|signed| signed.bytes)
}

#[cfg(test)]
mod tests;
