//! How a command fails.

use std::io;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It did not work: what, why, what to do, in one line.
    #[error("{0}")]
    Failed(String),
    /// It was asked wrongly.
    #[error("{0}")]
    Usage(String),
    /// Nobody is there to ask.
    #[error("{0}")]
    NoDaemon(String),
    /// Whoever read the output has seen enough, as `head` does. Not worth a word.
    #[error("the output was closed")]
    OutputClosed,
}

impl Failure {
    /// The exit code scripts rely on.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NoDaemon(_) => 3,
            Self::OutputClosed => 0,
        }
    }

    /// A failure to print.
    #[must_use]
    pub fn of_output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Failed(format!("cannot write the output ({error}): check where it goes"))
        }
    }
}
