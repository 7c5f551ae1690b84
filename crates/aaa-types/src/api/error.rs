use std::{borrow::Cow, fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::{Cause, ErrorCode, Failure, Problem, ProblemType, problem::Members, words::excerpt};

mod advice;
mod predicates;

/// How much of an answer without words stands for its words, in characters.
const EXCERPT: usize = 200;

/// How much of X's words is shown, in characters.
const SHOWN: usize = 1000;

/// How many elements of a list of errors are read. X sends one or two; whoever sends a megabyte of
/// empty ones shall not have a hundred in return.
const MOST: usize = 64;

/// What X refused, in its own words, whichever generation of the API it was.
///
/// X answers errors in at least five formats: its own v2 form, `application/problem+json`, a bare
/// `code` and `message`, the v1.1 form (which v2 uses too), and now and then no JSON at all.
/// All of them end here. Of a list of errors the first 64 are read, and the body is kept whole.
///
/// # Examples
///
/// ```
/// use aaa_types::api::{ApiError, Cause, Failure};
///
/// let body = r#"{"errors":[{"message":"WebhookLimitExceeded: "}],"title":"Invalid Request",
///     "detail":"One or more parameters to your request was invalid.",
///     "type":"https://api.twitter.com/2/problems/invalid-request"}"#;
/// let error = ApiError::parse(400, body.as_bytes());
/// assert_eq!(error.failure(), Some(&Failure::WebhookLimitExceeded));
/// assert!(error.is_limit_reached() && !error.is_retryable());
///
/// // v1.1 says the same with a code that has several meanings.
/// let body = br#"{"errors":[{"code":214,"message":"Too many resources already created."}]}"#;
/// let error = ApiError::parse(403, body);
/// assert_eq!(error.cause(), Some(Cause::TooManyWebhooks));
/// assert!(error.is_limit_reached());
/// println!("{error}\n{}", error.advice().unwrap_or_default());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    errors: Vec<Problem>,
    problem: Option<Problem>,
    headline: String,
    request_id: Option<String>,
    rate_limit_reset: Option<Timestamp>,
    body: Arc<[u8]>,
}

impl ApiError {
    /// Understands an answer that is not a success.
    pub fn parse(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let (errors, problem) = take_apart(&text);
        let mut words = errors.iter().chain(&problem).filter_map(Problem::words);
        let headline = match words.next() {
            Some(words) => words.to_owned(),
            None => text.trim().chars().take(EXCERPT).collect(),
        };
        Self {
            status,
            errors,
            problem,
            headline,
            request_id: None,
            rate_limit_reset: None,
            body: body.into(),
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

    /// Returns the elements of the list of errors in X's order, at most the first 64.
    pub fn errors(&self) -> &[Problem] {
        &self.errors
    }

    /// Returns what stands beside the list, or instead of it.
    pub fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Returns the first name of a failure, where X gave one.
    pub fn failure(&self) -> Option<&Failure> {
        self.problems().find_map(Problem::failure)
    }

    /// Returns the first code of the v1.1 form, where X gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        self.problems().find_map(Problem::code)
    }

    /// Returns the first type of a problem, where X gave one.
    pub fn problem_type(&self) -> Option<&ProblemType> {
        self.problems().find_map(Problem::problem_type)
    }

    /// Returns the first of X's words, or the beginning of the body when there are none.
    pub fn message(&self) -> &str {
        &self.headline
    }

    /// Returns X's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the body, byte for byte.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as text; what is not UTF-8 is replaced.
    pub fn body_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Returns how long to wait until the rate limit ends, seen from `now` on X's clock.
    ///
    /// `None` when X named no time; zero when it has passed.
    pub fn retry_after(&self, now: Timestamp) -> Option<SignedDuration> {
        let reset = self.rate_limit_reset?;
        Some(reset.duration_since(now).max(SignedDuration::ZERO))
    }

    /// Returns all there is, the elements of the list first.
    fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.errors.iter().chain(&self.problem)
    }

    /// Says whether one of the phrases, in plain words, stands somewhere in X's words.
    fn says(&self, phrases: &[&str]) -> bool {
        self.problems().any(|problem| problem.says(phrases))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = self.problems().find_map(Problem::code_text) {
            write!(f, ", code {}", excerpt(code, 40))?;
        }
        // X names some failures and then has nothing to say about them: `WebhookIdInvalid: `.
        let headline = self.headline.trim_end_matches([':', ' ']);
        if !headline.is_empty() {
            write!(f, ": {}", excerpt(headline, SHOWN))?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {})", excerpt(id, 100))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ApiError {
    /// Shows the beginning of the body: it may be a megabyte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("status", &self.status)
            .field("errors", &self.errors.len())
            .field("message", &excerpt(&self.headline, SHOWN))
            .field("request_id", &self.request_id.as_deref().map(|id| excerpt(id, 100)))
            .field("rate_limit_reset", &self.rate_limit_reset)
            .field("body", &excerpt(&self.body_text(), SHOWN))
            .field("length", &self.body.len())
            .finish()
    }
}

impl std::error::Error for ApiError {}

/// Returns the elements of the list of errors, and what stands beside it.
fn take_apart(text: &str) -> (Vec<Problem>, Option<Problem>) {
    let text = text.trim_start_matches('\u{feff}');
    let (Ok(whole), Ok(members)) =
        (serde_json::from_str::<&RawValue>(text), serde_json::from_str::<Members<'_>>(text))
    else {
        return (Vec::new(), None);
    };
    (errors_of(&members), Some(Problem::of_members(whole, &members)))
}

/// Returns the beginning of the list of errors; one that is not in a list counts as well.
pub(super) fn errors_of(members: &Members<'_>) -> Vec<Problem> {
    let mut errors = Vec::new();
    if let Some(list) = members.get("errors") {
        match serde_json::from_str::<Vec<&RawValue>>(list.get()) {
            Ok(list) => errors.extend(list.into_iter().take(MOST).map(Problem::read)),
            Err(_) if list.get() == "null" => {}
            Err(_) => errors.push(Problem::read(list)),
        }
    }
    let single = members.get("error").filter(|error| error.get().starts_with('{'));
    errors.extend(single.map(|error| Problem::read(error)));
    errors
}

#[cfg(test)]
mod tests;
