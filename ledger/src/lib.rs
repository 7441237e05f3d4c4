//! PeerDrive ledger.
