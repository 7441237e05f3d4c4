//! Runs the fuzz targets: `fuzz/fuzz_targets/*.rs`, one after the other. No plugin and no nightly compiler is needed:
//! the instrumentation libFuzzer asks for is a pass of LLVM that a stable compiler has too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, root, run, step, target_folder};

/// As `cargo fuzz` sets them, without a sanitizer: safe Rust has little use for one.
const INSTRUMENTED: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Ccodegen-units=1";
/// How long each target runs when nobody says otherwise, seconds.
const DEFAULT_SECONDS: u64 = 60;
/// An input that takes longer is a finding, seconds.
const INPUT_MAX_SECONDS: u64 = 10;
/// A target that takes more memory is a finding, MiB.
const MEMORY_MAX_MIB: u64 = 2048;

/// `[SECONDS] [TARGET..]`: each named target, or all, for so long. Ends at the first finding.
pub fn fuzz(args: &[String]) -> Result<()> {
    let seconds = args.first().and_then(|first| first.parse().ok());
    let named = &args[usize::from(seconds.is_some())..];
    let targets = chosen(named)?;
    let programs = step("build", || build(&host()?))?;
    for target in &targets {
        step(target, || run_one(&programs, target, seconds.unwrap_or(DEFAULT_SECONDS)))?;
    }
    Ok(())
}

fn chosen(named: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in fs::read_dir(folder().join("fuzz_targets")).context("the fuzz targets are missing")? {
        all.extend(file?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    all.sort();
    match named.iter().find(|name| !all.contains(name)) {
        Some(unknown) => bail!("there is no target \"{unknown}\": {}", all.join(", ")),
        None if named.is_empty() => Ok(all),
        None => Ok(named.to_vec()),
    }
}

fn folder() -> PathBuf {
    root().join("fuzz")
}

/// Names the host as a target, so that the flags do not reach build scripts.
fn host() -> Result<String> {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told =
        Command::new(compiler).arg("-vV").output().context("cannot ask rustc what this computer is")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what this computer is")
}

/// Where the programs are.
fn build(host: &str) -> Result<PathBuf> {
    let target_folder = target_folder().join("fuzz");
    let mut build = cargo();
    // Not `--locked`: the folder has a lock file of its own, which follows the crates' dependencies.
    build.args(["build", "--release", "--bins", "--target", host]);
    build.current_dir(folder()).env("RUSTFLAGS", INSTRUMENTED).env("CARGO_TARGET_DIR", &target_folder);
    run(&mut build)?;
    Ok(target_folder.join(host).join("release"))
}

fn run_one(programs: &Path, target: &str, seconds: u64) -> Result<()> {
    let (corpus, artifacts) = (folder().join("corpus").join(target), folder().join("artifacts").join(target));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut fuzzer = Command::new(programs.join(target));
    fuzzer.current_dir(folder()).arg(&corpus);
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-timeout={INPUT_MAX_SECONDS}"));
    fuzzer.arg(format!("-rss_limit_mb={MEMORY_MAX_MIB}"));
    let found = run(fuzzer.arg("-print_final_stats=1")).is_err();
    ensure!(!found, "{target} found something: the input is in {}", artifacts.display());
    Ok(())
}
