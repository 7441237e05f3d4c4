//! Several computers, one drive: real daemons on a network of namespaces.

#![cfg(target_os = "linux")]

mod computers;
mod hosting;
mod pairing;
mod parting;
mod policy;
mod relaying;
mod sharing;
