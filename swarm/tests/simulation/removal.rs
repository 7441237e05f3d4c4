//! Machines that are taken out of the group by who saw less of their logs than others, or more.

use swarm::Settings;

use crate::machine::Kind;
use crate::random::Random;
use crate::scenarios::{MINUTE_MS, host};
use crate::tally::Tally;
use crate::world::World;

const SEEDS: u64 = 200;

/// A machine works, and cleans its log, while the group falls apart; one or two others take it out.
fn live_through_a_removal(seed: u64) -> Tally {
    let mut random = Random::new(seed ^ 0x7e40_5eed);
    let count = 4 + random.index(3);
    // The last one is removed; two others can write at least.
    let blind = |index: usize, random: &mut Random| index > 1 && index + 1 < count && random.permille(300);
    let kinds: Vec<_> =
        (0..count).map(|index| Kind { blind: blind(index, &mut random), ..host(10) }).collect();
    let mut world = World::new(seed, &kinds, Settings::default());
    (0..count).for_each(|index| world.boot(index));
    world.settle(MINUTE_MS);
    let lost = count - 1;
    wander(&mut world, &mut random, lost);
    // Two sides that do not see each other. The one that is removed is on the second, with one who can write.
    let sides: Vec<_> =
        (0..count).map(|index| index == 1 || index == lost || index > 1 && random.permille(400)).collect();
    (0..count).for_each(|a| (0..a).for_each(|b| world.cable(b, a, sides[a] == sides[b])));
    for _ in 0..random.within(2, 8) {
        if random.permille(200) {
            world.clean(lost);
        } else {
            world.edit_at(lost);
        }
        world.run(random.within(20, 900));
    }
    world.crash(lost);
    world.give_up_copies(lost);
    let writers: Vec<_> = (0..lost).filter(|index| !kinds[*index].blind).collect();
    for _ in 0..1 + random.below(2) {
        world.remove(writers[random.index(writers.len())], lost);
        let pause = random.below(3000);
        world.run(pause);
    }
    world.mend_all();
    world.settle(20 * MINUTE_MS);
    world.check_reads();
    world.tally()
}

/// Work, and cables that come and go.
fn wander(world: &mut World, random: &mut Random, lost: usize) {
    for _ in 0..random.within(2, 10) {
        match random.below(8) {
            0..=2 => world.edit_at(lost),
            3 => world.clean(lost),
            4 => world.edit_somewhere(),
            _ => {
                let (a, b) = (random.index(lost + 1), random.index(lost + 1));
                if a != b {
                    world.cable(a, b, random.permille(500));
                }
            }
        }
        world.run(random.within(20, 900));
    }
}

#[test]
fn whoever_takes_a_machine_out_the_group_comes_to_one_tree() {
    let mut tally = Tally::default();
    (0..SEEDS).for_each(|seed| tally += live_through_a_removal(seed));
    println!("{tally}");
    assert!(tally.removed_seen_unequally > SEEDS / 4, "{} of {SEEDS}", tally.removed_seen_unequally);
}
