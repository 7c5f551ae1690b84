//! What an answer means.

use aaa_types::api::{
    Answer, ApiError, ErrorCode, Failure, SubscriptionState, Subscriptions, Validation, Webhook,
};
use bytes::Bytes;
use http::{HeaderMap, Response, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    ClientError, Operation, Page, PageToken, RateLimit,
    rate_limit::{date, retry_after, text},
};

/// How much of an answer that was not understood is shown, in characters.
const EXCERPT: usize = 200;

/// Understands an answer that holds a `T` in any of its shapes.
pub(crate) fn json<T>(what: Operation, response: &Response<Bytes>) -> Result<T, ClientError>
where
    T: for<'de> Deserialize<'de>,
{
    decode(what, response, |body| Answer::parse(body).map_err(|error| error.to_string()))
}

/// Understands a list of webhooks. Other lists of X's leave `data` out when they are empty, so
/// that is taken for an empty list here as well.
pub(crate) fn webhooks(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<Page<Vec<Webhook>>, ClientError> {
    page(what, response, |body| {
        let empty = body.get("data").is_none()
            && body.pointer("/meta/result_count") == Some(&Value::from(0));
        empty.then(Vec::new)
    })
}

/// Understands a list of subscriptions.
pub(crate) fn subscriptions(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<Page<Subscriptions>, ClientError> {
    page(what, response, |_| None)
}

/// Understands the answer to a check; an empty one says that it was accepted.
pub(crate) fn validation(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<Validation, ClientError> {
    json_unless_empty(what, response, Validation { valid: true })
}

/// Understands the answer to a subscription that was made; an empty one says that it is.
pub(crate) fn subscribed(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<SubscriptionState, ClientError> {
    state(what, response, true, "it says that the user is not subscribed")
}

/// Understands v2's answer to a subscription that was looked for: whether it is there, or the name
/// of the failure that says it is not.
pub(crate) fn checked(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<SubscriptionState, ClientError> {
    unless_absent(found(what, response), is_named_absent)
}

/// Understands v1.1's answer: nothing at all, or code 34 where nothing is said about a webhook. A
/// 404 without X's words is nobody's answer: a proxy may have made it.
pub(crate) fn checked_v1_1(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<SubscriptionState, ClientError> {
    unless_absent(found(what, response), is_absent_v1_1)
}

/// Understands the answer to a subscription that was looked for; an empty one says that it is
/// there.
fn found(what: Operation, response: &Response<Bytes>) -> Result<SubscriptionState, ClientError> {
    json_unless_empty(what, response, SubscriptionState { subscribed: true })
}

/// Says whether v2 refused because the user is not subscribed.
pub(crate) fn is_named_absent(error: &ApiError) -> bool {
    error.failure() == Some(&Failure::SubscriptionNotFound)
}

/// Says whether v1.1 did.
pub(crate) fn is_absent_v1_1(error: &ApiError) -> bool {
    is_named_absent(error)
        || (error.code() == Some(ErrorCode::NotFound) && error.is_not_subscribed())
}

fn unless_absent(
    answer: Result<SubscriptionState, ClientError>,
    is_absent: impl FnOnce(&ApiError) -> bool,
) -> Result<SubscriptionState, ClientError> {
    match answer {
        Err(error) if error.api().is_some_and(is_absent) => {
            Ok(SubscriptionState { subscribed: false })
        }
        other => other,
    }
}

/// Understands the answer to a subscription that was removed; an empty one says that it is.
pub(crate) fn unsubscribed(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<SubscriptionState, ClientError> {
    state(what, response, false, "it says that the user is subscribed still")
}

/// Understands the answer to a deletion. An empty one is a success, and so is an object without
/// errors, unless it says `"deleted":false` outright.
pub(crate) fn deleted(what: Operation, response: &Response<Bytes>) -> Result<(), ClientError> {
    if is_empty_success(response) {
        return Ok(());
    }
    decode(what, response, |body| {
        let members: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let in_data = members.get("data").and_then(|data| data.get("deleted"));
        match in_data.or_else(|| members.get("deleted")) {
            Some(Value::Bool(false)) => Err("it says that nothing was deleted".to_owned()),
            None if has_errors(body) => Err("it has errors only".to_owned()),
            _ => Ok(()),
        }
    })
}

/// Reads the API's clock from an answer, whatever its status.
pub(crate) fn server_time(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<Timestamp, ClientError> {
    date(response.headers()).ok_or_else(|| ClientError::Decode {
        what,
        reason: format!("status {} without a readable `Date`", response.status().as_u16()),
        excerpt: excerpt(response.body()),
    })
}

fn page<T>(
    what: Operation,
    response: &Response<Bytes>,
    empty: impl FnOnce(&Value) -> Option<T>,
) -> Result<Page<T>, ClientError>
where
    T: for<'de> Deserialize<'de>,
{
    decode(what, response, |body| {
        let value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let content = match empty(&value) {
            Some(empty) => empty,
            None => Answer::parse(body).map_err(|error| error.to_string())?,
        };
        Ok(Page::new(content, PageToken::in_answer(&value)))
    })
}

fn json_unless_empty<T>(
    what: Operation,
    response: &Response<Bytes>,
    empty: T,
) -> Result<T, ClientError>
where
    T: for<'de> Deserialize<'de>,
{
    if is_empty_success(response) {
        return Ok(empty);
    }
    json(what, response)
}

/// Understands a change of a subscription, after which it must be as was asked.
fn state(
    what: Operation,
    response: &Response<Bytes>,
    subscribed: bool,
    otherwise: &str,
) -> Result<SubscriptionState, ClientError> {
    let wanted = SubscriptionState { subscribed };
    if is_empty_success(response) {
        return Ok(wanted);
    }
    decode(what, response, |body| match Answer::parse(body) {
        Ok(state) if state == wanted => Ok(wanted),
        Ok(SubscriptionState { .. }) => Err(otherwise.to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

fn is_empty_success(response: &Response<Bytes>) -> bool {
    response.status().is_success() && response.body().trim_ascii().is_empty()
}

/// Decodes a success; everything else is a refusal, and so is a success that consists of errors.
fn decode<T>(
    what: Operation,
    response: &Response<Bytes>,
    decode: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, ClientError> {
    let refused = || {
        let rate_limit = RateLimit::from_headers(response.headers());
        ClientError::Api { what, error: Box::new(api_error(response)), rate_limit }
    };
    if !response.status().is_success() {
        return Err(refused());
    }
    if let Some(coding) = coding(response.headers()) {
        let reason = format!("it is encoded ({coding}), which was not asked for");
        return Err(ClientError::Decode { what, reason, excerpt: String::new() });
    }
    decode(response.body()).map_err(|reason| {
        if has_errors(response.body()) {
            refused()
        } else {
            ClientError::Decode { what, reason, excerpt: excerpt(response.body()) }
        }
    })
}

fn api_error(response: &Response<Bytes>) -> ApiError {
    let headers = response.headers();
    let mut error = ApiError::parse(response.status().as_u16(), response.body());
    let id = text(headers, "x-transaction-id").or_else(|| text(headers, "x-request-id"));
    if let Some(id) = id {
        error = error.with_request_id(id);
    }
    if let Some(at) = wait_until(headers, &error) {
        error = error.with_rate_limit_reset(at);
    }
    error
}

/// Returns when to ask again: the later time where an answer names two. That of the next rate limit
/// stands in every answer, so it only counts when the limit was hit.
pub(crate) fn wait_until(headers: &HeaderMap, error: &ApiError) -> Option<Timestamp> {
    let reset = || RateLimit::from_headers(headers)?.reset;
    let reset = if error.is_rate_limited() { reset() } else { None };
    let after = if error.is_retryable() { retry_after(headers) } else { None };
    reset.max(after)
}

/// Returns how the body is encoded, if it is.
fn coding(headers: &HeaderMap) -> Option<String> {
    let coding = text(headers, header::CONTENT_ENCODING.as_str())?;
    let is_plain = coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    (!is_plain).then(|| excerpt(coding.as_bytes()))
}

fn has_errors(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|value| {
        let errors = value.get("errors").and_then(Value::as_array);
        errors.is_some_and(|errors| !errors.is_empty())
    })
}

/// Returns the beginning of a body, fit for a terminal.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(EXCERPT).map(printable).collect()
}

#[cfg(test)]
mod tests;
