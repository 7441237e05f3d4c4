//! Computers that are parted, go on, and meet again.

use std::fs;

use tests::tree::Tree;

use crate::computers::Computers;

#[test]
fn both_edits_are_kept() {
    let computers = Computers::paired(2, &[]);
    fs::write(computers.mount(0).join("plan.txt"), "first").unwrap();
    computers.sees(1, "plan.txt", b"first");
    computers.network.place(1).unplug();
    fs::write(computers.mount(0).join("plan.txt"), "mine").unwrap();
    fs::write(computers.mount(1).join("plan.txt"), "yours").unwrap();
    for at in 0..2 {
        fs::create_dir(computers.mount(at).join("new")).unwrap();
        fs::write(computers.mount(at).join("new").join(format!("of{at}")), [b'0' + at as u8]).unwrap();
    }
    computers.network.place(1).plug_in();
    for at in 0..2 {
        computers.sees(at, "new/of0", b"0");
        computers.sees(at, "new/of1", b"1");
    }
    computers.sync(&[0, 1]);
    for at in 0..2 {
        let conflicts = computers.daemons[at].json(&["conflicts"]);
        assert_eq!(conflicts[0]["path"], "/plan.txt");
        assert_eq!(conflicts[0]["versions"].as_array().unwrap().len(), 2);
    }
    let shown = [0, 1].map(|at| fs::read(computers.mount(at).join("plan.txt")).unwrap());
    assert_eq!(shown[0], shown[1]);
}

#[test]
fn an_edit_beats_a_delete_and_a_delete_reaches_the_other() {
    let computers = Computers::paired(2, &[]);
    for name in ["kept", "gone"] {
        fs::write(computers.mount(0).join(name), "first").unwrap();
        computers.sees(1, name, b"first");
    }
    computers.network.place(1).unplug();
    fs::remove_file(computers.mount(0).join("kept")).unwrap();
    fs::remove_file(computers.mount(0).join("gone")).unwrap();
    fs::write(computers.mount(1).join("kept"), "edited").unwrap();
    computers.network.place(1).plug_in();
    for at in 0..2 {
        computers.sees(at, "kept", b"edited");
        computers.misses(at, "gone");
    }
}

#[test]
fn folders_moved_into_each_other_make_no_loop() {
    let computers = Computers::paired(2, &[]);
    for name in ["one", "two"] {
        fs::create_dir(computers.mount(0).join(name)).unwrap();
        fs::write(computers.mount(0).join(name).join("file"), name).unwrap();
        computers.sees(1, &format!("{name}/file"), name.as_bytes());
    }
    computers.network.place(1).unplug();
    fs::rename(computers.mount(0).join("one"), computers.mount(0).join("two/one")).unwrap();
    fs::rename(computers.mount(1).join("two"), computers.mount(1).join("one/two")).unwrap();
    computers.network.place(1).plug_in();
    computers.sync(&[0, 1]);
    let trees = [0, 1].map(|at| Tree::of(&computers.mount(at)));
    trees[0].assert_same(&trees[1], "after the network healed");
    assert_eq!(trees[0].iter().filter(|(_, node)| node.kind == 'f').count(), 2);
}
