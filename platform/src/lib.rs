//! What the operating system touches: the mount, and the few things that differ from system to system.
//!
//! ```text
//!   kernel ──requests──▶ fuse::adapter ──calls──▶ vfs::Drive
//!   kernel ◀─forget this─ fuse::notices ◀─changes──┘
//! ```
//!
//! | module | is |
//! |---|---|
//! | [`mount`] | the drive as a folder: options, errors, [`mount()`] and [`Mounted`] |
//! | `fuse` | the Linux adapter behind them |
//! | [`paths`] | where data and the drive lie when nobody says otherwise |
//! | [`owner`] | who runs this process |
//! | [`private_file`] | files only their owner may read, replaced whole or not at all |
//! | [`lock`] | one process per folder |
//! | [`folder_use`] | whether somebody holds that lock |
//! | [`memory`] | resident bytes, and giving freed ones back |
//! | [`computer_name`] | what this computer is called |
//! | [`processor`] | time used of it, and threads that let others go first |
//! | [`terminal`] | asking for a secret |
//! | [`browser`] | opening an address |
//! | [`stop_signal`] | Ctrl+C and its kin |

pub mod browser;
pub mod computer_name;
pub mod folder_use;
#[cfg(target_os = "linux")]
mod fuse;
pub mod lock;
pub mod memory;
pub mod mount;
pub mod notification;
pub mod owner;
pub mod paths;
pub mod private_file;
pub mod processor;
pub mod stop_signal;
pub mod terminal;
#[cfg(not(target_os = "linux"))]
mod unmountable;

#[cfg(target_os = "linux")]
pub use fuse::{Mounted, mount};
pub use mount::{MountError, MountOptions};
#[cfg(not(target_os = "linux"))]
pub use unmountable::{Mounted, mount};
