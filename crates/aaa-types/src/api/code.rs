use std::fmt;

/// The numeric codes of the v1.1 form, which v2 answers too.
///
/// # Examples
///
/// ```
/// use aaa_types::api::{ApiError, ErrorCode};
///
/// let body = br#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#;
/// assert_eq!(ApiError::parse(429, body).code(), Some(ErrorCode::RateLimited));
/// assert_eq!(ErrorCode::from(88).meaning(), "the rate limit was hit");
/// assert!(ErrorCode::WebhookRefused.is_ambiguous());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Code 0.
    Internal,
    /// Code 32.
    NotAuthenticated,
    /// Code 34. A webhook that is not there, a user who is not subscribed, or a path that is not known.
    NotFound,
    /// Code 61.
    MethodNotPermitted,
    /// Code 67.
    DependencyDown,
    /// Code 88.
    RateLimited,
    /// Code 89.
    InvalidToken,
    /// Code 99. Wrong keys where a token is asked for, no access elsewhere.
    NotVerified,
    /// Code 130.
    OverCapacity,
    /// Code 131.
    InternalError,
    /// Code 135. The time of a signature is minutes away from X's.
    TimestampOutOfBounds,
    /// Code 200.
    NoProductAccess,
    /// Code 214. Five causes of a webhook that cannot be registered, and a sixth of a replay that
    /// cannot begin: [`Cause`](super::Cause) tells them apart.
    WebhookRefused,
    /// Code 215.
    BadAuthentication,
    /// Code 220.
    CredentialsNotAllowed,
    /// Code 261. The app's permission level, or the app's bearer token where a user's is needed.
    WriteNotAllowed,
    /// Code 348.
    ForeignSubscription,
    /// Code 355. The user is subscribed already, or a replay job is in progress: only the words tell
    /// ([`ApiError::is_duplicate`](super::ApiError::is_duplicate),
    /// [`ApiError::is_conflict`](super::ApiError::is_conflict)).
    ExistsOrInProgress,
    /// Code 356. `from_date` is not before `to_date`, or too old.
    DatesOutOfRange,
    /// Code 357.
    ParameterMissing,
    /// Code 358.
    ParameterMalformed,
    /// Code 360.
    NegativeId,
    /// Code 368.
    DateNotPast,
    /// Code 415.
    CallbackNotApproved,
    /// Code 453.
    AccessLevel,
    /// A code that is not known here.
    Other(i64),
}

impl ErrorCode {
    /// Returns the number.
    pub fn as_i64(self) -> i64 {
        match self {
            Self::Internal => 0,
            Self::NotAuthenticated => 32,
            Self::NotFound => 34,
            Self::MethodNotPermitted => 61,
            Self::DependencyDown => 67,
            Self::RateLimited => 88,
            Self::InvalidToken => 89,
            Self::NotVerified => 99,
            Self::OverCapacity => 130,
            Self::InternalError => 131,
            Self::TimestampOutOfBounds => 135,
            Self::NoProductAccess => 200,
            Self::WebhookRefused => 214,
            Self::BadAuthentication => 215,
            Self::CredentialsNotAllowed => 220,
            Self::WriteNotAllowed => 261,
            Self::ForeignSubscription => 348,
            Self::ExistsOrInProgress => 355,
            Self::DatesOutOfRange => 356,
            Self::ParameterMissing => 357,
            Self::ParameterMalformed => 358,
            Self::NegativeId => 360,
            Self::DateNotPast => 368,
            Self::CallbackNotApproved => 415,
            Self::AccessLevel => 453,
            Self::Other(code) => code,
        }
    }

    /// Says what the code means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Internal | Self::InternalError => "something broke inside of X",
            Self::NotAuthenticated => "the request could not be authenticated",
            Self::NotFound => "the webhook, the subscription or the path does not exist",
            Self::MethodNotPermitted => "the app may not use this method",
            Self::DependencyDown => "a service that X depends on is down",
            Self::RateLimited => "the rate limit was hit",
            Self::InvalidToken => "the token is invalid or has expired",
            Self::NotVerified => "the app's keys are wrong, or give no access to this",
            Self::OverCapacity => "X is over capacity",
            Self::TimestampOutOfBounds => "the signature's time is too far from X's",
            Self::NoProductAccess => "the app has no access to this product, or replay is not on",
            Self::WebhookRefused => "the webhook cannot be taken: one of several causes",
            Self::BadAuthentication => "the request carries no usable credentials",
            Self::CredentialsNotAllowed => "these credentials give no access to this resource",
            Self::WriteNotAllowed => "the app or this kind of credential may not write",
            Self::ForeignSubscription => "the user's subscriptions are not this app's to see",
            Self::ExistsOrInProgress => {
                "the subscription exists already, or a replay job is in progress"
            }
            Self::DatesOutOfRange => "the dates of the replay are out of order or too old",
            Self::ParameterMissing => "a parameter is missing",
            Self::ParameterMalformed => "a parameter is malformed",
            Self::NegativeId => "an identifier is negative",
            Self::DateNotPast => "a date of the replay is not in the past",
            Self::CallbackNotApproved => "the callback is not registered in the app's settings",
            Self::AccessLevel => "the app's access level does not include this call",
            Self::Other(_) => "a code that is not known here",
        }
    }

    /// Says whether one number stands for causes that call for different actions, so that X's
    /// words must be read as well: 34, 99, 214, 261 and 355.
    pub fn is_ambiguous(self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::NotVerified
                | Self::WebhookRefused
                | Self::WriteNotAllowed
                | Self::ExistsOrInProgress
        )
    }
}

impl From<i64> for ErrorCode {
    fn from(code: i64) -> Self {
        match code {
            0 => Self::Internal,
            32 => Self::NotAuthenticated,
            34 => Self::NotFound,
            61 => Self::MethodNotPermitted,
            67 => Self::DependencyDown,
            88 => Self::RateLimited,
            89 => Self::InvalidToken,
            99 => Self::NotVerified,
            130 => Self::OverCapacity,
            131 => Self::InternalError,
            135 => Self::TimestampOutOfBounds,
            200 => Self::NoProductAccess,
            214 => Self::WebhookRefused,
            215 => Self::BadAuthentication,
            220 => Self::CredentialsNotAllowed,
            261 => Self::WriteNotAllowed,
            348 => Self::ForeignSubscription,
            355 => Self::ExistsOrInProgress,
            356 => Self::DatesOutOfRange,
            357 => Self::ParameterMissing,
            358 => Self::ParameterMalformed,
            360 => Self::NegativeId,
            368 => Self::DateNotPast,
            415 => Self::CallbackNotApproved,
            453 => Self::AccessLevel,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_i64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_and_back() {
        let mut known = 0;
        for number in (-1000..1000).chain([i64::MIN, i64::MAX]) {
            let code = ErrorCode::from(number);
            assert_eq!(code.as_i64(), number);
            assert_eq!(code.to_string(), number.to_string());
            assert!(!code.meaning().is_empty());
            known += usize::from(!matches!(code, ErrorCode::Other(_)));
        }
        assert_eq!(known, 25);
    }
}
