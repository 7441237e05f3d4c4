//! The operations of the drive, one verb a file.

mod allocate;
mod attributes;
mod copy_range;
mod create;
mod directory;
mod link;
mod lookup;
mod open;
mod read;
mod remove;
mod rename;
mod seek;
mod statfs;
mod sync;
mod write;
mod xattr;

pub(crate) use lookup::{NAME_MAX_BYTES, check_name};
