//! A file is worked on at random, through every way there is, and compared with what it must hold.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::{Daemon, tool};

/// A seed, its operations, and whether each write through a memory map is synced at once: a sync costs as much as a
/// hundred other operations, and without it the kernel writes back when it likes. Over 100 000 in all.
const RUNS: [(u64, u32, bool); 4] =
    [(1, 8_000, true), (7, 8_000, true), (20_260_301, 45_000, false), (4_242_424_242, 45_000, false)];

#[test]
fn a_file_holds_what_was_written_to_it() {
    let exerciser = tool("fsx");
    let daemon = Daemon::start();
    for (seed, operations, synced) in RUNS {
        exercise(&exerciser, &daemon, seed, operations, synced);
    }
}

fn exercise(exerciser: &Path, daemon: &Daemon, seed: u64, operations: u32, synced: bool) {
    let file = daemon.mount().join(format!("fsx-{seed}"));
    let mut run = Command::new(exerciser);
    run.arg("-f").arg(settings(daemon, synced));
    run.args(["-S", &seed.to_string(), "-N", &operations.to_string(), "-P"]);
    // What it leaves behind on failure must not lie on the drive it found at fault.
    let output = run.arg(daemon.beside()).arg(&file).stdin(Stdio::null()).output().expect("fsx starts");
    let told = String::from_utf8_lossy(&output.stderr);
    let log = daemon.log_tail();
    assert!(output.status.success(), "seed {seed}: {}\n{told}\n{log}", output.status);
}

fn settings(daemon: &Daemon, synced: bool) -> PathBuf {
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/fsx.toml");
    let common = fs::read_to_string(common).expect("the settings are part of the project");
    let file = daemon.beside().join("fsx.toml");
    let text = format!("nomsyncafterwrite = {}\n{common}", !synced);
    fs::write(&file, text).expect("the test's own folder");
    file
}
