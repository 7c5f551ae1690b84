use aaa_client::ClientError;
use aaa_types::api::{ApiError, Failure};
use jiff::Timestamp;

use crate::engine::RefusalKind;

/// Says what helps against an error of the call that creates a job.
///
/// # Examples
///
/// ```
/// use aaa_client::v2;
/// use aaa_replay::{driver::classify, engine::RefusalKind};
/// # use bytes::Bytes;
///
/// let answer = http::Response::builder()
///     .status(409)
///     .body(Bytes::from(r#"{"errors":[{"message":"ReplayConflictError: "}]}"#))?;
/// let error = v2::list_webhooks().answer(&answer).unwrap_err();
/// assert_eq!(classify(&error, jiff::Timestamp::UNIX_EPOCH), RefusalKind::Conflict);
/// # Ok::<(), http::Error>(())
/// ```
pub fn classify(error: &ClientError, now: Timestamp) -> RefusalKind {
    let api = error.api();
    if error.is_conflict() {
        RefusalKind::Conflict
    } else if api.is_some_and(ApiError::is_rate_limited) {
        let wait = error.retry_after(now);
        RefusalKind::RateLimited(wait.and_then(|wait| now.saturating_add(wait).ok()))
    } else if failure(api) == Some(&Failure::QueryParamInvalid) {
        RefusalKind::Window
    } else if error.is_not_found() {
        RefusalKind::Gone
    } else if failure(api) == Some(&Failure::CrcValidationFailed) {
        RefusalKind::Invalid
    } else if error.is_retryable() {
        RefusalKind::Passing
    } else {
        RefusalKind::Lasting
    }
}

fn failure(error: Option<&ApiError>) -> Option<&Failure> {
    error.and_then(ApiError::failure)
}
