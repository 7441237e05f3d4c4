//! The drive in numbers.

use std::sync::atomic::Ordering;

use ledger::Ledger;
use ledger::identity::DeviceTag;

use super::{Health, PeopleError, Status};
use crate::Drive;
use crate::core::Core;

impl Drive {
    /// The drive in numbers.
    ///
    /// # Errors
    /// The tree cannot be read.
    pub fn status(&self) -> Result<Status, PeopleError> {
        let core = &self.core;
        let unsettled = core.nodes.all().iter().filter(|node| node.lock().dirty.is_some()).count() as u64;
        let uncommitted = core.unsaved.load(Ordering::Relaxed) + core.saving.load(Ordering::Relaxed);
        let files = core.ledger.read().stats().files;
        let safety =
            core.count_safety(files).map_err(|error| super::told("the files cannot be counted", error))?;
        let ledger = core.ledger.read();
        let stats = ledger.stats();
        let usage = core.store.usage();
        Ok(Status {
            workspace: core.workspace.clone(),
            name: ledger.name().to_owned(),
            device: core.device.clone(),
            files: stats.files,
            directories: stats.directories,
            bytes: stats.bytes,
            pending_files: unsettled + uncommitted,
            safe_files: safety.safe.min(stats.files),
            only_here_files: safety.only_here.min(stats.files),
            only_here_since: safety.only_here_since,
            conflicts: stats.conflicts,
            contributed_bytes: usage.limit_bytes,
            used_bytes: usage.pack_bytes,
            reserve_bytes: usage.reserve_bytes,
            can_store_bytes: usage.can_store_bytes,
            chunks: usage.chunks,
            health: core.health(),
            read_only: core.access.why_barred().map(str::to_owned),
            fsyncs_too_late: core.access.too_late(),
        })
    }

    /// Changes what this computer gives: the most that packs may take, and what stays free on the disk. Bytes.
    pub fn set_contribution(&self, contribute_bytes: u64, reserve_bytes: Option<u64>) {
        let usage = self.core.store.usage();
        let mut limits = self.core.limits.lock();
        limits.contribute_bytes = contribute_bytes;
        limits.reserve_bytes = reserve_bytes.unwrap_or(usage.reserve_bytes);
        self.core.store.set_limits(*limits);
    }
}

impl Core {
    /// Whether changes are taken.
    pub(crate) fn health(&self) -> Health {
        if let Some(why) = self.failure() {
            return Health::ReadOnly { why: why.to_owned() };
        }
        match self.store.health() {
            chunkstore::Health::Ok => Health::Ok,
            chunkstore::Health::Failed(why) => Health::ReadOnly { why },
        }
    }

    /// A device as people see it.
    pub(crate) fn device_name(&self, ledger: &Ledger, tag: DeviceTag) -> String {
        if tag == ledger.device().tag() {
            return self.device.clone();
        }
        let known = ledger.roster().device(tag);
        // Of one that the roster does not name (any more) there is only what stamps carry.
        known.map_or_else(|| format!("{:016x}", tag.0), |device| device.id().to_text())
    }
}
