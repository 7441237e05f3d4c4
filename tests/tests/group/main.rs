//! Several computers, one drive: real daemons on a network of namespaces.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

mod alone;
mod computers;
mod disks;
mod garbage;
mod healing;
mod hosting;
mod leaving;
mod loss;
mod moving;
mod pairing;
mod parting;
mod policy;
mod relaying;
mod scrubbing;
mod sharing;
mod slow_lines;
mod trouble;
