//! PeerDrive ledger.

pub mod identity;
pub mod keys;
pub mod roster;
pub mod transaction;
