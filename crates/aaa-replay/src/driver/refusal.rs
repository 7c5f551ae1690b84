use aaa_client::ClientError;
use aaa_types::api::ApiError;
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
    } else if api.is_some_and(ApiError::is_invalid_window) {
        RefusalKind::Window
    } else if error.is_not_found() {
        RefusalKind::Gone
    } else if api.is_some_and(ApiError::is_invalid_webhook) {
        RefusalKind::Invalid
    } else if error.is_retryable() {
        RefusalKind::Passing
    } else {
        RefusalKind::Lasting
    }
}

#[cfg(test)]
mod tests {
    use aaa_client::v2;
    use bytes::Bytes;

    use super::*;

    #[test]
    fn both_generations_say_the_same() {
        for (status, body, expected) in [
            (400, r#"{"errors":[{"message":"QueryParamInvalid: "}]}"#, RefusalKind::Window),
            (
                400,
                r#"{"errors":[{"code":356,"message":"from_date must be before to_date."}]}"#,
                RefusalKind::Window,
            ),
            (400, r#"{"errors":[{"message":"CrcValidationFailed: "}]}"#, RefusalKind::Invalid),
            (
                400,
                r#"{"errors":[{"code":214,"message":"Webhook is marked invalid and requires a CRC check."}]}"#,
                RefusalKind::Invalid,
            ),
            (400, r#"{"errors":[{"message":"WebhookIdInvalid: "}]}"#, RefusalKind::Gone),
            (
                404,
                r#"{"errors":[{"code":34,"message":"Webhook does not exist"}]}"#,
                RefusalKind::Gone,
            ),
            (403, r#"{"errors":[{"code":200,"message":"Forbidden."}]}"#, RefusalKind::Lasting),
        ] {
            let answer = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
            let error = v2::list_webhooks().answer(&answer).unwrap_err();
            assert_eq!(classify(&error, Timestamp::UNIX_EPOCH), expected, "{body}");
        }
    }
}
