//! Months: a group at rest, and a machine that was away.

use swarm::{Load, Settings};

use crate::machine::Kind;
use crate::scenarios::{MINUTE_MS, bytes, host, hosts, started};
use crate::world::World;

const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

fn loads(world: &World) -> Vec<Load> {
    world.machines.iter().map(|machine| machine.node.view(world.now).load).collect()
}

#[test]
fn after_a_month_of_rest_nothing_has_grown() {
    let mut world = started(&hosts(3));
    for _ in 0..40 {
        world.edit_at(0);
        world.run(100);
    }
    world.settle(5 * MINUTE_MS);
    world.run(DAY_MS);
    let first = loads(&world);
    let (before, frontier) = (world.traffic(), world.machines[0].log.frontier());
    for day in 1..30 {
        let at = world.traffic();
        world.run(DAY_MS);
        let each = (world.traffic() - at) / (DAY_MS / 1000);
        // Six directions.
        assert!(each <= 6 * 5, "day {day}: {each} bytes a second");
        assert_eq!(loads(&world), first, "day {day}");
    }
    println!("{} bytes a second among three", (world.traffic() - before) / (29 * DAY_MS / 1000));
    assert_eq!(world.machines[0].log.frontier(), frontier);
    world.settle(MINUTE_MS);
}

#[test]
fn who_was_away_for_two_months_comes_back_with_ten_thousand_edits() {
    const EDITS: u64 = 10_000;
    let mut world =
        World::new(1, &[host(10), host(10), Kind { blind: true, ..host(10) }, host(10)], Settings::default());
    (0..4).for_each(|index| world.boot(index));
    let laptop = 3;
    for number in 0..40 {
        let id = world.put_chunk(0, bytes(number, 2_000));
        world.publish(0, &format!("old{number}"), &[id]);
        world.run(200);
    }
    world.settle(5 * MINUTE_MS);
    (0..3).for_each(|other| world.cable(other, laptop, false));
    // The others go on, delete, and clean their logs. The laptop is lost to them: its share is copied.
    for number in 0..20 {
        world.delete(0, &format!("old{number}"));
        world.edit_at(1);
        world.run(60_000);
    }
    for week in 0..8_u64 {
        for number in 0..EDITS / 8 {
            let name = format!("laptop{}", number % 40);
            if number % 10 == 0 {
                let id = world.put_chunk(laptop, bytes(1_000_000 + week * EDITS + number, 200));
                world.publish(laptop, &name, &[id]);
            } else {
                world.publish(laptop, &name, &[]);
            }
            world.run(300);
        }
        world.run(7 * DAY_MS);
        [0, 1].into_iter().for_each(|index| world.clean(index));
        world.run(MINUTE_MS);
    }
    // It gives up its own history, and may not declare anything: nobody else has its log.
    world.clean(laptop);
    world.run(MINUTE_MS);
    let view = world.machines[laptop].node.view(world.now);
    assert!(view.own_sequence > EDITS / 2 && view.safe_through < view.own_sequence, "{}", view.own_sequence);
    let mine = world.file(laptop, "laptop39");

    // By 4 Mbit/s.
    (0..3).for_each(|other| world.wires[laptop][other].bytes_per_ms = 500);
    (0..3).for_each(|other| world.cable(other, laptop, true));
    let (mut lag, mut seen, most) = (u64::MAX, 0, 8 << 20);
    for _ in 0..20_000 {
        world.run(50);
        for machine in &world.machines {
            let load = machine.node.view(world.now).load;
            assert!(load.log_bytes <= most && load.chunks <= 64 << 10 && load.jobs < 1_000, "{load:?}");
        }
        let view = world.machines[laptop].node.view(world.now);
        let left = view.peers.iter().map(|peer| peer.sync_lag).max().unwrap_or(0);
        if view.peers.iter().all(|peer| peer.connected) && left != lag {
            (lag, seen) = (left, seen + 1);
        }
        if seen > 1 && lag == 0 && view.logs_to_come == 0 {
            break;
        }
    }
    assert!(seen >= 3 && lag == 0, "the way is seen: {seen} steps, {lag} left");
    world.settle(75 * MINUTE_MS);
    world.check_reads();
    for index in [0, 1, laptop] {
        assert!((0..20).all(|number| world.file(index, &format!("old{number}")).is_none()), "brought back");
        assert!((20..40).all(|number| world.file(index, &format!("old{number}")).is_some()), "lost");
        assert!(mine.is_some() && world.file(index, "laptop39") == mine, "lost");
    }
    // Then its log is cleaned as well.
    let before = world.machines[0].log.rows();
    for _ in 0..4 {
        [0, 1, laptop].into_iter().for_each(|index| world.clean(index));
        world.run(MINUTE_MS);
    }
    world.settle(75 * MINUTE_MS);
    let rows = world.machines[2].log.rows();
    println!("{before} transactions, {rows} after cleaning");
    assert!(rows * 4 < before, "{before} before, {rows} after");
}
