//! What an answer means.

use aaa_types::api::{Answer, ApiError, SubscriptionState, Validation, Webhook};
use bytes::Bytes;
use http::{HeaderMap, Response, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde::Deserialize;
use serde_json::Value;

use crate::{ClientError, Operation};

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
) -> Result<Vec<Webhook>, ClientError> {
    decode(what, response, |body| {
        let empty = serde_json::from_slice::<Value>(body).is_ok_and(|value| {
            value.get("data").is_none()
                && value.pointer("/meta/result_count") == Some(&Value::from(0))
        });
        if empty {
            return Ok(Vec::new());
        }
        Answer::parse(body).map_err(|error| error.to_string())
    })
}

/// Understands the answer to a check; an empty one says that it was accepted.
pub(crate) fn validation(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<Validation, ClientError> {
    json_unless_empty(what, response, Validation { valid: true })
}

/// Understands the answer to a subscription that was made, or was found; an empty one says yes.
pub(crate) fn subscribed(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<SubscriptionState, ClientError> {
    json_unless_empty(what, response, SubscriptionState { subscribed: true })
}

/// Understands the answer to a subscription that was removed; an empty one says that it is.
pub(crate) fn unsubscribed(
    what: Operation,
    response: &Response<Bytes>,
) -> Result<SubscriptionState, ClientError> {
    json_unless_empty(what, response, SubscriptionState { subscribed: false })
}

/// Understands the answer to a deletion. Only an outright `"deleted":false` is no success.
pub(crate) fn deleted(what: Operation, response: &Response<Bytes>) -> Result<(), ClientError> {
    decode(what, response, |body| {
        let value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let flag = value.pointer("/data/deleted").or(value.get("deleted"));
        if flag == Some(&Value::Bool(false)) {
            return Err("it says that nothing was deleted".to_owned());
        }
        Ok(())
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

fn json_unless_empty<T>(
    what: Operation,
    response: &Response<Bytes>,
    empty: T,
) -> Result<T, ClientError>
where
    T: for<'de> Deserialize<'de>,
{
    if response.status().is_success() && response.body().trim_ascii().is_empty() {
        return Ok(empty);
    }
    json(what, response)
}

/// Decodes a success; everything else is a refusal, and so is a success that consists of errors.
fn decode<T>(
    what: Operation,
    response: &Response<Bytes>,
    decode: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, ClientError> {
    let refused = || ClientError::Api { what, error: Box::new(api_error(response)) };
    if !response.status().is_success() {
        return Err(refused());
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

/// Returns when to ask again. The time of the next rate limit stands in every answer, so it only
/// counts when the limit was hit.
fn wait_until(headers: &HeaderMap, error: &ApiError) -> Option<Timestamp> {
    if error.is_rate_limited() {
        let reset = text(headers, "x-rate-limit-reset").and_then(|text| text.parse::<u32>().ok());
        if let Some(at) = reset.and_then(|seconds| Timestamp::from_second(seconds.into()).ok()) {
            return Some(at);
        }
    }
    if !error.is_retryable() {
        return None;
    }
    let after = text(headers, header::RETRY_AFTER.as_str())?;
    match after.parse::<u32>() {
        Ok(seconds) => date(headers)?.checked_add(SignedDuration::from_secs(seconds.into())).ok(),
        Err(_) => rfc2822::parse(after).ok().map(|at| at.timestamp()),
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = rfc2822::parse(text(headers, header::DATE.as_str())?).ok()?;
    Some(date.timestamp())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
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
