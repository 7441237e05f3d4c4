//! What each chore runs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::packages::install_packages;
use crate::programs::{cargo_plugin, install_programs, tools_folder};
use crate::run::{cargo, root, run, say, step, target_folder};

/// Installs what is missing; with nothing missing it only looks.
pub fn tools(long: bool) -> Result<()> {
    step("tools", || {
        install_packages(long)?;
        install_programs()
    })
}

pub fn fmt() -> Result<()> {
    step("fmt", || run(cargo().args(["fmt", "--all", "--check"])))
}

pub fn lint() -> Result<()> {
    step("lint", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        run(cargo().args(clippy))
    })
}

/// Licences, sources and bans of every dependency on every platform; offline, so that the same commit gives the same
/// answer. Known vulnerabilities are looked up where a database of them is on this computer, and it is said where not.
pub fn deny() -> Result<()> {
    step("deny", || {
        let program = cargo_plugin("cargo-deny").context("cargo-deny is missing: run `cargo xtask tools`")?;
        let check = |what: &[&str]| {
            let mut deny = Command::new(&program);
            run(deny.current_dir(root()).args(["--offline", "check"]).args(what))
        };
        // Those of other platforms too, which a build here does not need.
        run(cargo().args(["fetch", "--locked", "--quiet"]))?;
        check(&["bans", "licenses", "sources"])?;
        if has_advisories() {
            return check(&["advisories"]);
        }
        say("NOT checked: known vulnerabilities, yanked versions. No advisory database is on this computer:");
        say(
            "`cargo deny fetch` gets it from github.com/rustsec/advisory-db, for the next `cargo xtask deny`.",
        );
        Ok(())
    })
}

/// Whether cargo-deny has a database of advisories where it looks for one.
fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let databases = home.and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok());
    databases.is_some_and(|mut found| found.any(|entry| entry.is_ok_and(|entry| entry.path().is_dir())))
}

/// Every test, against the program people would run. Filters are names, as the test runner takes them.
pub fn test(filters: &[String]) -> Result<()> {
    let long = is_long();
    tools(long)?;
    let program = step("build", build)?;
    let with_program = |tests: &mut Command| {
        run(tests.env("PEERDRIVE_BIN", &program).env("PEERDRIVE_TOOLS", tools_folder()))
    };
    step("test", || {
        let mut tests = cargo();
        match cargo_plugin("cargo-nextest") {
            // In the long form a filter may be for what comes below.
            Some(_) if long => tests.args(["nextest", "run", "--no-tests", "pass"]),
            Some(_) => tests.args(["nextest", "run"]),
            None => tests.args(["test"]),
        };
        with_program(tests.args(["--workspace", "--locked"]).args(filters))
    })?;
    if long {
        // One at a time: each is busy enough.
        let ignored = ["--", "--ignored", "--test-threads", "1"];
        step("long suites", || {
            let mut suites = cargo();
            suites.args(["test", "--package", "tests", "--test", "suites", "--locked"]);
            with_program(suites.args(ignored).args(filters))
        })?;
    }
    // nextest does not run the examples in the docs.
    step("doctest", || run(cargo().args(["test", "--doc", "--workspace", "--locked", "--quiet"])))
}

pub fn ci() -> Result<()> {
    fmt()?;
    tools(false)?;
    lint()?;
    deny()?;
    test(&[])
}

/// Whether the long form of the tests is asked for.
fn is_long() -> bool {
    std::env::var_os("PEERDRIVE_LONG").is_some_and(|value| value == "1")
}

fn build() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--locked", "--package", "daemon"]))?;
    let program = target_folder().join("release").join(format!("peerdrive{}", std::env::consts::EXE_SUFFIX));
    program.canonicalize().with_context(|| format!("the build made no {}", program.display()))
}
