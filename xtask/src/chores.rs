//! What each chore runs.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::packages::install_packages;
use crate::programs::{cargo_plugin, install_programs, tools_folder};
use crate::run::{cargo, root, run, step, target_folder};

/// Installs what is missing; with nothing missing it only looks.
pub fn tools() -> Result<()> {
    step("tools", || {
        install_packages()?;
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

/// Offline on purpose: the same commit gives the same answer. Advisories are looked up by a person, or a timed job.
pub fn deny() -> Result<()> {
    step("deny", || {
        let program = cargo_plugin("cargo-deny").context("cargo-deny is missing: run `cargo xtask tools`")?;
        let mut deny = std::process::Command::new(program);
        deny.current_dir(root()).args(["--offline", "check", "bans", "licenses", "sources"]);
        run(&mut deny)
    })
}

/// Every test, against the program people would run. Filters are names, as the test runner takes them.
pub fn test(filters: &[String]) -> Result<()> {
    tools()?;
    let program = step("build", build)?;
    step("test", || {
        let mut tests = cargo();
        match cargo_plugin("cargo-nextest") {
            Some(_) => tests.args(["nextest", "run"]),
            None => tests.args(["test"]),
        };
        tests.args(["--workspace", "--locked"]).args(filters);
        run(tests.env("PEERDRIVE_BIN", &program).env("PEERDRIVE_TOOLS", tools_folder()))
    })?;
    // nextest does not run the examples in the docs.
    step("doctest", || run(cargo().args(["test", "--doc", "--workspace", "--locked", "--quiet"])))
}

pub fn ci() -> Result<()> {
    fmt()?;
    tools()?;
    lint()?;
    deny()?;
    test(&[])
}

fn build() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--locked", "--package", "daemon"]))?;
    let program = target_folder().join("release").join(format!("peerdrive{}", std::env::consts::EXE_SUFFIX));
    program.canonicalize().with_context(|| format!("the build made no {}", program.display()))
}
