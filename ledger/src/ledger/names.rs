//! All names of the tree, one after the other: what a search looks through.

use std::cell::Cell;

use super::Ledger;
use crate::error::LedgerError;
use crate::node::{Entry, Ino};
use crate::store::{Glance, Table};
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
    /// Looks at up to `budget` names of all directories up to `to`, and appends those that `is_wanted` (with their directory) to `out`,
    /// until that holds `limit`. Names lie side by side, and only what is wanted is verified and decoded. Answers where to go on;
    /// `None` at the end. Directories come in the order of their inodes.
    ///
    /// # Errors
    /// The store failed or a row that is wanted is damaged.
    pub fn scan_names(
        &self,
        (from, to): (&NameCursor, Option<&NameCursor>),
        (budget, limit): (usize, usize),
        is_wanted: &mut dyn FnMut(&[u8]) -> bool,
        out: &mut Vec<(Ino, Entry)>,
    ) -> Result<Option<NameCursor>, LedgerError> {
        let (mut seen, mut stopped, mut bad) = (0, None, None);
        let taken = Cell::new(out.len());
        let mut glance = |key: &[u8]| {
            if seen == budget || taken.get() >= limit {
                stopped = Some(NameCursor(key.to_vec()));
                return Glance::Stop;
            }
            seen += 1;
            let wanted = name_of_key(key).is_some_and(|(_, name)| is_wanted(name));
            if wanted { Glance::Take } else { Glance::Pass }
        };
        let to = to.map(NameCursor::as_bytes);
        self.state.layers.scan_some(Table::Children, &from.0, to, &mut glance, &mut |key, value| {
            let (Some(dir), Some((cookie, name))) = (key.first_chunk::<8>(), name_of_key(key)) else {
                return true;
            };
            match decode_slot(value) {
                Ok(claims) => out.extend(claims.first().map(|top| {
                    let entry = Entry { ino: top.ino, kind: top.kind, name: name.to_vec(), cookie };
                    (u64::from_be_bytes(*dir), entry)
                })),
                Err(error) => bad = Some(error),
            }
            taken.set(out.len());
            bad.is_none()
        })?;
        bad.map_or(Ok(stopped), |error| Err(error.into()))
    }

    /// Places that cut the names from `from` on into `parts` of about as many each: an entry is most often made right after its
    /// directory, so that inode numbers tell. A directory is in one part.
    #[must_use]
    pub fn name_cuts(&self, from: &NameCursor, parts: u64) -> Vec<NameCursor> {
        let mut first = [0; 8];
        first.iter_mut().zip(&from.0).for_each(|(to, byte)| *to = *byte);
        let (first, end) = (Ino::from_be_bytes(first), self.state.next_number());
        let step = end.saturating_sub(first) / parts.max(1);
        let cut = |part: u64| NameCursor((first + part * step).to_be_bytes().to_vec());
        if step == 0 { Vec::new() } else { (1..parts).map(cut).collect() }
    }
}
