//! Placement at a scale that no test can hold as chunks: how even the load is, what moves when hosts come and go, and how long a
//! lost host takes to be replaced. Chunks are counted by partition: so many of 10^8 fall into each as chance has it.
//!
//! `PEERDRIVE_LONG=1 cargo test --release -p swarm --test scale -- --nocapture` prints the table of `docs/swarm.md`.

#![allow(clippy::unwrap_used, reason = "a test says so by failing")]
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

use std::collections::BTreeMap;

use chunkstore::PARTITIONS;
use ledger::identity::DeviceId;
use swarm::placement::{HostWeight, owners, weight_of};

const CHUNKS: f64 = 1e8;
/// Of files below 64 MiB.
const CHUNK_BYTES: f64 = 65_536.0;
const TARGET: usize = 3;
/// What a host sends, and takes in, for repairs: 100 Mbit/s.
const REPAIR_BYTES_PER_S: f64 = 12.5e6;

type Table = Vec<Vec<DeviceId>>;

fn random(seed: u64, purpose: &str) -> impl FnMut() -> f64 {
    let mut bytes =
        blake3::Hasher::new().update(purpose.as_bytes()).update(&seed.to_be_bytes()).finalize_xof();
    move || {
        let mut drawn = [0; 8];
        bytes.fill(&mut drawn);
        (u64::from_be_bytes(drawn) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Hosts that give from 64 GiB to 4 TiB, every power of two as likely; or all the same.
fn hosts(count: u64, alike: bool) -> Vec<HostWeight> {
    let mut random = random(1, "hosts");
    let host = |number: u64| {
        let gives = if alike { 1 << 40 } else { (64 << 30) << ((random() * 7.0) as u32) };
        let device = DeviceId::from_bytes(*blake3::hash(&number.to_be_bytes()).as_bytes());
        HostWeight { device, weight: weight_of(gives), site: String::new(), full: false }
    };
    (0..count).map(host).collect()
}

/// Bytes of each partition: the number of its chunks is nearly normal.
fn sizes() -> Vec<f64> {
    let mean = CHUNKS / f64::from(PARTITIONS);
    let mut random = random(2, "partitions");
    let chance = move |_| (0..12).map(|_| random()).sum::<f64>() - 6.0;
    (0..PARTITIONS).map(chance).map(|chance| (mean + chance * mean.sqrt()) * CHUNK_BYTES).collect()
}

fn table(hosts: &[HostWeight]) -> Table {
    (0..PARTITIONS).map(|partition| owners(partition, hosts, TARGET)).collect()
}

/// Bytes on each host over what its weight calls for, the most and the least of all.
fn spread(hosts: &[HostWeight], table: &Table, sizes: &[f64]) -> (f64, f64) {
    let mut load: BTreeMap<DeviceId, f64> = BTreeMap::new();
    for (owners, size) in table.iter().zip(sizes) {
        owners.iter().for_each(|owner| *load.entry(*owner).or_default() += size);
    }
    let (weights, all): (u64, f64) =
        (hosts.iter().map(|host| host.weight).sum(), TARGET as f64 * sizes.iter().sum::<f64>());
    let ratio = |host: &HostWeight| {
        load.get(&host.device).unwrap_or(&0.0) / (all * host.weight as f64 / weights as f64)
    };
    let ratios = hosts.iter().map(ratio);
    ratios.fold((0.0, f64::MAX), |(most, least), ratio| (f64::max(most, ratio), f64::min(least, ratio)))
}

/// Bytes that must be copied to get from one table to the other, and the most that one host takes in.
fn moved(from: &Table, to: &Table, sizes: &[f64]) -> (f64, f64) {
    let mut taken: BTreeMap<DeviceId, f64> = BTreeMap::new();
    for ((before, after), size) in from.iter().zip(to).zip(sizes) {
        for owner in after.iter().filter(|owner| !before.contains(owner)) {
            *taken.entry(*owner).or_default() += size;
        }
    }
    (taken.values().sum(), taken.values().copied().fold(0.0, f64::max))
}

/// Bytes that one host owns.
fn owned(table: &Table, device: &DeviceId, sizes: &[f64]) -> f64 {
    table.iter().zip(sizes).filter(|(owners, _)| owners.contains(device)).map(|(_, size)| size).sum()
}

/// One line of the table: the last of so many hosts joins, then leaves or is lost.
fn measure(count: u64, alike: bool) {
    let (all, sizes) = (hosts(count, alike), sizes());
    let (rest, last) = (&all[..all.len() - 1], all[all.len() - 1].device);
    let (before, after) = (table(rest), table(&all));
    let (joined, _) = moved(&before, &after, &sizes);
    let (left, most_in) = moved(&after, &before, &sizes);
    let its_share = owned(&after, &last, &sizes);
    let (most, least) = spread(&all, &after, &sizes);
    let gib = f64::from(1 << 30);
    println!(
        "| {count} | {} | {most:.2} | {least:.2} | {:.1} | {:.1} | {:.1} | {:.0} |",
        if alike { "alike" } else { "64 GiB to 4 TiB" },
        its_share / gib,
        joined / gib,
        left / gib,
        most_in / REPAIR_BYTES_PER_S,
    );
    // What moves is its share, all of it and nothing else.
    assert!((joined - its_share).abs() < 1.0 && (left - its_share).abs() < 1.0);
}

#[test]
fn what_moves_is_the_share_of_who_comes_or_goes_and_nothing_else() {
    println!("| hosts | they give | most | least | share, GiB | joins | leaves | repaired in s |");
    println!("|---|---|---|---|---|---|---|---|");
    let counts: &[u64] =
        if std::env::var_os("PEERDRIVE_LONG").is_some() { &[10, 100, 1_000, 10_000] } else { &[10, 100] };
    for count in counts {
        measure(*count, true);
        measure(*count, false);
    }
}
