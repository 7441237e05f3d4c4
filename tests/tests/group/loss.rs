//! What some computers would take with them, and whether that comes true.

use std::fs;

use serde_json::Value;
use tests::eventually;

use crate::computers::Computers;

fn if_lost(computers: &Computers, at: usize, devices: &[&str]) -> Value {
    computers.daemons[at].json(&[&["status", "--if-lost"], devices].concat())
}

fn paths(told: &Value, kind: &str) -> Vec<String> {
    let mut paths: Vec<String> = told[kind]["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| path.as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    assert_eq!(told[kind]["files"], paths.len());
    paths
}

#[test]
fn what_would_be_lost_is_named_and_what_is_not_named_stays() {
    let mut computers = Computers::paired(3, &[]);
    let mount = computers.mount(0);
    fs::create_dir(mount.join("folder")).unwrap();
    fs::write(mount.join("folder/safe"), tests::noise(5, 1 << 20)).unwrap();
    fs::write(mount.join("short"), "short").unwrap();
    computers.safe(0);
    let both = ["/folder/safe", "/short"];
    eventually("all is where it should be", || if_lost(&computers, 0, &["computer1"])["complete"] == true);
    let one = if_lost(&computers, 0, &["computer1"]);
    assert_eq!((paths(&one, "gone").len(), paths(&one, "single").len()), (0, 0), "{one}");
    assert!(one["heal_bytes"].is_u64() && one["heal_s"].is_u64(), "{one}");
    let two = if_lost(&computers, 0, &["computer1", "computer2"]);
    assert_eq!(
        (paths(&two, "gone").len(), paths(&two, "single")),
        (0, both.map(String::from).to_vec()),
        "{two}"
    );
    assert!(two["heal_s"].is_null() && two["hosts_left"] == 1, "{two}");
    let all = if_lost(&computers, 0, &["computer0", "computer1", "computer2"]);
    assert_eq!(paths(&all, "gone"), both, "{all}");
    // What is on one computer alone.
    for at in 1..3 {
        computers.network.place(at).unplug();
    }
    fs::write(mount.join("alone"), tests::noise(6, 300_000)).unwrap();
    eventually("it is settled", || {
        computers.daemons[0].json(&["status"])["workspaces"][0]["pending_files"] == 0
    });
    let alone = if_lost(&computers, 0, &["computer0"]);
    assert_eq!(paths(&alone, "gone"), ["/alone"], "{alone}");
    assert_eq!(paths(&if_lost(&computers, 0, &["computer2"]), "single"), ["/alone"]);
    assert_eq!(computers.daemons[0].command(["status", "--if-lost", "nobody"]).status.code(), Some(1));
    // And it comes true: the first is gone, what was not named is there.
    drop(computers.daemons.remove(0));
    for at in 1..3 {
        computers.network.place(at).plug_in();
    }
    for daemon in &computers.daemons {
        assert_eq!(fs::read(daemon.mount().join("folder/safe")).unwrap(), tests::noise(5, 1 << 20));
        assert!(!daemon.mount().join("alone").exists());
    }
}
