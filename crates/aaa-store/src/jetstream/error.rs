use aaa_replay::ledger::LedgerError;
use aaa_webhook::{consumer::CursorError, inbox::InboxError};

/// An inbox on JetStream cannot be opened, written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JetStreamError {
    /// What was asked for would lose events, or store them twice.
    #[error("{reason}")]
    Settings {
        /// Why, and what to do.
        reason: String,
    },
    /// No server answers.
    #[error("cannot connect to NATS at {server}: {reason}")]
    Unreachable {
        /// The server, without what is secret in its URL.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// The server or its account cannot do what is needed.
    #[error("the NATS server is not fit: {reason}")]
    Unfit {
        /// Why, and what to do.
        reason: String,
    },
    /// The stream that is there would lose events, or store them twice.
    #[error(
        "the stream `{stream}` is not safe: {}; change it with `nats stream edit`, or choose \
         another name",
        .problems.join("; ")
    )]
    Unsafe {
        /// The stream.
        stream: String,
        /// What is wrong with it.
        problems: Vec<String>,
    },
    /// A request failed.
    #[error("NATS could not {action}: {reason}")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// What came back.
        reason: String,
    },
    /// A document of the bucket has no room for more.
    #[error("{reason}")]
    Full {
        /// Which one, and what to do.
        reason: String,
    },
    /// Another receiver that is alive has the same name.
    #[error("another receiver is called `{node}`: give each a name of its own")]
    Twin {
        /// The name.
        node: String,
    },
    /// The stream and the bucket beside it do not belong together.
    #[error(
        "the stream `{stream}` and the bucket `{stream}-ledger` do not belong together: {reason}, \
         so events would be passed over, and what was missed would not be told. Bring back what is \
         gone, or begin anew: delete what is left of both (`nats stream rm {stream}`, `nats stream \
         rm KV_{stream}-ledger`), or choose another name with --nats-stream"
    )]
    Apart {
        /// The stream.
        stream: String,
        /// How that is known.
        reason: String,
    },
    /// What is kept in the bucket is not what this program writes.
    #[error("`{key}` in the bucket `{bucket}` cannot be read ({reason}): was it edited?")]
    Malformed {
        /// The bucket.
        bucket: String,
        /// The key in it.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The inbox was closed.
    #[error("the inbox is closed")]
    Closed,
}

impl JetStreamError {
    pub(super) fn failed(action: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Failed { action, reason: error.to_string() }
    }
}

impl From<JetStreamError> for InboxError {
    fn from(error: JetStreamError) -> Self {
        match error {
            JetStreamError::Closed => Self::Closed,
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<JetStreamError> for CursorError {
    fn from(error: JetStreamError) -> Self {
        match error {
            JetStreamError::Closed => Self::Closed,
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<JetStreamError> for LedgerError {
    fn from(error: JetStreamError) -> Self {
        match error {
            JetStreamError::Full { reason } => Self::Full(reason),
            JetStreamError::Twin { node } => Self::Twin(node),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
