//! What the token in an answer was made of, and with which secret.

use aaa_webhook::signature::Signature;
use serde::Deserialize;

use super::super::{
    super::probe::{Answer, Challenge},
    Secrets,
};

/// Where a token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made<'a> {
    Right,
    /// With another credential, whose variable this is.
    Mistaken(&'a str),
    /// With the right secret, of an empty text.
    OfNothing,
    /// With the right secret, of a text that was decoded twice.
    Decoded,
    /// With the right secret, of a text that was not decoded.
    Encoded,
    /// With another secret, or of another text.
    Unknown,
    /// The status is 200, and there is none.
    NoToken,
    /// The status is another one.
    Refused,
}

#[derive(Deserialize)]
struct Body {
    response_token: String,
}

/// Finds out.
pub(super) fn made<'a>(answer: &Answer, asked: &Challenge, secrets: &'a Secrets) -> Made<'a> {
    if answer.status != 200 {
        return Made::Refused;
    }
    let body: Option<Body> = serde_json::from_slice(&answer.body).ok();
    let signature = body.and_then(|body| Signature::parse(&body.response_token).ok());
    let Some(signature) = signature else { return Made::NoToken };
    let token = asked.token.as_bytes();
    if let Some(secret) = secrets.active() {
        let of = |text: &str| signature.verifies(secret, text.as_bytes());
        let decoded = asked.token.replace('+', " ");
        for (text, made) in [
            (asked.token.as_str(), Made::Right),
            ("", Made::OfNothing),
            (decoded.as_str(), Made::Decoded),
            (asked.encoded.as_str(), Made::Encoded),
        ] {
            if of(text) {
                return made;
            }
        }
    }
    match secrets.mistaken(|secret| signature.verifies(secret, token)) {
        Some(name) => Made::Mistaken(name),
        None => Made::Unknown,
    }
}
