//! Looking over what is stored, row by row.

use super::Ledger;
use crate::error::LedgerError;
use crate::node::Ino;
use crate::store::Table;
use crate::tree::InodeRow;

/// Where a look over the rows goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowCursor {
    table: usize,
    from: Vec<u8>,
}

/// A row that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRow {
    /// Its table.
    pub table: Table,
    /// The inode it is about, where its table is one of inodes.
    pub ino: Option<Ino>,
}

impl Ledger {
    /// Checks up to `limit` committed rows from the cursor on; answers how many there were, and where to go on.
    ///
    /// # Errors
    /// The store failed; a row that is damaged is told to `damaged` instead.
    pub fn check_rows(
        &self,
        cursor: &RowCursor,
        limit: u64,
        damaged: &mut dyn FnMut(DamagedRow),
    ) -> Result<(u64, Option<RowCursor>), LedgerError> {
        let Some(table) = Table::ALL.get(cursor.table).copied() else { return Ok((0, None)) };
        let (mut rows, mut last) = (0, None);
        let mut suspects = Vec::new();
        let backing = &self.state.layers.backing;
        backing.check_rows(table, &cursor.from, &mut |key, fits| {
            rows += 1;
            if !fits {
                damaged(DamagedRow { table, ino: ino_in(table, key) });
            } else if table == Table::Inodes {
                suspects.push(key.to_vec());
            }
            let go_on = rows < limit;
            if !go_on {
                last = Some([key, &[0]].concat());
            }
            go_on
        })?;
        for key in suspects {
            let Some(ino) = ino_in(table, &key) else { continue };
            let readable = backing
                .get(table, &key)?
                .is_none_or(|row| InodeRow::decode(&row, ino, self.state.own).is_ok());
            if !readable {
                damaged(DamagedRow { table, ino: Some(ino) });
            }
        }
        let next = match last {
            Some(from) => RowCursor { table: cursor.table, from },
            None => RowCursor { table: cursor.table + 1, from: Vec::new() },
        };
        Ok((rows, Some(next).filter(|next| next.table < Table::ALL.len())))
    }
}

fn ino_in(table: Table, key: &[u8]) -> Option<Ino> {
    let of_inodes =
        matches!(table, Table::Inodes | Table::Children | Table::Versions | Table::Xattrs | Table::Graves);
    key.first_chunk::<8>().filter(|_| of_inodes).map(|bytes| Ino::from_be_bytes(*bytes))
}
