//! The current version of every file, and how clocks and sequence numbers of a device go together: what it takes to tell which files
//! others hold too.

use super::{Cursor, Ledger};
use crate::error::LedgerError;
use crate::identity::DeviceTag;
use crate::node::{Ino, Kind};
use crate::stamp::VersionId;

impl Ledger {
    /// Hands the current version of every file that has a name to `f`, `budget` inodes a step; `None` for one that never had
    /// content. Answers where to go on, `None` at the end.
    ///
    /// # Errors
    /// The store failed.
    pub fn for_each_file(
        &self,
        cursor: Cursor,
        budget: usize,
        f: &mut dyn FnMut(Ino, Option<VersionId>),
    ) -> Result<Option<Cursor>, LedgerError> {
        let inodes = self.state.inodes_from(cursor.0, budget)?;
        for ino in &inodes {
            if self.inode(*ino)?.is_some_and(|inode| inode.kind == Kind::File && inode.nlink > 0) {
                f(*ino, self.state.known_row(*ino)?.head.as_ref().map(|head| head.id));
            }
        }
        Ok(inodes.last().filter(|_| inodes.len() == budget).map(|last| Cursor(last + 1)))
    }

    /// The current version of a file; `None` if it has no content yet.
    ///
    /// # Errors
    /// As [`Ledger::inode`].
    pub fn head(&self, ino: Ino) -> Result<Option<VersionId>, LedgerError> {
        Ok(self.state.row(ino)?.and_then(|row| row.head.as_ref().map(|head| head.id)))
    }

    /// The last transaction of each device that is on this device's disk, and the clock of its last edit.
    pub fn written_clocks(&self) -> impl Iterator<Item = (DeviceTag, u64, u64)> + '_ {
        self.written.iter().map(|(tag, row)| (*tag, row.sequence, row.clock))
    }

    /// Whether edits made here are in no transaction on this device's disk yet.
    pub fn has_unwritten(&self) -> bool {
        let own = self.state.own;
        let sealed = |rows: &std::collections::BTreeMap<DeviceTag, super::FrontierRow>| {
            rows.get(&own).map_or(0, |row| row.sequence)
        };
        !self.pending.is_empty() || sealed(&self.frontier) > sealed(&self.written)
    }

    /// Where a device's clock stood at a transaction; `None` if nothing of its log up to there is here. At or behind the end of what is
    /// on disk it is the end's own; else the transaction is read, or, if that was cleaned, the last before it that is here.
    ///
    /// # Errors
    /// The store failed, or the transaction cannot be read.
    pub fn clock_at(&self, device: DeviceTag, sequence: u64) -> Result<Option<u64>, LedgerError> {
        match self.written.get(&device) {
            None => Ok(None),
            Some(row) if sequence >= row.sequence => Ok(Some(row.clock)),
            Some(row) => {
                let held = self.last_held(row, sequence)?;
                let list = held.map(|held| self.logged(device, held)).transpose()?.flatten();
                Ok(list.map(|list| list.clock()))
            }
        }
    }
}
