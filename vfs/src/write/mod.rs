//! How writes become versions.
//!
//! ```text
//! write ──► overlay (memory) ──stream──► sealers ──► chunks ─┐
//!                │  └──fsync of little──► dirty rows         ├─► publish ──► ledger ──► commit
//!                └──close, quiet second──► settle: re-cut ───┘
//! ```

pub(crate) mod buffer;
pub(crate) mod commit;
pub(crate) mod dirty_rows;
pub(crate) mod publish;
pub(crate) mod recut;
pub(crate) mod settle;
pub(crate) mod settler;
pub(crate) mod stream;
