//! Groups of many machines that live through trouble, as the others do.

use crate::random::Random;
use crate::seeds::{SETTLE_MAX_MS, group, kinds_of};

fn live(seed: u64, count: u64) {
    let kinds = kinds_of(count, &mut Random::new(seed));
    let mut world = group(seed, &kinds);
    world.live(25);
    let took = world.settle(SETTLE_MAX_MS);
    world.check_traffic();
    world.check_reads();
    println!("{}", world.tally());
    println!("{count} machines: at rest after {took} ms, {} events", world.events_done);
}

/// The same where there is time for it.
fn live_long(seed: u64, count: u64) {
    if std::env::var_os("PEERDRIVE_LONG").is_some() {
        live(seed, count);
    }
}

#[test]
fn fifty_machines_live_through_trouble_and_come_to_rest() {
    live(50_001, 50);
}

#[test]
fn eighty_machines_live_through_trouble_and_come_to_rest() {
    live_long(50_002, 80);
}

#[test]
fn a_hundred_and_twenty_machines_live_through_trouble_and_come_to_rest() {
    live_long(50_003, 120);
}

#[test]
fn two_hundred_machines_live_through_trouble_and_come_to_rest() {
    live_long(50_004, 200);
}
