//! Programs of the Rust world the tests need, in a folder of their own beside the build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, run, say, target_folder};

/// Name and version; the version is part of what the exclusion lists mean.
const CONFORMANCE: [(&str, &str); 2] = [("pjdfstest", "0.2.2"), ("fsx", "0.3.2")];
/// Cargo's plugins, wanted in any version.
const PLUGINS: [(&str, &str); 2] = [("cargo-nextest", "0.9.143"), ("cargo-deny", "0.20.2")];

/// Of npm: what the panel's tests look at pages with.
const AXE: &str = "4.14.1";
/// Of Python: what makes requests to the API up.
const SCHEMATHESIS: &str = "4.32.5";

/// `<target>/tools`, or where `PEERDRIVE_TOOLS` says.
pub fn tools_folder() -> PathBuf {
    std::env::var_os("PEERDRIVE_TOOLS").map_or_else(|| target_folder().join("tools"), PathBuf::from)
}

/// Installs the missing ones.
pub fn install_programs() -> Result<()> {
    let folder = tools_folder();
    // Cargo's own list of what it put there, such as `"fsx 0.3.2 (registry+…)" = ["fsx"]`.
    let installed = fs::read_to_string(folder.join(".crates.toml")).unwrap_or_default();
    let conformance =
        CONFORMANCE.iter().filter(|(name, version)| !installed.contains(&format!("\"{name} {version} ")));
    let plugins = PLUGINS.iter().filter(|(name, _)| cargo_plugin(name).is_none());
    for (name, version) in conformance.chain(plugins) {
        install(&folder, name, version)?;
    }
    install_axe(&folder.join("axe"))?;
    install_schemathesis(&folder.join("schemathesis"))
}

/// What looks at the panel's pages for what somebody could not use: one file of JavaScript, out of npm's registry.
fn install_axe(folder: &Path) -> Result<()> {
    let module = folder.join("node_modules/axe-core");
    let is_there = fs::read_to_string(module.join("package.json"))
        .is_ok_and(|told| told.contains(&format!("\"version\": \"{AXE}\"")));
    if is_there && module.join("axe.min.js").is_file() {
        return Ok(());
    }
    say(&format!("installing axe-core {AXE}"));
    fs::create_dir_all(folder)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    run(npm.arg(folder).arg(format!("axe-core@{AXE}")))
}

/// What makes requests up out of the API's description, in a Python of its own.
fn install_schemathesis(folder: &Path) -> Result<()> {
    let mark = folder.join(format!("is-{SCHEMATHESIS}"));
    if mark.is_file() {
        return Ok(());
    }
    say(&format!("installing schemathesis {SCHEMATHESIS}"));
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    run(pip
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .arg(format!("schemathesis=={SCHEMATHESIS}")))?;
    Ok(fs::write(mark, "")?)
}

/// A plugin of cargo: ours, or one installed on this computer.
pub fn cargo_plugin(name: &str) -> Option<PathBuf> {
    let ours = tools_folder().join("bin").join(name);
    if ours.is_file() { Some(ours) } else { on_path(name) }
}

pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn install(folder: &Path, name: &str, version: &str) -> Result<()> {
    say(&format!("installing {name} {version}"));
    let mut install = cargo();
    install.args(["install", name, "--version", version, "--locked", "--quiet", "--root"]).arg(folder);
    // Its own build folder, or it would evict the project's artefacts; gone when it is installed.
    let build = folder.join("build");
    run(install.env("CARGO_TARGET_DIR", &build))?;
    fs::remove_dir_all(&build).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error.into()),
    })
}
