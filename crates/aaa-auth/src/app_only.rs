//! The app's own bearer token, for calls that no user needs to permit
//! (<https://docs.x.com/resources/fundamentals/authentication/oauth-2-0/application-only>).
//!
//! X hands out the same token again until it is invalidated. [`crate::bearer`] makes the header
//! of a call with it.

use aaa_types::BearerToken;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, Method};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    AnswerError, ApiUrl, Consumer, Exchange, Step, UserToken,
    exchange::Understand,
    header,
    oauth1::{Signer, encode},
};

/// Returns the value of the `Authorization` header that proves the app's key and secret, marked
/// sensitive. Both are percent-encoded before they are joined.
///
/// # Examples
///
/// ```
/// use aaa_auth::{Consumer, app_only};
///
/// let consumer = Consumer::new("key".parse()?, "secret".parse()?);
/// assert_eq!(app_only::basic_authorization(&consumer), "Basic a2V5OnNlY3JldA==");
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
pub fn basic_authorization(consumer: &Consumer) -> HeaderValue {
    header::sensitive(&format!("Basic {}", basic(consumer)))
}

/// Asks for the app's bearer token. It is used verbatim: the percent signs belong to it.
///
/// # Examples
///
/// ```
/// use aaa_auth::{ApiUrl, Consumer, app_only};
/// use http::{Response, StatusCode};
///
/// let consumer = Consumer::new("app-key".parse()?, "app-secret".parse()?);
/// let exchange = app_only::bearer_token(&ApiUrl::X.parse()?, &consumer);
/// let mut response = Response::new(
///     r#"{"errors":[{"code":99,"label":"authenticity_token_error",
///         "message":"Unable to verify your credentials"}]}"#,
/// );
/// *response.status_mut() = StatusCode::FORBIDDEN;
/// let error = exchange.answer(&response).unwrap_err();
/// assert!(error.is_unauthorized());
/// assert_eq!(
///     error.to_string(),
///     "could not get the app's bearer token: status 403, code 99: \
///      Unable to verify your credentials (check the consumer key and secret)",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn bearer_token(api: &ApiUrl, consumer: &Consumer) -> Exchange<BearerToken> {
    Exchange {
        step: Step::BearerToken,
        url: api.join("/oauth2/token", &[]),
        authorization: basic_authorization(consumer),
        form: vec![("grant_type", "client_credentials".to_owned())],
        secrets: vec![consumer.secret.expose().into(), basic(consumer).into()],
        understand: Box::new(|body| {
            let (answer, token) = token(body)?;
            let kind = answer.get("token_type").and_then(Value::as_str);
            match kind.ok_or(AnswerError::Missing("token_type"))? {
                kind if kind.eq_ignore_ascii_case("bearer") => Ok(token),
                _ => Err(AnswerError::TokenType),
            }
        }),
    }
}

/// Invalidates a bearer token, proving the app's key and secret. The answer repeats the token.
///
/// X's pages disagree whether this or [`invalidate_signed`] is the way.
///
/// # Examples
///
/// ```
/// use aaa_auth::{ApiUrl, Consumer, app_only};
///
/// let consumer = Consumer::new("app-key".parse()?, "app-secret".parse()?);
/// let exchange =
///     app_only::invalidate(&ApiUrl::X.parse()?, &consumer, &"AAAA%2Fbb".parse()?);
/// assert_eq!(exchange.to_http().body(), "access_token=AAAA%2Fbb");
///
/// let answer = http::Response::new(r#"{"access_token":"AAAA%2Fbb"}"#);
/// assert_eq!(exchange.answer(&answer)?.expose(), "AAAA%2Fbb");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn invalidate(api: &ApiUrl, consumer: &Consumer, token: &BearerToken) -> Exchange<BearerToken> {
    let form = form_value(token);
    Exchange {
        step: Step::InvalidateBearerToken,
        url: api.join(INVALIDATE, &[]),
        authorization: basic_authorization(consumer),
        secrets: vec![
            consumer.secret.expose().into(),
            basic(consumer).into(),
            token.expose().into(),
            form.as_str().into(),
        ],
        form: vec![("access_token", form)],
        understand: invalidated(),
    }
}

/// Invalidates a bearer token, signed with the access token of the app's owner. The answer
/// repeats the token.
///
/// The nonce must be ASCII and differ between any two requests of the same second.
pub fn invalidate_signed(
    api: &ApiUrl,
    consumer: &Consumer,
    owner: &UserToken,
    token: &BearerToken,
    nonce: &str,
    now: Timestamp,
) -> Exchange<BearerToken> {
    let url = api.join(INVALIDATE, &[]);
    let form = form_value(token);
    let signer = Signer::new(consumer).with_token(owner);
    let signed = [("access_token", form.as_str())];
    let authorization = signer.sign(&Method::POST, &url, &signed, nonce, now);
    let secrets = [
        consumer.secret.expose(),
        owner.token.expose(),
        owner.secret.expose(),
        token.expose(),
        &form,
    ];
    Exchange {
        step: Step::InvalidateBearerToken,
        url,
        authorization,
        secrets: secrets.map(SecretString::from).into(),
        form: vec![("access_token", form)],
        understand: invalidated(),
    }
}

const INVALIDATE: &str = "/oauth2/invalidate_token";

fn basic(consumer: &Consumer) -> String {
    let key = encode(consumer.key.as_str());
    BASE64_STANDARD.encode(format!("{key}:{}", encode(consumer.secret.expose())))
}

/// Returns what the form's encoding makes the token again, percent signs included: X's own
/// example puts the token into the form as it is, so it is encoded already.
fn form_value(token: &BearerToken) -> String {
    let decoded = percent_decode_str(token.expose()).decode_utf8();
    decoded.map_or_else(|_| token.expose().to_owned(), |text| text.into_owned())
}

fn invalidated() -> Understand<BearerToken> {
    Box::new(|body| token(body).map(|(_, token)| token))
}

fn token(body: &[u8]) -> Result<(Value, BearerToken), AnswerError> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| AnswerError::NotJson)?;
    if !answer.is_object() {
        return Err(AnswerError::NotJson);
    }
    match answer.get("access_token").and_then(Value::as_str) {
        Some(token) => {
            let token = token.parse()?;
            Ok((answer, token))
        }
        None if answer.get("errors").is_some() => Err(AnswerError::Errors),
        None => Err(AnswerError::Missing("access_token")),
    }
}

#[cfg(test)]
mod tests;
