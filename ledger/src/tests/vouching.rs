//! Devices that lose the right to write while others have more of their logs, or less.

use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{Cast, at, commit, entropy, file, find, names, sync, text, write};
use super::random::{Step, act, is_expected, steps};
use crate::identity::DeviceId;
use crate::keys::UserKeys;
use crate::roster::{DeviceClaim, Role, RosterError};
use crate::transaction::SealedTransaction;
use crate::{Frontier, Ledger, LedgerError, OutlineCounters, ROOT, SealedLogs};

const RETENTION: Duration = Duration::from_secs(5);

fn sequence(ledger: &Ledger, device: DeviceId) -> u64 {
    ledger.frontier_in_memory().0.get(&device).copied().unwrap_or(0)
}

/// Takes a device off the roster, as far as its log is known here.
fn remove(cast: &Cast, by: &mut Ledger, device: DeviceId, now: i64) {
    let through = sequence(by, device);
    by.change_roster(at(now), |roster, _| Ok(vec![roster.remove_device(&cast.user, device, through)?]))
        .unwrap();
}

fn give_records(from: &Ledger, to: &mut Ledger, now: i64) {
    assert_eq!(to.accept_records(at(now), &from.roster_records()).unwrap().refused, 0);
}

fn give_outlines(from: &Ledger, to: &mut Ledger, now: i64) {
    // Those of a removed device that nobody vouches for are refused.
    to.accept_outlines(at(now), &from.outlines_since(&to.outline_counters())).unwrap();
}

/// What is lacking, up to so many transactions. Those that do not count are refused.
fn give_transactions(from: &Ledger, to: &mut Ledger, most: usize, now: i64) {
    let lacking = from.transactions_since(&to.frontier_in_memory(), usize::MAX).unwrap();
    to.accept_all(at(now), &lacking[..most.min(lacking.len())]).unwrap();
}

fn give_all(from: &Ledger, to: &mut Ledger, now: i64) {
    give_records(from, to, now);
    give_outlines(from, to, now);
    give_transactions(from, to, usize::MAX, now);
}

fn give_host(from: &Ledger, host: &mut SealedLogs) {
    host.accept_records(&from.roster_records()).unwrap();
    host.accept_outlines(&from.outlines_since(&host.outline_counters())).unwrap();
    host.accept_all(&from.transactions_since(&host.frontier(), usize::MAX).unwrap()).unwrap();
    host.commit().unwrap();
}

fn give_of_host(host: &SealedLogs, to: &mut Ledger, now: i64) {
    to.accept_records(at(now), &host.roster_records()).unwrap();
    to.accept_outlines(at(now), &host.outlines_since(&to.outline_counters())).unwrap();
    to.accept_all(at(now), &host.transactions_since(&to.frontier_in_memory(), usize::MAX).unwrap()).unwrap();
}

/// Everybody tells everybody everything until nothing is new.
fn meet(members: &mut [Ledger], host: &mut SealedLogs, now: i64) {
    for _ in 0..members.len() + 2 {
        members.iter_mut().for_each(|member| commit(member, at(now)));
        for from in 0..members.len() {
            for to in (0..members.len()).filter(|to| *to != from) {
                let [from, to] = members.get_disjoint_mut([from, to]).unwrap();
                give_all(from, to, now);
            }
            give_host(&members[from], host);
            give_of_host(host, &mut members[from], now);
        }
    }
    members.iter_mut().for_each(|member| commit(member, at(now)));
}

fn assert_same(members: &[Ledger], host: &SealedLogs) {
    for member in members {
        assert_eq!(member.beyond(), []);
        assert_eq!(member.roster().digest(), members[0].roster().digest());
        assert_eq!(member.frontier(), members[0].frontier());
        assert_eq!(member.digest().unwrap(), members[0].digest().unwrap());
        assert_eq!(member.outline_counters(), members[0].outline_counters());
        member.check_derived_for_test();
    }
    assert_eq!(host.frontier(), members[0].frontier());
}

fn host(cast: &Cast) -> SealedLogs {
    SealedLogs::create(Box::new(crate::MemoryBacking::default()), cast.keyring.workspace).unwrap()
}

/// Files of these names, a transaction each.
fn files(ledger: &mut Ledger, prefix: &str, count: i64, from: i64) {
    for number in 0..count {
        let ino = file(ledger, at(from + number), ROOT, &format!("{prefix}{number}"));
        write(ledger, at(from + number), ino, "content");
        commit(ledger, at(from + number));
    }
}

/// A file that is written so often, a transaction each time.
fn note(ledger: &mut Ledger, count: i64) {
    let ino = file(ledger, at(1000), ROOT, "note");
    for number in 0..count {
        write(ledger, at(2000 + number), ino, &format!("{number}"));
        commit(ledger, at(2000 + number));
    }
}

/// Devices of one user, and the one of them that is going to be removed.
fn with_one_to_lose(devices: u64) -> (Cast, Vec<Ledger>, Ledger) {
    let cast = Cast::new();
    let mut members = cast.devices(devices);
    let lost = members.pop().expect("there is one at least");
    (cast, members, lost)
}

#[test]
fn what_a_member_had_of_a_removed_devices_log_comes_to_all() {
    let (cast, mut members, mut lost) = with_one_to_lose(4);
    let mut host = host(&cast);
    files(&mut lost, "early", 3, 1000);
    sync(&mut lost, &mut members[0], at(2000));
    files(&mut lost, "late", 3, 3000);
    sync(&mut lost, &mut members[1], at(4000));
    files(&mut lost, "never", 3, 5000);
    commit(&mut lost, at(5000));

    remove(&cast, &mut members[0], lost.device(), 6000);
    meet(&mut members, &mut host, 7000);
    assert_same(&members, &host);
    assert_eq!(text(&members[2], "late2").as_deref(), Some("content"));
    assert!(find(&members[1], "never0").is_none());

    // By itself the removed device gets nothing in any more.
    let removed_too: Vec<_> = lost.transactions_since(&members[1].frontier(), usize::MAX).unwrap();
    let ends = sequence(&members[1], lost.device());
    give_all(&lost, &mut members[1], 8000);
    let of_lost =
        |sealed: &&Vec<u8>| SealedTransaction::parse(sealed).unwrap().header().device == lost.device();
    assert_eq!(removed_too.iter().filter(of_lost).count(), 3);
    assert_eq!(sequence(&members[1], lost.device()), ends);
    meet(&mut members, &mut host, 9000);
    assert_same(&members, &host);
}

#[test]
fn the_removed_device_does_not_vouch_for_itself() {
    let (cast, mut members, mut lost) = with_one_to_lose(3);
    files(&mut lost, "seen", 2, 1000);
    sync(&mut lost, &mut members[0], at(2000));
    files(&mut lost, "unseen", 2, 3000);
    remove(&cast, &mut members[0], lost.device(), 4000);
    commit(&mut members[0], at(4000));
    let records = members[0].roster_records().len();
    give_records(&members[0], &mut lost, 5000);
    // It has more of its own log than counts, and of others' that it knows to be removed as well.
    commit(&mut lost, at(5000));
    assert_eq!(lost.roster_records().len(), records);
}

#[test]
fn of_two_who_remove_a_device_at_once_the_one_who_saw_more_decides() {
    let (cast, mut members, mut lost) = with_one_to_lose(4);
    let mut host = host(&cast);
    files(&mut lost, "a", 2, 1000);
    sync(&mut lost, &mut members[0], at(2000));
    files(&mut lost, "b", 2, 3000);
    sync(&mut lost, &mut members[1], at(4000));
    // The third removes it once more, later, and knows of the first removal and of nothing else.
    remove(&cast, &mut members[0], lost.device(), 5000);
    remove(&cast, &mut members[1], lost.device(), 5000);
    commit(&mut members[0], at(5000));
    let [first, _, third] = &mut members[..] else { panic!() };
    give_records(first, third, 6000);
    remove(&cast, third, lost.device(), 7000);
    meet(&mut members, &mut host, 8000);
    assert_same(&members, &host);
    assert_eq!(names(&members[2], ROOT), ["a0", "a1", "b0", "b1"]);
}

#[test]
fn a_host_keeps_what_does_not_count_yet_and_tells_of_it_once_a_member_vouches() {
    let (cast, mut members, mut lost) = with_one_to_lose(3);
    let mut host = host(&cast);
    commit(&mut members[0], at(500));
    give_host(&members[0], &mut host);
    files(&mut lost, "a", 2, 1000);
    sync(&mut lost, &mut members[0], at(2000));
    files(&mut lost, "b", 2, 3000);
    give_host(&lost, &mut host);
    let before = host.frontier().0[&lost.device()];
    remove(&cast, &mut members[0], lost.device(), 4000);
    commit(&mut members[0], at(4000));
    give_host(&members[0], &mut host);
    assert_eq!(host.frontier().0[&lost.device()], before - 2, "nobody would take the rest");
    let own = Frontier([(lost.device(), before - 2)].into_iter().collect());
    let told = host.transactions_since(&own, usize::MAX).unwrap();
    assert!(
        told.iter()
            .all(|sealed| { SealedTransaction::parse(sealed).unwrap().header().device != lost.device() })
    );
    // Another member had it as well, and goes before it passes it on.
    let [first, second] = &mut members[..] else { panic!() };
    give_all(&lost, second, 5000);
    commit(second, at(5000));
    give_records(first, second, 6000);
    commit(second, at(6000));
    host.accept_records(&second.roster_records()).unwrap();
    assert_eq!(host.frontier().0[&lost.device()], before);
    give_of_host(&host, first, 7000);
    assert_eq!(names(first, ROOT), ["a0", "a1", "b0", "b1"]);
}

fn tidy(ledger: &mut Ledger, now: i64) {
    tidy_if_safe(ledger, now, None);
}

fn tidy_if_safe(ledger: &mut Ledger, now: i64, safe_through: Option<u64>) {
    while !ledger.prune(at(now), RETENTION, 100).unwrap().finished {}
    while !ledger.clean(at(now), RETENTION, 100).unwrap().finished {}
    commit(ledger, at(now));
    ledger.declare_cleaned(at(now), safe_through).unwrap();
    commit(ledger, at(now));
}

#[test]
fn a_newcomer_gets_the_cleaned_log_of_a_removed_device() {
    let (cast, mut members, mut lost) = with_one_to_lose(3);
    let mut host = host(&cast);
    note(&mut lost, 50);
    sync(&mut lost, &mut members[0], at(3000));
    tidy(&mut lost, 100_000_000);
    files(&mut lost, "last", 2, 100_001_000);
    give_all(&lost, &mut members[0], 100_002_000);
    commit(&mut members[0], at(100_002_000));
    remove(&cast, &mut members[0], lost.device(), 100_003_000);
    tidy(&mut members[0], 200_000_000);
    meet(&mut members, &mut host, 200_001_000);
    members.push(cast.join(9));
    meet(&mut members, &mut host, 200_002_000);
    assert_same(&members, &host);
    assert_eq!(names(&members[2], ROOT), ["last0", "last1", "note"]);
}

#[test]
fn an_outline_that_a_removed_device_makes_afterwards_is_refused() {
    let (cast, mut members, mut lost) = with_one_to_lose(2);
    note(&mut lost, 20);
    sync(&mut lost, &mut members[0], at(3000));
    remove(&cast, &mut members[0], lost.device(), 4000);
    commit(&mut members[0], at(4000));
    tidy(&mut lost, 100_000_000);
    let outlines = lost.outlines_since(&OutlineCounters::new());
    assert_eq!(outlines.len(), 1);
    assert_eq!(members[0].accept_outlines(at(100_001_000), &outlines).unwrap().refused.len(), 1);
}

#[test]
fn a_host_that_dropped_what_only_an_unbelieved_outline_names_gets_it_again() {
    let (cast, mut members, mut lost) = with_one_to_lose(3);
    let mut host = host(&cast);
    commit(&mut members[0], at(500));
    give_host(&members[0], &mut host);
    note(&mut lost, 50);
    sync(&mut lost, &mut members[0], at(3000));
    give_host(&lost, &mut host);
    let rows = |host: &SealedLogs| host.transactions_since(&Frontier::default(), usize::MAX).unwrap().len();
    let before = rows(&host);
    // The outline comes to the host alone.
    tidy(&mut lost, 100_000_000);
    give_host(&lost, &mut host);
    assert!(rows(&host) < before - 40);
    remove(&cast, &mut members[0], lost.device(), 100_001_000);
    commit(&mut members[0], at(100_001_000));
    host.accept_records(&members[0].roster_records()).unwrap();
    assert!(host.frontier().0.get(&lost.device()) < members[0].frontier().0.get(&lost.device()));
    assert!(host.outlines_since(&OutlineCounters::new()).is_empty());
    meet(&mut members, &mut host, 100_002_000);
    assert_same(&members, &host);
    let mut newcomer = cast.join(9);
    give_of_host(&host, &mut newcomer, 100_003_000);
    assert_eq!(text(&newcomer, "note").as_deref(), Some("49"));
}

#[test]
fn who_takes_itself_off_the_roster_leaves_nothing_behind_that_does_not_count() {
    let (cast, mut members, mut leaver) = with_one_to_lose(3);
    let mut host = host(&cast);
    let (own, before) = (leaver.device(), leaver.roster_records().len());
    // Edits that are in no transaction yet, and a cut that is behind.
    file(&mut leaver, at(1000), ROOT, "last");
    leaver.change_roster(at(2000), |roster, _| Ok(vec![roster.remove_device(&cast.user, own, 0)?])).unwrap();
    commit(&mut leaver, at(2000));
    // One hears of it by the records, the other by the log.
    give_records(&leaver, &mut members[0], 3000);
    commit(&mut members[0], at(3000));
    give_transactions(&leaver, &mut members[1], usize::MAX, 3000);
    commit(&mut members[1], at(3000));
    give_all(&leaver, &mut members[0], 4000);
    meet(&mut members, &mut host, 5000);
    assert_same(&members, &host);
    assert_eq!(members[0].frontier().0[&own], leaver.frontier().0[&own]);
    assert_eq!(members[0].roster_records().len(), before + 2, "it is removed, by its own word up to there");
    assert_eq!(names(&members[0], ROOT), ["last"]);
}

#[test]
fn who_only_reads_does_not_vouch_and_tells_what_it_has_more() {
    let (cast, mut members, mut lost) = with_one_to_lose(2);
    let reader = UserKeys::generate(&mut entropy(7));
    let device = cast.device(5);
    let claim = DeviceClaim::new(&device, reader.id(), cast.keyring.workspace);
    members[0]
        .change_roster(at(500), |roster, keyring| {
            let mut made = roster.add_user(&cast.user, keyring, &reader.public(), Role::Reader, "Rita")?;
            made.push(roster.add_device(&reader, keyring, claim, "slate")?);
            Ok(made)
        })
        .unwrap();
    commit(&mut members[0], at(500));
    let backing = Box::new(crate::MemoryBacking::default());
    let keyring = cast.keyring.clone();
    let mut slate = Ledger::join(backing, device, &reader, keyring, "drive", at(600)).unwrap();
    give_all(&members[0], &mut slate, 700);
    files(&mut lost, "a", 2, 1000);
    sync(&mut lost, &mut members[0], at(2000));
    files(&mut lost, "b", 2, 3000);
    give_all(&lost, &mut slate, 4000);
    commit(&mut slate, at(4000));
    remove(&cast, &mut members[0], lost.device(), 5000);
    commit(&mut members[0], at(5000));
    give_all(&members[0], &mut slate, 6000);
    commit(&mut slate, at(6000));
    assert_eq!(slate.roster().digest(), members[0].roster().digest());
    let beyond = slate.beyond();
    assert_eq!(
        beyond.iter().map(|log| (log.device, log.here - log.counts)).collect::<Vec<_>>(),
        [(lost.device(), 2)]
    );
    assert_eq!(slate.frontier().0[&lost.device()], members[0].frontier().0[&lost.device()]);
    let refused = slate.change_roster(at(7000), |roster, _| {
        Ok(vec![roster.vouch(&reader, lost.device(), 1 << 40, None)?])
    });
    assert!(matches!(refused, Err(LedgerError::Roster(RosterError::NotAllowed { .. }))), "{refused:?}");
}

/// What happens while a device is lost: who gets what of it, and who removes it.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The device works on.
    Work(Step),
    /// It cleans its log.
    Tidy,
    /// A member, or the host, gets something: of a member, of the device, or of the host.
    Give { from: usize, to: usize, what: u8, most: usize },
    /// A member removes it.
    Remove(usize),
    /// A member's disk has all.
    Commit(usize),
}

const MEMBERS: usize = 3;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let step = steps(2).prop_map(|steps| steps.first().copied()).prop_filter_map("one step", |step| step);
    let event = prop_oneof![
        6 => step.prop_map(Event::Work),
        1 => Just(Event::Tidy),
        9 => (0..MEMBERS + 2, 0..MEMBERS + 1, 0..4u8, 1..12usize)
            .prop_map(|(from, to, what, most)| Event::Give { from, to, what, most }),
        1 => (0..MEMBERS).prop_map(Event::Remove),
        2 => (0..MEMBERS).prop_map(Event::Commit),
    ];
    proptest::collection::vec(event, 1..80)
}

struct Group {
    cast: Cast,
    members: Vec<Ledger>,
    lost: Ledger,
    host: SealedLogs,
    now: i64,
}

impl Group {
    fn new() -> Self {
        let (cast, mut members, lost) = with_one_to_lose(MEMBERS as u64 + 1);
        let mut host = host(&cast);
        commit(&mut members[0], at(0));
        give_host(&members[0], &mut host);
        Self { cast, members, lost, host, now: 1000 }
    }

    fn happen(&mut self, event: Event) {
        self.now += 1000;
        let now = self.now;
        match event {
            Event::Work(step) => {
                if let Err(error) = act(&mut self.lost, step, now) {
                    assert!(is_expected(&error), "{error}");
                }
                commit(&mut self.lost, at(now));
            }
            Event::Tidy => {
                let safe_through = self.safe_through();
                tidy_if_safe(&mut self.lost, now, Some(safe_through));
            }
            Event::Give { from, to, what, most } => self.give(from, to, what, most),
            Event::Remove(by) => {
                let device = self.lost.device();
                remove(&self.cast, &mut self.members[by], device, now);
            }
            Event::Commit(member) => commit(&mut self.members[member], at(now)),
        }
    }

    /// Up to where the device's log is on two others' disks.
    fn safe_through(&self) -> u64 {
        let device = self.lost.device();
        let frontiers = self.members.iter().map(Ledger::frontier).chain([self.host.frontier()]);
        let mut held: Vec<_> = frontiers.map(|of| of.0.get(&device).copied().unwrap_or(0)).collect();
        held.sort_unstable();
        held[held.len() - 2]
    }

    fn give(&mut self, from: usize, to: usize, what: u8, most: usize) {
        let now = self.now;
        let [lost, of_host] = [MEMBERS, MEMBERS + 1];
        // Who is removed is not listened to by who knows it.
        let knows = |roster: &crate::roster::Roster| {
            roster.device_by_id(&self.lost.device()).is_some_and(|device| device.removed)
        };
        if to == lost {
            let known = from == lost || from == of_host || knows(self.members[from].roster());
            if !known && knows(self.host.roster()) {
                return;
            }
            if from < lost {
                give_host(&self.members[from], &mut self.host);
            } else if from == lost && !knows(self.host.roster()) {
                give_host(&self.lost, &mut self.host);
            }
            return;
        }
        if from == of_host {
            return give_of_host(&self.host, &mut self.members[to], now);
        }
        if from == lost {
            if !knows(self.members[to].roster()) {
                give(&self.lost, &mut self.members[to], what, most, now);
            }
        } else if from != to {
            let [from, to] = self.members.get_disjoint_mut([from, to]).unwrap();
            give(from, to, what, most, now);
        }
    }
}

fn give(from: &Ledger, to: &mut Ledger, what: u8, most: usize, now: i64) {
    match what {
        0 => give_records(from, to, now),
        1 => give_outlines(from, to, now),
        2 => give_transactions(from, to, most, now),
        _ => give_all(from, to, now),
    }
}

proptest! {
    #![proptest_config(super::fixture::cases(64))]

    /// Whoever got whatever of a device's log, and whoever removes it when: all come to one tree, and nothing that a member had on its
    /// disk before it heard of that is lost.
    #[test]
    fn whoever_removes_a_device_all_come_to_one_tree(events in events()) {
        let mut group = Group::new();
        for event in events {
            group.happen(event);
        }
        let device = group.lost.device();
        let had = group.members.iter().map(|member| {
            let more = member.beyond().into_iter().find(|log| log.device == device);
            more.map_or(sequence(member, device), |log| log.here)
        });
        let had = had.max().unwrap();
        let now = group.now + 1000;
        remove(&group.cast, &mut group.members[0], device, now);
        meet(&mut group.members, &mut group.host, now + 1000);
        assert_same(&group.members, &group.host);
        prop_assert_eq!(sequence(&group.members[0], device), had);
        // Who comes late, and has it from the host alone.
        let mut newcomer = group.cast.join(9);
        for _ in 0..3 {
            give_of_host(&group.host, &mut newcomer, now + 2000);
        }
        prop_assert_eq!(newcomer.frontier_in_memory(), group.members[0].frontier());
        prop_assert_eq!(super::model::lines_of(&newcomer), super::model::lines_of(&group.members[0]));
        prop_assert_eq!(newcomer.digest().unwrap(), group.members[0].digest().unwrap());
    }
}
