//! Groups of many machines that live through trouble, as the others do.

use crate::random::Random;
use crate::seeds::{SETTLE_MAX_MS, group, kinds_of};

/// Seed, machines.
const IN_EACH_RUN: [(u64, u64); 1] = [(50_001, 50)];
const WHEN_THERE_IS_TIME: [(u64, u64); 3] = [(50_002, 80), (50_003, 120), (50_004, 200)];

fn live(seed: u64, count: u64) {
    let kinds = kinds_of(count, &mut Random::new(seed));
    let mut world = group(seed, &kinds);
    world.live(25);
    world.settle(SETTLE_MAX_MS);
    world.check_traffic();
    world.check_reads();
    println!("{}", world.tally());
}

#[test]
fn fifty_machines_live_through_trouble_and_come_to_rest() {
    let long = std::env::var_os("PEERDRIVE_LONG").is_some();
    let more = WHEN_THERE_IS_TIME.into_iter().filter(|_| long);
    IN_EACH_RUN.into_iter().chain(more).for_each(|(seed, count)| live(seed, count));
}
