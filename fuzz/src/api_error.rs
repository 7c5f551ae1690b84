//! The answers of the API: its errors in any form, and its successes in two.

use aaa_types::api::{Answer, ApiError};
use jiff::Timestamp;
use serde_json::Value;

/// Checks a status, in two bytes, and a body.
pub fn check(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let error = ApiError::parse(u16::from_be_bytes(*status), body);
    assert_eq!(error.body(), body, "X's own words are lost");
    let shown = error.to_string();
    assert!(shown.starts_with(&format!("status {}", error.status())));
    assert!(shown.chars().count() < 1500, "{shown}");
    assert!(format!("{error:?}").chars().count() < 40_000);

    // Whatever it is, it may be asked for everything.
    let _ = (error.failure(), error.code(), error.problem_type(), error.cause(), error.advice());
    let _ = (error.is_retryable(), error.is_duplicate(), error.is_conflict());
    let _ = (error.is_unauthorized(), error.is_limit_reached());
    for problem in error.errors().iter().chain(error.problem()) {
        let _ = (problem.message(), problem.title(), problem.detail(), problem.words());
        if std::str::from_utf8(body).is_ok() {
            let text = error.body_text();
            assert!(text.contains(problem.json()), "{} is not in {text}", problem.json());
        }
    }
    let error = error.with_rate_limit_reset(Timestamp::UNIX_EPOCH);
    assert!(error.retry_after(Timestamp::MAX).is_some_and(|wait| wait.is_zero()));

    let _ = Answer::<Value>::parse(body);
    let _ = Answer::<Value>::with_errors(body);
}
