//! Where the programs under test and the programs that test lie.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The program under test: `$PEERDRIVE_BIN`, or the newest of `target/{release,debug}/peerdrive`.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn peerdrive() -> PathBuf {
    if let Some(chosen) = std::env::var_os("PEERDRIVE_BIN") {
        let chosen = PathBuf::from(chosen);
        assert!(chosen.is_absolute(), "PEERDRIVE_BIN must be an absolute path, not {}", chosen.display());
        return chosen;
    }
    let built = ["release", "debug"].map(|profile| target().join(profile).join("peerdrive"));
    let newest = built.into_iter().filter(|program| program.is_file()).max_by_key(|program| changed(program));
    newest.expect("no peerdrive to test: run `cargo xtask test`, or `cargo build` and try again")
}

/// A conformance program, from `$PEERDRIVE_TOOLS` or `target/tools`.
///
/// # Panics
/// When it is not installed: nothing is skipped silently.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    tool_file(&format!("bin/{name}"))
}

/// A file of a tool, by its path in the same folder.
///
/// # Panics
/// As [`tool`].
#[must_use]
pub fn tool_file(path: &str) -> PathBuf {
    let folder = std::env::var_os("PEERDRIVE_TOOLS").map_or_else(|| target().join("tools"), PathBuf::from);
    let file = folder.join(path);
    assert!(file.is_file(), "{} is missing: run `cargo xtask tools`", file.display());
    file
}

/// Whether this process may do everything on this computer.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The target folder this test was built into: `<target>/<profile>/deps/<test>`.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.ancestors().nth(3).expect("tests are built three folders deep").to_path_buf()
}

fn changed(program: &Path) -> SystemTime {
    program.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
