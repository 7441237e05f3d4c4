//! The user's browser.

use std::io;
use std::process::{Command, Stdio};

/// What opens an address on this system.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};

/// Opens an address in the browser that the user prefers, and does not wait for it.
///
/// # Errors
/// There is no program that opens addresses.
pub fn open(url: &str) -> io::Result<()> {
    let mut command = Command::new(OPENER);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}
