//! Answers to requests for tokens: forms, JSON and refusals that repeat what was sent.

use std::fmt::Debug;

use aaa_auth::{
    ApiUrl, Consumer, Exchange, UserToken, app_only,
    flow::{self, Callback, RequestToken, Verifier},
};
use http::Response;
use jiff::Timestamp;

const CONSUMER: &str = "hushConsumer";
const TOKEN: &str = "hushToken";
const SECRET: &str = "hushSecret";
const VERIFIER: &str = "hushVerifier";
const BEARER: &str = "hushBearer";

/// Checks a status, in two bytes, and a body.
pub fn check(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let status = 200 + u16::from_be_bytes(*status) % 400;
    let response = Response::builder()
        .status(status)
        .header("x-transaction-id", "1a2b")
        .header("x-rate-limit-reset", "1522082006")
        .body(body)
        .unwrap();
    let consumer = Consumer::new("key".parse().unwrap(), CONSUMER.parse().unwrap());
    let token = UserToken::new(TOKEN.parse().unwrap(), SECRET.parse().unwrap());
    let verifier: Verifier = VERIFIER.parse().unwrap();
    let bearer = BEARER.parse().unwrap();
    let api: ApiUrl = ApiUrl::X.parse().unwrap();
    let now = Timestamp::UNIX_EPOCH;

    let callback = Callback::OUT_OF_BAND;
    let request = RequestToken::new(token.clone(), &callback);
    try_one(&flow::request_token(&api, &consumer, &callback, "nonce", now), &response, &[CONSUMER]);
    try_one(
        &flow::access_token(&api, &consumer, &request, &verifier, "nonce", now),
        &response,
        &[CONSUMER, TOKEN, SECRET, VERIFIER],
    );
    try_one(&app_only::bearer_token(&api, &consumer), &response, &[CONSUMER]);
    try_one(&app_only::invalidate(&api, &consumer, &bearer), &response, &[CONSUMER, BEARER]);
    try_one(
        &app_only::invalidate_signed(&api, &consumer, &token, &bearer, "nonce", now),
        &response,
        &[CONSUMER, TOKEN, SECRET, BEARER],
    );

    if let Ok(query) = std::str::from_utf8(body) {
        shows_nothing(&request.verifier(query), &[TOKEN, SECRET]);
    }
}

/// Nothing that comes of an answer shows what was sent.
fn try_one<T: Debug>(exchange: &Exchange<T>, response: &Response<&[u8]>, sent: &[&str]) {
    let answer = exchange.answer(response);
    shows_nothing(&answer, sent);
    if let Err(error) = answer {
        shows_nothing(&error.to_string(), sent);
        if let Some(answer) = error.api_error() {
            shows_nothing(&answer.body_text(), sent);
        }
    } else {
        assert!(response.status().is_success(), "a refusal was taken for a token");
    }
}

fn shows_nothing(shown: &impl Debug, sent: &[&str]) {
    let shown = format!("{shown:?}");
    for secret in sent {
        assert!(!shown.contains(secret), "{shown}");
    }
}
