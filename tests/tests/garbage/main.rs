//! Garbage in every file, setting, argument and request: a clear refusal, or nothing at all; no panic, nothing deleted,
//! no wrong byte served.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

mod arguments;
mod files;
mod requests;
mod settings;

use tests::Daemon;

/// What a refused start said: one line, and nothing of a panic.
fn refusal(daemon: &mut Daemon, what: &str) -> Option<String> {
    let said_before = daemon.log().len();
    let line = refusal_anyhow(daemon, what);
    let log = daemon.log();
    assert!(!log[said_before..].contains("panicked"), "{what}: {log}");
    line
}

/// What a refused start said: one line.
fn refusal_anyhow(daemon: &mut Daemon, what: &str) -> Option<String> {
    let said_before = daemon.log().len();
    let ended = daemon.try_start_again().err()?;
    let log = daemon.log();
    let said = &log[said_before..];
    assert_eq!(ended.code(), Some(1), "{what}: {said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("peerdrive: ")).collect();
    let [line] = lines.as_slice() else { panic!("{what}: no single line says why: {said}") };
    Some((*line).to_owned())
}
