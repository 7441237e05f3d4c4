//! Logs that are cleaned while they are written: nobody sees another tree for it, and who comes late receives little.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{Cast, at, commit, file, find, single, sync, text, write};
use super::model::{Model, lines_of};
use super::random::{Step, act, is_expected, steps};
use crate::edit::Stamped;
use crate::{
    Accepted, AttributeChange, CleanReport, Content, Frontier, HeldReason, Ledger, LedgerError, NewVersion,
    OutlineCounters, ROOT, RefusedReason, Stamp,
};

const RETENTION: Duration = Duration::from_secs(5);
const LATE: i64 = 100_000_000;

/// Gives up old history, and what the logs no longer need.
fn tidy(ledger: &mut Ledger, now: crate::Now) -> CleanReport {
    while !ledger.prune(now, RETENTION, 7).unwrap().finished {}
    let mut all = CleanReport::default();
    while !all.finished {
        let step = ledger.clean(now, RETENTION, 5).unwrap();
        all.finished = step.finished;
        all.dropped += step.dropped;
        all.cleaned += step.cleaned;
        all.reissued += step.reissued;
    }
    commit(ledger, now);
    ledger.declare_cleaned(now, None).unwrap();
    commit(ledger, now);
    all
}

fn outlines(ledger: &Ledger) -> Vec<Vec<u8>> {
    ledger.outlines_since(&OutlineCounters::new())
}

fn give_outlines(from: &Ledger, to: &mut Ledger, now: crate::Now) {
    let taken = to.accept_outlines(now, &outlines(from)).unwrap();
    assert!(taken.refused.is_empty(), "{taken:?}");
}

/// Hands `to` all that it lacks of `from`, outlines at the time that is named.
fn exchange(from: &mut Ledger, to: &mut Ledger, now: crate::Now, outlines_first: bool) {
    commit(from, now);
    commit(to, now);
    to.accept_records(now, &from.roster_records()).unwrap();
    if outlines_first {
        give_outlines(from, to, now);
    }
    let lacking = from.transactions_since(&to.frontier_in_memory(), usize::MAX).unwrap();
    let all = to.accept_all(now, &lacking).unwrap();
    assert!(all.refused.is_empty(), "{all:?}");
    if !outlines_first {
        give_outlines(from, to, now);
    }
    assert!(to.held().is_empty(), "{:?}", to.held());
    commit(to, now);
    to.check_derived_for_test();
}

fn log_rows(ledger: &Ledger) -> usize {
    ledger.transactions_since(&Frontier::default(), usize::MAX).unwrap().len()
}

fn saves(ledger: &mut Ledger, name: &str, count: i64, from: i64) {
    let ino = match find(ledger, name) {
        Some(entry) => entry.ino,
        None => file(ledger, at(from), ROOT, name),
    };
    for number in 0..count {
        write(ledger, at(from + number * 10), ino, &format!("{name} {number}"));
        commit(ledger, at(from + number * 10));
    }
}

#[test]
fn a_file_saved_a_thousand_times_leaves_a_short_log() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    let [a, b] = &mut devices[..] else { panic!() };
    saves(a, "note", 1000, 1000);
    sync(a, b, at(20_000));
    let before = log_rows(a);
    assert!(before > 1000);
    let report = tidy(a, at(LATE));
    // The creation stays, and the last save.
    assert!(log_rows(a) < 10, "{} rows, {report:?}", log_rows(a));
    assert_eq!(text(a, "note").unwrap(), "note 999");
    // Who has them drops them as soon as nothing in them says anything here either.
    exchange(a, b, at(LATE), false);
    assert_eq!(tidy(b, at(2000)).dropped, 0, "history still has the contents here");
    assert!(tidy(b, at(LATE)).dropped > 990);
    assert_eq!(log_rows(b), log_rows(a));

    let mut newcomer = cast.join(7);
    exchange(b, &mut newcomer, at(LATE), true);
    assert_eq!(log_rows(&newcomer), log_rows(a));
    assert_eq!(newcomer.frontier(), a.frontier());
    assert_eq!(newcomer.digest().unwrap(), a.digest().unwrap());
    // And the log goes on.
    saves(a, "note", 3, LATE + 1000);
    exchange(a, b, at(LATE + 2000), true);
    exchange(a, &mut newcomer, at(LATE + 2000), false);
    assert_eq!(text(&newcomer, "note").unwrap(), "note 2");
    assert_eq!(newcomer.frontier(), b.frontier());
}

#[test]
fn nothing_is_cleaned_that_history_still_gives_back() {
    let mut ledger = single();
    saves(&mut ledger, "note", 20, 1000);
    let rows = log_rows(&ledger);
    assert_eq!(tidy(&mut ledger, at(4000)).cleaned, 0);
    assert_eq!(log_rows(&ledger), rows);
    let note = find(&ledger, "note").unwrap().ino;
    assert_eq!(ledger.versions(note).unwrap().len(), 20);
}

#[test]
fn a_gap_is_legal_only_where_its_device_declares_it() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    let [a, b] = &mut devices[..] else { panic!() };
    saves(a, "note", 9, 1000);
    tidy(a, at(LATE));
    let late = a.transactions_since(&b.frontier(), usize::MAX).unwrap();
    let accepted = b.accept(at(LATE), late.last().unwrap()).unwrap();
    assert_eq!(accepted, Accepted::Held(HeldReason::Gap));
    for sealed in &late {
        b.accept(at(LATE), sealed).unwrap();
    }
    assert!(!b.held().is_empty() && b.frontier_in_memory() != a.frontier());
    // What waited gets in with the outline.
    give_outlines(a, b, at(LATE));
    assert!(b.held().is_empty());
    assert_eq!(b.frontier_in_memory(), a.frontier());
    assert_eq!(b.digest().unwrap(), a.digest().unwrap());
}

#[test]
fn an_outline_of_nobody_who_may_write_is_not_believed() {
    let cast = Cast::new();
    let mut devices = cast.devices(3);
    let [a, b, c] = &mut devices[..] else { panic!() };
    saves(a, "note", 5, 1000);
    tidy(a, at(LATE));
    let outline = outlines(a).remove(0);
    // Its own device knows better.
    assert_eq!(a.accept_outlines(at(LATE), &[&outline]).unwrap().outlines, 0);
    let mut forged = outline.clone();
    *forged.last_mut().unwrap() ^= 1;
    let refused = b.accept_outlines(at(LATE), &[&forged]).unwrap().refused;
    assert!(matches!(refused[..], [(_, _, RefusedReason::Outline(crate::OutlineError::Signature))]));
    // A stranger's comes again when somebody vouches for him.
    let mut stranger = cast.join(8);
    let taken = stranger.accept_outlines(at(LATE), &[&outline]).unwrap();
    assert_eq!((taken.outlines, taken.refused.len()), (0, 0));
    let removed = a.device();
    b.change_roster(at(LATE), |roster, _| Ok(vec![roster.remove_device(&cast.user, removed, 3)?])).unwrap();
    sync(b, c, at(LATE));
    let refused = c.accept_outlines(at(LATE), &[&outline]).unwrap().refused;
    assert!(matches!(refused[..], [(_, _, RefusedReason::Outline(crate::OutlineError::NotAllowed))]));
}

#[test]
fn what_was_found_is_declared_only_when_it_is_durable_and_safe() {
    let mut ledger = single();
    saves(&mut ledger, "note", 9, 1000);
    let now = at(LATE);
    while !ledger.prune(now, RETENTION, 100).unwrap().finished {}
    assert!(ledger.clean(now, RETENTION, 1000).unwrap().cleaned > 5);
    assert!(ledger.has_to_declare());
    assert_eq!(ledger.declare_cleaned(now, None).unwrap(), 0, "not durable");
    commit(&mut ledger, now);
    let through = ledger.frontier().0[&ledger.device()];
    assert_eq!(ledger.declare_cleaned(now, Some(through - 1)).unwrap(), 0);
    assert!(outlines(&ledger).is_empty());
    assert!(ledger.declare_cleaned(now, Some(through)).unwrap() > 5);
    assert!(outlines(&ledger).is_empty(), "it is told when it is on disk");
    commit(&mut ledger, now);
    assert_eq!(outlines(&ledger).len(), 1);
    assert!(!ledger.has_to_declare());
}

/// Many files made and written in few transactions, most of them removed since.
fn mostly_dead(ledger: &mut Ledger) {
    let inos: Vec<_> = (0..40).map(|n| file(ledger, at(1000 + n), ROOT, &format!("f{n}"))).collect();
    commit(ledger, at(1100));
    for round in 0..5 {
        for ino in &inos {
            write(ledger, at(1200 + round), *ino, &format!("content {round}"));
        }
        commit(ledger, at(1200 + round));
    }
    for ino in &inos[1..] {
        write(ledger, at(2000), *ino, "last");
    }
    commit(ledger, at(2000));
}

#[test]
fn what_lives_of_a_mostly_dead_transaction_is_issued_again() {
    let cast = Cast::new();
    let mut devices = cast.devices(3);
    let [a, b, c] = &mut devices[..] else { panic!() };
    mostly_dead(a);
    sync(a, b, at(3000));
    let rows = log_rows(a);
    let report = tidy(a, at(LATE));
    assert!(report.reissued > 0 && report.cleaned > 0, "{report:?}");
    assert!(log_rows(a) < rows);
    let mut newcomer = cast.join(7);
    exchange(a, b, at(LATE), true);
    exchange(a, c, at(LATE), false);
    exchange(a, &mut newcomer, at(LATE), true);
    for other in [&mut *b, &mut *c, &mut newcomer] {
        assert_eq!(other.digest().unwrap(), a.digest().unwrap());
        assert_eq!(text(other, "f0").unwrap(), "content 4");
    }
    // Who has the original drops it too: what lives of it is here twice.
    assert!(tidy(b, at(LATE)).dropped > 0);
    assert_eq!(log_rows(b), log_rows(a));
    // A second time, out of the transaction that carried them.
    let again = |ledger: &mut Ledger, millis| {
        for n in 1..40 {
            let ino = find(ledger, &format!("f{n}")).unwrap().ino;
            write(ledger, at(millis), ino, "later");
        }
        commit(ledger, at(millis));
    };
    again(a, LATE + 1000);
    tidy(a, at(2 * LATE));
    for other in [&mut *b, &mut *c, &mut newcomer] {
        exchange(a, other, at(2 * LATE), true);
        tidy(other, at(2 * LATE));
        assert_eq!(other.digest().unwrap(), a.digest().unwrap());
        assert_eq!(log_rows(other), log_rows(a));
    }
    let mut last = cast.join(8);
    exchange(c, &mut last, at(2 * LATE), true);
    assert_eq!(last.digest().unwrap(), a.digest().unwrap());
}

#[test]
fn a_version_that_was_given_up_does_not_come_back_when_it_is_issued_again() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    let [a, b] = &mut devices[..] else { panic!() };
    mostly_dead(a);
    sync(a, b, at(3000));
    // The one that lives of it is replaced by the other device, which then gives it up.
    let ino = find(b, "f0").unwrap().ino;
    write(b, at(4000), ino, "by b");
    tidy(b, at(LATE));
    assert!(tidy(a, at(LATE)).reissued > 0);
    exchange(a, b, at(LATE), true);
    assert!(b.conflicts(0, 10).unwrap().is_empty());
    assert_eq!(text(b, "f0").unwrap(), "by b");
    exchange(b, a, at(LATE), true);
    assert_eq!(a.digest().unwrap(), b.digest().unwrap());
}

#[test]
fn a_conflict_that_is_issued_again_stays_one() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    let [a, b] = &mut devices[..] else { panic!() };
    mostly_dead(a);
    let ino = find(a, "f0").unwrap().ino;
    let before = a.inode(ino).unwrap().unwrap().head.unwrap().version;
    sync(a, b, at(3000));
    // Written apart: the greater stamp opens, the one of `a` is a conflict.
    let in_b = find(b, "f0").unwrap().ino;
    let apart =
        NewVersion { base: None, size: 1, mtime: at(4000).wall, content: Content::Inline(b"x".to_vec()) };
    b.publish(at(4000), in_b, apart).unwrap();
    sync(b, a, at(5000));
    assert!(tidy(a, at(LATE)).reissued > 0);
    exchange(a, b, at(LATE), true);
    let mut newcomer = cast.join(7);
    exchange(a, &mut newcomer, at(LATE), true);
    for ledger in [&mut *a, &mut *b, &mut newcomer] {
        tidy(ledger, at(LATE));
        let conflicts = ledger.conflicts(0, 10).unwrap();
        assert_eq!(conflicts.len(), 1);
        assert!(conflicts[0].versions.iter().any(|version| version.id == before));
    }
}

#[test]
fn a_stale_host_brings_back_nothing_for_long() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    let [a, b] = &mut devices[..] else { panic!() };
    let note = file(a, at(1000), ROOT, "note");
    commit(a, at(1000));
    write(a, at(1000), note, "by a");
    sync(a, b, at(1500));
    let stale = a.transactions_since(&Frontier::default(), usize::MAX).unwrap();
    let in_b = find(b, "note").unwrap().ino;
    write(b, at(2000), in_b, "by b");
    commit(b, at(2000));
    write(b, at(3000), in_b, "by b again");
    sync(b, a, at(3500));
    for _ in 0..3 {
        tidy(a, at(LATE));
        tidy(b, at(LATE));
        exchange(a, b, at(LATE), true);
        exchange(b, a, at(LATE), true);
    }
    let mut newcomer = cast.join(7);
    newcomer.accept_all(at(LATE), &stale).unwrap();
    assert_eq!(text(&newcomer, "note").unwrap(), "by a");
    exchange(b, &mut newcomer, at(LATE), false);
    assert_eq!(text(&newcomer, "note").unwrap(), "by b again");
    tidy(&mut newcomer, at(LATE));
    assert!(newcomer.conflicts(0, 10).unwrap().is_empty());
    assert_eq!(newcomer.digest().unwrap(), a.digest().unwrap());
    // It is history, for as long as any.
    let note = find(&newcomer, "note").unwrap().ino;
    let versions = newcomer.versions(note).unwrap();
    assert_eq!(versions.len(), 2, "{versions:?}");
}

#[test]
fn who_was_away_for_long_merges_and_brings_back_nothing() {
    let cast = Cast::new();
    let mut devices = cast.devices(3);
    let [a, b, away] = &mut devices[..] else { panic!() };
    saves(a, "old", 5, 1000);
    saves(a, "gone", 5, 2000);
    sync(a, away, at(3000));
    sync(a, b, at(3000));
    saves(a, "old", 50, 4000);
    a.unlink(at(5000), ROOT, b"gone").unwrap();
    // Meanwhile, alone.
    saves(away, "own", 5, 4000);
    for _ in 0..2 {
        tidy(a, at(LATE));
        tidy(b, at(LATE));
        exchange(a, b, at(LATE), true);
    }
    tidy(away, at(LATE));
    exchange(b, away, at(LATE), true);
    exchange(away, b, at(LATE), true);
    exchange(b, a, at(LATE), true);
    for ledger in [&*a, &*b, &*away] {
        assert!(find(ledger, "gone").is_none());
        assert_eq!(text(ledger, "old").unwrap(), "old 49");
        assert_eq!(text(ledger, "own").unwrap(), "own 4");
        assert_eq!(ledger.digest().unwrap(), a.digest().unwrap());
        assert_eq!(ledger.stats().conflicts, 0);
    }
}

#[test]
fn a_pass_that_was_interrupted_issues_nothing_twice() {
    let cast = Cast::new();
    let backing = super::fixture::Shared::default();
    let mut ledger = cast.founder_over(Box::new(backing.clone()));
    mostly_dead(&mut ledger);
    let now = at(LATE);
    while !ledger.prune(now, RETENTION, 100).unwrap().finished {}
    assert!(ledger.clean(now, RETENTION, usize::MAX).unwrap().reissued > 0);
    commit(&mut ledger, now);
    let (digest, rows) = (ledger.digest().unwrap(), log_rows(&ledger));
    drop(ledger);
    let keyring = cast.keyring.clone();
    let mut ledger = Ledger::open(Box::new(backing), cast.device(0), &cast.user, keyring, now).unwrap();
    assert!(ledger.has_to_declare());
    let report = ledger.clean(now, RETENTION, usize::MAX).unwrap();
    assert_eq!((report.reissued, report.finished), (0, true));
    assert!(ledger.declare_cleaned(now, None).unwrap() > 0);
    commit(&mut ledger, now);
    assert!(log_rows(&ledger) < rows);
    assert_eq!(tidy(&mut ledger, now).reissued, 0);
    assert_eq!(ledger.digest().unwrap(), digest);
}

#[test]
fn the_log_that_people_see_steps_over_what_is_cleaned() {
    let mut ledger = single();
    saves(&mut ledger, "note", 200, 1000);
    let mode = AttributeChange { mode: Some(0o600), ..AttributeChange::default() };
    ledger.set_attributes(at(LATE - 10), find(&ledger, "note").unwrap().ino, mode).unwrap();
    tidy(&mut ledger, at(LATE));
    let lines = ledger.log(1000, None).unwrap();
    assert!((3..20).contains(&lines.len()), "{}", lines.len());
    assert!(lines.windows(2).all(|two| two[0].stamp > two[1].stamp));
    let own = ledger.device().tag();
    assert!(ledger.clock_at(own, 100).unwrap().is_some_and(|clock| clock > 0));
}

/// Devices that live, and all that was ever done by them.
struct World {
    ledgers: Vec<Ledger>,
    done: BTreeMap<Stamp, Stamped>,
    /// What a host that hears no outlines would hold.
    stale: Vec<Vec<u8>>,
}

impl World {
    fn note(&mut self, who: usize) {
        for edit in self.ledgers[who].own_edits_for_test() {
            // What was issued again may be less than it was.
            self.done.entry(edit.stamp).or_insert(edit);
        }
    }

    fn play(&mut self, steps: &[Step]) {
        let mut millis = 1000;
        for step in steps {
            millis += i64::from(step.millis);
            let count = self.ledgers.len();
            let who = usize::from(step.device) % count;
            let skewed = millis + who as i64 * 30_000;
            let now = at(skewed);
            if step.a % 11 == 0 {
                let other = (who + 1 + usize::from(step.b) % (count - 1)) % count;
                let [from, to] = self.ledgers.get_disjoint_mut([who, other]).unwrap();
                exchange(from, to, now, step.b.is_multiple_of(2));
            }
            if step.a % 7 == 0 {
                commit(&mut self.ledgers[who], now);
                let all = self.ledgers[who].transactions_since(&Frontier::default(), usize::MAX).unwrap();
                self.stale.extend(all);
                tidy(&mut self.ledgers[who], now);
            }
            if let Err(error) = act(&mut self.ledgers[who], *step, skewed) {
                let given_up = matches!(error, LedgerError::Expired);
                assert!(given_up || is_expected(&error), "{step:?}: {error:?}");
            }
            if step.b % 3 == 0 {
                commit(&mut self.ledgers[who], now);
            }
            self.note(who);
        }
    }

    /// Everybody hears of everything, and everything old is given up.
    fn meet_and_tidy(&mut self, rounds: i64) {
        for round in 0..rounds {
            let late = at(LATE + round * 10_000_000);
            for a in 0..self.ledgers.len() {
                for b in 0..self.ledgers.len() {
                    if let Ok([from, to]) = self.ledgers.get_disjoint_mut([a, b]) {
                        exchange(from, to, late, (a + b).is_multiple_of(2));
                    }
                }
            }
            for ledger in &mut self.ledgers {
                tidy(ledger, late);
            }
        }
    }
}

proptest! {
    #![proptest_config(super::fixture::cases(48))]

    #[test]
    fn cleaned_logs_make_the_tree_that_all_edits_make(
        count in 2..5u64,
        mut steps in steps(120),
        writes in any::<bool>(),
        order in proptest::collection::vec(any::<u16>(), 60),
    ) {
        if writes {
            // Few files, written and moved again and again.
            for step in &mut steps {
                step.verb = [0, 13, 22, 23, 25, 25, 25, 29][usize::from(step.verb) % 8];
            }
        }
        let cast = Cast::new();
        let mut world = World { ledgers: cast.devices(count), done: BTreeMap::new(), stale: Vec::new() };
        for who in 0..world.ledgers.len() {
            world.note(who);
        }
        world.play(&steps);
        // One that gets what a stale host has, in any order, before anything else, and one that gets nothing of that.
        let mut misled = cast.join(8);
        for pick in &order {
            if !world.stale.is_empty() {
                let index = usize::from(*pick) % world.stale.len();
                let _ = misled.accept(at(LATE), &world.stale[index]).unwrap();
            }
        }
        misled.accept_all(at(LATE), &world.stale).unwrap();
        world.ledgers.push(misled);
        world.meet_and_tidy(4);
        let mut newcomer = cast.join(9);
        exchange(&mut world.ledgers[0], &mut newcomer, at(10 * LATE), true);
        world.ledgers.push(newcomer);
        let expected = Model::of(&world.done.values().cloned().collect::<Vec<_>>()).lines();
        let frontier = world.ledgers[0].frontier();
        for (number, ledger) in world.ledgers.iter().enumerate() {
            prop_assert_eq!(&lines_of(ledger), &expected, "ledger {}", number);
            prop_assert_eq!(ledger.digest().unwrap(), world.ledgers[0].digest().unwrap());
            prop_assert_eq!(ledger.frontier(), frontier.clone());
            prop_assert!(ledger.held().is_empty());
        }
    }
}
