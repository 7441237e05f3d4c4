//! The logs of a drive that is open here.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunkstore::ChunkId;
use ledger::identity::{DeviceId, WorkspaceId};
use ledger::keys::{DeviceKey, UserKeys};
use ledger::{Frontier, OutlineCounters};
use vfs::{Drive, NamedReply, RemoteOutcome, Safety};

use super::logs::{Logs, Members, Taken};
use crate::identity;
use crate::moment::wall_ms;

/// With peers, changes are sealed and sent within this time.
const PACE: Duration = Duration::from_millis(25);

/// A drive, as the group sees it.
pub struct DriveLogs {
    drive: Arc<Drive>,
    user: UserKeys,
    device: DeviceKey,
    workspace: WorkspaceId,
    /// The workspace's folder.
    folder: PathBuf,
}

impl DriveLogs {
    pub fn new(
        drive: Arc<Drive>,
        (user, device, workspace): (UserKeys, DeviceKey, WorkspaceId),
        folder: PathBuf,
    ) -> Self {
        Self { drive, user, device, workspace, folder }
    }
}

impl Logs for DriveLogs {
    fn frontier(&self) -> Frontier {
        self.drive.frontier()
    }

    fn since(&self, theirs: &Frontier, max_bytes: usize) -> Result<Vec<Bytes>, String> {
        let sealed = self.drive.transactions_since(theirs, max_bytes).map_err(|error| error.to_string())?;
        Ok(sealed.into_iter().map(Bytes::from).collect())
    }

    fn accept(&self, sealed: &[Bytes]) -> Result<Taken, String> {
        self.drive.accept(sealed).map(taken).map_err(|error| error.to_string())
    }

    fn outline_counters(&self) -> OutlineCounters {
        self.drive.outline_counters()
    }

    fn outlines_since(&self, theirs: &OutlineCounters) -> Vec<Bytes> {
        self.drive.outlines_since(theirs).into_iter().map(Bytes::from).collect()
    }

    fn accept_outlines(&self, outlines: &[Bytes]) -> Result<Taken, String> {
        self.drive.accept_outlines(outlines).map(taken).map_err(|error| error.to_string())
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.drive.roster(|roster, _| roster.records().map(|record| record.as_bytes().to_vec()).collect())
    }

    fn accept_records(&self, records: &[Vec<u8>]) -> Result<(), String> {
        self.drive.accept_records(records).map(drop).map_err(|error| error.to_string())
    }

    fn roster_digest(&self) -> [u8; 32] {
        self.drive.roster(|roster, _| roster.digest())
    }

    fn members(&self) -> Members {
        self.drive.roster(|roster, keyring| Members::of(roster, |device| device.name(keyring)))
    }

    fn set_safe_through(&self, has_peers: bool, safe: BTreeMap<DeviceId, u64>, elsewhere_through: u64) {
        let safe_through = safe.into_iter().map(|(device, sequence)| (device.tag(), sequence)).collect();
        self.drive.set_safety(Safety { peers: has_peers, safe_through, elsewhere_through });
    }

    fn peers_wait(&self, are_there: bool) {
        self.drive.commit_within(if are_there { PACE } else { Duration::from_secs(1) });
    }

    fn retry_held(&self) {
        if let Err(error) = self.drive.retry_held() {
            tracing::warn!(%error, "changes that wait could not be tried again");
        }
    }

    fn named(&self, ids: Vec<ChunkId>) -> Result<Vec<ChunkId>, String> {
        self.drive.named_chunks(&ids).map_err(|error| error.to_string())
    }

    fn when_named(&self, ids: &[ChunkId], reply: NamedReply) {
        self.drive.when_named(ids, reply);
    }

    fn judge(&self, asker: DeviceId, ids: Vec<ChunkId>) -> Result<Option<Bytes>, String> {
        // Before the look: what becomes known meanwhile is not promised.
        let logs = self.drive.frontier();
        let named: HashSet<ChunkId> =
            self.drive.named_chunks(&ids).map_err(|error| error.to_string())?.into_iter().collect();
        let dead = ids.into_iter().filter(|id| !named.contains(id)).collect();
        Ok(swarm::judge(&self.device, (self.workspace, asker), wall_ms(), logs, dead))
    }

    fn roster_changed(&self) {
        let Some(keyring) = self.drive.keyring_if_changed() else { return };
        if let Err(error) = identity::replace_keyring(&self.folder, &keyring, &self.user) {
            // The keys are in the roster, and the next change or start writes them again.
            tracing::error!(%error, "new keys of the drive could not be written");
        }
    }
}

fn taken(outcome: RemoteOutcome) -> Taken {
    for (device, sequence, reason) in &outcome.refused {
        tracing::warn!(%device, sequence, %reason, "a change of another device was refused");
    }
    let held = outcome.held.iter().map(|(_, number)| number).sum();
    let refused = u32::try_from(outcome.refused.len()).unwrap_or(u32::MAX);
    Taken { frontier: outcome.frontier, refused, held }
}
