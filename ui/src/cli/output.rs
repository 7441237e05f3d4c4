//! All that is printed goes through here: answers to standard output, complaints to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::failure::Failure;
use super::shown::plain;

/// Where answers go, and in which form.
pub struct Output {
    out: Box<dyn Write>,
    complaints: Box<dyn Write>,
    json: bool,
}

impl Output {
    /// The standard streams.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            out: Box::new(io::BufWriter::new(io::stdout())),
            complaints: Box::new(io::stderr()),
            json: false,
        }
    }

    pub(super) fn set_json(&mut self, json: bool) {
        self.json = json;
    }

    /// Whether programs read the answer.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person watches standard error, where progress is shown.
    pub(super) fn is_watched(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// One line.
    ///
    /// # Errors
    /// [`Failure::OutputClosed`] when nobody reads any more.
    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(|error| Failure::of_output(&error))
    }

    /// Text with its own line ends.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).map_err(|error| Failure::of_output(&error))
    }

    /// The answer as JSON, for `--json`.
    pub(super) fn json(&mut self, answer: &impl Serialize) -> Result<(), Failure> {
        let wrong =
            |error| Failure::Failed(format!("cannot write the answer as JSON ({error}): report this bug"));
        let text = serde_json::to_string_pretty(answer).map_err(wrong)?;
        self.line(text)
    }

    /// Makes all that was printed visible.
    ///
    /// # Errors
    /// [`Failure::OutputClosed`] when nobody reads any more.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::of_output(&error))
    }

    /// A hint beside the answer; programs do not see it.
    pub fn hint(&mut self, line: impl Display) {
        if !self.json {
            // Standard error is closed: there is nobody to tell.
            let _ = writeln!(self.complaints, "{line}");
        }
    }

    /// The one line on standard error that says why it failed.
    pub(super) fn complain(&mut self, failure: &Failure) {
        let told = match failure {
            Failure::OutputClosed => return,
            // clap's own text has its head and its hints already.
            Failure::Usage(text) if text.starts_with("error: ") => text.trim_end().to_string(),
            // A name in it may hold anything.
            other => format!("peerdrive: {}", plain(&other.to_string())),
        };
        // Standard error is closed: the exit code tells the rest.
        let _ = writeln!(self.complaints, "{told}");
    }
}
