//! How a command ends.

use std::{fmt, process::ExitCode};

use crate::output;

/// The exit codes. Scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something went wrong that has no code of its own.
    Failed = 1,
    /// The command was used wrongly. The parser of the command line ends with it too.
    Usage = 2,
    /// Credentials are missing or wrong.
    Credentials = 3,
    /// Data is lost or cannot be recovered.
    Lost = 6,
}

impl Exit {
    /// Makes a failure of what happened, in words.
    pub(crate) fn with(self, words: impl Into<String>) -> Failure {
        Failure { exit: self, words: words.into() }
    }

    /// Makes a failure of an error: what was tried, then what came back.
    pub(crate) fn of(self, tried: &str, error: impl fmt::Display) -> Failure {
        self.with(format!("{tried}: {error}"))
    }
}

/// A command that did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    words: String,
}

impl Failure {
    /// Tells the user, and returns the code for the process.
    pub(crate) fn end(self) -> ExitCode {
        output::error(&self.words);
        ExitCode::from(self.exit as u8)
    }
}
