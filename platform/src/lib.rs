//! PeerDrive platform.
