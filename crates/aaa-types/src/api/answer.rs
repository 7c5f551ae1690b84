use serde::Deserialize;

/// A successful answer, with or without the `data` envelope.
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
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct Answer<T>(std::marker::PhantomData<T>);

impl<T: for<'de> Deserialize<'de>> Answer<T> {
    /// Parses the body of an answer.
    ///
    /// # Errors
    ///
    /// Fails when the body is not JSON or holds no `T` in any of the known shapes; the error is
    /// the one of the shape that looked right.
    pub fn parse(body: &[u8]) -> Result<T, serde_json::Error> {
        let mut value: serde_json::Value = serde_json::from_slice(body)?;
        for envelope in ["data", "replay_event"] {
            if let Some(inner) = value.get_mut(envelope) {
                return serde_json::from_value(inner.take());
            }
        }
        serde_json::from_value(value)
    }
}
