//! The tree as rows: what an inode row and a directory's slot hold, their bytes, and the state they live in.

mod row;
mod row_codec;
mod slot;
mod state;
mod version;

pub(crate) use row::{Born, HeadRow, InodeRow, Link, Place, Shown};
pub use row_codec::decode_inode_row;
pub(crate) use slot::{
    Claim, Slots, cookie_of, decode_slot, displaced_name, encode_slot, grave_key, name_of_key, slot_key,
};
pub(crate) use state::{State, prefix_end};
pub(crate) use version::{PARENTS_MAX, VersionBody, VersionRow, version_key, version_of_key};
