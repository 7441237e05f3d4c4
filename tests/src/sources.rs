//! Real files to work on: the sources of this project's own dependencies, as cargo keeps them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::oddities::make_oddities;
use crate::{program, run};

/// Bytes of real files in a run that people wait for.
const SHORT_BYTES: u64 = 50 << 20;
/// Bytes and files of a run with `PEERDRIVE_LONG=1`.
const LONG_BYTES: u64 = 1 << 30;
const LONG_FILES: u64 = 30_000;

/// Whether the long form of the tests was asked for (`PEERDRIVE_LONG=1`).
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("PEERDRIVE_LONG").is_some_and(|value| value == "1")
}

/// Makes a folder of real sources (50 MB; 1 GiB and 30 000 files in the long form) with a folder of oddities in it.
///
/// # Panics
/// When cargo keeps too few sources, or something cannot be written.
pub fn make_sources(folder: &Path) {
    fs::create_dir(folder).expect("a new folder");
    let (mut bytes, mut files) = (0, 0);
    let (bytes_wanted, files_wanted) = if is_long() { (LONG_BYTES, LONG_FILES) } else { (SHORT_BYTES, 0) };
    let packages = packages();
    // The long form needs more than cargo may keep: then some come twice.
    for round in 0..8 {
        for package in &packages {
            if bytes >= bytes_wanted && files >= files_wanted {
                return make_oddities(&folder.join("oddities"));
            }
            let name = package.file_name().expect("a package has a name").to_string_lossy();
            let copy = folder.join(format!("{round}-{name}"));
            run(program("cp").arg("-a").arg(package).arg(&copy));
            let (more_bytes, more_files) = measure(&copy);
            bytes += more_bytes;
            files += more_files;
        }
    }
    panic!("cargo keeps too few sources here: {bytes} bytes, {files} files; run `cargo fetch`");
}

fn packages() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cargo"))
    });
    let sources = home.expect("cargo has a home").join("registry/src");
    let registries = fs::read_dir(&sources).unwrap_or_else(|error| panic!("{}: {error}", sources.display()));
    let mut packages: Vec<PathBuf> = registries
        .flat_map(|registry| {
            fs::read_dir(registry.expect("a readable folder").path()).expect("a registry is a folder")
        })
        .map(|package| package.expect("a readable folder").path())
        .collect();
    packages.sort();
    packages
}

fn measure(folder: &Path) -> (u64, u64) {
    let sizes = run(program("find").arg(folder).args(["-type", "f", "-printf", "%s\\n"]));
    let sizes: Vec<u64> = sizes.lines().map(|size| size.parse().expect("a number")).collect();
    (sizes.iter().sum(), sizes.len() as u64)
}
