//! A simulated group: the real node and the real ledger on each machine, everything else made up under one seed.
//!
//! ```text
//!  world.rs     the clock, the events, what is delivered where
//!  cables.rs    starts, crashes, and who can reach whom
//!  machine.rs   one computer: node, log, disk; commits, crashes, starts again
//!  log.rs       a member's ledger, or a blind host's sealed logs
//!  disk.rs      chunks, flushed or not, and what is known of them
//!  network.rs   latency, bandwidth, loss, duplication, reordering, partition
//!  workload.rs  what people do, and what goes wrong with machines and cables
//!  trouble.rs   what goes wrong with disks and clocks; who comes and who goes
//!  tally.rs     how often
//!  scenarios.rs, holders.rs, unnamed.rs, damage.rs, healing.rs, leaving.rs, removal.rs, room.rs, garbage.rs, audits.rs, large.rs, long.rs   groups in which one thing happens
//!  verdict.rs   what must hold while it runs, and after it became quiet
//!  cast.rs      keys
//! ```
//!
//! `PEERDRIVE_SEED=n` replays one seed and prints what happened; `PEERDRIVE_LONG=1` runs many more; `cargo xtask soak` runs
//! them until an hour is over.

#![allow(clippy::unwrap_used, reason = "a test says so by failing")]
#![allow(clippy::print_stdout, reason = "a replayed seed tells what happened")]

mod audits;
mod cables;
mod cast;
mod damage;
mod disk;
mod garbage;
mod healing;
mod holders;
mod large;
mod leaving;
mod log;
mod long;
mod machine;
mod network;
mod policy;
mod random;
mod removal;
mod room;
mod scenarios;
mod seeds;
mod tally;
mod trouble;
mod unnamed;
mod verdict;
mod workload;
mod world;
