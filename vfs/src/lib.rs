//! PeerDrive vfs.
