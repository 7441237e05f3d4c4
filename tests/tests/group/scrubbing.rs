//! What goes bad on a disk is found and made good without anybody asking: each computer reads all it keeps once in a while.

use std::fs;

use serde_json::Value;
use tests::{Daemon, eventually, eventually_long, is_long, noise, told};

use crate::computers::Computers;
use crate::disks::{empty, rot};

fn status(daemon: &Daemon) -> Value {
    daemon.json(&["status"])
}

#[test]
fn what_rots_on_a_host_without_keys_is_found_and_healed_without_a_command() {
    let mut computers = Computers::apart(3, &[]);
    computers.pair(0, 1, &["--role", "host"]);
    computers.pair(0, 2, &[]);
    let (files, file_bytes) = if is_long() { (512, 4 << 20) } else { (40, 2 << 20) };
    for number in 0..files {
        fs::write(computers.mount(0).join(format!("file{number}")), noise(number, file_bytes)).unwrap();
    }
    computers.safe(0);
    let host = &mut computers.daemons[1];
    assert_eq!(status(host)["scrub"]["every_s"], 30 * 86_400);
    assert!(host.stop().success());
    let flips = rot(&host.data(), 300_000);
    assert!(flips > 10);
    host.add_setting("scrub = \"8s\"");
    host.start_again();
    // Nobody reads, nobody asks: the pass finds all of it, in more than one pack.
    let mut most_bad = 0;
    let mut seen = |of: &Value| most_bad = most_bad.max(of["scrub"]["bad_chunks"].as_u64().unwrap());
    eventually_long("all of it was read", || {
        let status = status(&computers.daemons[1]);
        seen(&status);
        status["scrub"]["last_bad_chunks"].as_u64().unwrap() > 0
    });
    eventually("what was found is whole", || {
        let status = status(&computers.daemons[1]);
        status["damaged_chunks"] == 0 && status["mending_chunks"] == 0
    });
    let healed = status(&computers.daemons[1])["healed_chunks"].as_u64().unwrap();
    assert!(healed >= most_bad && healed > 10, "{healed} healed, {most_bad} found");
    let shown = computers.daemons[1].command(["status"]);
    assert!(told(&shown).contains("damaged chunks were replaced"), "{}", told(&shown));
    assert!(computers.daemons[1].log().contains("scrubbing found damaged chunks"));
    tests::report(format!("{flips} flips, {healed} chunks healed"));
    // The next pass finds nothing more, and the position outlasts a restart.
    eventually_long("a pass without damage", || {
        let scrub = &status(&computers.daemons[1])["scrub"];
        scrub["last_bad_chunks"] == 0 && scrub["last_bytes"].as_u64().unwrap() > 0
    });
    let last = status(&computers.daemons[1])["scrub"]["last"].clone();
    computers.daemons[1].add_setting("log = \"info\"");
    computers.daemons[1].restart();
    let scrub = status(&computers.daemons[1])["scrub"].clone();
    assert!(scrub["last"].as_str() >= last.as_str(), "{scrub} after {last}");
    // It serves what it healed.
    let scrubbed = status(&computers.daemons[1]);
    assert_eq!(scrubbed["damaged_chunks"], 0, "{scrubbed}");
}

/// Takes a minute: the first audit comes so long after the link.
#[test]
fn a_host_that_deleted_what_it_claims_is_found_by_an_audit_and_gets_all_of_it_again() {
    let mut computers = Computers::apart(3, &[]);
    computers.pair(0, 1, &[]);
    computers.pair(0, 2, &["--role", "host"]);
    for number in 0..12 {
        fs::write(computers.mount(0).join(format!("file{number}")), noise(number, 2 << 20)).unwrap();
    }
    computers.safe(0);
    // Its index says still that all is there, so that comparing finds no difference.
    empty(&computers.daemons[2].data());
    let of_host = |at: usize| {
        let peers = status(&computers.daemons[at])["peers"].as_array().unwrap().clone();
        peers.into_iter().find(|peer| peer["role"] == "host").unwrap()
    };
    eventually_long("an audit finds it", || {
        (0..2).any(|at| of_host(at)["audit"]["missing"].as_u64().unwrap() > 0)
    });
    let who = usize::from(of_host(0)["audit"]["missing"] == 0);
    let shown = computers.daemons[who].command(["status"]);
    assert!(told(&shown).contains("could not be read where it should be"), "{}", told(&shown));
    // Where one chunk is bad others are: it looks at all of them, and needs no other audits for that.
    let count = |what: &str| status(&computers.daemons[2])[what].as_u64().unwrap();
    eventually_long("all is there again", || {
        count("healed_chunks") > 200 && count("damaged_chunks") == 0 && count("mending_chunks") == 0
    });
    let audits: u64 = (0..2).map(|at| of_host(at)["audit"]["asked"].as_u64().unwrap()).sum();
    tests::report(format!("{} chunks healed after {audits} audits", count("healed_chunks")));
}
