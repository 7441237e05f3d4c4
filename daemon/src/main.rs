//! PeerDrive daemon.
fn main() {}
