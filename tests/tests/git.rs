//! A repository on the drive, worked on by the real git.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::{Daemon, noise, program, run, script};

/// Size of the repository that is cloned.
const COMMITS: usize = 400;
const FILES: usize = 250;

#[test]
fn a_repository_lives_on_the_drive() {
    let mut daemon = Daemon::start();
    let origin = make_origin(&daemon);
    let clone = daemon.mount().join("clone");
    run(git(daemon.beside())
        .args(["clone", "--quiet"])
        .arg(format!("file://{}", origin.display()))
        .arg(&clone));
    assert_clean(&clone);
    daemon.wait_until_settled();
    assert_clean(&clone);

    work_on(&clone);
    assert_clean(&clone);
    run(git(&clone).args(["gc", "--quiet", "--prune=now"]));
    run(git(&clone).args(["fsck", "--full", "--strict"]));
    daemon.restart();
    assert_clean(&clone);
    run(git(&clone).args(["fsck", "--full", "--strict"]));

    run(git(&clone).args(["push", "--quiet", "origin", "HEAD"]));
    assert_eq!(head(&clone), head(&origin));
    run(git(&origin).args(["fsck", "--full", "--strict"]));
}

#[test]
fn commits_survive_crashes() {
    let mut daemon = Daemon::start();
    let repository = daemon.mount().join("repository");
    run(git(&daemon.mount()).args(["init", "--quiet", "--initial-branch=main", "repository"]));
    run(git(&repository).args(["config", "core.fsync", "all"]));
    run(git(&repository).args(["config", "core.fsyncMethod", "fsync"]));
    commit(&repository, 0);
    sync_branch(&repository);
    for round in 1..6 {
        let before = head(&repository);
        commit(&repository, round);
        let after = head(&repository);
        // Git syncs all but the renaming that moves the branch.
        let synced = round % 2 == 0;
        if synced {
            sync_branch(&repository);
        }
        daemon.kill();
        daemon.start_again();
        // Git says so itself: after a crash, its lock files are for a person to remove.
        run(script(&repository, "find .git -name '*.lock' -delete"));
        run(git(&repository).args(["fsck", "--full", "--strict"]));
        let found = head(&repository);
        assert!(found == after || (!synced && found == before), "round {round}: at {found}");
        run(git(&repository).args(["reset", "--hard", "--quiet"]));
        let round = if found == after { round } else { round - 1 };
        assert_eq!(fs::read(repository.join("file")).unwrap(), noise(round, 100_000));
        commit(&repository, round + 100);
        commit(&repository, round);
        sync_branch(&repository);
    }
}

fn commit(repository: &Path, seed: u64) {
    fs::write(repository.join("file"), noise(seed, 100_000)).unwrap();
    run(git(repository).args(["add", "file"]));
    run(git(repository).args(["commit", "--quiet", "--allow-empty", "-m", "a commit"]));
}

fn head(repository: &Path) -> String {
    run(git(repository).args(["rev-parse", "HEAD"]))
}

fn sync_branch(repository: &Path) {
    run(program("sync").arg(repository.join(".git/refs/heads")));
}

/// A bare repository beside the drive, with a history.
fn make_origin(daemon: &Daemon) -> PathBuf {
    let origin = daemon.beside().join("origin.git");
    run(git(daemon.beside()).args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&origin));
    let mut import = git(&origin).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().expect("it was piped").write_all(history().as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    origin
}

/// What `git fast-import` reads: every commit changes one file, in folders.
fn history() -> String {
    let mut text = String::new();
    for commit in 0..COMMITS {
        let file = commit % FILES;
        let content = format!("file {file} at commit {commit}\n").repeat(1 + file % 90);
        let seconds = 1_700_000_000 + commit * 60;
        writeln!(text, "commit refs/heads/main\ncommitter T <t@example.org> {seconds} +0000").unwrap();
        writeln!(text, "data 4\nwork\nM 100644 inline folder{}/sub{}/file{file}", file % 7, file % 3)
            .unwrap();
        writeln!(text, "data {}\n{content}", content.len()).unwrap();
    }
    text
}

/// Branches, changes, renames, a merge.
fn work_on(clone: &Path) {
    run(git(clone).args(["checkout", "--quiet", "-b", "side"]));
    run(git(clone).args(["mv", "folder0", "renamed"]));
    run(git(clone).args(["commit", "--quiet", "-m", "rename"]));
    run(git(clone).args(["checkout", "--quiet", "main"]));
    for round in 0..20 {
        fs::write(clone.join(format!("new{round}")), noise(round, 5000)).unwrap();
        run(git(clone).args(["add", "."]));
        run(git(clone).args(["commit", "--quiet", "-m", "more"]));
    }
    run(git(clone).args(["merge", "--quiet", "--no-edit", "side"]));
    fs::write(clone.join("new0"), "for a moment").unwrap();
    run(git(clone).args(["stash", "--quiet"]));
    run(git(clone).args(["stash", "drop", "--quiet"]));
}

/// Nothing differs from what was checked out, and no file's times or number moved under git's index.
fn assert_clean(clone: &Path) {
    let touched = run(git(clone).arg("diff-files"));
    assert_eq!(touched, "", "files look touched");
    let changed = run(git(clone).args(["status", "--porcelain"]));
    assert_eq!(changed, "", "files look changed");
}

/// Git with no settings but ours.
fn git(folder: &Path) -> Command {
    let mut git = program("git");
    git.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "T").env(format!("GIT_{who}_EMAIL"), "t@example.org");
    }
    git
}
