//! All names of the tree, one after the other: what a search looks through.

use super::Ledger;
use crate::error::LedgerError;
use crate::node::{Entry, Ino};
use crate::store::Table;
use crate::tree::{decode_slot, name_of_key};

/// Where a walk over all names stopped; the default begins at the first. It stays good while names come and go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameCursor(Vec<u8>);

impl NameCursor {
    /// As bytes, to be given back to [`NameCursor::from_bytes`].
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was bytes. Any bytes are a place to begin.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Ledger {
    /// Looks at up to `budget` names of all directories, and appends those that `is_wanted` (with their directory) to `out`, until that
    /// holds `limit`. Names lie side by side, and only what is wanted is decoded. Answers where to go on; `None` at the end. Directories
    /// come in the order of their inodes.
    ///
    /// # Errors
    /// The store failed or a row is damaged.
    pub fn scan_names(
        &self,
        cursor: &NameCursor,
        (budget, limit): (usize, usize),
        is_wanted: &mut dyn FnMut(&[u8]) -> bool,
        out: &mut Vec<(Ino, Entry)>,
    ) -> Result<Option<NameCursor>, LedgerError> {
        let (mut seen, mut stopped, mut bad) = (0, None, None);
        self.state.layers.scan(Table::Children, &cursor.0, None, &mut |key, value| {
            if seen == budget || out.len() >= limit {
                stopped = Some(NameCursor(key.to_vec()));
                return false;
            }
            seen += 1;
            let (Some(dir), Some((cookie, name))) = (key.first_chunk::<8>(), name_of_key(key)) else {
                return true;
            };
            if !is_wanted(name) {
                return true;
            }
            match decode_slot(value) {
                Ok(claims) => out.extend(claims.first().map(|top| {
                    let entry = Entry { ino: top.ino, kind: top.kind, name: name.to_vec(), cookie };
                    (u64::from_be_bytes(*dir), entry)
                })),
                Err(error) => bad = Some(error),
            }
            bad.is_none()
        })?;
        bad.map_or(Ok(stopped), |error| Err(error.into()))
    }
}
