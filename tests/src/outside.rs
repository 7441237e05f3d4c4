//! Outside programs: started, waited for, and never silently missing.

use std::borrow::BorrowMut;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// An outside program, ready to be given arguments; it gets no standard input.
///
/// # Panics
/// When it is not installed: nothing is skipped silently.
#[must_use]
pub fn program(name: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Root's programs, which a plain PATH may leave out.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    let Some(found) = found else { panic!("{name} is missing: run `cargo xtask tools`") };
    let mut command = Command::new(found);
    command.stdin(Stdio::null()).env("LC_ALL", "C");
    command
}

/// Runs it to a success, and gives what it printed.
///
/// # Panics
/// When it fails; the text shows what it said.
pub fn run(mut command: impl BorrowMut<Command>) -> String {
    let command = command.borrow_mut();
    let output = output(&mut *command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs it to a failure, and gives what it complained about.
///
/// # Panics
/// When it succeeds.
pub fn refused(mut command: impl BorrowMut<Command>) -> String {
    let command = command.borrow_mut();
    let output = output(&mut *command);
    assert!(!output.status.success(), "{command:?} succeeded\n{}", told(&output));
    told(&output)
}

/// Runs it to its end, whichever that is.
///
/// # Panics
/// When it cannot be started.
pub fn output(mut command: impl BorrowMut<Command>) -> Output {
    let command = command.borrow_mut();
    command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

/// A script of bash in a folder, with its arguments as `$1`, `$2`…; the first command that fails ends it.
#[must_use]
pub fn script(folder: &Path, text: &str) -> Command {
    let mut command = program("bash");
    command.current_dir(folder).args(["-euo", "pipefail", "-c", text, "bash"]);
    command
}

/// Standard output and error of a program that ended.
#[must_use]
pub fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
