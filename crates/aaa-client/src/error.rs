use aaa_types::api::ApiError;
use http::Method;
use jiff::{SignedDuration, Timestamp};

use crate::{MissingCredential, Operation, TransportError};

/// A call failed.
///
/// The text says what was tried and what came back, in X's own words where there are any, and
/// includes what is below; there is no further `source`.
///
/// # Examples
///
/// ```
/// use aaa_client::v2;
/// use bytes::Bytes;
///
/// let response = http::Response::builder()
///     .status(401)
///     .body(Bytes::from(r#"{"errors":[{"code":89,"message":"Invalid or expired token"}]}"#))?;
/// let error = v2::list_webhooks().answer(&response).unwrap_err();
/// assert!(error.is_unauthorized());
/// assert_eq!(
///     error.to_string(),
///     "could not list the webhooks: status 401, code 89: Invalid or expired token",
/// );
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The credential that the call needs is not at hand.
    #[error("{0}")]
    MissingCredential(MissingCredential),
    /// No answer came.
    #[error("could not {what}: {method} {url}: {error}")]
    #[non_exhaustive]
    Transport {
        /// What was to be done.
        what: Operation,
        /// The method.
        method: Method,
        /// The URL, without its query.
        url: String,
        /// What happened.
        error: TransportError,
    },
    /// The API refused.
    #[error("could not {what}: {error}")]
    #[non_exhaustive]
    Api {
        /// What was to be done.
        what: Operation,
        /// What the API said.
        error: Box<ApiError>,
    },
    /// The API agreed, but its answer is not understood.
    #[error("could not {what}: the answer is not understood: {reason}; it begins `{excerpt}`")]
    #[non_exhaustive]
    Decode {
        /// What was to be done.
        what: Operation,
        /// What is wrong with the answer.
        reason: String,
        /// The beginning of its body.
        excerpt: String,
    },
}

impl ClientError {
    /// Returns what was to be done.
    pub fn operation(&self) -> Operation {
        match self {
            Self::MissingCredential(missing) => missing.operation(),
            Self::Transport { what, .. } | Self::Api { what, .. } | Self::Decode { what, .. } => {
                *what
            }
        }
    }

    /// Returns what the API said, if it was the API that refused.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Says whether the API may have received the request, and so may have done what it asks for.
    ///
    /// After a refusal it did receive it; what a refusal means is for [`ClientError::api`] to say,
    /// and of one with a status of 500 or more nobody knows.
    pub fn maybe_sent(&self) -> bool {
        match self {
            Self::MissingCredential(_) => false,
            Self::Transport { error, .. } => error.maybe_sent(),
            Self::Api { .. } | Self::Decode { .. } => true,
        }
    }

    /// Says whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { error, .. } => error.is_retryable(),
            Self::Api { error, .. } => error.is_retryable(),
            Self::MissingCredential(_) | Self::Decode { .. } => false,
        }
    }

    /// Says whether no answer came in time.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Transport { error, .. } if error.is_timeout())
    }

    /// Says whether what was to be made exists already.
    pub fn is_duplicate(&self) -> bool {
        self.api().is_some_and(ApiError::is_duplicate)
    }

    /// Says whether another replay job is in progress.
    pub fn is_conflict(&self) -> bool {
        self.api().is_some_and(ApiError::is_conflict)
    }

    /// Says whether the credentials were refused.
    pub fn is_unauthorized(&self) -> bool {
        self.api().is_some_and(ApiError::is_unauthorized)
    }

    /// Says whether the thing asked for does not exist, or belongs to another app.
    pub fn is_not_found(&self) -> bool {
        self.api().is_some_and(ApiError::is_not_found)
    }

    /// Returns how long to wait, as far as the API said it, seen from `now` on its clock.
    pub fn retry_after(&self, now: Timestamp) -> Option<SignedDuration> {
        self.api()?.retry_after(now)
    }
}

impl From<MissingCredential> for ClientError {
    fn from(missing: MissingCredential) -> Self {
        Self::MissingCredential(missing)
    }
}
