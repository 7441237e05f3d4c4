//! A computer leaves the drive: the others take over what it holds, and nothing of it is deleted.

use std::fs;

use tests::eventually;
use tests::tree::Tree;

use crate::computers::Computers;

/// What `leave` said: whether it did, and what stands on standard error.
fn leave(computers: &Computers, at: usize, arguments: &[&str]) -> (bool, String) {
    let output = computers.daemons[at].command([&["leave"], arguments].concat());
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn names(computers: &Computers, at: usize) -> Vec<String> {
    let devices = computers.daemons[at].json(&["devices"]);
    devices.as_array().unwrap().iter().map(|device| device["name"].as_str().unwrap().to_owned()).collect()
}

/// Whether the first computer knows that the last of four leaves.
fn leaving(computers: &Computers) -> Vec<bool> {
    let devices = computers.daemons[0].json(&["devices"]);
    let last = devices.as_array().unwrap().iter().filter(|device| device["name"] == "computer3");
    last.map(|device| device["leaving"].as_bool().unwrap()).collect()
}

fn write(computers: &Computers, at: usize) -> Tree {
    let mount = computers.mount(at);
    fs::create_dir(mount.join("of it")).unwrap();
    fs::write(mount.join("of it/noise"), tests::noise(11, 3 << 20)).unwrap();
    fs::write(mount.join("short"), "short").unwrap();
    Tree::of(&mount)
}

#[test]
fn what_a_computer_held_is_on_the_others_when_it_has_left() {
    let computers = Computers::paired(3, &[]);
    let written = write(&computers, 2);
    let left = computers.daemons[2].json(&["leave"]);
    assert_eq!(left["state"], "left");
    let aside = std::path::PathBuf::from(left["aside"].as_str().unwrap());
    for kept in ["workspaces", "chunks/packs", "device.key", "user.key"] {
        assert!(aside.join(kept).exists(), "{kept}");
    }
    assert!(!computers.daemons[2].data().join("workspaces").exists());
    computers.sync(&[0, 1]);
    for at in 0..2 {
        Tree::of(&computers.mount(at)).assert_same(&written, "without the one that left");
        assert_eq!(names(&computers, at).len(), 2);
        computers.safe(at);
    }
}

#[test]
fn nobody_leaves_when_something_would_be_lost_unless_he_says_so() {
    let computers = Computers::paired(2, &[]);
    let (left, why) = leave(&computers, 1, &[]);
    assert!(!left && why.contains("only 1 other computer"), "{why}");
    computers.network.place(0).unplug();
    fs::write(computers.mount(1).join("here"), "nowhere else").unwrap();
    let (left, why) = leave(&computers, 1, &["--now"]);
    assert!(!left && why.contains("not known to be on any other"), "{why}");
    computers.network.place(0).plug_in();
    computers.safe(1);
    let (left, why) = leave(&computers, 1, &["--now"]);
    assert!(left, "{why}");
    computers.sees(0, "here", b"nowhere else");
    eventually("the other knows", || names(&computers, 0) == ["computer0"]);
    let (left, why) = leave(&computers, 0, &["--now", "--lose"]);
    assert!(!left && why.contains("alone"), "{why}");
}

#[test]
fn who_takes_it_back_keeps_copies_again() {
    let computers = Computers::paired(4, &[]);
    let written = write(&computers, 3);
    computers.safe(3);
    // One that is not here has not got its new share: so long nobody leaves.
    computers.network.place(1).unplug();
    let watched = computers.daemons[3].begin_command(["leave"]);
    eventually("the others see it", || leaving(&computers) == [true]);
    assert_eq!(computers.daemons[3].json(&["status"])["leaving"], true);
    assert!(leave(&computers, 3, &["--cancel"]).0);
    let ended = watched.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && why.contains("taken back"), "{why}");
    let (again, why) = leave(&computers, 3, &["--cancel"]);
    assert!(!again && why.contains("nothing to take back"), "{why}");
    computers.network.place(1).plug_in();
    computers.safe(3);
    eventually("the others see that it stays", || leaving(&computers) == [false]);
    Tree::of(&computers.mount(0)).assert_same(&written, "after it stayed");
}

#[test]
fn a_blind_host_leaves_too() {
    let mut computers = Computers::apart(3, &[]);
    computers.pair(0, 1, &[]);
    computers.pair(0, 2, &["--role", "host"]);
    let written = write(&computers, 0);
    computers.safe(0);
    let left = computers.daemons[2].json(&["leave"]);
    assert_eq!(left["state"], "left");
    eventually("the others know", || names(&computers, 0).len() == 2);
    computers.safe(0);
    Tree::of(&computers.mount(1)).assert_same(&written, "without the host");
}
