//! Merging. Edits change registers; the tree that shows is a pure function of the registers, and this module keeps it
//! up to date for what changed.
//!
//! ```text
//! edit ──► registers ──► which links live ──► where directories stand ──► who claims which name ──► what shows
//!          registers.rs   alive.rs            fallback.rs                 claims.rs                 slots.rs
//! ```
//!
//! Every step is exact: after any edits in any order the derived rows are those a full recomputation would make (the
//! tests hold it against one). Local and remote edits go the same way; a local one touches a handful of rows.

mod alive;
mod claims;
mod fallback;
mod registers;
mod slots;
mod standing;
mod versions;

use crate::error::LedgerError;
use crate::tree::State;

impl State {
    /// Brings what is derived up to date with the registers that changed.
    pub(crate) fn derive(&mut self) -> Result<(), LedgerError> {
        let dirty = std::mem::take(&mut self.dirty);
        let mut moved = self.settle_alive(dirty)?;
        self.settle_fallbacks(&mut moved)?;
        self.settle_claims(&moved)
    }
}

pub(crate) use registers::{decode_xattr, xattr_key};
pub(crate) use slots::SEVERAL_CLAIMS;
pub(crate) use standing::Standing;
pub(crate) use versions::SEVERAL_HEADS;
