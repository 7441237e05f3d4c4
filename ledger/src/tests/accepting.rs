//! Which transactions get in.

use super::fixture::{Cast, at, commit, file, names, sync};
use crate::roster::DeviceClaim;
use crate::transaction::{SealedTransaction, TransactionHeader, seal};
use crate::{Accepted, CLOCK_AHEAD_MAX_MS, Frontier, HeldReason, Ledger, ROOT, RefusedReason};

fn all_of(ledger: &Ledger) -> Vec<Vec<u8>> {
    ledger.transactions_since(&Frontier::default(), usize::MAX).unwrap()
}

#[test]
fn a_transaction_counts_once() {
    let mut devices = Cast::new().devices(2);
    file(&mut devices[0], at(1000), ROOT, "a");
    commit(&mut devices[0], at(1000));
    let missing = devices[0].transactions_since(&devices[1].frontier(), usize::MAX).unwrap();
    assert_eq!(missing.len(), 1);
    let Accepted::Applied(changed) = devices[1].accept(at(2000), &missing[0]).unwrap() else { panic!() };
    assert!(changed.names.contains(&(ROOT, b"a".to_vec())));
    assert!(changed.inodes.contains(&ROOT));
    let before = devices[1].stats();
    assert_eq!(devices[1].accept(at(2000), &missing[0]).unwrap(), Accepted::Duplicate);
    assert_eq!(devices[1].stats(), before);
}

#[test]
fn a_gap_holds_and_filling_it_releases() {
    let mut devices = Cast::new().devices(2);
    for n in 0..3 {
        file(&mut devices[0], at(1000), ROOT, &format!("f{n}"));
        commit(&mut devices[0], at(1000));
    }
    let missing = devices[0].transactions_since(&devices[1].frontier(), usize::MAX).unwrap();
    let to = &mut devices[1];
    assert_eq!(to.accept(at(2000), &missing[2]).unwrap(), Accepted::Held(HeldReason::Gap));
    assert_eq!(to.accept(at(2000), &missing[1]).unwrap(), Accepted::Held(HeldReason::Gap));
    assert_eq!(to.held().len(), 2);
    assert!(names(to, ROOT).is_empty());
    assert!(matches!(to.accept(at(2000), &missing[0]).unwrap(), Accepted::Applied(_)));
    assert!(to.held().is_empty());
    assert_eq!(names(to, ROOT), ["f0", "f1", "f2"]);
}

#[test]
fn a_transaction_from_the_future_waits_whole() {
    let mut devices = Cast::new().devices(2);
    let ahead = CLOCK_AHEAD_MAX_MS as i64 + 60_000;
    file(&mut devices[0], at(1000 + ahead), ROOT, "early");
    commit(&mut devices[0], at(1000));
    let missing = devices[0].transactions_since(&devices[1].frontier(), usize::MAX).unwrap();
    let to = &mut devices[1];
    assert_eq!(to.accept(at(1000), &missing[0]).unwrap(), Accepted::Held(HeldReason::ClockAhead));
    to.retry_held(at(2000)).unwrap();
    assert!(names(to, ROOT).is_empty());
    to.retry_held(at(61_000)).unwrap();
    assert_eq!(names(to, ROOT), ["early"]);
}

#[test]
fn a_device_nobody_vouches_for_changes_nothing() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    // It has the keys, but no roster record.
    let mut stranger = cast.join(7);
    sync(&mut devices[0], &mut stranger, at(1000));
    file(&mut stranger, at(2000), ROOT, "intruder");
    commit(&mut stranger, at(2000));
    let missing = stranger.transactions_since(&devices[1].frontier(), usize::MAX).unwrap();
    assert_eq!(devices[1].accept(at(3000), &missing[0]).unwrap(), Accepted::Held(HeldReason::UnknownDevice));
    assert!(names(&devices[1], ROOT).is_empty());
    // Once somebody does, what waited gets in.
    let claim = DeviceClaim::new(&cast.device(7), cast.user.id(), cast.keyring.workspace);
    devices[0]
        .change_roster(at(4000), |roster, keyring| {
            Ok(vec![roster.add_device(&cast.user, keyring, claim, "new")?])
        })
        .unwrap();
    let [a, b] = &mut devices[..] else { panic!() };
    sync(a, b, at(5000));
    assert_eq!(names(b, ROOT), ["intruder"]);
}

#[test]
fn forged_and_forked_transactions_are_refused() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    file(&mut devices[0], at(1000), ROOT, "a");
    commit(&mut devices[0], at(1000));
    let missing = devices[0].transactions_since(&devices[1].frontier(), usize::MAX).unwrap();
    let to = &mut devices[1];
    let mut forged = missing[0].clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(
        to.accept(at(2000), &forged).unwrap(),
        Accepted::Refused(RefusedReason::Transaction(_))
    ));
    let header = *SealedTransaction::parse(&missing[0]).unwrap().header();
    let forked = TransactionHeader { previous: [1; 32], ..header };
    let sealed = seal(&forked, b"", &cast.keyring.epochs[0].1, &cast.device(0)).unwrap();
    assert_eq!(to.accept(at(2000), &sealed).unwrap(), Accepted::Refused(RefusedReason::Fork));
    let garbage = seal(&header, b"no edits", &cast.keyring.epochs[0].1, &cast.device(0)).unwrap();
    assert!(matches!(to.accept(at(2000), &garbage).unwrap(), Accepted::Refused(RefusedReason::Edits(_))));
    assert_eq!(to.refused(), 3);
    assert!(matches!(to.accept(at(2000), &missing[0]).unwrap(), Accepted::Applied(_)));
}

#[test]
fn ones_own_log_from_elsewhere_is_refused() {
    let cast = Cast::new();
    let mut devices = cast.devices(1);
    file(&mut devices[0], at(1000), ROOT, "a");
    commit(&mut devices[0], at(1000));
    let mut set_back = cast.join(0);
    let first = &all_of(&devices[0])[0];
    assert_eq!(set_back.accept(at(2000), first).unwrap(), Accepted::Refused(RefusedReason::OwnLog));
}

#[test]
fn what_is_held_is_bounded() {
    let mut devices = Cast::new().devices(2);
    for n in 0..crate::HELD_TRANSACTIONS_MAX + 20 {
        file(&mut devices[0], at(1000), ROOT, &format!("f{n}"));
        commit(&mut devices[0], at(1000));
    }
    let missing = devices[0].transactions_since(&devices[1].frontier(), usize::MAX).unwrap();
    for sealed in &missing[1..] {
        devices[1].accept(at(2000), sealed).unwrap();
    }
    assert_eq!(devices[1].held().len(), crate::HELD_TRANSACTIONS_MAX);
}

#[test]
fn many_at_once_in_any_order_come_to_the_same_tree() {
    let cast = Cast::new();
    let mut devices = cast.devices(3);
    for n in 0..40 {
        let device = &mut devices[n % 2];
        file(device, at(1000), ROOT, &format!("f{n}"));
        commit(device, at(1000));
    }
    let [a, b, _] = &mut devices[..] else { panic!() };
    sync(a, b, at(2000));
    let mut missing = b.transactions_since(&Frontier::default(), usize::MAX).unwrap();
    // From the newest to the oldest, some of them twice, with what is no transaction among them.
    missing.reverse();
    missing.extend_from_within(..5);
    missing.insert(3, b"garbage".to_vec());
    let mut fresh = cast.join(2);
    let all = fresh.accept_all(at(3000), &missing).unwrap();
    assert_eq!((all.duplicate, all.held.len(), all.refused.len()), (5, 0, 1));
    assert_eq!(all.applied as usize, missing.len() - 6);
    assert!(all.changed.names.contains(&(ROOT, b"f39".to_vec())));
    assert_eq!(fresh.digest().unwrap(), b.digest().unwrap());
    // What was taken in stands after it was written, too.
    commit(&mut fresh, at(3000));
    assert_eq!(fresh.frontier(), b.frontier());
}

#[test]
fn records_by_themselves_vouch_for_a_device_once() {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    let mut joined = cast.join(5);
    let mut records = devices[0].roster_records();
    // Parents come late.
    records.reverse();
    let taken = joined.accept_records(at(1000), &records).unwrap();
    assert_eq!((taken.new + taken.held) as usize, records.len());
    assert_eq!(joined.roster().digest(), devices[0].roster().digest());
    let again = joined.accept_records(at(1000), &records).unwrap();
    assert_eq!((again.new, again.held, again.refused), (0, 0, 0));
    assert_eq!(joined.accept_records(at(1000), &[vec![1, 2, 3]]).unwrap().refused, 1);
    sync(&mut devices[0], &mut joined, at(2000));
    assert_eq!(joined.roster_records().len(), records.len());
}
