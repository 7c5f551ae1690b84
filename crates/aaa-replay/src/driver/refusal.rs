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
    use aaa_types::ReplayWindow;
    use bytes::Bytes;

    use super::*;
    use crate::{
        engine::{Settings, learned},
        ledger::{Attempt, Intent, Outcome, Purpose},
    };

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

    #[test]
    fn the_ledger_remembers_what_x_refused() {
        let (v2, id) = (Settings::v2(), "12".parse().unwrap());
        let attempt = |from: &str, answer: (u16, &'static str)| {
            let body = Bytes::from_static(answer.1.as_bytes());
            let answer = http::Response::builder().status(answer.0).body(body).unwrap();
            let error = v2::list_webhooks().answer(&answer).unwrap_err();
            let window = ReplayWindow::new(from.parse().unwrap(), "202511230004".parse().unwrap());
            let (request, at) = (window.unwrap(), "2025-11-23T04:14:00Z".parse().unwrap());
            let purpose = Purpose::Gap;
            let intent = Intent { webhook: id, core: request, request, at, purpose };
            let outcome = Outcome::Failed { job: None, reason: error.to_string() };
            Attempt { number: 1, intent, outcome, settled_at: at, found: 0 }
        };
        let look_back = |attempts: &[Attempt]| learned(v2, id, attempts).limits.look_back.as_mins();
        let day = 24 * 60;
        let refused = (400, r#"{"errors":[{"message":"QueryParamInvalid: from_date"}]}"#);
        let old = attempt("202511220415", refused);
        assert_eq!(look_back(&[]), day);
        assert_eq!(look_back(std::slice::from_ref(&old)), day - 10);
        assert_eq!(look_back(&[old.clone(), attempt("202511220425", refused)]), day - 20);
        let coded =
            (400, r#"{"errors":[{"code":356,"message":"from_date must be within 5 days."}]}"#);
        assert_eq!(look_back(&[attempt("202511220415", coded)]), day - 10);
        // What is no window's fault teaches nothing, nor does a window far from the edge.
        let conflict = (409, r#"{"errors":[{"code":355,"message":"in progress"}]}"#);
        assert_eq!(look_back(&[attempt("202511220415", conflict)]), day);
        assert_eq!(look_back(&[attempt("202511222000", refused)]), day);
        let mut other = old;
        other.intent.webhook = "13".parse().unwrap();
        assert_eq!(look_back(&[other]), day);
    }
}
