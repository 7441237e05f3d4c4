//! A tree written on one computer is the same on the others, and survives the loss of the one that wrote it.

use std::fs;

use tests::tree::Tree;
use tests::{eventually, is_long, noise};

use crate::computers::Computers;

#[test]
fn a_tree_is_the_same_everywhere_and_survives_its_writer() {
    let mut computers = Computers::paired(3, &[]);
    let mount = computers.mount(0);
    // In the long form a gibibyte in 20,000 files.
    let (folders, files, large_bytes) = if is_long() { (1000, 20, 512 << 20) } else { (20, 20, 24 << 20) };
    for folder in 0..folders {
        let folder_path = mount.join(format!("folder{folder}"));
        fs::create_dir(&folder_path).unwrap();
        for file in 0..files {
            fs::write(
                folder_path.join(format!("file{file}")),
                noise(folder * 100 + file, 3000 + 2500 * file as usize),
            )
            .unwrap();
        }
    }
    fs::write(mount.join("large"), noise(999_999, large_bytes)).unwrap();
    let written = Tree::of(&mount);
    computers.safe(0);
    let found = computers.daemons[0].json(&["where", mount.join("large").to_str().unwrap()]);
    let held: Vec<_> = found["hosts"].as_array().unwrap().iter().map(|host| host["chunks"].clone()).collect();
    assert_eq!(held, vec![found["chunks"].clone(); 3], "each of the three computers holds all of it");
    computers.sync(&[0]);
    let lost = computers.daemons.remove(0);
    let data = lost.data();
    drop(lost);
    assert!(!data.exists(), "its disk is gone too");
    for daemon in &computers.daemons {
        Tree::of(&daemon.mount()).assert_same(&written, "after the loss of its writer");
    }
}

#[test]
fn a_computer_that_keeps_no_copies_reads_everything_and_what_it_writes_is_safe() {
    let mut computers = Computers::paired(3, &[]);
    computers.daemons[2].add_setting("replicas = false");
    computers.daemons[2].restart();
    for at in 0..2 {
        eventually("the others know that it keeps nothing", || {
            let devices = computers.daemons[at].json(&["devices"]);
            let mut devices = devices.as_array().unwrap().iter();
            devices.any(|device| device["name"] == "computer2" && device["contributed"] == 0)
        });
    }
    let content = noise(7, 12 << 20);
    fs::write(computers.mount(0).join("theirs"), &content).unwrap();
    computers.safe(0);
    computers.sees(2, "theirs", &content);
    let content = noise(8, 12 << 20);
    fs::write(computers.mount(2).join("its own"), &content).unwrap();
    computers.safe(2);
    computers.sees(1, "its own", &content);
}
