//! How writes become versions.
//!
//! ```text
//! write ──► overlay (memory) ──stream──► sealers ──► chunks ─┐                          ┌─fsync──► journal
//!                │  └──fsync of little──► dirty rows ────────┼─► publish ──► ledger ────┤            │
//!                └──close, quiet second──► settle: re-cut ───┘                          └─1 s──► commit
//! ```

pub(crate) mod buffer;
pub(crate) mod commit;
pub(crate) mod dirty_rows;
pub(crate) mod journal;
pub(crate) mod publish;
pub(crate) mod recover_rows;
pub(crate) mod recut;
pub(crate) mod settle;
pub(crate) mod settler;
pub(crate) mod stream;
