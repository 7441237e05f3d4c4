//! The drive as a folder of Linux, over FUSE.
//!
//! ```text
//!   mount() ─▶ mountpoint   the folder is fit, dead mounts are gone
//!          └─▶ session      fuser's threads ─▶ adapter ─▶ vfs::Drive
//!                           notices: what changed elsewhere, told to the kernel
//!                           watchers: programs that watch folders are woken for it
//!                           quick_wake: while it is busy, processors do not sleep deeply
//!   Mounted::unmount() ─▶ unmount
//! ```
//!
//! The kernel caches names, attributes and content for long, because every change comes through this mount or is
//! told to it by `notices`.

mod adapter;
mod content;
mod convert;
mod directories;
mod errno;
mod fills;
mod mountpoint;
mod names;
mod notices;
mod privileges;
mod quick_wake;
mod session;
mod unmount;
mod watchers;
mod xattr;

pub use session::{Mounted, mount};
