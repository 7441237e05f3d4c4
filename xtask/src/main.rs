//! PeerDrive xtask.
fn main() {}
