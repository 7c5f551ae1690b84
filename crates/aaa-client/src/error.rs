use aaa_auth::AuthError;
use aaa_types::api::{ApiError, Webhook};
use http::Method;
use jiff::{SignedDuration, Timestamp};

use crate::{MissingCredential, NotSent, Operation, RateLimit, TransportError};

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
    /// The call was refused on this side: X would not take it.
    #[error("could not {what}: nothing was sent: {reason}")]
    #[non_exhaustive]
    NotSent {
        /// What was to be done.
        what: Operation,
        /// Why it was not tried.
        reason: NotSent,
    },
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
        /// What its answer said about the rate limit.
        rate_limit: Option<RateLimit>,
    },
    /// No token was had.
    #[error("{error}")]
    #[non_exhaustive]
    Auth {
        /// What was to be done.
        what: Operation,
        /// What is wrong.
        error: AuthError,
        /// What the answer said about the rate limit.
        rate_limit: Option<RateLimit>,
        /// When to ask again, on X's clock, where the answer said it.
        retry_at: Option<Timestamp>,
    },
    /// The API agreed, but its answer is not understood.
    #[error("could not {what}: the answer is not understood: {reason}{}", beginning(excerpt))]
    #[non_exhaustive]
    Decode {
        /// What was to be done.
        what: Operation,
        /// What is wrong with the answer.
        reason: String,
        /// The beginning of its body.
        excerpt: String,
    },
    /// X was asked to check a webhook, agreed, and does not list it as valid.
    #[error(
        "could not {what}: X was asked to check webhook {}, and does not list it as valid: \
         see that `{}` answers the challenge, and try again",
        .webhook.id, .webhook.url
    )]
    #[non_exhaustive]
    StillInvalid {
        /// What was to be done.
        what: Operation,
        /// The webhook.
        webhook: Box<Webhook>,
    },
}

impl ClientError {
    /// Returns what was to be done.
    pub fn operation(&self) -> Operation {
        match self {
            Self::MissingCredential(missing) => missing.operation(),
            Self::NotSent { what, .. }
            | Self::Transport { what, .. }
            | Self::Api { what, .. }
            | Self::Auth { what, .. }
            | Self::Decode { what, .. }
            | Self::StillInvalid { what, .. } => *what,
        }
    }

    /// Returns what the API said, if it was the API that refused.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api { error, .. } => Some(error),
            Self::Auth { error, .. } => error.api_error(),
            _ => None,
        }
    }

    /// Says what to do, where that is known and not part of the text already.
    pub fn advice(&self) -> Option<&'static str> {
        if self.is_retryable() && self.maybe_done() && !self.operation().is_repeatable() {
            return Some("look whether it was carried out before you ask for it again");
        }
        match self {
            Self::Api { error, .. } => error.advice(),
            Self::Transport { error, .. } if error.is_retryable() => {
                Some("check the network and the API's address, or try again later")
            }
            Self::Decode { .. } => Some("check that the API's address is X's, or an emulator's"),
            Self::MissingCredential(_)
            | Self::NotSent { .. }
            | Self::Transport { .. }
            | Self::Auth { .. }
            | Self::StillInvalid { .. } => None,
        }
    }

    /// Returns what the answer said about the rate limit.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        match self {
            Self::Api { rate_limit, .. } | Self::Auth { rate_limit, .. } => *rate_limit,
            _ => None,
        }
    }

    /// Says whether the API may have received the request.
    ///
    /// After a refusal it did; whether it did what was asked for is for
    /// [`maybe_done`](Self::maybe_done) to say.
    pub fn maybe_sent(&self) -> bool {
        match self {
            Self::MissingCredential(_) | Self::NotSent { .. } => false,
            Self::Transport { error, .. } => error.maybe_sent(),
            Self::Api { .. }
            | Self::Auth { .. }
            | Self::Decode { .. }
            | Self::StillInvalid { .. } => true,
        }
    }

    /// Says whether the API may have done what it was asked for. If not, it surely did not.
    ///
    /// A refusal did nothing, but of one with a status of 500 or more, or 408, nobody knows.
    pub fn maybe_done(&self) -> bool {
        match self.api() {
            Some(api) => !api.is_rate_limited() && (api.status() == 408 || api.status() >= 500),
            None => self.maybe_sent(),
        }
    }

    /// Says whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { error, .. } => error.is_retryable(),
            _ => self.api().is_some_and(ApiError::is_retryable),
        }
    }

    /// Says whether a rate limit was hit.
    pub fn is_rate_limited(&self) -> bool {
        self.api().is_some_and(ApiError::is_rate_limited)
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
        match self {
            Self::Auth { retry_at, .. } => {
                Some(retry_at.as_ref()?.duration_since(now).max(SignedDuration::ZERO))
            }
            _ => self.api()?.retry_after(now),
        }
    }
}

impl From<MissingCredential> for ClientError {
    fn from(missing: MissingCredential) -> Self {
        Self::MissingCredential(missing)
    }
}

fn beginning(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!("; it begins `{excerpt}`") }
}
