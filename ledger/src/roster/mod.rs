//! Who belongs to a workspace, as what, with which devices and keys.
