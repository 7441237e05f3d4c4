//! Outside suites on a real mount: programs that others wrote to test file systems, and programs that people work with.
//!
//! | module | is |
//! |---|---|
//! | `stress_ng` | stress-ng's file system class, with its own verification |
//! | `fio` | blocks with a checksum in each, through every way of input and output |
//! | `dbench` | the recorded file accesses of many office workers |
//! | `cpython` | the file tests of CPython |
//! | `cargo` | a Rust project that is built on the drive |
//! | `editors` | vim and Emacs: saving, backups, and what is left after a crash |
//! | `office` | LibreOffice: saving, opening again, lock files |
//! | `postgres` | PostgreSQL, while it or the daemon is killed |
//!
//! What needs large programs is ignored in the usual run. `PEERDRIVE_LONG=1 cargo xtask test` installs them, runs that too,
//! and lets the others work longer. Versions, counts and each exclusion with its reason: `docs/faults.md`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

mod cargo;
mod cpython;
mod dbench;
mod editors;
mod fio;
mod office;
mod postgres;
mod stress_ng;

use std::fs;
use std::path::{Path, PathBuf};

use tests::{Daemon, Start};

/// A drive as an administrator would give it to several users; most suites try what only such a one allows.
fn shared_drive() -> Daemon {
    Start::default().arg("--posix-owners").arg("--allow-other").start()
}

/// A new folder.
fn folder(parent: &Path, name: &str) -> PathBuf {
    let folder = parent.join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}
