use std::fmt;

use aaa_types::{api::ApiError, secret::SecretError};

use crate::form::Twice;

/// What an [`Exchange`](crate::Exchange) asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// A request token, with which the three-legged flow begins.
    RequestToken,
    /// A user's access token, with which it ends.
    AccessToken,
    /// The app's bearer token.
    BearerToken,
    /// The end of a bearer token.
    InvalidateBearerToken,
}

impl Step {
    /// What to do when the credentials were refused.
    fn advice(self) -> &'static str {
        match self {
            Self::RequestToken => {
                "check the consumer key and secret, this machine's clock, and that the callback \
                 is registered in the app's settings"
            }
            Self::AccessToken => {
                "a verifier or PIN works once and for a few minutes: begin with a new request token"
            }
            Self::BearerToken => "check the consumer key and secret",
            Self::InvalidateBearerToken => {
                "check that the token belongs to this app and was not invalidated before"
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestToken => "get a request token",
            Self::AccessToken => "get the user's access token",
            Self::BearerToken => "get the app's bearer token",
            Self::InvalidateBearerToken => "invalidate the bearer token",
        })
    }
}

/// No token was had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// X refused.
    #[error("could not {step}: {answer}{}", advice(*step, answer))]
    #[non_exhaustive]
    Refused {
        /// What was asked for.
        step: Step,
        /// X's own words, with whatever secret they repeat taken out.
        answer: Box<ApiError>,
    },
    /// X agreed, but its answer is not understood. The answer holds a token, so it is not kept.
    #[error("could not {step}: the answer is not understood: {reason}")]
    #[non_exhaustive]
    Answer {
        /// What was asked for.
        step: Step,
        /// What is wrong with the answer.
        reason: AnswerError,
    },
}

impl AuthError {
    /// Returns what was asked for.
    pub fn step(&self) -> Step {
        match self {
            Self::Refused { step, .. } | Self::Answer { step, .. } => *step,
        }
    }

    /// Returns X's own words, if it refused.
    pub fn api_error(&self) -> Option<&ApiError> {
        match self {
            Self::Refused { answer, .. } => Some(answer),
            Self::Answer { .. } => None,
        }
    }

    /// Says whether the same may succeed later, with a new nonce and time.
    pub fn is_retryable(&self) -> bool {
        self.api_error().is_some_and(ApiError::is_retryable)
    }

    /// Says whether the credentials were refused.
    pub fn is_unauthorized(&self) -> bool {
        self.api_error().is_some_and(ApiError::is_unauthorized)
    }
}

fn advice(step: Step, answer: &ApiError) -> String {
    if matches!(answer.status(), 401 | 403) || answer.is_unauthorized() {
        format!(" ({})", step.advice())
    } else {
        String::new()
    }
}

/// What is wrong with the answer to a request for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Something is not there.
    #[error("it lacks `{0}`")]
    Missing(&'static str),
    /// Something is there twice, so that nobody can say which was meant.
    #[error("it has `{0}` twice")]
    Twice(&'static str),
    /// A token or a secret cannot be one.
    #[error("{0}")]
    Secret(SecretError),
    /// `oauth_callback_confirmed` is not `true`: X did not take the callback.
    #[error(
        "`oauth_callback_confirmed` is not `true`, so the callback was not taken: check that it \
         is registered in the app's settings"
    )]
    NotConfirmed,
    /// Not the JSON object that it should be.
    #[error("it is not a JSON object")]
    NotJson,
    /// The token is of another type than `bearer`.
    #[error("the token's type is not `bearer`")]
    TokenType,
    /// Errors instead of a token.
    #[error("it holds errors instead of a token")]
    Errors,
}

impl From<Twice> for AnswerError {
    fn from(Twice(name): Twice) -> Self {
        Self::Twice(name)
    }
}

impl From<SecretError> for AnswerError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}
