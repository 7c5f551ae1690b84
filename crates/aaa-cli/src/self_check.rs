//! Whether a webhook's URL answers a check as X wants it, seen from here.

use std::time::Duration;

use aaa_client::{Client, ReqwestTransport, Timeouts, Transport};
use aaa_types::{ConsumerSecret, WebhookId};
use aaa_webhook::signature::{HEADER, PROBE, Signature};
use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use url::Url;

/// As long as X waits for an answer to a check.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(3), total: Duration::from_secs(10) };

/// Asks our own URL as X would; says what is wrong.
///
/// # Errors
///
/// Fails when it does not answer as X wants it.
pub(crate) async fn self_check(
    client: &Client,
    secret: &ConsumerSecret,
    webhook: WebhookId,
) -> Result<(), String> {
    let webhooks = client.app().list_webhooks().await;
    let webhooks = webhooks.map_err(|error| error.to_string())?;
    let webhook = webhooks.iter().find(|listed| listed.id == webhook);
    let url = webhook.ok_or("the webhook is not registered")?.url.as_str();
    let draw = || getrandom::u64().map_err(|error| format!("no random numbers: {error}"));
    let token = format!("{:016x}{:016x}", draw()?, draw()?);
    let joint = if url.contains('?') { '&' } else { '?' };
    let asked = format!("{url}{joint}crc_token={token}&nonce={:016x}", draw()?);
    let asked = Url::parse(&asked).map_err(|_| format!("{url} cannot be called"))?;
    let uri: Uri = asked.as_str().parse().map_err(|_| format!("{url} cannot be called"))?;
    let scheme = uri.scheme().cloned().unwrap_or(http::uri::Scheme::HTTPS);
    let transport = ReqwestTransport::for_scheme(&scheme, TIMEOUTS);
    let transport = transport.map_err(|error| error.to_string())?;
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = uri;
    // Here the secret is the receiver's own: that it fits says nothing about X's.
    request.headers_mut().insert(PROBE, HeaderValue::from_static("aaa"));
    // The query as it is sent, which begins with the URL's own.
    let query = asked.query().unwrap_or_default();
    let signature = Signature::of(secret, query.as_bytes()).to_string();
    if let Ok(signature) = HeaderValue::from_str(&signature) {
        request.headers_mut().insert(HEADER, signature);
    }
    let answer = transport.send(request).await;
    let answer = answer.map_err(|error| format!("{url} does not answer: {error}"))?;
    if answer.status() != http::StatusCode::OK {
        return Err(format!("{url} answered {}", answer.status()));
    }
    let json: Option<serde_json::Value> = serde_json::from_slice(answer.body()).ok();
    let expected = Signature::of(secret, token.as_bytes()).to_string();
    let said = json.as_ref().and_then(|json| json.get("response_token")?.as_str());
    if said == Some(&expected) {
        return Ok(());
    }
    Err(format!("{url} answered with another token: another program, or another secret"))
}
