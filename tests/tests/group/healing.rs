//! Disks that lose what they keep, in the middle of a group: it comes back, and is told.

use std::fs;
use std::time::Instant;

use serde_json::Value;
use tests::tree::Tree;
use tests::{Daemon, eventually, eventually_long, is_long, noise, told};

use crate::computers::Computers;
use crate::disks::rot;

const FILES: u64 = 12;
const FILE_BYTES: usize = 1 << 20;

/// Three computers that hold the same files, safe.
fn with_files() -> (Computers, Tree) {
    let computers = Computers::paired(3, &[]);
    for number in 0..FILES {
        fs::write(computers.mount(0).join(format!("file{number}")), noise(number, FILE_BYTES)).unwrap();
    }
    computers.safe(0);
    computers.sync(&[0, 1, 2]);
    let tree = Tree::of(&computers.mount(0));
    (computers, tree)
}

fn status(daemon: &Daemon) -> Value {
    daemon.json(&["status"])
}

#[test]
fn what_rots_on_one_computer_is_read_right_healed_by_a_scrub_and_told() {
    let (mut computers, tree) = with_files();
    assert!(computers.daemons[1].stop().success());
    let flips = rot(&computers.daemons[1].data(), 300_000);
    assert!(flips > 10);
    // What is found here is found by the command.
    computers.daemons[1].add_setting("scrub = \"0s\"");
    computers.daemons[1].start_again();
    eventually("the others are there", || status(&computers.daemons[1])["peers"][0]["state"] == "online");
    // Read while it is bad: right, whatever was flipped.
    let mount = computers.mount(1);
    for number in 0..2 {
        assert!(fs::read(mount.join(format!("file{number}"))).unwrap() == noise(number, FILE_BYTES));
    }
    let scrub = computers.daemons[1].command(["scrub", "--json"]);
    assert!(scrub.status.success(), "{}", told(&scrub));
    let report: Value = serde_json::from_slice(&scrub.stdout).unwrap();
    let (bad, healed) = (report["bad_chunks"].as_u64().unwrap(), report["healed_chunks"].as_u64().unwrap());
    assert!(bad > 0 && healed >= bad && report["files"].as_array().unwrap().is_empty(), "{report}");
    let status = status(&computers.daemons[1]);
    assert_eq!(status["damaged_chunks"], 0, "{status}");
    assert!(status["healed_chunks"].as_u64().unwrap() >= healed, "{status}");
    let doctor = computers.daemons[1].command(["doctor"]);
    assert!(told(&doctor).contains("damaged chunks were replaced"), "{}", told(&doctor));
    let again = computers.daemons[1].json(&["scrub"]);
    assert_eq!((&again["bad_chunks"], &again["healed_chunks"]), (&Value::from(0), &Value::from(0)));
    // All that it serves now is its own.
    for gone in [0, 2] {
        computers.network.place(gone).unplug();
    }
    Tree::of(&mount).assert_same(&tree, "after the scrub, alone");
}

#[test]
fn a_host_that_stumbles_over_damage_mends_itself_without_a_command() {
    let mut computers = Computers::apart(3, &[]);
    computers.pair(0, 1, &["--role", "host"]);
    computers.pair(0, 2, &[]);
    for number in 0..FILES {
        fs::write(computers.mount(0).join(format!("file{number}")), noise(number, FILE_BYTES)).unwrap();
    }
    computers.safe(0);
    assert!(computers.daemons[1].stop().success());
    rot(&computers.daemons[1].data(), 300_000);
    computers.daemons[1].start_again();
    // Who reads from it gets the right bytes, from it or from another.
    assert!(computers.daemons[2].stop().success());
    fs::remove_dir_all(computers.daemons[2].data().join("chunks")).unwrap();
    computers.daemons[2].start_again();
    for number in 0..FILES {
        computers.sees(2, &format!("file{number}"), &noise(number, FILE_BYTES));
    }
    // Who reads may have asked the good computer alone: then the other stumbles when hosts compare what they keep, a minute or two after
    // the start.
    eventually_long("what was found bad is whole", || {
        let status = status(&computers.daemons[1]);
        let (healed, damaged) = (&status["healed_chunks"], &status["damaged_chunks"]);
        healed.as_u64().unwrap() > 0 && damaged == 0 && status["mending_chunks"] == 0
    });
}

#[test]
fn a_computer_whose_chunks_were_wiped_gets_its_share_again() {
    let (mut computers, tree) = with_files();
    let kept = status(&computers.daemons[2])["used"].as_u64().unwrap();
    computers.daemons[2].kill();
    fs::remove_dir_all(computers.daemons[2].data().join("chunks")).unwrap();
    let before: u64 = (0..2).map(|at| computers.network.place(at).sent_bytes()).sum();
    computers.daemons[2].start_again();
    let path = computers.mount(0).join("file0");
    eventually("all of it is there again", || {
        let held = |number: u64| {
            let file = path.with_file_name(format!("file{number}"));
            let found = computers.daemons[0].json(&["where", file.to_str().unwrap()]);
            found["hosts"].as_array().unwrap().iter().filter(|host| host["chunks"] == found["chunks"]).count()
        };
        (0..FILES).all(|number| held(number) == 3)
    });
    let moved: u64 = (0..2).map(|at| computers.network.place(at).sent_bytes()).sum::<u64>() - before;
    // QUIC's headers, acknowledgements and the talk of starting are in it.
    assert!(moved < kept * 13 / 10 + (2 << 20), "{moved} bytes for {kept}");
    tests::report(format!("{moved} bytes moved for {kept}"));
    for gone in 0..2 {
        computers.network.place(gone).unplug();
    }
    Tree::of(&computers.mount(2)).assert_same(&tree, "after the wipe, alone");
}

/// Takes minutes: the first audit comes a minute after the link.
#[test]
fn quiet_computers_audit_each_other_and_say_next_to_nothing() {
    if !is_long() {
        return;
    }
    let (computers, _) = with_files();
    eventually_long("each was asked to prove what it holds", || {
        (0..3).all(|at| {
            let status = status(&computers.daemons[at]);
            let audits: Vec<_> =
                status["peers"].as_array().unwrap().iter().map(|peer| &peer["audit"]).collect();
            let wrong = |audit: &&Value| audit["wrong"] != 0 || audit["missing"] != 0 || audit["silent"] != 0;
            assert!(!audits.iter().any(wrong), "{status}");
            audits.iter().all(|audit| audit["right"].as_u64().unwrap() > 0)
        })
    });
    let sent = || -> Vec<u64> { (0..3).map(|at| computers.network.place(at).sent_bytes()).collect() };
    let (began, before) = (Instant::now(), sent());
    let next = |at: usize| status(&computers.daemons[at])["peers"][0]["audit"]["asked"].as_u64().unwrap();
    let asked = next(0);
    // Ten minutes and more, with comparisons in them.
    eventually_long("the next audit", || next(0) > asked);
    let seconds = began.elapsed().as_secs().max(1);
    let rates: Vec<u64> =
        sent().iter().zip(before).map(|(after, before)| (after - before) / seconds).collect();
    tests::report(format!("{rates:?} bytes a second in {seconds} s"));
    assert!(rates.iter().all(|rate| *rate < 1000), "{rates:?}");
}
