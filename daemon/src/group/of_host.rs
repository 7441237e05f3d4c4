//! What a host without keys keeps: sealed logs and chunks.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chunkstore::ChunkStore;
use ledger::identity::DeviceId;
use ledger::keys::UserKeys;
use ledger::{AcceptedAll, Frontier, LedgerError, OutlineCounters, SealedLogs};
use parking_lot::Mutex;
use swarm::{Deed, ProofRecord, SignedJudgement};

use super::garbage_log::GarbageLog;
use super::logs::{Logs, Members, Taken};
use crate::moment::wall_ms;

/// The logs, sealed, and the chunks.
pub struct SealedHost {
    logs: Mutex<SealedLogs>,
    store: Arc<ChunkStore>,
    garbage: GarbageLog,
    advanced: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
}

impl SealedHost {
    /// `folder`: the workspace's.
    pub fn new(logs: SealedLogs, store: Arc<ChunkStore>, folder: &Path) -> Self {
        let garbage = GarbageLog::in_folder(folder);
        Self { logs: Mutex::new(logs), store, garbage, advanced: Mutex::default() }
    }

    pub fn store(&self) -> Arc<ChunkStore> {
        Arc::clone(&self.store)
    }

    /// Calls this after logs went on, on disk.
    pub fn on_log_advance(&self, call: Box<dyn Fn() + Send + Sync>) {
        *self.advanced.lock() = Some(call);
    }

    fn take_in(
        &self,
        accept: impl FnOnce(&mut SealedLogs) -> Result<AcceptedAll, LedgerError>,
    ) -> Result<Taken, String> {
        let mut logs = self.logs.lock();
        let all = accept(&mut logs).map_err(|error| error.to_string())?;
        for (device, sequence, reason) in &all.refused {
            tracing::warn!(%device, sequence, %reason, "a transaction was refused");
        }
        logs.commit().map_err(|error| error.to_string())?;
        let frontier = logs.frontier();
        drop(logs);
        self.told();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Taken {
            frontier,
            refused: count(all.refused.len()),
            held: all.held.iter().map(|(_, number)| number).sum(),
        })
    }

    /// Takes this device off the roster: a user may do so with his own.
    ///
    /// # Errors
    /// In words: it is not his, or the store failed.
    pub fn leave(&self, user: &UserKeys, device: DeviceId) -> Result<(), String> {
        let mut logs = self.logs.lock();
        let record =
            logs.roster().clone().remove_device(user, device, 0).map_err(|error| error.to_string())?;
        logs.accept_records(&[record.as_bytes().to_vec()]).map_err(|error| error.to_string())?;
        logs.commit().map_err(|error| error.to_string())
    }

    fn told(&self) {
        if let Some(call) = &*self.advanced.lock() {
            call();
        }
    }
}

impl Logs for SealedHost {
    fn frontier(&self) -> Frontier {
        self.logs.lock().frontier()
    }

    fn since(&self, theirs: &Frontier, max_bytes: usize) -> Result<Vec<Bytes>, String> {
        let sealed =
            self.logs.lock().transactions_since(theirs, max_bytes).map_err(|error| error.to_string())?;
        Ok(sealed.into_iter().map(Bytes::from).collect())
    }

    fn accept(&self, sealed: &[Bytes]) -> Result<Taken, String> {
        self.take_in(|logs| logs.accept_all(sealed))
    }

    fn outline_counters(&self) -> OutlineCounters {
        self.logs.lock().outline_counters()
    }

    fn outlines_since(&self, theirs: &OutlineCounters) -> Vec<Bytes> {
        self.logs.lock().outlines_since(theirs).into_iter().map(Bytes::from).collect()
    }

    fn accept_outlines(&self, outlines: &[Bytes]) -> Result<Taken, String> {
        self.take_in(|logs| logs.accept_outlines(outlines))
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.logs.lock().roster_records()
    }

    fn accept_records(&self, records: &[Vec<u8>]) -> Result<(), String> {
        let mut logs = self.logs.lock();
        logs.accept_records(records).map_err(|error| error.to_string())?;
        logs.commit().map_err(|error| error.to_string())
    }

    fn roster_digest(&self) -> [u8; 32] {
        self.logs.lock().roster().digest()
    }

    fn keep_proof(&self, deed: Deed, proof: &[u8]) -> Result<(), String> {
        let judgement = SignedJudgement::decode(proof).ok_or("it is no judgement")?;
        let record = ProofRecord { deed, at_ms: wall_ms(), judgement };
        self.garbage.append(&record).map_err(|error| error.to_string())
    }

    fn reads(&self) -> bool {
        false
    }

    fn members(&self) -> Members {
        Members::of(self.logs.lock().roster(), |_| None)
    }
}
