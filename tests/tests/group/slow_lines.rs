//! A computer on a slow line: it holds up nobody, is not read from while others have it too, and is named.

use std::fs;

use serde_json::Value;
use tests::{eventually, noise, told};

use crate::computers::Computers;

/// The slow line, kbit/s in each direction.
const LINE_KBIT: u32 = 1000;
/// A line like any other.
const FAST_KBIT: u32 = 1_000_000;
/// Written at a time, files of 1 MiB: the line takes more than a minute and a half for it.
const FILES: u64 = 12;
const FILE_BYTES: usize = 1 << 20;

fn write(computers: &Computers, first: u64) {
    for number in first..first + FILES {
        fs::write(computers.mount(0).join(format!("file{number}")), noise(number, FILE_BYTES)).unwrap();
    }
}

fn read(computers: &Computers, at: usize, first: u64) {
    for number in first..first + FILES {
        let read = fs::read(computers.mount(at).join(format!("file{number}"))).unwrap();
        assert!(read == noise(number, FILE_BYTES), "file{number} on computer {at}");
    }
}

/// What computer 0 says of another.
fn peer(computers: &Computers, of: usize) -> Value {
    peer_in(&computers.daemons[0].json(&["status"]), of).clone()
}

fn peer_in(status: &Value, of: usize) -> &Value {
    let peers = status["peers"].as_array().expect("a list of peers");
    peers.iter().find(|peer| peer["name"] == format!("computer{of}")).expect("it is known")
}

fn outstanding(computers: &Computers, of: usize) -> u64 {
    peer(computers, of)["outstanding_chunks"].as_u64().unwrap()
}

/// Whether a computer holds all of every one of these files, as it says itself.
fn holds_all(computers: &Computers, at: usize, first: u64) -> bool {
    let device = peer(computers, at)["device"].clone();
    (first..first + FILES).all(|number| {
        let file = computers.mount(0).join(format!("file{number}"));
        let found = computers.daemons[0].json(&["where", file.to_str().unwrap()]);
        let hosts = found["hosts"].as_array().unwrap();
        found["unsettled"] == false
            && hosts.iter().any(|host| host["device"] == device && host["chunks"] == found["chunks"])
    })
}

/// The line of `status` on computer 0 that names one that lags.
fn remark(computers: &Computers, of: usize) -> Option<String> {
    let status = computers.daemons[0].command(["status"]);
    let named = format!("computer{of} lags behind: ");
    told(&status).lines().find(|line| line.starts_with(&named)).map(str::to_owned)
}

/// Computers 0, 1 and 2 keep copies, computer 3 reads only.
fn three_and_a_reader() -> Computers {
    let mut computers = Computers::apart(4, &[]);
    computers.daemons[3].add_setting("replicas = false");
    computers.daemons[3].restart();
    for joiner in 1..4 {
        computers.pair(0, joiner, &[]);
    }
    computers
}

#[test]
fn a_computer_on_a_slow_line_holds_up_nobody_and_is_named() {
    let computers = three_and_a_reader();
    write(&computers, 0);
    computers.safe(0);
    computers.sync(&[0, 1, 2, 3]);
    let slow = computers.network.place(2);
    // Slow in one direction only, as most lines to homes are: it gets its copies, and is not read from.
    slow.slow_down(LINE_KBIT, FAST_KBIT);
    let before = slow.sent_bytes();
    read(&computers, 3, 0);
    let sent = slow.sent_bytes() - before;
    tests::report(format!("{} KiB of {} MiB read came over the slow line", sent >> 10, FILES));
    assert!(sent < FILES * FILE_BYTES as u64 / 8, "{sent} bytes came over the slow line");
    write(&computers, 100);
    computers.safe(0);

    slow.slow_down(LINE_KBIT, LINE_KBIT);
    write(&computers, 1000);
    eventually("the fast one has all of it", || holds_all(&computers, 1, 1000));
    assert!(outstanding(&computers, 2) > 0, "the slow one has not got it yet");
    eventually("the slow one is named", || remark(&computers, 2).is_some());
    tests::report(remark(&computers, 2).unwrap());
    // Two of three copies are not enough, and are no file on one computer alone.
    eventually("nothing is called to be here alone", || {
        let drive = computers.daemons[0].json(&["status"])["workspaces"][0].clone();
        drive["only_here_files"] == 0
            && drive["only_here_since"].is_null()
            && drive["safe_files"] != drive["files"]
    });
    assert!(outstanding(&computers, 2) > 0, "the slow one has not got it yet");
    assert!(outstanding(&computers, 1) == 0 && remark(&computers, 1).is_none());
    let before = slow.sent_bytes();
    read(&computers, 3, 1000);
    let sent = slow.sent_bytes() - before;
    assert!(sent < FILES * FILE_BYTES as u64 / 8, "{sent} bytes came over the slow line");

    slow.slow_down(FAST_KBIT, FAST_KBIT);
    computers.safe(0);
    eventually("nobody is named any more", || remark(&computers, 2).is_none());
}

#[test]
fn what_is_lost_heals_while_another_is_on_a_slow_line() {
    // Three copies on four: what the lost one had is on two others, and what it shared with the slow one is on a fast one too.
    let mut computers = Computers::paired(4, &[]);
    write(&computers, 0);
    computers.safe(0);
    computers.sync(&[0, 1, 2, 3]);
    let slow = computers.network.place(2);
    slow.slow_down(LINE_KBIT, LINE_KBIT);
    let sent = slow.sent_bytes();
    computers.daemons[3].kill();
    eventually("the link is gone", || {
        computers.daemons[0].command(["devices", "lost", "computer3"]).status.success()
    });
    // Of three hosts each has everything. What the lost one had is offered to the fast one and to the slow one by this computer, all at
    // once: in one look at both the fast one has it while the slow one, whose line takes half a minute for it, has not.
    eventually("the fast one has its share of what was lost, and the slow one has not", || {
        let status = computers.daemons[0].json(&["status"]);
        let outstanding = |of: usize| peer_in(&status, of)["outstanding_chunks"].as_u64().unwrap();
        outstanding(1) == 0 && outstanding(2) > 0
    });
    let sent = slow.sent_bytes() - sent;
    tests::report(format!("{} KiB of what was copied again came over the slow line", sent >> 10));
    // The fast one's share is a quarter of everything, and all of it is on the slow one too.
    assert!(sent < FILES * FILE_BYTES as u64 / 8, "{sent} bytes came over the slow line");
    assert!(holds_all(&computers, 1, 0));
    assert_eq!(peer(&computers, 3)["state"], "lost");
    write(&computers, 1000);
    eventually("what is new gets to the fast one", || outstanding(&computers, 1) == 0);
    eventually("the slow one is named", || remark(&computers, 2).is_some());
    slow.slow_down(FAST_KBIT, FAST_KBIT);
    computers.safe(0);
}
