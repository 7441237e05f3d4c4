//! The computer's clock is wrong: set back a year, ten years ahead, between runs and while the daemon runs. Nothing is lost
//! or put in a wrong order, and history is not given up for being old because a clock jumped.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tests::{Clock, Daemon, Start, eventually, noise, told};

/// Offsets of the clock, in the order they come; each holds for one version of the file.
const OFFSETS: [&str; 8] = ["+0", "-1y", "+0", "+10y", "+10y", "+0", "-1y", "+0"];

#[test]
fn versions_keep_their_order_whatever_the_clock_says() {
    let (clock, mut daemon) = with_a_clock(Start::default());
    let mut written = Vec::new();
    for (number, offset) in OFFSETS.into_iter().enumerate() {
        clock.set(offset);
        match number % 3 {
            0 => daemon.restart(),
            1 => {
                daemon.kill();
                daemon.start_again();
            }
            _ => {}
        }
        let content = noise(number as u64, 1000 + number);
        write_synced(&daemon.mount().join("letter"), &content).unwrap();
        written.push(content);
        daemon.wait_until_settled();
        assert_history(&daemon, &written);
    }
    daemon.restart();
    assert_history(&daemon, &written);
    let scrub = daemon.command(["scrub"]);
    assert!(scrub.status.success(), "{}", told(&scrub));
}

#[test]
fn a_clock_that_jumps_ten_years_ahead_for_a_while_prunes_nothing() {
    jump_ahead(false);
}

#[test]
fn a_clock_that_is_ten_years_ahead_at_the_start_prunes_nothing() {
    jump_ahead(true);
}

fn jump_ahead(restarts: bool) {
    let (clock, mut daemon) =
        with_a_clock(Start::default().arg("--contribute").arg("64M").arg("--log").arg("info"));
    let kept = [noise(1, 2_000_000), noise(2, 2_000_001)];
    for content in &kept {
        write_synced(&daemon.mount().join("letter"), content).unwrap();
        daemon.wait_until_settled();
    }
    write_synced(&daemon.mount().join("gone"), &kept[0]).unwrap();
    daemon.wait_until_settled();
    fs::remove_file(daemon.mount().join("gone")).unwrap();
    clock.set("+10y");
    if restarts {
        daemon.restart();
    }
    // A full drive is pruned and swept at once, not only every hour.
    fill(&daemon.mount());
    eventually("the drive was swept", || daemon.log().contains("swept"));
    clock.set("+0");
    fs::remove_file(daemon.mount().join("filler0")).unwrap();
    let told = daemon.command(["contribute", "256M"]);
    assert!(told.status.success(), "{told:?}");
    assert_history(&daemon, &kept);
    let gone = daemon.json(&["history", "gone"]);
    assert!(gone.as_array().is_some_and(|versions| !versions.is_empty()), "{gone}");
}

/// The newest first, each with its own content.
fn assert_history(daemon: &Daemon, written: &[Vec<u8>]) {
    let history = daemon.json(&["history", "letter"]);
    let versions = history.as_array().unwrap();
    let sizes: Vec<u64> = versions.iter().map(|version| version["size"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = written.iter().rev().map(|content| content.len() as u64).collect();
    assert_eq!(sizes, expected, "{history}");
    assert_eq!(versions[0]["current"], true, "{history}");
    assert!(fs::read(daemon.mount().join("letter")).unwrap() == *written.last().unwrap());
    let back = daemon.mount().join("back");
    // A kill may have undone its removal, which nobody synced.
    if back.exists() {
        fs::remove_file(&back).unwrap();
    }
    for (version, content) in versions.iter().zip(written.iter().rev()) {
        let restored = daemon.command([
            "restore".as_ref(),
            "letter".as_ref(),
            "--at".as_ref(),
            version["id"].as_str().unwrap().as_ref(),
            "--to".as_ref(),
            back.as_os_str(),
        ]);
        assert!(restored.status.success(), "{}", told(&restored));
        assert!(fs::read(&back).unwrap() == *content, "{version} holds something else");
        fs::remove_file(&back).unwrap();
    }
}

fn fill(mount: &Path) {
    for number in 0.. {
        let content = noise(1000 + number, 4 << 20);
        if write_synced(&mount.join(format!("filler{number}")), &content).is_err() {
            return;
        }
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn with_a_clock(start: Start) -> (Clock, Daemon) {
    let clock = Clock::default();
    let daemon = clock.on(start).start();
    (clock, daemon)
}
