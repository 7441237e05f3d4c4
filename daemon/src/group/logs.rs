//! The logs and the roster, as the group needs them: of a drive that is open here, or sealed on a host without keys.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use chunkstore::{ChunkId, ChunkStore};
use ledger::identity::{DeviceId, WorkspaceId};
use ledger::keys::{DevicePublicKey, UserPublicKeys};
use ledger::roster::{Policy, Role, Roster};
use ledger::{Frontier, OutlineCounters};
use swarm::Deed;
use vfs::{Named, NamedReply};

/// What became of transactions that were taken in.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// What is known now, on disk or not yet.
    pub frontier: Frontier,
    /// Some never get in.
    pub refused: u32,
    /// Some wait for others, or must come again.
    pub held: u32,
}

/// The logs and the roster of one workspace.
pub trait Logs: Send + Sync {
    /// How far each log is on this device's disk.
    fn frontier(&self) -> Frontier;

    /// Sealed transactions that `theirs` does not have, about `max_bytes` of them.
    ///
    /// # Errors
    /// In words.
    fn since(&self, theirs: &Frontier, max_bytes: usize) -> Result<Vec<Bytes>, String>;

    /// Takes in transactions of others.
    ///
    /// # Errors
    /// In words: the store failed.
    fn accept(&self, sealed: &[Bytes]) -> Result<Taken, String>;

    /// Counters of the outlines on this device's disk.
    fn outline_counters(&self) -> OutlineCounters;

    /// Outlines that are newer than `theirs`.
    fn outlines_since(&self, theirs: &OutlineCounters) -> Vec<Bytes>;

    /// Takes in outlines of others' logs.
    ///
    /// # Errors
    /// In words: the store failed.
    fn accept_outlines(&self, outlines: &[Bytes]) -> Result<Taken, String>;

    /// All records of the roster.
    fn records(&self) -> Vec<Vec<u8>>;

    /// Takes in records of the roster.
    ///
    /// # Errors
    /// In words: the store failed.
    fn accept_records(&self, records: &[Vec<u8>]) -> Result<(), String>;

    /// What [`Members::digest`] is now, without the work of telling them.
    fn roster_digest(&self) -> [u8; 32];

    /// Who belongs to the workspace.
    fn members(&self) -> Members;

    /// The roster is another one than before: what it hands over is to be kept.
    fn roster_changed(&self) {}

    /// Others wait for changes, or nobody does any more.
    fn peers_wait(&self, _are_there: bool) {}

    /// Tries again what waits for a clock that has come closer, or a key that has come.
    fn retry_held(&self) {}

    /// Which of these chunks anything names, as far as that can be told: all of them where nothing can be read.
    ///
    /// # Errors
    /// In words: the tree cannot be read.
    fn named(&self, ids: Vec<ChunkId>) -> Result<Vec<ChunkId>, String> {
        Ok(ids)
    }

    /// Which of these chunks, put before, are named by what is durable here; answered when that is so of all but those of open files. Nothing
    /// is ever put on a host without keys.
    fn when_named(&self, _ids: &[ChunkId], reply: NamedReply) {
        reply(Ok(Named { open: HashSet::new(), sequence: 0 }));
    }

    /// Which of these chunks no version names that is retained here, signed for the host that asks. `None`: that cannot be told here.
    ///
    /// # Errors
    /// In words: the tree cannot be read.
    fn judge(&self, _asker: DeviceId, _ids: Vec<ChunkId>) -> Result<Option<Bytes>, String> {
        Ok(None)
    }

    /// Keeps the word of a member on which chunks are doomed or given up; durable when this returns.
    ///
    /// # Errors
    /// In words: the disk failed, or this computer acts on nobody's word. Then nothing may be done.
    fn keep_proof(&self, _deed: Deed, _proof: &[u8]) -> Result<(), String> {
        Err("a computer with keys looks for itself".into())
    }

    /// Whether this computer can look for itself what is named.
    fn reads(&self) -> bool {
        true
    }

    /// Up to where each device's log is safe, and the own one on another computer at all.
    fn set_safe_through(&self, _has_peers: bool, _safe: BTreeMap<DeviceId, u64>, _elsewhere: u64) {}
}

/// The roster as the group reads it.
#[derive(Debug, Clone, Default)]
pub struct Members {
    /// Equal exactly where the records are.
    pub digest: [u8; 32],
    /// The devices, removed ones too.
    pub devices: Vec<MemberDevice>,
    /// The users who are members now.
    pub users: Vec<UserPublicKeys>,
    /// What holds for copies.
    pub policy: Policy,
}

/// One device of the roster.
#[derive(Debug, Clone)]
pub struct MemberDevice {
    pub id: DeviceId,
    pub key: DevicePublicKey,
    /// None: it was removed, or its user was.
    pub role: Option<Role>,
    /// Where this computer holds the keys of names.
    pub name: Option<String>,
}

impl Members {
    /// Of a roster; `name` opens a device's name where that is possible.
    pub fn of(roster: &Roster, name: impl Fn(&ledger::roster::Device) -> Option<String>) -> Self {
        let devices = roster.devices().map(|device| MemberDevice {
            id: device.id(),
            key: device.key,
            role: device.role.filter(|_| !device.removed),
            name: name(device),
        });
        let users = roster.members().filter(|member| member.role.is_some()).map(|member| member.keys);
        let policy = roster.policy();
        Self { digest: roster.digest(), devices: devices.collect(), users: users.collect(), policy }
    }

    /// The devices that belong to the workspace now.
    pub fn present(&self) -> impl Iterator<Item = &MemberDevice> {
        self.devices.iter().filter(|device| device.role.is_some())
    }

    /// One of them.
    pub fn device(&self, id: &DeviceId) -> Option<&MemberDevice> {
        self.present().find(|device| device.id == *id)
    }

    /// Whether there are several.
    pub fn has_peers(&self) -> bool {
        self.present().nth(1).is_some()
    }
}

/// Where the group's data lies.
#[derive(Clone)]
pub struct Kept {
    pub workspace: WorkspaceId,
    pub logs: Arc<dyn Logs>,
    pub store: Arc<ChunkStore>,
}
