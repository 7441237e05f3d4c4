//! Several computers, one drive: real daemons on a network of namespaces.

#![cfg(target_os = "linux")]

mod computers;
mod pairing;
mod parting;
mod sharing;
