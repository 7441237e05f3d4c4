//! Shared fixtures of the whole-drive tests.
//!
//! A test starts a [`Daemon`] of its own: the real program with a fresh data folder and a fresh mountpoint under a
//! temporary folder. Whatever happens, the daemon is ended, the mount taken away and the folder deleted.
//!
//! The program is `$PEERDRIVE_BIN`, or the newest one in this workspace's target folder. [`tool`] finds the outside
//! conformance programs that `cargo xtask tools` installs.
//!
//! | module | is |
//! |---|---|
//! | `daemon` | a daemon of one's own |
//! | `program` | where the programs under test and the conformance programs lie |
//! | `report` | what a long run did, for who watches |
//! | `settled` | waiting for the drive's own work |
//! | `outside` | running outside programs |
//! | `deadline` | waiting for what tells nobody |
//! | `dice` | chance that can be had again |
//! | `witnesses` | writers that know what was acknowledged |
//! | `unreliable_disk` | a disk that loses its power, or breaks, when told to |
//! | `network` | computers on a network of the test's own |
//! | `noise` | bytes without a pattern |
//! | `tree` | a folder's whole content, to be compared |
//! | `sources` | real files |
//! | `oddities` | files that copies often lose something of |

#![cfg(unix)]

mod clock;
mod daemon;
mod deadline;
mod dice;
#[cfg(target_os = "linux")]
mod network;
mod noise;
mod oddities;
mod outside;
mod program;
mod report;
mod settled;
mod sources;
pub mod tree;
#[cfg(target_os = "linux")]
mod unreliable_disk;
mod witnesses;

pub use clock::Clock;
pub use daemon::{Daemon, Start};
pub use deadline::{eventually, eventually_long};
pub use dice::{Dice, seed};
#[cfg(target_os = "linux")]
pub use network::{Network, Place};
pub use noise::noise;
pub use oddities::make_oddities;
pub use outside::{output, program, refused, run, script, told};
pub use program::{is_root, peerdrive, tool, tool_file};
pub use report::report;
pub use sources::{is_long, make_sources};
#[cfg(target_os = "linux")]
pub use unreliable_disk::{Cut, UnreliableDisk};
pub use witnesses::{Checked, Witnesses};
