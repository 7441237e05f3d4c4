//! A tree written on one computer is the same on the others, and survives the loss of the one that wrote it.

use std::fs;

use tests::noise;
use tests::tree::Tree;

use crate::computers::Computers;

#[test]
fn a_tree_is_the_same_everywhere_and_survives_its_writer() {
    let mut computers = Computers::paired(3, &[]);
    let mount = computers.mount(0);
    for folder in 0..20 {
        let folder_path = mount.join(format!("folder{folder}"));
        fs::create_dir(&folder_path).unwrap();
        for file in 0..20 {
            fs::write(
                folder_path.join(format!("file{file}")),
                noise(folder * 100 + file, 3000 + 500 * file as usize),
            )
            .unwrap();
        }
    }
    fs::write(mount.join("large"), noise(9999, 24 << 20)).unwrap();
    let written = Tree::of(&mount);
    computers.safe(0);
    computers.sync(&[0]);
    let lost = computers.daemons.remove(0);
    let data = lost.data();
    drop(lost);
    assert!(!data.exists(), "its disk is gone too");
    for daemon in &computers.daemons {
        Tree::of(&daemon.mount()).assert_same(&written, "after the loss of its writer");
    }
}
