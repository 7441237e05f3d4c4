//! What holds for all computers of a drive: copies, what an fsync waits for, who is lost, who may write.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};

use serde_json::Value;
use tests::eventually;

use crate::computers::Computers;

fn policy(computers: &Computers, at: usize) -> Value {
    computers.daemons[at].json(&["workspace", "policy"])
}

fn state(computers: &Computers, at: usize, of: &str) -> Value {
    let devices = computers.daemons[at].json(&["devices"]);
    let mut devices = devices.as_array().expect("a list").iter();
    devices.find(|device| device["name"] == of).map_or(Value::Null, |device| device["state"].clone())
}

/// Writes and calls fsync.
fn write_synced(computers: &Computers, at: usize, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(computers.mount(at).join(name))?;
    file.write_all(content)?;
    file.sync_all()
}

#[test]
fn copies_are_decided_once_for_all_computers() {
    let mut computers = Computers::paired(2, &["--target", "2"]);
    assert_eq!(policy(&computers, 0)["copies"], 2);
    assert_eq!(computers.daemons[1].json(&["status"])["workspaces"][0]["policy"], policy(&computers, 0));
    let decided = computers.daemons[1].json(&["workspace", "policy", "--copies", "4", "--max", "5"]);
    assert_eq!((&decided["copies"], &decided["min"], &decided["max"]), (&4.into(), &2.into(), &5.into()));
    eventually("the other computer knows", || policy(&computers, 0) == decided);
    let refused = computers.daemons[0].command(["workspace", "policy", "--min", "5"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("choose other numbers"));
    // What was said at the first start neither changes it back nor keeps the computer from starting.
    computers.daemons[0].restart();
    assert_eq!(policy(&computers, 0), decided);
    assert!(computers.daemons[0].log().contains("was not taken"), "{}", computers.daemons[0].log_tail());
}

#[test]
fn an_fsync_waits_for_the_other_computer_and_says_when_it_is_not_there() {
    let computers = Computers::paired(2, &[]);
    let decided = computers.daemons[0].json(&["workspace", "policy", "--fsync", "replicas(2)"]);
    assert_eq!(decided["fsync"], "replicas(2)");
    write_synced(&computers, 0, "both", b"on two").unwrap();
    let late = || computers.daemons[0].json(&["status"])["workspaces"][0]["fsyncs_too_late"].clone();
    assert_eq!(late(), 0);
    computers.network.place(1).unplug();
    let alone = write_synced(&computers, 0, "alone", b"on one");
    assert_eq!(alone.unwrap_err().raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    assert_eq!(late(), 1);
    assert_eq!(fs::read(computers.mount(0).join("alone")).unwrap(), b"on one");
    computers.network.place(1).plug_in();
    computers.sees(1, "alone", b"on one");
    write_synced(&computers, 0, "again", b"on two").unwrap();
}

#[test]
fn a_reader_reads_and_its_mount_takes_no_changes() {
    let mut computers = Computers::apart(2, &[]);
    fs::write(computers.mount(0).join("letter"), "dear").unwrap();
    assert_eq!(computers.pair(0, 1, &["--role", "reader"])["role"], "reader");
    computers.sees(1, "letter", b"dear");
    let mount = computers.mount(1);
    for refused in [
        fs::write(mount.join("mine"), "mine"),
        fs::write(mount.join("letter"), "changed"),
        fs::create_dir(mount.join("folder")),
        fs::remove_file(mount.join("letter")),
        fs::rename(mount.join("letter"), mount.join("paper")),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    }
    let why = computers.daemons[1].json(&["status"])["workspaces"][0]["read_only"].clone();
    assert!(why.as_str().unwrap().contains("reader"), "{why}");
    let refused = computers.daemons[1].command(["workspace", "policy", "--copies", "2"]);
    assert_eq!(refused.status.code(), Some(1), "a reader does not decide");
    computers.sync(&[0, 1]);
    assert_eq!(fs::read(computers.mount(0).join("letter")).unwrap(), b"dear");
}

#[test]
fn who_is_said_to_be_lost_is_so_for_all_and_nobody_waits_for_him() {
    let mut computers = Computers::paired(3, &[]);
    eventually("there is a link", || state(&computers, 0, "computer2") == "online");
    let refused = computers.daemons[0].command(["devices", "lost", "computer2"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("it is connected"));
    computers.daemons[2].kill();
    fs::write(computers.mount(0).join("later"), "later").unwrap();
    eventually("the link is gone", || {
        computers.daemons[0].command(["devices", "lost", "computer2"]).status.success()
    });
    for at in 0..2 {
        eventually("it is lost for all", || state(&computers, at, "computer2") == "lost");
    }
    computers.safe(0);
    assert!(computers.daemons[1].command(["devices", "found", "computer2"]).status.success());
    for at in 0..2 {
        eventually("it is waited for again", || state(&computers, at, "computer2") != "lost");
    }
    // Said again, it outlasts a restart.
    assert!(computers.daemons[0].command(["devices", "lost", "computer2"]).status.success());
    eventually("it is lost again", || state(&computers, 0, "computer2") == "lost");
    computers.daemons[1].kill();
    eventually("the link is gone", || {
        computers.daemons[0].command(["devices", "lost", "computer1"]).status.success()
    });
    computers.daemons[0].restart();
    for lost in ["computer1", "computer2"] {
        eventually("it is still lost", || state(&computers, 0, lost) == "lost");
    }
    let never = computers.daemons[0].command(["wait", "--safe"]);
    assert_eq!(never.status.code(), Some(1));
    let why = String::from_utf8_lossy(&never.stderr);
    assert!(why.contains("computer1") && why.contains("peerdrive invite"), "{why}");
}
