//! Pairing: by code, by ticket, wrong codes, each kind of invitation.

use std::fs;

use crate::computers::Computers;

#[test]
fn a_code_makes_one_drive_of_two_computers() {
    let mut computers = Computers::apart(2, &[]);
    fs::write(computers.mount(0).join("letter.txt"), "dear").unwrap();
    let joined = computers.pair(0, 1, &[]);
    assert_eq!(joined["role"], "owner");
    computers.sees(1, "letter.txt", b"dear");
    fs::write(computers.mount(1).join("answer.txt"), "dear too").unwrap();
    computers.sees(0, "answer.txt", b"dear too");
    let devices = computers.daemons[1].json(&["devices"]);
    let names: Vec<&str> =
        devices.as_array().unwrap().iter().filter_map(|device| device["name"].as_str()).collect();
    assert_eq!(names, ["computer1", "computer0"]);
    let peer = &computers.daemons[0].json(&["status"])["peers"][0];
    assert_eq!((peer["state"].as_str(), peer["path"].as_str()), (Some("online"), Some("direct LAN")));
}

#[test]
fn a_code_works_once_and_three_wrong_tries_end_it() {
    let computers = Computers::apart(3, &[]);
    let invited = computers.daemons[0].json(&["invite"]);
    let code = invited["code"].as_str().unwrap().to_owned();
    let number = code.split('-').next().unwrap();
    let words: Vec<&str> = code.split('-').skip(1).collect();
    let wrong = format!("{number}-{}-{}", words[1], words[0]);
    for _ in 0..3 {
        let refused = computers.daemons[1].command(["join", &wrong]);
        assert_eq!(refused.status.code(), Some(1));
    }
    let refused = computers.daemons[1].command(["join", &code]);
    assert_eq!(refused.status.code(), Some(1), "the invitation is dead");
    assert!(computers.daemons[0].log().contains("pair"), "{}", computers.daemons[0].log_tail());
    let again = computers.daemons[0].json(&["invite"]);
    let code = again["code"].as_str().unwrap();
    assert!(computers.daemons[1].command(["join", code]).status.success());
    assert_eq!(computers.daemons[2].command(["join", code]).status.code(), Some(1), "a code works once");
}

#[test]
fn a_drive_with_files_is_not_given_up() {
    let computers = Computers::apart(2, &[]);
    fs::write(computers.mount(1).join("mine.txt"), "mine").unwrap();
    let invited = computers.daemons[0].json(&["invite"]);
    let refused = computers.daemons[1].command(["join", invited["code"].as_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("holds files"));
    assert_eq!(fs::read(computers.mount(1).join("mine.txt")).unwrap(), b"mine");
}

#[test]
fn a_removed_device_gets_nothing_more() {
    let computers = Computers::paired(3, &[]);
    fs::write(computers.mount(0).join("before.txt"), "before").unwrap();
    computers.sees(2, "before.txt", b"before");
    assert!(computers.daemons[0].command(["devices", "revoke", "computer2"]).status.success());
    fs::write(computers.mount(0).join("after.txt"), "after").unwrap();
    computers.sees(1, "after.txt", b"after");
    fs::write(computers.mount(2).join("late.txt"), "late").unwrap();
    computers.sync(&[0, 1]);
    assert!(!computers.mount(2).join("after.txt").exists());
    assert!(!computers.mount(0).join("late.txt").exists());
}

#[test]
fn a_ticket_joins_and_another_person_keeps_his_own_keys() {
    let computers = Computers::apart(2, &[]);
    let invited = computers.daemons[0].json(&["invite", "--ticket", "--role", "writer"]);
    let user = computers.daemons[1].json(&["keys", "recovery"])["phrase"].clone();
    let joined = computers.daemons[1].json(&["join", invited["ticket"].as_str().unwrap()]);
    assert_eq!(joined["role"], "writer");
    assert_eq!(computers.daemons[1].json(&["keys", "recovery"])["phrase"], user, "his keys stay his");
    fs::write(computers.mount(1).join("from a writer"), "hello").unwrap();
    computers.sees(0, "from a writer", b"hello");
    let refused = computers.daemons[1].command(["invite", "--role", "writer"]);
    assert_eq!(refused.status.code(), Some(1), "a writer does not invite others");
}
