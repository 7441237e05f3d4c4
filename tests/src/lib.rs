//! Shared fixtures of the whole-drive tests.
//!
//! A test starts a [`Daemon`] of its own: the real program with a fresh data folder and a fresh mountpoint under a
//! temporary folder. Whatever happens, the daemon is ended, the mount taken away and the folder deleted.
//!
//! The program is `$PEERDRIVE_BIN`, or the newest one in this workspace's target folder. [`tool`] finds the outside
//! conformance programs that `cargo xtask tools` installs.

#![cfg(unix)]

mod daemon;
mod program;

pub use daemon::{Daemon, Start};
pub use program::{is_root, peerdrive, tool};
