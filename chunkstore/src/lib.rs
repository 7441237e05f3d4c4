//! PeerDrive chunkstore.
