//! Hosts without keys give up what nothing names any more, in time, and never what lives.

use chunkstore::ChunkId;
use swarm::{Input, Settings, SignedJudgement};

use crate::cast::CAST;
use crate::machine::Kind;
use crate::scenarios::{MINUTE_MS, host};
use crate::verdict::live_chunks;
use crate::world::World;

const HOUR_MS: u64 = 60 * MINUTE_MS;
/// Short, so that many passes fit into a test.
const GRACE_MS: u64 = 6 * HOUR_MS;
/// The longest that a chunk may stay which dies just after it was looked at: to the end of that grace and the rest after it, then
/// its own grace; and some pages and retries.
const KEPT_MOST_MS: u64 = 2 * GRACE_MS + 2 * HOUR_MS;

fn blind() -> Kind {
    Kind { blind: true, ..host(10) }
}

fn group(seed: u64, kinds: &[Kind]) -> World {
    let settings = Settings { garbage_grace_ms: GRACE_MS, ..Settings::default() };
    let mut world = World::new(seed, kinds, settings);
    (0..kinds.len()).for_each(|index| world.boot(index));
    world.settle(MINUTE_MS);
    world
}

fn work(world: &mut World, edits: usize) {
    for _ in 0..edits {
        world.edit_somewhere();
        world.run(100);
    }
}

/// Members prune and sweep, as drives do each hour: what is placed goes only if nothing named it an hour ago either.
pub fn members_sweep(world: &mut World) {
    for index in 0..world.machines.len() {
        if world.machines[index].kind.blind || !world.machines[index].up {
            continue;
        }
        world.clean(index);
        world.run(1_000);
        let live = live_chunks(&mut world.machines[index]);
        let machine = &mut world.machines[index];
        let open = machine.open.clone();
        let named = |id: &ChunkId| live.contains(id) || open.contains(id);
        let up: Vec<ChunkId> = machine.disk.doomed.iter().copied().filter(|id| !named(id)).collect();
        machine.swept.extend(machine.disk.give_up(&up));
        machine.disk.doomed = machine.disk.chunks.keys().copied().filter(|id| !named(id)).collect();
    }
}

fn members_sweep_all(world: &mut World) {
    members_sweep(world);
    world.run(HOUR_MS);
    members_sweep(world);
}

fn live(world: &mut World) -> Vec<ChunkId> {
    live_chunks(&mut world.machines[0]).into_iter().collect()
}

fn dead_on(world: &mut World, index: usize) -> usize {
    let live = live_chunks(&mut world.machines[0]);
    world.machines[index].disk.chunks.keys().filter(|id| !live.contains(id)).count()
}

/// No living chunk was given up by anybody, as far as all members know by now.
fn check_collected(world: &mut World) {
    let live = live_chunks(&mut world.machines[0]);
    for machine in &world.machines {
        let wrong = machine.collected.iter().find(|id| live.contains(id));
        assert_eq!(wrong, None, "seed {}: {} gave up what lives", world.seed, machine.index);
    }
}

#[test]
fn what_nothing_names_is_gone_in_time_and_what_lives_stays() {
    for kinds in [vec![host(10), host(10), blind()], vec![host(10), blind(), blind(), blind()]] {
        let mut world = group(1, &kinds);
        work(&mut world, 200);
        world.settle(2 * MINUTE_MS);
        world.run(5_000);
        members_sweep_all(&mut world);
        world.settle(2 * MINUTE_MS);
        let blind: Vec<usize> = (0..kinds.len()).filter(|index| kinds[*index].blind).collect();
        assert!(blind.iter().all(|index| dead_on(&mut world, *index) > 20), "there is garbage");
        world.run(KEPT_MOST_MS);
        for index in &blind {
            assert_eq!(dead_on(&mut world, *index), 0, "on {index}");
        }
        check_collected(&mut world);
        world.settle(2 * MINUTE_MS);
        world.check_reads();
        let given_up: u64 = blind
            .iter()
            .map(|index| world.machines[*index].node.view(world.now).garbage.collected_chunks)
            .sum();
        assert!(given_up > 20);
        // And it is quiet: nobody gives back what another gave up.
        let before = world.traffic();
        world.run(2 * KEPT_MOST_MS);
        let seconds = 2 * KEPT_MOST_MS / 1000;
        let pairs = (kinds.len() * (kinds.len() - 1)) as u64;
        assert!(world.traffic() - before < 6 * pairs * seconds, "{} bytes", world.traffic() - before);
    }
}

#[test]
fn each_word_on_which_something_was_given_up_is_kept_and_signed() {
    let mut world = group(2, &[host(10), host(10), blind()]);
    work(&mut world, 100);
    world.settle(2 * MINUTE_MS);
    world.run(5_000);
    members_sweep_all(&mut world);
    world.run(KEPT_MOST_MS);
    let host = &world.machines[2];
    assert!(!host.collected.is_empty());
    for id in &host.collected {
        let words = host.proofs.iter().map(|proof| SignedJudgement::decode(proof).unwrap());
        let said = words.filter(|word| word.judgement().dead().any(|dead| dead == *id));
        let valid = said.filter(|word| {
            let judge = CAST.devices.iter().find(|device| device.id() == word.judgement().judge).unwrap();
            word.is_by(&judge.public(), &CAST.keyring.workspace) && word.judgement().asker == host.device()
        });
        assert_eq!(valid.count(), 2, "once to doom it, once to give it up");
    }
}

#[test]
fn nothing_is_given_up_without_a_member_or_while_one_was_not_heard() {
    let mut world = group(3, &[host(10), host(10), blind()]);
    work(&mut world, 100);
    world.settle(2 * MINUTE_MS);
    world.run(5_000);
    members_sweep_all(&mut world);
    world.settle(2 * MINUTE_MS);
    let dead = dead_on(&mut world, 2);
    world.crash(0);
    world.crash(1);
    world.run(3 * KEPT_MOST_MS);
    assert_eq!(dead_on(&mut world, 2), dead, "nobody is here who knows");
    world.boot(0);
    world.run(3 * KEPT_MOST_MS);
    assert_eq!(dead_on(&mut world, 2), dead, "the other may have changed something");
    let view = world.machines[2].node.view(world.now);
    assert_eq!(view.garbage.unheard, [world.machines[1].device()]);
    world.boot(1);
    world.run(KEPT_MOST_MS);
    assert_eq!(dead_on(&mut world, 2), 0);
    check_collected(&mut world);
}

#[test]
fn for_who_is_declared_lost_nobody_waits() {
    let mut world = group(4, &[host(10), host(10), blind()]);
    work(&mut world, 100);
    world.settle(2 * MINUTE_MS);
    world.run(5_000);
    members_sweep_all(&mut world);
    world.settle(2 * MINUTE_MS);
    world.crash(1);
    world.run(MINUTE_MS);
    let device = world.machines[1].device();
    world.feed(0, Input::DeclareLost { device });
    world.run(2 * KEPT_MOST_MS);
    assert_eq!(dead_on(&mut world, 2), 0);
}

/// A member that holds dead chunks publishes them again, at any moment of the host's passes.
#[test]
fn what_is_named_again_meanwhile_costs_a_second_sending_at_most() {
    for moment in 0..14 {
        let mut world = group(10 + moment, &[host(10), host(10), blind()]);
        work(&mut world, 100);
        world.settle(2 * MINUTE_MS);
        // This one keeps copies of what is deleted: it was away while the others deleted.
        let held: Vec<_> = {
            let live = live(&mut world);
            let disk = &world.machines[1].disk;
            live.iter()
                .filter(|id| disk.chunks.contains_key(id))
                .map(|id| disk.chunks[id].bytes.clone())
                .collect()
        };
        world.delete_all(0);
        world.settle(2 * MINUTE_MS);
        world.run(5_000);
        members_sweep_all(&mut world);
        world.settle(2 * MINUTE_MS);
        let away = moment % 2 == 1;
        if away {
            world.crash(1);
        }
        world.run(moment * KEPT_MOST_MS / 13);
        if away {
            world.boot(1);
        }
        // What is written again is the same chunk: a drive finds it in its own store, or has just made it.
        let again: Vec<ChunkId> =
            held.iter().take(6).map(|bytes| world.put_chunk(1, bytes.clone())).collect();
        world.publish(1, "again", &again);
        world.run(MINUTE_MS);
        world.settle(5 * MINUTE_MS);
        world.run(2 * KEPT_MOST_MS);
        world.settle(5 * MINUTE_MS);
        let live = live(&mut world);
        assert!(again.iter().all(|id| live.contains(id)));
        for id in &again {
            let copies = world.machines.iter().filter(|machine| machine.disk.placed(id)).count();
            assert_eq!(copies, 3, "{id} at moment {moment}");
        }
        world.check_reads();
    }
}

#[test]
fn groups_that_live_and_break_collect_no_living_chunk_and_are_the_same_each_time() {
    let run = |seed: u64| {
        let mut world = group(seed, &[host(10), host(10), blind(), blind(), host(5)]);
        for _ in 0..12 {
            world.live_unspoilt(12);
            members_sweep(&mut world);
            world.run(HOUR_MS);
        }
        world.mend_all();
        world.settle(10 * MINUTE_MS);
        world.run(5_000);
        members_sweep_all(&mut world);
        world.settle(10 * MINUTE_MS);
        world.run(KEPT_MOST_MS + GRACE_MS);
        world.settle(10 * MINUTE_MS);
        check_collected(&mut world);
        world.check_reads();
        (world.trace(), dead_on(&mut world, 2) + dead_on(&mut world, 3))
    };
    for seed in 0..4 {
        let (trace, dead) = run(seed);
        assert_eq!(dead, 0, "seed {seed}: dead chunks are kept beyond their time");
        if seed == 2 {
            assert_eq!(run(seed).0, trace);
        }
    }
}
