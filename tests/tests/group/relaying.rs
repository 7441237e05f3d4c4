//! Computers that do not reach each other work through a third one, and directly as soon as they can.
//!
//! ```text
//!  computer 0 ── network 77 ── computer 1 ── network 78 ── computer 2
//!
//!  computer 0 ── home 78 ── router, NAT ──┐
//!                           computer 1 ───┼── network 77
//!  computer 2 ── home 79 ── router, NAT ──┘
//! ```

use std::fs;

use serde_json::Value;
use tests::{Network, eventually, noise, told};

use crate::computers::Computers;

/// Three computers of one drive of which the outer two have no way to each other; the network of the last.
fn in_a_row() -> (Computers, Network) {
    let (near, far) = (Network::new(2), Network::on_subnet(78, 1));
    let _second_cable = far.join(&near.place(1));
    let places = [near.place(0), near.place(1), far.place(0)];
    let mut computers = Computers::at(near, &places, &[]);
    // The one in the middle keeps no copies: what the others have of each other came through it.
    computers.daemons[1].add_setting("replicas = false");
    computers.daemons[1].restart();
    computers.pair(1, 0, &[]);
    computers.pair(1, 2, &[]);
    (computers, far)
}

/// What one says of another in `status`.
fn peer(computers: &Computers, at: usize, of: usize) -> Value {
    let status = computers.daemons[at].json(&["status"]);
    let peers = status["peers"].as_array().expect("a list of peers");
    let named = peers.iter().find(|peer| peer["name"] == format!("computer{of}"));
    named.cloned().unwrap_or(Value::Null)
}

fn until_path(computers: &Computers, path: &str) {
    for (at, of) in [(0, 2), (2, 0)] {
        eventually(&format!("computer {at} reaches computer {of}: {path}"), || {
            peer(computers, at, of)["path"] == path
        });
    }
}

#[test]
fn a_file_comes_through_a_relay_and_then_the_direct_way() {
    let (computers, far) = in_a_row();
    until_path(&computers, "relayed");
    eventually("computer 0 says why", || {
        let told = peer(&computers, 0, 2)["why"].as_str().unwrap_or_default().to_owned();
        told.starts_with("through computer1: no direct answer from 10.78.0.1:") && told.ends_with(" s")
    });
    assert_eq!(peer(&computers, 0, 1)["path"], "direct LAN");

    let content = noise(1, 3 << 20);
    fs::write(computers.mount(0).join("through"), &content).unwrap();
    // On both that keep copies.
    computers.safe(0);
    computers.sees(2, "through", &content);
    let relaying = computers.daemons[1].json(&["status"])["relaying"].clone();
    assert!(relaying["relayed_bytes"].as_u64().unwrap() > 3 << 20, "{relaying}");

    let _third_cable = computers.network.join(&far.place(0));
    until_path(&computers, "direct LAN");
    fs::write(computers.mount(2).join("direct"), "short").unwrap();
    computers.sees(0, "direct", b"short");
}

#[test]
fn the_loss_of_a_relay_is_made_good_by_a_direct_way() {
    let (mut computers, far) = in_a_row();
    until_path(&computers, "relayed");
    let mut relay = computers.daemons.remove(1);
    relay.kill();
    computers.daemons.insert(1, relay);
    let _third_cable = computers.network.join(&far.place(0));
    until_path(&computers, "direct LAN");
    let content = noise(2, 1 << 20);
    fs::write(computers.mount(0).join("after"), &content).unwrap();
    computers.sees(2, "after", &content);
}

/// Three computers of one drive: the outer two at home, each behind its own router, the one in the middle where both reach it. With
/// the networks of the homes.
fn at_two_homes() -> (Computers, [Network; 2]) {
    let world = Network::new(1);
    let homes = [78, 79].map(|subnet| Network::on_subnet(subnet, 1));
    for home in &homes {
        home.hide_behind_nat(&world);
    }
    let places = [homes[0].place(0), world.place(0), homes[1].place(0)];
    let mut computers = Computers::at(world, &places, &[]);
    // It keeps no copies: what the others have of each other came through it.
    computers.daemons[1].add_setting("replicas = false");
    computers.daemons[1].restart();
    for home in [0, 2] {
        let invited = computers.daemons[1].json(&["invite", "--ticket"]);
        let joined = computers.daemons[home].json(&["join", invited["ticket"].as_str().expect("a ticket")]);
        assert_eq!(joined["role"], "owner");
    }
    (computers, homes)
}

#[test]
fn two_computers_behind_nats_work_through_a_third_and_say_so() {
    let (computers, _homes) = at_two_homes();
    until_path(&computers, "relayed");
    for (at, of, address) in [(0, 2, "10.79.0.1"), (2, 0, "10.78.0.1")] {
        let reason = format!("relayed (through computer1: no direct answer from {address}:");
        eventually(&format!("computer {at} says how it reaches computer {of}, and why"), || {
            let status = computers.daemons[at].command(["status"]);
            let row = |line: &&str| line.starts_with(&format!("computer{of} "));
            told(&status).lines().find(row).is_some_and(|line| line.contains(&reason))
        });
        assert_eq!(peer(&computers, at, 1)["path"], "direct LAN");
    }
    // Who is reachable sees the routers, and each conversation at a port of its own.
    for (home, router) in [(0, "10.77.0.78:"), (2, "10.77.0.79:")] {
        let why = peer(&computers, 1, home)["why"].as_str().unwrap_or_default().to_owned();
        assert!(why.contains(router), "{why}");
    }
    let before = computers.daemons[1].json(&["status"])["relaying"]["relayed_bytes"].as_u64().unwrap();
    for (writer, reader) in [(0, 2), (2, 0)] {
        let (name, content) = (format!("from{writer}"), noise(writer as u64, 2 << 20));
        fs::write(computers.mount(writer).join(&name), &content).unwrap();
        computers.safe(writer);
        computers.sees(reader, &name, &content);
    }
    let relaying = computers.daemons[1].json(&["status"])["relaying"].clone();
    assert!(relaying["relayed_bytes"].as_u64().unwrap() > before + (4 << 20), "{relaying}");
}
