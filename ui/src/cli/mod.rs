//! The commands a person types. All but `up` are requests to the daemon whose data folder is named.
//!
//! | module | is |
//! |---|---|
//! | [`arguments`] | what can be typed, and the help that teaches it |
//! | [`computer`] | what the commands need of this computer: the daemon's program provides it |
//! | `connection` | the way to the daemon |
//! | `drive_path` | a path as typed → the path inside the drive |
//! | `commands` | one module per group of commands |
//! | [`failure`] | how a command fails, and with which exit code |
//! | [`output`] | all that is printed |
//! | [`secret`] | secrets given in files |

pub mod arguments;
mod commands;
pub mod computer;
mod connection;
mod drive_path;
pub mod failure;
pub mod output;
pub mod secret;
mod shown;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

pub use arguments::{Arguments, Command, UpArguments};
pub use computer::Computer;
pub use connection::{ADDRESS_FILE, TOKEN_FILE};
pub use failure::Failure;
pub use output::Output;

/// Reads the command line, does what it says, and returns the exit code: 0 done, 1 failed, 2 wrong use, 3 no daemon.
pub fn run(typed: impl IntoIterator<Item = OsString>, computer: &dyn Computer) -> u8 {
    let mut output = Output::standard();
    let outcome = match Arguments::try_parse_from(typed) {
        Ok(arguments) => {
            output.set_json(arguments.json);
            commands::run(arguments, computer, &mut output)
        }
        Err(told) if matches!(told.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            output.text(&told.render().to_string())
        }
        Err(wrong) => Err(Failure::Usage(wrong.render().to_string())),
    };
    match outcome.and_then(|()| output.flush()) {
        Ok(()) => 0,
        Err(failure) => {
            output.complain(&failure);
            failure.exit_code()
        }
    }
}
