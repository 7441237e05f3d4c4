//! Programs of the Rust world the tests need, in a folder of their own beside the build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::run::{cargo, run, say, target_folder};

/// Name and version; the version is part of what the exclusion lists mean.
const CONFORMANCE: [(&str, &str); 2] = [("pjdfstest", "0.2.2"), ("fsx", "0.3.2")];
/// Cargo's plugins, wanted in any version.
const PLUGINS: [(&str, &str); 2] = [("cargo-nextest", "0.9.143"), ("cargo-deny", "0.20.2")];

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
    Ok(())
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
