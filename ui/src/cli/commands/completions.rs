//! Completion scripts of shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::arguments::Arguments;
use crate::cli::{Failure, Output};

pub(super) fn print(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "peerdrive", &mut script);
    output.text(&String::from_utf8_lossy(&script))
}
