//! Random histories of several devices that meet now and then.

use proptest::prelude::*;

use super::fixture::{Cast, at, commit, node, sync, try_write};
use super::model::{Model, lines_of};
use crate::edit::{Edit, Stamped};
use crate::node::{AttributeChange, Entry, Ino, Kind, ROOT, Rename};
use crate::{Accepted, Ledger, LedgerError, Time, VersionId};

/// One thing a device does; the numbers pick what it does it to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) device: u8,
    pub(super) verb: u8,
    pub(super) a: u16,
    pub(super) b: u16,
    name: u8,
    pub(super) millis: u16,
}

pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..5u8, 0..32u8, any::<u16>(), any::<u16>(), 0..4u8, 0..2000u16)
        .prop_map(|(device, verb, a, b, name, millis)| Step { device, verb, a, b, name, millis });
    proptest::collection::vec(step, 1..most)
}

/// Everything that shows: directory, entry.
fn everything(ledger: &Ledger) -> Vec<(Ino, Entry)> {
    let (mut all, mut open) = (Vec::new(), vec![ROOT]);
    while let Some(dir) = open.pop() {
        let mut entries = Vec::new();
        ledger.list(dir, 0, usize::MAX, &mut entries).unwrap();
        for entry in entries {
            if entry.kind == Kind::Directory {
                open.push(entry.ino);
            }
            all.push((dir, entry));
        }
    }
    all
}

pub(super) fn act(ledger: &mut Ledger, step: Step, millis: i64) -> Result<(), LedgerError> {
    let now = at(millis);
    let all = everything(ledger);
    let mut dirs = vec![ROOT];
    dirs.extend(all.iter().filter(|(_, entry)| entry.kind == Kind::Directory).map(|(_, entry)| entry.ino));
    let dir = dirs[usize::from(step.b) % dirs.len()];
    let name = [b'a' + step.name];
    let pick = (!all.is_empty()).then(|| all[usize::from(step.a) % all.len()].clone());
    match (step.verb, pick) {
        (0..4, _) => ledger.create_node(now, dir, &name, node(Kind::File)).map(drop),
        (4..8, _) => ledger.create_node(now, dir, &name, node(Kind::Directory)).map(drop),
        (8, _) => ledger.create_node(now, dir, &name, node(Kind::Symlink)).map(drop),
        (9, Some((_, entry))) => ledger.link(now, entry.ino, dir, &name),
        (10..13, Some((from, entry))) => ledger.unlink(now, from, &entry.name).map(drop),
        (13..20, Some((from, entry))) => {
            ledger.rename(now, (from, &entry.name), (dir, &name), Rename::Replace).map(drop)
        }
        (20..22, Some((from, entry))) => {
            ledger.rename(now, (from, &entry.name), (dir, &name), Rename::Exchange).map(drop)
        }
        (22, Some((_, entry))) => {
            let mtime = (step.b.is_multiple_of(2)).then_some(Time { secs: i64::from(step.b), nanos: 5 });
            let change =
                AttributeChange { mode: Some(u32::from(step.b) & 0o777), uid: Some(7), gid: None, mtime };
            ledger.set_attributes(now, entry.ino, change)
        }
        (23, Some((_, entry))) => ledger.set_xattr(now, entry.ino, b"user.x", &step.b.to_be_bytes()),
        (24, Some((_, entry))) => ledger.remove_xattr(now, entry.ino, b"user.x"),
        (25..29, Some((_, entry))) => try_write(ledger, now, entry.ino, &format!("{}", step.b)).map(drop),
        (29, Some((_, entry))) => {
            let versions = ledger.versions(entry.ino)?;
            let Some(version) = versions.get(usize::from(step.b) % versions.len().max(1)) else {
                return Ok(());
            };
            if step.b.is_multiple_of(2) {
                ledger.resolve_conflict(now, entry.ino, version.id).map(drop)
            } else {
                ledger.restore_version(now, entry.ino, version.id).map(drop)
            }
        }
        (30, _) => {
            let (deleted, _) = ledger.deleted(dir, b"", 10)?;
            let Some(entry) = deleted.get(usize::from(step.a) % deleted.len().max(1)) else { return Ok(()) };
            ledger.revive(now, entry.ino, dir, &name)
        }
        (31, _) => {
            commit(ledger, now);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refusals that a random step may meet; anything else is a fault.
pub(super) fn is_expected(error: &LedgerError) -> bool {
    use LedgerError::{Exists, IsDirectory, Loop, NotDirectory, NotEmpty, NotFound, WrongKind};
    matches!(error, Exists | IsDirectory | Loop | NotDirectory | NotEmpty | NotFound | WrongKind)
}

fn edits_of(ledgers: &[Ledger]) -> Vec<Stamped> {
    ledgers.iter().flat_map(Ledger::own_edits_for_test).collect()
}

/// Runs the steps; devices meet where a step says so. Clocks differ by up to two minutes.
fn play(steps: &[Step], ledgers: &mut [Ledger]) {
    let mut millis = 1000;
    for step in steps {
        millis += i64::from(step.millis);
        let who = usize::from(step.device) % ledgers.len();
        let skewed = millis + who as i64 * 30_000;
        if step.a % 13 == 0 && ledgers.len() > 1 {
            let other = (who + 1 + usize::from(step.b) % (ledgers.len() - 1)) % ledgers.len();
            let [from, to] = ledgers.get_disjoint_mut([who, other]).unwrap();
            sync(from, to, at(skewed));
            check(to);
        }
        if let Err(error) = act(&mut ledgers[who], *step, skewed) {
            assert!(is_expected(&error), "{step:?}: {error:?}");
        }
    }
}

/// Everybody hears of everything. Answers the tree as it must be.
fn meet_all(ledgers: &mut [Ledger]) -> Vec<String> {
    for _ in 0..2 {
        for a in 0..ledgers.len() {
            for b in 0..ledgers.len() {
                if let Ok([from, to]) = ledgers.get_disjoint_mut([a, b]) {
                    sync(from, to, at(10_000_000));
                }
            }
        }
    }
    Model::of(&edits_of(ledgers)).lines()
}

/// What the ledger derives must fit what it keeps.
fn check(ledger: &Ledger) {
    ledger.check_derived_for_test();
}

proptest! {
    #![proptest_config(super::fixture::cases(48))]

    #[test]
    fn one_device_keeps_the_tree_a_full_recomputation_makes(steps in steps(80)) {
        let mut ledgers = Cast::new().devices(1);
        play(&steps, &mut ledgers);
        check(&ledgers[0]);
        prop_assert_eq!(lines_of(&ledgers[0]), Model::of(&edits_of(&ledgers)).lines());
    }

    #[test]
    fn any_history_of_several_devices_ends_in_one_tree(count in 2..5u64, steps in steps(90)) {
        let mut ledgers = Cast::new().devices(count);
        play(&steps, &mut ledgers);
        let expected = meet_all(&mut ledgers);
        let edits = edits_of(&ledgers);
        for ledger in &ledgers {
            check(ledger);
            for Stamped { stamp, edit } in &edits {
                if let Edit::Publish { inode, .. } = edit {
                    prop_assert!(ledger.keeps_version_for_test(*inode, VersionId(*stamp)), "content lost");
                }
            }
            prop_assert_eq!(&lines_of(ledger), &expected);
            prop_assert_eq!(ledger.digest().unwrap(), ledgers[0].digest().unwrap());
        }
    }

    #[test]
    fn directories_moved_into_each_other_end_in_one_tree(count in 2..5u64, mut steps in steps(120)) {
        // Few directories, many moves, deletions now and then, files to bring back what was deleted.
        for step in &mut steps {
            step.verb = match step.verb {
                0..3 => 0,
                3..9 => 4,
                9..13 => 10,
                _ => 13,
            };
        }
        let mut ledgers = Cast::new().devices(count);
        play(&steps, &mut ledgers);
        let expected = meet_all(&mut ledgers);
        for ledger in &ledgers {
            check(ledger);
            prop_assert_eq!(&lines_of(ledger), &expected);
        }
    }

    #[test]
    fn transactions_in_any_order_and_number_make_one_tree(
        steps in steps(60),
        order in proptest::collection::vec(any::<u16>(), 200),
    ) {
        let cast = Cast::new();
        let mut ledgers = cast.devices(3);
        play(&steps, &mut ledgers);
        let late = at(10_000_000);
        let mut all = Vec::new();
        for ledger in &mut ledgers {
            commit(ledger, late);
            all.extend(ledger.transactions_since(&crate::Frontier::default(), usize::MAX).unwrap());
        }
        // Each ledger gave what it knows, so most come several times; shuffled.
        let count = all.len();
        for (index, swap) in order.iter().enumerate().take(count) {
            let other = usize::from(*swap) % count;
            all.swap(index, other);
        }
        let mut newcomer = cast.join(9);
        // Whom nobody vouched for yet has to send again.
        for _ in 0..8 {
            for sealed in &all {
                let accepted = newcomer.accept(late, sealed).unwrap();
                prop_assert!(!matches!(accepted, Accepted::Refused(_)), "{:?}", accepted);
            }
        }
        prop_assert!(newcomer.held().is_empty());
        let lines = Model::of(&edits_of(&ledgers)).lines();
        prop_assert_eq!(lines_of(&newcomer), lines);
        check(&newcomer);
    }
}
