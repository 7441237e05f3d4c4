//! A file is worked on at random, through every way there is, and compared with what it must hold.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Stdio};

use tests::{Daemon, tool};

/// Operations of each seed; all of them together do over 100 000.
const OPERATIONS: u32 = 26_000;
/// Seeds that once found something, and others.
const SEEDS: [u64; 4] = [1, 7, 20_260_301, 4_242_424_242];

#[test]
fn a_file_holds_what_was_written_to_it() {
    let exerciser = tool("fsx");
    let daemon = Daemon::start();
    for seed in SEEDS {
        exercise(&exerciser, &daemon, seed);
    }
}

fn exercise(exerciser: &Path, daemon: &Daemon, seed: u64) {
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/fsx.toml");
    let file = daemon.mount().join(format!("fsx-{seed}"));
    let mut run = Command::new(exerciser);
    run.arg("-f").arg(settings).args(["-S", &seed.to_string(), "-N", &OPERATIONS.to_string(), "-P"]);
    // What it leaves behind on failure must not lie on the drive it found at fault.
    let output = run.arg(daemon.beside()).arg(&file).stdin(Stdio::null()).output().expect("fsx starts");
    let told = String::from_utf8_lossy(&output.stderr);
    let log = daemon.log_tail();
    assert!(output.status.success(), "seed {seed}: {}\n{told}\n{log}", output.status);
}
