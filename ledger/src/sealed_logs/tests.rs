//! A host without keys keeps what members need, and learns nothing.

use super::*;
use crate::keys::UserKeys;
use crate::roster::{DeviceClaim, Roster, RosterRecord};
use crate::tests::fixture::{Cast, Shared, at, commit, entropy, file, folder, names, sync, write};
use crate::transaction::{SealedTransaction, TransactionHeader, seal};
use crate::{Accepted, Ledger, ROOT, RefusedReason};

fn all_of(ledger: &Ledger) -> Vec<Vec<u8>> {
    ledger.transactions_since(&Frontier::default(), usize::MAX).unwrap()
}

fn host(cast: &Cast, backing: &Shared) -> SealedLogs {
    SealedLogs::create(Box::new(backing.clone()), cast.keyring.workspace).unwrap()
}

/// Two devices that wrote, and a host that holds everything of them.
fn kept() -> (Cast, Vec<Ledger>, SealedLogs, Shared) {
    let cast = Cast::new();
    let mut devices = cast.devices(2);
    let dir = folder(&mut devices[0], at(1000), ROOT, "unmistakable-folder");
    let ino = file(&mut devices[0], at(1000), dir, "unmistakable-name");
    write(&mut devices[0], at(1000), ino, "unmistakable content");
    let [a, b] = &mut devices[..] else { panic!() };
    sync(a, b, at(2000));
    file(b, at(3000), ROOT, "second");
    sync(b, a, at(3000));
    let backing = Shared::default();
    let mut host = host(&cast, &backing);
    assert_eq!(host.accept_records(&a.roster_records()).unwrap().refused, 0);
    let sealed = all_of(a);
    let all = host.accept_all(&sealed).unwrap();
    assert_eq!((all.applied as usize, all.held.len(), all.refused.len()), (sealed.len(), 0, 0));
    host.commit().unwrap();
    (cast, devices, host, backing)
}

#[test]
fn what_is_kept_is_given_back_and_survives() {
    let (cast, devices, host, backing) = kept();
    assert_eq!(host.frontier(), devices[0].frontier());
    drop(host);
    assert!(SealedLogs::create(Box::new(backing.clone()), cast.keyring.workspace).is_err());
    let mut host = SealedLogs::open(Box::new(backing), cast.keyring.workspace).unwrap();
    assert_eq!(host.transactions_since(&Frontier::default(), usize::MAX).unwrap(), all_of(&devices[0]));
    assert_eq!(host.roster().digest(), devices[0].roster().digest());
    let again = host.accept_all(&all_of(&devices[0])).unwrap();
    assert_eq!(again.applied, 0);
    assert!(again.duplicate > 0 && !host.has_uncommitted());
}

#[test]
fn only_what_is_on_disk_is_told() {
    let cast = Cast::new();
    let mut devices = cast.devices(1);
    commit(&mut devices[0], at(0));
    let mut host = host(&cast, &Shared::default());
    host.accept_records(&devices[0].roster_records()).unwrap();
    host.accept_all(&all_of(&devices[0])).unwrap();
    assert!(host.frontier().0.is_empty());
    assert!(host.transactions_since(&Frontier::default(), usize::MAX).unwrap().is_empty());
    host.commit().unwrap();
    assert_eq!(host.frontier(), devices[0].frontier());
}

#[test]
fn a_host_holds_no_names_and_no_content() {
    let (_, _, _, backing) = kept();
    for table in Table::ALL {
        backing
            .scan(table, &[], None, &mut |key, value| {
                for bytes in [key, value] {
                    let found = bytes.windows(b"unmistakable".len()).any(|part| part == b"unmistakable");
                    assert!(!found, "{table:?}");
                }
                true
            })
            .unwrap();
    }
}

#[test]
fn strangers_forgeries_forks_and_gaps_stay_out() {
    let cast = Cast::new();
    let mut devices = cast.devices(1);
    for n in 0..3 {
        file(&mut devices[0], at(1000 + n), ROOT, &format!("f{n}"));
        commit(&mut devices[0], at(1000 + n));
    }
    let sealed = all_of(&devices[0]);
    let mut host = host(&cast, &Shared::default());
    assert_eq!(host.accept(&sealed[0]).unwrap(), Accepted::Held(HeldReason::UnknownDevice));
    assert!(host.held().is_empty(), "strangers get no room");
    host.accept_records(&devices[0].roster_records()).unwrap();
    assert_eq!(host.accept(&sealed[2]).unwrap(), Accepted::Held(HeldReason::Gap));
    let mut forged = sealed[0].clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(host.accept(&forged).unwrap(), Accepted::Refused(RefusedReason::Transaction(_))));
    assert!(matches!(host.accept(&sealed[0]).unwrap(), Accepted::Applied(_)));
    let header = *SealedTransaction::parse(&sealed[1]).unwrap().header();
    let fork = TransactionHeader { previous: [1; 32], ..header };
    let fork = seal(&fork, b"", &cast.keyring.epochs[0].1, &cast.device(0)).unwrap();
    assert_eq!(host.accept(&fork).unwrap(), Accepted::Refused(RefusedReason::Fork));
    assert!(matches!(host.accept(&sealed[1]).unwrap(), Accepted::Applied(_)));
    assert!(host.held().is_empty());
    host.commit().unwrap();
    assert_eq!(host.frontier(), devices[0].frontier());
    assert_eq!(host.refused(), 2);
}

#[test]
fn any_order_and_any_bytes_are_taken() {
    let (cast, devices, _, _) = kept();
    let mut host = host(&cast, &Shared::default());
    let mut sealed = all_of(&devices[0]);
    sealed.reverse();
    sealed.push(b"garbage".to_vec());
    host.accept_records(&[b"garbage".to_vec()]).unwrap();
    let mut records = devices[0].roster_records();
    records.reverse();
    host.accept_records(&records).unwrap();
    let all = host.accept_all(&sealed).unwrap();
    assert_eq!((all.refused.len(), host.refused()), (1, 2));
    host.commit().unwrap();
    assert_eq!(host.frontier(), devices[0].frontier());
}

#[test]
fn with_a_phrase_and_a_host_the_whole_drive_comes_back() {
    let (cast, devices, host, _) = kept();
    let phrase = cast.user.recovery_phrase();
    // All that is left: the words, and what the host gives away.
    let user = UserKeys::from_recovery_phrase(&phrase).unwrap();
    let mut roster = Roster::new(host.workspace());
    for record in host.roster_records() {
        roster.apply(RosterRecord::parse(&record).unwrap()).unwrap();
    }
    let keyring = roster.recover_keyring(&user, &mut entropy(77)).unwrap();
    let backing = Box::new(crate::MemoryBacking::default());
    let mut back = Ledger::join(backing, cast.device(9), &user, keyring, "drive", at(9000)).unwrap();
    back.accept_records(at(9000), &host.roster_records()).unwrap();
    let claim = DeviceClaim::new(&cast.device(9), user.id(), host.workspace());
    back.change_roster(at(9000), |roster, keyring| {
        Ok(vec![roster.add_device(&user, keyring, claim, "new computer")?])
    })
    .unwrap();
    let all = back.accept_all(at(9000), &host.transactions_since(&Frontier::default(), usize::MAX).unwrap());
    assert!(all.unwrap().refused.is_empty());
    assert_eq!(back.digest().unwrap(), devices[0].digest().unwrap());
    assert_eq!(names(&back, ROOT), ["second", "unmistakable-folder"]);
}

#[test]
fn what_is_cleaned_is_dropped_here_too_and_the_rest_makes_the_same_tree() {
    let cast = Cast::new();
    let mut a = cast.devices(1).remove(0);
    let note = file(&mut a, at(1000), ROOT, "note");
    for number in 0..50 {
        write(&mut a, at(1000 + number), note, &format!("content {number}"));
        commit(&mut a, at(1000 + number));
    }
    let backing = Shared::default();
    let mut host = host(&cast, &backing);
    host.accept_records(&a.roster_records()).unwrap();
    host.accept_all(&all_of(&a)).unwrap();
    host.commit().unwrap();
    let (late, retention) = (at(100_000_000), std::time::Duration::from_secs(1));
    while !a.prune(late, retention, 100).unwrap().finished {}
    while !a.clean(late, retention, 100).unwrap().finished {}
    commit(&mut a, late);
    a.declare_cleaned(late, None).unwrap();
    commit(&mut a, late);
    // What is issued again comes as any transaction does.
    host.accept_all(&a.transactions_since(&host.frontier(), usize::MAX).unwrap()).unwrap();
    let outlines = a.outlines_since(&OutlineCounters::new());
    assert_eq!(host.accept_outlines(&outlines).unwrap().outlines, 1);
    host.commit().unwrap();
    drop(host);
    let host = SealedLogs::open(Box::new(backing), cast.keyring.workspace).unwrap();
    assert_eq!(host.outlines_since(&OutlineCounters::new()), outlines);
    let left = host.transactions_since(&Frontier::default(), usize::MAX).unwrap();
    assert_eq!(left, all_of(&a));
    assert!(left.len() < 10);
    let mut newcomer = cast.join(9);
    newcomer.accept_records(late, &host.roster_records()).unwrap();
    newcomer.accept_outlines(late, &outlines).unwrap();
    assert!(newcomer.accept_all(late, &left).unwrap().refused.is_empty());
    commit(&mut newcomer, late);
    assert_eq!(newcomer.frontier(), a.frontier());
    assert_eq!(newcomer.digest().unwrap(), a.digest().unwrap());
}
