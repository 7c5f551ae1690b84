//! How a command ends.

use std::{fmt, net::SocketAddr, process::ExitCode};

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
    /// The API did not answer, or not in time.
    Network = 4,
    /// The API answered, and refused.
    Refused = 5,
    /// Data is lost or cannot be recovered.
    Lost = 6,
}

impl Exit {
    /// Makes a failure of what happened, in words.
    pub(crate) fn with(self, words: impl Into<String>) -> Failure {
        Failure { exit: self, words: words.into(), advice: None }
    }

    /// Makes a failure of an error: what was tried, then what came back.
    pub(crate) fn of(self, tried: &str, error: impl fmt::Display) -> Failure {
        self.with(format!("{tried}: {error}"))
    }
}

/// Tells that an address cannot be listened on, and which flag names another.
pub(crate) fn not_bound(address: SocketAddr, flag: &str, error: impl fmt::Display) -> Failure {
    Exit::Failed
        .of(&format!("could not listen on {address}"), error)
        .advise(format!("end whoever listens there, or choose another address with {flag}"))
}

/// A command that did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    words: String,
    advice: Option<String>,
}

impl Failure {
    /// Adds what to do, in the place of what may have been said before.
    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds something more to do, behind what was said before.
    #[must_use]
    pub(crate) fn advise_also(mut self, more: &str) -> Self {
        self.advice = Some(match self.advice {
            Some(advice) => format!("{advice}; {more}"),
            None => more.to_owned(),
        });
        self
    }

    /// Says before what happened what it is about.
    #[must_use]
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.words = format!("{what}: {}", self.words);
        self
    }

    /// Says whether the API could not be reached.
    pub(crate) fn is_network(&self) -> bool {
        self.exit == Exit::Network
    }

    /// Returns how the process is to end.
    #[cfg(test)]
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells the user, and returns the code for the process.
    pub(crate) fn end(self) -> ExitCode {
        output::error(&self.words);
        if let Some(advice) = &self.advice {
            output::note(format_args!("what to do: {advice}"));
        }
        ExitCode::from(self.exit as u8)
    }
}

/// What happened, without what to do about it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
