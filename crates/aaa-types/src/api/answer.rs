use std::collections::BTreeMap;

use serde::{Deserialize, de::Error};
use serde_json::{Value, value::RawValue};

use super::{Problem, error::errors_of, words::excerpt};

/// How much of an error's beginning and of its end is shown, in characters.
const SHOWN: usize = 150;

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
    /// What X complains about nevertheless, at most the first 64; usually nothing.
    pub errors: Vec<Problem>,
}

impl<T: for<'de> Deserialize<'de>> Answer<T> {
    /// Parses the body of an answer and returns its data only. What X complains about besides is
    /// not looked at: [`Answer::with_errors`] returns it too.
    ///
    /// # Errors
    ///
    /// Fails when the body is not JSON or holds no `T` in any of the known shapes; the error is
    /// the one of the shape that looked right, and repeats little of the body.
    pub fn parse(body: &[u8]) -> Result<T, serde_json::Error> {
        let mut value: Value = serde_json::from_slice(body)?;
        for envelope in ["data", "replay_event"] {
            if let Some(inner) = value.get_mut(envelope) {
                value = inner.take();
            }
        }
        serde_json::from_value(value).map_err(|error| shortened(&error.to_string()))
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

/// Makes an error that repeats what it did not expect, which may be a megabyte, a short one. What
/// it did expect stands at the end.
fn shortened(error: &str) -> serde_json::Error {
    let length = error.chars().count();
    let mut shown = excerpt(error, SHOWN);
    if let Some(left) = length.checked_sub(SHOWN) {
        let skipped = length - left.min(SHOWN);
        shown += &excerpt(&error.chars().skip(skipped).collect::<String>(), SHOWN);
    }
    serde_json::Error::custom(shown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    #[test]
    fn an_error_repeats_little() {
        for odd in [json!("A\u{1b}[2J".repeat(100_000)), json!({ "A".repeat(100_000): [] })] {
            let body = json!({ "data": { "subscribed": odd } }).to_string();
            let error = Answer::<SubscriptionState>::parse(body.as_bytes()).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.len() < 1000 && !shown.contains('\u{1b}'), "{shown}");
            assert!(shown.contains("expected a boolean"), "{shown}");
        }
    }
}
