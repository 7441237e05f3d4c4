//! PeerDrive ui.
