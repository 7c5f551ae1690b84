use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// How much of an answer's body is kept and shown.
const BODY_LIMIT: usize = 4096;

/// What X refused, in its own words.
///
/// X answers errors in at least five formats: its own v2 form, `application/problem+json`, a bare
/// `code` and `message`, the v1.1 form (which v2 uses too), and now and then no JSON at all.
/// All of them end here, and the body is kept.
///
/// # Examples
///
/// ```
/// use aaa_types::api::{ApiError, Failure};
///
/// let body = r#"{"errors":[{"message":"WebhookLimitExceeded: "}],"title":"Invalid Request",
///     "detail":"One or more parameters to your request was invalid.",
///     "type":"https://api.twitter.com/2/problems/invalid-request"}"#;
/// let error = ApiError::parse(400, body.as_bytes());
/// assert_eq!(error.failure(), Some(&Failure::WebhookLimitExceeded));
/// assert!(!error.is_retryable());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    failure: Option<Failure>,
    code: Option<i64>,
    message: String,
    request_id: Option<String>,
    rate_limit_reset: Option<Timestamp>,
    body: String,
}

impl ApiError {
    /// Understands an answer that is not a success.
    pub fn parse(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let first = value.pointer("/errors/0").unwrap_or(&Value::Null);
        let text_of = |value: &Value, name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        let words = [
            text_of(first, "message"),
            text_of(first, "detail"),
            text_of(first, "title"),
            text_of(&value, "detail"),
            text_of(&value, "message"),
            text_of(&value, "title"),
        ];
        let failure = words.iter().flatten().find_map(|words| Failure::in_words(words));
        let message = words.into_iter().flatten().next();
        Self {
            status,
            failure,
            code: [first, &value].iter().find_map(|v| v.get("code").and_then(Value::as_i64)),
            message: message.unwrap_or_else(|| text.trim().chars().take(200).collect()),
            request_id: None,
            rate_limit_reset: None,
            body: text.chars().take(BODY_LIMIT).collect(),
        }
    }

    /// Adds the identifier that X gave to the request (`x-transaction-id` and the like).
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Adds the time at which the rate limit ends (`x-rate-limit-reset`), on X's clock.
    #[must_use]
    pub fn with_rate_limit_reset(mut self, at: Timestamp) -> Self {
        self.rate_limit_reset = Some(at);
        self
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the name of the failure, where X gave one.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Returns the numeric code of the v1.1 form.
    pub fn code(&self) -> Option<i64> {
        self.code
    }

    /// Returns X's own words, or the beginning of the body when there are none.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns X's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the body, at most 4,096 characters of it.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Says whether the same request may succeed later: rate limits and X's own faults.
    pub fn is_retryable(&self) -> bool {
        self.is_rate_limited() || self.status == 408 || self.status >= 500
    }

    /// Says whether a rate limit was hit.
    pub fn is_rate_limited(&self) -> bool {
        self.status == 429 || self.code == Some(88)
    }

    /// Says whether what was to be made exists already.
    pub fn is_duplicate(&self) -> bool {
        let named = matches!(
            self.failure,
            Some(Failure::DuplicateUrlFailed | Failure::DuplicateSubscriptionFailed)
        );
        // Code 355 also means a running replay job; only the words tell.
        named || (self.code == Some(355) && self.message.contains("already exists"))
    }

    /// Says whether another replay job is in progress for the webhook.
    pub fn is_conflict(&self) -> bool {
        let named = self.failure == Some(Failure::ReplayConflictError);
        named || (self.code == Some(355) && self.message.contains("in progress"))
    }

    /// Says whether the credentials were refused.
    pub fn is_unauthorized(&self) -> bool {
        self.status == 401 || matches!(self.code, Some(32 | 89 | 99))
    }

    /// Says whether the thing asked for does not exist, or belongs to another app.
    pub fn is_not_found(&self) -> bool {
        let named =
            matches!(self.failure, Some(Failure::WebhookIdInvalid | Failure::SubscriptionNotFound));
        named || self.status == 404 || self.code == Some(34)
    }

    /// Returns how long to wait until the rate limit ends, seen from `now` on X's clock.
    ///
    /// `None` when X named no time; zero when it has passed.
    pub fn retry_after(&self, now: Timestamp) -> Option<SignedDuration> {
        let reset = self.rate_limit_reset?;
        Some(reset.duration_since(now).max(SignedDuration::ZERO))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, ", code {code}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

/// The failures that X's documents name, by operation
/// (<https://docs.x.com/x-api/webhooks/introduction>).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The webhook did not answer its challenge-response check correctly.
    CrcValidationFailed,
    /// The URL does not meet the requirements.
    UrlValidationFailed,
    /// The URL is registered already.
    DuplicateUrlFailed,
    /// The account has as many webhooks as it may have.
    WebhookLimitExceeded,
    /// The webhook does not exist or belongs to another app.
    WebhookIdInvalid,
    /// The user is subscribed already.
    DuplicateSubscriptionFailed,
    /// The account has as many subscriptions as it may have.
    SubscriptionLimitExceeded,
    /// The user is not subscribed.
    SubscriptionNotFound,
    /// A parameter of a replay is malformed or out of its range.
    QueryParamInvalid,
    /// A replay job is in progress for the webhook.
    ReplayConflictError,
    /// A name that is not known here.
    Other(String),
}

impl Failure {
    /// Finds the name at the beginning of X's words: a single word in camel case before a colon,
    /// or one that is known.
    fn in_words(words: &str) -> Option<Self> {
        let (name, before_colon) = match words.split_once(':') {
            Some((name, _)) => (name.trim(), true),
            None => (words, false),
        };
        Some(match name {
            "CrcValidationFailed" => Self::CrcValidationFailed,
            "UrlValidationFailed" => Self::UrlValidationFailed,
            "DuplicateUrlFailed" => Self::DuplicateUrlFailed,
            "WebhookLimitExceeded" => Self::WebhookLimitExceeded,
            "WebhookIdInvalid" => Self::WebhookIdInvalid,
            "DuplicateSubscriptionFailed" => Self::DuplicateSubscriptionFailed,
            "SubscriptionLimitExceeded" => Self::SubscriptionLimitExceeded,
            "SubscriptionNotFound" => Self::SubscriptionNotFound,
            "QueryParamInvalid" => Self::QueryParamInvalid,
            "ReplayConflictError" => Self::ReplayConflictError,
            _ if before_colon && is_camel_case(name) => Self::Other(name.to_owned()),
            _ => return None,
        })
    }
}

fn is_camel_case(name: &str) -> bool {
    let capitals = name.bytes().filter(u8::is_ascii_uppercase).count();
    let letters = name.bytes().all(|b| b.is_ascii_alphabetic());
    letters
        && capitals >= 2
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().any(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(status: u16, body: &str) -> ApiError {
        ApiError::parse(status, body.as_bytes())
    }

    #[test]
    fn v2_names_with_and_without_words() {
        let error = parse(
            400,
            r#"{"errors":[{"message":"CrcValidationFailed: URL returned bad response during CRC with error: Invalid `response_token`"}],"title":"Invalid Request"}"#,
        );
        assert_eq!(error.failure(), Some(&Failure::CrcValidationFailed));
        insta::assert_snapshot!(error, @"status 400: CrcValidationFailed: URL returned bad response during CRC with error: Invalid `response_token`");
        let error = parse(409, r#"{"errors":[{"title":"ReplayConflictError"}]}"#);
        assert!(error.is_conflict());
        let error = parse(400, r#"{"errors":[{"message":"SomethingElseFailed: why"}]}"#);
        assert_eq!(error.failure(), Some(&Failure::Other("SomethingElseFailed".into())));
    }

    #[test]
    fn problem_json_and_bare_form() {
        let error = parse(
            403,
            r#"{"type":"https://api.x.com/2/problems/client-forbidden","title":"Client Forbidden","detail":"This app is not enrolled","status":403}"#,
        );
        insta::assert_snapshot!(error, @"status 403: This app is not enrolled");
        insta::assert_snapshot!(
            parse(500, r#"{"code":131,"message":"Internal error"}"#),
            @"status 500, code 131: Internal error"
        );
    }

    #[test]
    fn v1_form() {
        let error = parse(429, r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#);
        assert!(error.is_rate_limited() && error.is_retryable());
        let error = parse(401, r#"{"errors":[{"code":89,"message":"Invalid or expired token"}]}"#);
        assert!(error.is_unauthorized() && !error.is_retryable());
        let running = r#"{"errors":[{"code":355,"message":"A replay job is already in progress for this webhook."}]}"#;
        assert!(parse(409, running).is_conflict() && !parse(409, running).is_duplicate());
        let exists = r#"{"errors":[{"code":355,"message":"Subscription already exists."}]}"#;
        assert!(parse(409, exists).is_duplicate() && !parse(409, exists).is_conflict());
    }

    #[test]
    fn not_json_at_all() {
        insta::assert_snapshot!(parse(503, "<html>over capacity</html>"), @"status 503: <html>over capacity</html>");
        assert!(parse(503, "").is_retryable());
    }

    #[test]
    fn waiting_for_the_reset() {
        let now: Timestamp = "2025-11-22T04:00:00Z".parse().unwrap();
        let error = parse(429, "").with_rate_limit_reset(now + SignedDuration::from_secs(40));
        assert_eq!(error.retry_after(now), Some(SignedDuration::from_secs(40)));
        let later = now + SignedDuration::from_secs(60);
        assert_eq!(error.retry_after(later), Some(SignedDuration::ZERO));
        assert_eq!(parse(429, "").retry_after(now), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(status: u16, body: Vec<u8>) {
            let error = ApiError::parse(status, &body);
            let _ = (error.to_string(), error.is_duplicate(), error.is_conflict());
        }
    }
}
