//! What a long run did, for who watches (`--no-capture`).

use std::fmt::Display;
use std::io::Write;

/// A line on standard error.
pub fn report(what: impl Display) {
    // That nobody watches is no failure.
    let _ = writeln!(std::io::stderr(), "{what}");
}
