//! A host without keys: it keeps everything, reads nothing, and brings a user back who has nothing left but the phrase.

use std::fs;
use std::path::Path;

use tests::tree::Tree;
use tests::{noise, output, program};

use crate::computers::Computers;

/// A text that occurs in names and contents, and must occur nowhere on a host.
const MARKER: &str = "Zebrafinken";

#[test]
fn a_blind_host_reads_nothing_and_brings_everything_back() {
    let mut computers = Computers::apart(3, &[]);
    let joined = computers.pair(0, 1, &["--role", "host"]);
    assert_eq!(joined["role"], "host");
    assert!(joined["name"].is_null());
    let mount = computers.mount(0);
    fs::create_dir(mount.join(MARKER)).unwrap();
    fs::write(mount.join(MARKER).join("short"), MARKER).unwrap();
    fs::write(mount.join(MARKER).join("long"), MARKER.repeat(100_000)).unwrap();
    fs::write(mount.join(MARKER).join("noise"), noise(3, 5 << 20)).unwrap();
    computers.safe(0);
    let written = Tree::of(&mount);
    let phrase = computers.daemons[0].json(&["keys", "recovery"])["phrase"].as_str().unwrap().to_owned();
    let host = &computers.daemons[1];
    assert_eq!(host.json(&["status"])["workspaces"][0]["blind"], true);
    assert!(fs::read_dir(host.mount()).unwrap().next().is_none(), "a host shows no drive");
    assert_nowhere(&host.data(), MARKER);
    let seed = computers.daemons[0].data().join("user.key");
    assert_nowhere_bytes(&host.data(), &fs::read(seed).unwrap()[16..48]);
    // Every device of the user is gone.
    drop(computers.daemons.remove(0));
    let words = computers.daemons[1].beside().join("words");
    fs::write(&words, phrase).unwrap();
    let place = computers.network.place(1);
    let words = words.to_str().unwrap();
    let joined = computers.daemons[1].json(&[
        "join",
        "--phrase-file",
        words,
        "--peer",
        &format!("{}:7338", place.address),
    ]);
    assert_eq!(joined["role"], "owner");
    computers.sync(&[1]);
    Tree::of(&computers.daemons[1].mount()).assert_same(&written, "from the phrase and a host alone");
    // What is lost is taken out, so that nobody waits for it.
    assert!(computers.daemons[1].command(["devices", "revoke", "computer0"]).status.success());
    fs::write(computers.daemons[1].mount().join("again"), "again").unwrap();
    computers.safe(1);
}

fn assert_nowhere(folder: &Path, text: &str) {
    let found = output(program("grep").args(["-rlai", text]).arg(folder));
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stdout));
}

fn assert_nowhere_bytes(folder: &Path, secret: &[u8]) {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.file_type().expect("a kind").is_dir() {
                folders.push(entry.path());
                continue;
            }
            let content = fs::read(entry.path()).expect("a readable file");
            assert!(
                content.windows(secret.len()).all(|window| window != secret),
                "{}",
                entry.path().display()
            );
        }
    }
}
