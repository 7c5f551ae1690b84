use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{Problem, error::errors_of};

/// A successful answer, with or without the `data` envelope, and what X complains about besides.
///
/// X's guide, its OpenAPI description and its own dashboard disagree about the envelope, and the
/// older replay route has one of its own (`replay_event`).
///
/// # Examples
///
/// ```
/// use aaa_types::api::{Answer, ReplayJob};
///
/// for body in [
///     r#"{"data":{"job_id":"1095098195724558337","created_at":"2025-04-24T20:57:15.242Z"}}"#,
///     r#"{"job_id":"1095098195724558337","created_at":"2025-04-24T20:57:15.242Z"}"#,
///     r#"{"for_user_id":"7","replay_event":
///         {"job_id":"1095098195724558337","created_at":"2025-04-24T20:57:15.242Z"}}"#,
/// ] {
///     let job = Answer::<ReplayJob>::parse(body.as_bytes())?;
///     assert_eq!(job.job_id.to_string(), "1095098195724558337");
/// }
///
/// // A success may carry errors as well.
/// let body = br#"{"data":{"job_id":"1"},"errors":[{"message":"some data is missing"}]}"#;
/// let answer = Answer::<ReplayJob>::with_errors(body)?;
/// assert_eq!(answer.data.job_id.as_u64(), 1);
/// assert_eq!(answer.errors[0].words(), Some("some data is missing"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer<T> {
    /// What was asked for.
    pub data: T,
    /// What X complains about nevertheless; usually nothing.
    pub errors: Vec<Problem>,
}

impl<T: for<'de> Deserialize<'de>> Answer<T> {
    /// Parses the body of an answer and returns its data only.
    ///
    /// # Errors
    ///
    /// Fails when the body is not JSON or holds no `T` in any of the known shapes; the error is
    /// the one of the shape that looked right.
    pub fn parse(body: &[u8]) -> Result<T, serde_json::Error> {
        let mut value: Value = serde_json::from_slice(body)?;
        for envelope in ["data", "replay_event"] {
            if let Some(inner) = value.get_mut(envelope) {
                value = inner.take();
            }
        }
        serde_json::from_value(value)
    }

    /// Parses the body of an answer and returns its data and its errors.
    ///
    /// # Errors
    ///
    /// Fails as [`Answer::parse`] does.
    pub fn with_errors(body: &[u8]) -> Result<Self, serde_json::Error> {
        let data = Self::parse(body)?;
        let members = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body);
        let errors = members.map(|members| errors_of(&members)).unwrap_or_default();
        Ok(Self { data, errors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SubscriptionState, Webhook};

    #[test]
    fn both_at_once() {
        let body = br#"{"data":{"subscribed":true},"errors":[{"message":"a"},{"detail":"b"}]}"#;
        let answer = Answer::<SubscriptionState>::with_errors(body).unwrap();
        assert!(answer.data.subscribed);
        let words: Vec<_> = answer.errors.iter().map(Problem::words).collect();
        assert_eq!(words, [Some("a"), Some("b")]);
        for quiet in [r#"{"data":[]}"#, r#"{"data":[],"errors":[]}"#, "[]"] {
            let answer = Answer::<Vec<Webhook>>::with_errors(quiet.as_bytes()).unwrap();
            assert!(answer.data.is_empty() && answer.errors.is_empty());
        }
    }

    #[test]
    fn errors_alone_are_no_success() {
        for body in [r#"{"errors":[{"message":"a"}]}"#, r#"{"data":null,"errors":[]}"#, ""] {
            assert!(Answer::<SubscriptionState>::parse(body.as_bytes()).is_err(), "{body}");
            assert!(Answer::<SubscriptionState>::with_errors(body.as_bytes()).is_err(), "{body}");
        }
    }
}
