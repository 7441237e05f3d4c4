//! Nothing that people put on the drive stands readable in the data folder or in the log.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use rustix::fs::{XattrFlags, setxattr};
use tests::{Daemon, Start, noise};

/// Stands in everything that is written; found by accident nowhere.
const MARKER: &str = "Qx7vMarkerZj93kW";

#[test]
fn nothing_stands_readable_outside_the_mount() {
    let mut daemon = Start::default().arg("--log").arg("trace").start();
    assert_search_works(&daemon);
    write_everywhere(&daemon.mount());
    assert_secret(&daemon, "just written");
    daemon.wait_until_settled();
    assert_secret(&daemon, "while it runs");

    change_everything(&daemon.mount());
    ask_about_everything(&daemon);
    daemon.wait_until_settled();
    assert_secret(&daemon, "after changes and questions");
    let status = daemon.stop();
    assert!(status.success());
    assert_secret(&daemon, "after the end");

    daemon.start_again();
    write_everywhere(&daemon.mount().join("again"));
    sync_all(&daemon.mount());
    daemon.kill();
    assert_secret(&daemon, "after a crash");
    daemon.start_again();
    fs::remove_dir_all(daemon.mount().join("again")).unwrap();
    daemon.wait_until_settled();
    assert_secret(&daemon, "after the recovery from a crash");
}

/// Names, contents of every size and kind, targets of symlinks, names and values of attributes.
fn write_everywhere(folder: &Path) {
    let folder = folder.join(format!("folder {MARKER}"));
    fs::create_dir_all(&folder).unwrap();
    let at = |name: &str| folder.join(format!("{name} {MARKER}"));
    fs::write(at("tiny"), MARKER).unwrap();
    fs::write(at("short"), format!("{MARKER} ").repeat(60)).unwrap();
    fs::write(at("compressible"), format!("a line with {MARKER} in it\n").repeat(100_000)).unwrap();
    let mut incompressible = noise(1, 3 << 20);
    for at in (1000..incompressible.len() - 100).step_by(50_000) {
        incompressible[at..at + MARKER.len()].copy_from_slice(MARKER.as_bytes());
    }
    fs::write(at("incompressible"), &incompressible).unwrap();
    // Kept as changes of the file, not as a version of it.
    let synced = File::create(at("synced")).unwrap();
    for place in 0..50 {
        synced.write_all_at(MARKER.as_bytes(), place * 10_000).unwrap();
        synced.sync_data().unwrap();
    }
    symlink(format!("/a/target/{MARKER}"), at("symlink")).unwrap();
    fs::hard_link(at("tiny"), at("hard link")).unwrap();
    let attribute = format!("user.{MARKER}");
    setxattr(at("tiny"), &attribute, MARKER.as_bytes(), XattrFlags::empty()).unwrap();
    setxattr(&folder, &attribute, MARKER.repeat(200).as_bytes(), XattrFlags::empty()).unwrap();
}

/// Old versions, deleted names, moved names.
fn change_everything(mount: &Path) {
    let folder = mount.join(format!("folder {MARKER}"));
    let at = |name: &str| folder.join(format!("{name} {MARKER}"));
    fs::write(at("tiny"), format!("{MARKER} changed")).unwrap();
    fs::rename(at("short"), at("moved")).unwrap();
    fs::remove_file(at("compressible")).unwrap();
    File::options()
        .write(true)
        .open(at("incompressible"))
        .unwrap()
        .write_all_at(MARKER.as_bytes(), 7)
        .unwrap();
    // What fails is told in the log perhaps.
    File::open(at("missing")).unwrap_err();
    fs::create_dir(&folder).unwrap_err();
    fs::remove_dir(&folder).unwrap_err();
}

fn ask_about_everything(daemon: &Daemon) {
    let path = format!("/folder {MARKER}/tiny {MARKER}");
    for question in
        [vec!["status"], vec!["log"], vec!["history", &path], vec!["where", &path], vec!["doctor"]]
    {
        assert!(!daemon.json(&question).is_null());
    }
    // Refused, and not to be repeated in the log.
    daemon.command(["history", &format!("/missing {MARKER}")]);
    daemon.command(["restore", &path, "--at", MARKER]);
}

fn sync_all(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            sync_all(&entry.path());
        } else if entry.file_type().unwrap().is_file() {
            File::open(entry.path()).unwrap().sync_all().unwrap();
        }
    }
}

/// The search finds what it is made for, or its silence would say nothing.
fn assert_search_works(daemon: &Daemon) {
    let planted = daemon.data().join("planted");
    for form in forms() {
        let mut content = noise(1, 5000);
        content.extend_from_slice(&form);
        fs::write(&planted, content).unwrap();
        assert_eq!(findings(&[daemon.data()]).as_slice(), std::slice::from_ref(&planted));
    }
    fs::remove_file(planted).unwrap();
}

fn assert_secret(daemon: &Daemon, when: &str) {
    assert!(daemon.data().join("workspaces").is_dir(), "the search looks in the wrong place");
    let found = findings(&[daemon.data(), daemon.beside().join("log")]);
    assert!(found.is_empty(), "{when}: {MARKER} stands readable in {found:?}");
}

/// The ways in which the marker might be written down.
fn forms() -> Vec<Vec<u8>> {
    let plain = MARKER.as_bytes();
    let hex = |upper: bool| {
        let digits =
            plain.iter().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        digits.collect::<String>().into_bytes()
    };
    let wide = plain.iter().flat_map(|byte| [*byte, 0]).collect();
    let listed = plain.iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes();
    vec![
        plain.to_vec(),
        MARKER.to_lowercase().into_bytes(),
        MARKER.to_uppercase().into_bytes(),
        plain.iter().rev().copied().collect(),
        wide,
        hex(false),
        hex(true),
        listed,
        // Compression cuts repeated text to pieces, but a first piece of it stays whole.
        plain[..10].to_vec(),
    ]
}

/// The files under these paths whose names or bytes hold a form of the marker.
fn findings(roots: &[PathBuf]) -> Vec<PathBuf> {
    let forms = forms();
    let finders: Vec<Finder<'_>> = forms.iter().map(Finder::new).collect();
    let holds = |bytes: &[u8]| finders.iter().any(|finder| finder.find(bytes).is_some());
    let (mut todo, mut found) = (roots.to_vec(), Vec::new());
    while let Some(path) = todo.pop() {
        let name = path.file_name().unwrap().as_encoded_bytes();
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            if holds(name) {
                found.push(path);
            }
        // What the daemon removes meanwhile is not there any more.
        } else if holds(name) || fs::read(&path).is_ok_and(|bytes| holds(&bytes)) {
            found.push(path);
        }
    }
    found
}
