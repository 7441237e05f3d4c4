//! Real computers in trouble: cables, addresses, kills, full disks, wrong clocks. Nothing is lost, and all come to the same.

use std::fs;
use std::path::Path;

use tests::tree::Tree;
use tests::{Clock, eventually, is_long, noise};

use crate::computers::Computers;

/// How much is on its way when something happens, MiB.
fn load() -> u64 {
    if is_long() { 256 } else { 24 }
}

fn write_load(mount: &Path, first: u64) {
    for number in 0..load() {
        fs::write(mount.join(format!("load{}", first + number)), noise(first + number, 1 << 20)).unwrap();
    }
}

/// Whether some of the load is on the other, and not all.
fn is_under_way(computers: &Computers) -> bool {
    let status = computers.daemons[0].json(&["status"]);
    let peers = status["peers"].as_array().unwrap();
    peers.iter().any(|peer| peer["outstanding_chunks"].as_u64().unwrap() > 0)
}

fn assert_same_everywhere(computers: &Computers, who: &[usize], when: &str) {
    computers.sync(who);
    let first = Tree::of(&computers.mount(who[0]));
    for at in &who[1..] {
        Tree::of(&computers.mount(*at)).assert_same(&first, when);
    }
}

#[test]
fn a_cable_pulled_while_copies_are_made_costs_nothing_but_time() {
    let computers = Computers::paired(3, &[]);
    write_load(&computers.mount(0), 0);
    eventually("copies are on their way", || is_under_way(&computers));
    computers.network.place(1).unplug();
    write_load(&computers.mount(0), 1000);
    fs::write(computers.mount(1).join("meanwhile"), "here too").unwrap();
    computers.network.place(1).plug_in();
    computers.safe(0);
    computers.safe(1);
    computers.sees(2, "meanwhile", b"here too");
    assert_same_everywhere(&computers, &[0, 1, 2], "after the cable was back");
}

#[test]
fn a_new_address_is_found_again() {
    let computers = Computers::paired(2, &[]);
    fs::write(computers.mount(0).join("before"), "1").unwrap();
    computers.sees(1, "before", b"1");
    computers.network.place(1).move_to("10.77.0.77");
    fs::write(computers.mount(1).join("after"), "2").unwrap();
    computers.sees(0, "after", b"2");
    fs::write(computers.mount(0).join("back"), "3").unwrap();
    computers.sees(1, "back", b"3");
    eventually("the new address is shown", || {
        let status = computers.daemons[0].json(&["status"]);
        status["peers"][0]["why"].as_str().is_some_and(|why| why.contains("10.77.0.77"))
    });
    computers.safe(0);
}

#[test]
fn a_receiver_killed_while_copies_are_made_goes_on_after_its_start() {
    let mut computers = Computers::paired(3, &[]);
    write_load(&computers.mount(0), 0);
    eventually("copies are on their way", || is_under_way(&computers));
    computers.daemons[1].kill();
    write_load(&computers.mount(0), 1000);
    computers.daemons[1].start_again();
    computers.safe(0);
    assert_same_everywhere(&computers, &[0, 1, 2], "after the kill");
    let scrub = computers.daemons[1].json(&["scrub"]);
    assert_eq!(scrub["bad_chunks"], 0, "{scrub}");
}

#[test]
fn a_full_host_is_passed_over_and_named() {
    let mut computers = Computers::paired(4, &[]);
    let little = computers.daemons[3].command(["contribute", "80M"]);
    assert!(little.status.success());
    let write = |first: u64| {
        for number in first..first + 32 {
            fs::write(computers.mount(0).join(format!("file{number}")), noise(number, 1 << 20)).unwrap();
        }
    };
    let peer = |at: usize| {
        let status = computers.daemons[at].json(&["status"]);
        let peers = status["peers"].as_array().unwrap().clone();
        peers.into_iter().find(|peer| peer["name"] == "computer3").unwrap()
    };
    let gives = |at: usize| peer(at)["contributed"].as_u64().unwrap() == 80 << 20;
    eventually("the others know how little it gives", || (0..3).all(gives));
    // Its own files take its room, and below 64 MiB of room a host says that it is full.
    fs::write(computers.mount(3).join("own"), noise(99, 20 << 20)).unwrap();
    eventually("it is known to be full", || (0..3).all(|at| peer(at)["full"] == true));
    let used = computers.daemons[3].json(&["status"])["used"].as_u64().unwrap();
    write(0);
    computers.safe(0);
    let after = computers.daemons[3].json(&["status"])["used"].as_u64().unwrap();
    assert!(after < used + (8 << 20), "{used} bytes have become {after}, though it is full");
    computers.sync(&[0, 1, 2]);
    let tree = Tree::of(&computers.mount(0));
    // The three others have it all.
    drop(computers.daemons.remove(3));
    for at in 1..3 {
        Tree::of(&computers.mount(at)).assert_same(&tree, "without the full host");
    }
}

#[test]
fn two_who_write_while_apart_meet_by_a_third() {
    let computers = Computers::paired(3, &[]);
    fs::write(computers.mount(0).join("plan"), "first").unwrap();
    computers.sees(1, "plan", b"first");
    computers.sees(2, "plan", b"first");
    computers.network.place(0).unplug();
    computers.network.place(1).unplug();
    for at in 0..2 {
        fs::write(computers.mount(at).join("plan"), format!("of {at}")).unwrap();
        fs::write(computers.mount(at).join(format!("own{at}")), noise(at as u64, 3 << 20)).unwrap();
    }
    // Never both at once: the first leaves before the second comes.
    computers.network.place(0).plug_in();
    computers.sees(2, "own0", &noise(0, 3 << 20));
    computers.sync(&[2]);
    computers.network.place(0).unplug();
    computers.network.place(1).plug_in();
    computers.sees(1, "own0", &noise(0, 3 << 20));
    computers.sees(2, "own1", &noise(1, 3 << 20));
    computers.network.place(0).plug_in();
    computers.sees(0, "own1", &noise(1, 3 << 20));
    assert_same_everywhere(&computers, &[0, 1, 2], "after all met");
    for at in 0..3 {
        let conflicts = computers.daemons[at].json(&["conflicts"]);
        assert_eq!(conflicts[0]["versions"].as_array().unwrap().len(), 2, "{conflicts}");
    }
}

#[test]
fn a_computer_whose_clock_is_a_year_ahead_is_held_and_named_and_harms_nobody() {
    let clock = Clock::default();
    let mut computers =
        Computers::apart_with(3, &[], |at, start| if at == 1 { clock.on(start) } else { start });
    computers.pair(0, 1, &[]);
    computers.pair(0, 2, &[]);
    fs::write(computers.mount(0).join("before"), "true time").unwrap();
    computers.sees(1, "before", b"true time");
    clock.set("+1y");
    fs::write(computers.mount(1).join("ahead"), "from next year").unwrap();
    fs::write(computers.mount(0).join("meanwhile"), "now").unwrap();
    computers.sees(1, "meanwhile", b"now");
    computers.sees(2, "meanwhile", b"now");
    eventually("it is told whose changes wait, and why", || {
        let doctor = computers.daemons[0].command(["doctor"]);
        let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
        told.contains("computer1") && told.contains("clock")
    });
    assert!(!computers.mount(0).join("ahead").exists(), "what next year says waits");
    assert_eq!(fs::read(computers.mount(1).join("ahead")).unwrap(), b"from next year");
    for at in [0, 2] {
        fs::write(computers.mount(at).join(format!("of{at}")), "still works").unwrap();
    }
    computers.sees(2, "of0", b"still works");
    computers.sees(0, "of2", b"still works");
}

#[test]
fn a_computer_whose_clock_is_a_year_behind_takes_part() {
    let clock = Clock::default();
    let mut computers =
        Computers::apart_with(2, &[], |at, start| if at == 1 { clock.on(start) } else { start });
    clock.set("-1y");
    computers.daemons[1].restart();
    computers.pair(0, 1, &[]);
    fs::write(computers.mount(0).join("letter"), "dear").unwrap();
    // What is of now is a year ahead there.
    fs::write(computers.mount(1).join("answer"), "dear too").unwrap();
    computers.sees(0, "answer", b"dear too");
    clock.set("+0");
    computers.sees(1, "letter", b"dear");
    computers.safe(0);
    computers.safe(1);
}
