//! Many seeds, each a group of its own that lives through trouble.

use swarm::Settings;

use crate::machine::Kind;
use crate::network::Weather;
use crate::random::Random;
use crate::world::World;

const SEEDS: u64 = 200;
const SEEDS_LONG: u64 = 5_000;
const SETTLE_MAX_MS: u64 = 30 * 60_000;

fn kinds(random: &mut Random) -> Vec<Kind> {
    let count = match random.below(20) {
        0 => random.within(12, 21),
        1..=4 => random.within(6, 10),
        _ => random.within(3, 6),
    };
    let kind = |index: u64| Kind {
        blind: index > 1 && random.permille(250),
        contributed: if index > 2 && random.permille(200) { 0 } else { random.within(1, 64) << 30 },
        site: if random.permille(300) { format!("site{}", random.below(3)) } else { String::new() },
        room: if index > 2 && random.permille(100) { 20_000 } else { usize::MAX },
    };
    (0..count).map(kind).collect()
}

/// One group, from its first start until all is quiet again.
pub fn simulate(seed: u64) -> World {
    let mut random = Random::new(seed ^ 0x5eed);
    let kinds = kinds(&mut random);
    let settings =
        Settings { fetch_window_bytes: 1 << 20, push_window_bytes: 1 << 20, ..Settings::default() };
    let mut world = World::new(seed, &kinds, settings);
    world.say(&format!("seed {seed}: {kinds:?}"));
    for index in 0..kinds.len() {
        world.boot(index);
    }
    if random.permille(600) {
        world.weather = Weather { lost: 20, doubled: 20, jitter: 30 };
    }
    let steps = usize::try_from(random.within(20, 60)).unwrap();
    world.live(steps, true);
    let took = world.settle(SETTLE_MAX_MS);
    world.say(&format!("settled after {took} ms"));
    world.check_traffic();
    world
}

fn chosen() -> Option<u64> {
    std::env::var("PEERDRIVE_SEED").ok().map(|seed| seed.parse().expect("PEERDRIVE_SEED is a number"))
}

#[test]
fn groups_live_through_trouble_and_come_to_rest() {
    let count = if std::env::var_os("PEERDRIVE_LONG").is_some() { SEEDS_LONG } else { SEEDS };
    let seeds = chosen().map_or(0..count, |seed| seed..seed + 1);
    for seed in seeds {
        let mut world = simulate(seed);
        world.check_reads();
        if seed % 10 == 0 {
            world.check_idle_traffic();
        }
    }
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in [3, 17] {
        let (first, second) = (simulate(seed), simulate(seed));
        assert_eq!(first.trace(), second.trace(), "seed {seed}");
        assert_eq!(first.events_done, second.events_done);
    }
}
