//! A real source tree on the drive: copied, packed, searched, crashed under, deleted.
//!
//! `PEERDRIVE_LONG=1` takes 1 GiB in 30 000 files and more.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process_group};
use tests::tree::Tree;
use tests::{Daemon, Start, eventually, make_oddities, make_sources, program, run, script};

/// Copied entries after which the daemon is killed.
const COPIED_BEFORE_CRASH: usize = 20;

#[test]
fn copies_come_back_as_they_were() {
    let mut daemon = Daemon::start();
    let source = daemon.beside().join("source");
    make_sources(&source);
    let original = Tree::of(&source);
    let (first, unpacked) = (daemon.mount().join("first"), daemon.mount().join("unpacked"));

    rsync(&source, &first);
    Tree::of(&first).assert_same(&original, "copied with rsync");
    let back = daemon.beside().join("back");
    rsync(&first, &back);
    Tree::of(&back).assert_same(&original, "copied back with rsync");
    fs::remove_dir_all(back).unwrap();

    repack(&first, &unpacked);
    Tree::of(&unpacked).assert_same(&original, "through tar");

    let searched = |folder: &Path| run(script(folder, "grep -rac 'unsafe' . | sort").env("LC_ALL", "C"));
    assert_eq!(searched(&first), searched(&source), "grep finds something else");
    let listed = r"find . -mindepth 1 ! -type d -printf '%P %y %m %s %n %T@ %l\n' | sort";
    let listed = |folder: &Path| run(script(folder, listed));
    assert_eq!(listed(&first), listed(&source), "find shows something else");

    daemon.restart();
    Tree::of(&first).assert_same(&original, "after a restart");
    Tree::of(&unpacked).assert_same(&original, "through tar, after a restart");

    run(program("rm").arg("-rf").arg(&first).arg(&unpacked));
    assert!(Tree::of(&daemon.mount()).is_empty(), "something is left after rm -rf");
}

#[test]
fn a_crash_in_the_middle_of_a_copy_leaves_every_file_old_or_new() {
    let mut daemon = Daemon::start();
    let source = daemon.beside().join("source");
    make_sources(&source);
    let original = Tree::of(&source);
    let first = daemon.mount().join("first");
    rsync(&source, &first);
    run(script(&first, "find . -type f -exec sync {} +"));
    let second = daemon.mount().join("second");
    crash_while_copying(&mut daemon, &source, &second);

    daemon.start_again();
    Tree::of(&first).assert_same(&original, "the copy that was complete");
    if second.exists() {
        assert_old_or_new(&Tree::of(&second), &original);
    }
    // The way on after a crash: the same copy again.
    rsync(&source, &second);
    Tree::of(&second).assert_same(&original, "the copy, done again");
}

#[test]
fn odd_files_keep_their_owners_when_asked_to() {
    let mut daemon = Start::default().arg("--posix-owners").start();
    let source = daemon.beside().join("source");
    make_oddities(&source);
    run(script(&source, "chown 1234:5678 one; chown -h 4321:8765 link; chown 33:44 deep"));
    let copy = daemon.mount().join("copy");
    rsync(&source, &copy);
    let owners = |folder: &Path| run(script(folder, r"find . -mindepth 1 -printf '%P %U:%G\n' | sort"));
    assert_eq!(owners(&copy), owners(&source));
    daemon.restart();
    assert_eq!(owners(&copy), owners(&source));
    Tree::of(&copy).assert_same(&Tree::of(&source), "copied with owners");
}

fn rsync(from: &Path, to: &Path) {
    run(program("rsync").arg("-aHAXS").arg(inside(from)).arg(to));
}

/// The path with a slash behind it: rsync's way to say "what is in it".
fn inside(folder: &Path) -> PathBuf {
    folder.join("")
}

fn repack(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    let pack =
        "tar -C \"$1\" -c --xattrs --sparse --format=posix . | tar -C \"$2\" -x --xattrs --same-permissions";
    run(script(from, pack).arg(from).arg(to));
}

/// Kills the daemon when the copy has well begun; the copy then ends by itself.
fn crash_while_copying(daemon: &mut Daemon, from: &Path, to: &Path) {
    let mut copy = program("cp");
    copy.arg("-a").arg(from).arg(to).stderr(std::process::Stdio::null()).process_group(0);
    let mut copy = copy.spawn().expect("cp starts");
    eventually("the copy is well under way", || {
        fs::read_dir(to).is_ok_and(|entries| entries.count() > COPIED_BEFORE_CRASH)
    });
    daemon.kill();
    // It would try every file, to hear the same error; a copy that ended meanwhile is no harm.
    let _ = kill_process_group(Pid::from_child(&copy), Signal::KILL);
    copy.wait().expect("our own child");
}

/// Each file is as it was just created, or as it was to be; whole in any case.
fn assert_old_or_new(copy: &Tree, original: &Tree) {
    for (path, node) in copy.iter() {
        let wanted = original.get(path).unwrap_or_else(|| panic!("{} came from nowhere", path.display()));
        assert_eq!(node.kind, wanted.kind, "{}", path.display());
        assert_eq!(node.target, wanted.target, "{}", path.display());
        let is_whole = node.digest == wanted.digest;
        assert!(node.size == 0 || is_whole, "{} is neither empty nor whole: {node:?}", path.display());
    }
}
