//! POSIX behaviour of the mounted drive, as the pjdfstest suite sees it.
//!
//! Needs root: most cases act as several users.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::{Daemon, Start, is_root, tool};

/// Cases that must pass; fewer means the suite did not run as it should. The rest is skipped with a reason.
const CASES_AT_LEAST: usize = 380;
/// Of these, the cases of a drive that is mounted again as read-only.
const READ_ONLY_CASES_AT_LEAST: usize = 13;

#[test]
fn posix_as_pjdfstest_sees_it() {
    assert!(is_root(), "most cases act as several users: run it as root");
    let suite = tool("pjdfstest");
    let daemon = Start::default().arg("--posix-owners").arg("--allow-other").start();
    let passed = run(&suite, &daemon, "read-only.toml", true, &["erofs"]);
    assert!(passed >= READ_ONLY_CASES_AT_LEAST, "only {passed} read-only cases passed");
    let passed = run(&suite, &daemon, "writable.toml", false, &[]);
    assert!(passed >= CASES_AT_LEAST, "only {passed} cases passed");
}

/// How many cases passed; any that failed is a panic that shows it.
fn run(suite: &Path, daemon: &Daemon, name: &str, allow_remount: bool, cases: &[&str]) -> usize {
    let mut run = Command::new(suite);
    run.arg("--configuration-file").arg(settings(daemon, name, allow_remount));
    // Another file system than the drive, for what must not cross the border.
    run.arg("--secondary-fs").arg(daemon.beside()).arg("--path").arg(daemon.mount()).arg("--").args(cases);
    let output = run
        .env("PATH", path_with_plain_mount(daemon))
        .stdin(Stdio::null())
        .output()
        .expect("pjdfstest starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let (passed, rest): (Vec<&str>, Vec<&str>) = told.lines().partition(|line| line.ends_with(" ok"));
    assert!(output.status.success(), "{}\n{}", rest.join("\n"), daemon.log_tail());
    passed.len()
}

fn settings(daemon: &Daemon, name: &str, allow_remount: bool) -> PathBuf {
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/pjdfstest.toml");
    let common = fs::read_to_string(common).expect("the settings are part of the project");
    let file = daemon.beside().join(name);
    let text = common.replace("allow_remount = false", &format!("allow_remount = {allow_remount}"));
    fs::write(&file, text).expect("the test's own folder");
    file
}

/// `mount` asks a helper to change a FUSE mount, and the helper would start the drive's program anew; told to do it by
/// itself, it asks the kernel.
fn path_with_plain_mount(daemon: &Daemon) -> String {
    let folder = daemon.beside().join("bin");
    fs::create_dir_all(&folder).expect("the test's own folder");
    let program = folder.join("mount");
    let _ = fs::remove_file(&program);
    fs::write(&program, "#!/bin/sh\nexec /bin/mount --internal-only \"$@\"\n")
        .expect("the test's own folder");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}
