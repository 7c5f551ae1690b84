//! Every request, as it is rendered. Who signs is verified, and shown instead of the signature.

use std::fmt::Write;

use aaa_auth::{
    Exchange, UserCredential, app_only,
    flow::{self, Callback, RequestToken, Verifier},
    oauth1::Authorization,
};
use aaa_client::{
    ApiRequest, ApiUrl, Credentials, v1_1,
    v2::{self, ReplayRoute},
};
use aaa_types::{ReplayWindow, UserId, WebhookId, WebhookUrl, api::NewDirectMessage};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use jiff::Timestamp;

use crate::fake::token;

const NONCE: &str = "a1b2c3";

fn api() -> ApiUrl {
    ApiUrl::X.parse().unwrap()
}

fn now() -> Timestamp {
    "2025-11-22T04:00:00Z".parse().unwrap()
}

fn consumer() -> aaa_auth::Consumer {
    aaa_auth::Consumer::new("app-key".parse().unwrap(), "app-secret".parse().unwrap())
}

fn credentials() -> Credentials {
    Credentials::default()
        .with_consumer(consumer())
        .with_owner(token("owner"))
        .with_bearer("AAAA%2Fbearer".parse().unwrap())
}

/// The whole text of all requests.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn title(&mut self, title: &str) {
        let line = "=".repeat(title.len());
        writeln!(self.0, "{title}\n{line}\n").unwrap();
    }

    fn call<T>(&mut self, name: &str, call: &ApiRequest<'_, T>) {
        let request = call.to_http(&api(), &credentials(), NONCE, now()).unwrap();
        let repeat = if call.is_repeatable() { "repeatable" } else { "never repeated blindly" };
        self.request(&format!("{name} ({:?}, {repeat})", call.operation()), &request, &[]);
    }

    fn exchange<T>(&mut self, name: &str, exchange: &Exchange<T>) {
        let request = exchange.to_http().map(Bytes::from);
        let form: Vec<_> = url::form_urlencoded::parse(request.body()).collect();
        let form: Vec<_> = form.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        self.request(name, &request, &form);
    }

    fn request(&mut self, name: &str, request: &Request<Bytes>, form: &[(&str, &str)]) {
        let text = &mut self.0;
        writeln!(text, "# {name}\n{} {}", request.method(), request.uri()).unwrap();
        let mut headers: Vec<_> = request.headers().iter().collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in headers {
            let value = match *name {
                header::AUTHORIZATION => vouched(request, value, form),
                header::USER_AGENT => "aaa-client/[version]".to_owned(),
                _ => value.to_str().unwrap().to_owned(),
            };
            writeln!(text, "{name}: {value}").unwrap();
        }
        if !request.body().is_empty() {
            writeln!(text, "\n{}", std::str::from_utf8(request.body()).unwrap()).unwrap();
        }
        text.push('\n');
    }
}

/// Shows the scheme, or the names of the parameters and whose token signed them.
fn vouched(request: &Request<Bytes>, value: &HeaderValue, form: &[(&str, &str)]) -> String {
    assert!(value.is_sensitive());
    let text = value.to_str().unwrap();
    let Ok(authorization) = Authorization::parse(value) else {
        let (scheme, credential) = text.split_once(' ').unwrap();
        let whose = match credential {
            "AAAA%2Fbearer" => "the app's bearer token",
            "7-oauth2" => "user 7's OAuth 2.0 token",
            "YXBwLWtleTphcHAtc2VjcmV0" => "the app's key and secret",
            other => unreachable!("whose is {other}?"),
        };
        return format!("{scheme} [{whose}]");
    };
    assert_eq!((authorization.nonce(), authorization.consumer_key()), (NONCE, "app-key"));
    let secret =
        authorization.token().map(|token| token.replace("token", "secret").parse().unwrap());
    let url = request.uri().to_string().parse().unwrap();
    authorization
        .verify(request.method(), &url, form, &consumer().secret, secret.as_ref())
        .unwrap();
    let whose = authorization.token().unwrap_or("no token");
    let mut names: Vec<_> = text
        .strip_prefix("OAuth ")
        .unwrap()
        .split(',')
        .map(|parameter| parameter.trim().split('=').next().unwrap())
        .collect();
    names.sort_unstable();
    format!("OAuth {} [signed with {whose}]", names.join(" "))
}

#[test]
fn every_request() {
    let url: WebhookUrl = "https://example.com/webhooks/twitter?x=é&y=%20".parse().unwrap();
    let webhook: WebhookId = "1234577122340233217".parse().unwrap();
    let user: UserId = "7".parse().unwrap();
    let (signing, oauth2) = (token("7"), UserCredential::OAuth2("7-oauth2".parse().unwrap()));
    let oauth1 = UserCredential::from(signing.clone());
    let window =
        ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap())
            .unwrap();
    let message = NewDirectMessage::text("hello").unwrap().with_attachment("12".parse().unwrap());

    let mut shown = Shown::default();
    shown.title("v2");
    shown.call("register a webhook", &v2::create_webhook(&url));
    shown.call("list webhooks", &v2::list_webhooks());
    shown.call("validate a webhook", &v2::validate_webhook(webhook));
    shown.call("delete a webhook", &v2::delete_webhook(webhook));
    shown.call("subscribe", &v2::create_subscription(webhook, &oauth1));
    shown.call("subscribe, OAuth 2.0", &v2::create_subscription(webhook, &oauth2));
    shown.call("check", &v2::check_subscription(webhook, &oauth1));
    shown.call("check, OAuth 2.0", &v2::check_subscription(webhook, &oauth2));
    shown.call("list subscriptions", &v2::list_subscriptions(webhook));
    shown.call("remove a subscription", &v2::remove_subscription(webhook, user));
    shown.call("count subscriptions", &v2::count_subscriptions());
    shown.call("replay", &v2::create_replay(webhook, window, ReplayRoute::Webhooks));
    shown.call(
        "replay, the older route",
        &v2::create_replay(webhook, window, ReplayRoute::AccountActivity),
    );
    shown
        .call("direct message", &v2::send_direct_message(8.try_into().unwrap(), &message, &oauth1));
    shown.call(
        "direct message, OAuth 2.0",
        &v2::send_direct_message(8.try_into().unwrap(), &message, &oauth2),
    );
    shown.call("the time", &v2::server_time());

    shown.title("v1.1");
    shown.call("register a webhook", &v1_1::create_webhook(&url));
    shown.call("list webhooks", &v1_1::list_webhooks());
    shown.call("validate a webhook", &v1_1::validate_webhook(webhook));
    shown.call("delete a webhook", &v1_1::delete_webhook(webhook));
    shown.call("subscribe", &v1_1::create_subscription(webhook, &signing));
    shown.call("check", &v1_1::check_subscription(webhook, &signing));
    shown.call("end one's own subscription", &v1_1::end_subscription(webhook, &signing));
    shown.call("list subscriptions", &v1_1::list_subscriptions(webhook));
    shown.call("remove a subscription", &v1_1::remove_subscription(webhook, user));
    shown.call("count subscriptions", &v1_1::count_subscriptions());
    shown.call("replay", &v1_1::create_replay(webhook, window));
    shown.call("the time", &v1_1::server_time());

    shown.title("Tokens");
    let callback: Callback = "https://example.com/callback?a=b".parse().unwrap();
    let request_token = RequestToken::new(token("r"), &callback);
    let verifier: Verifier = "v-1".parse().unwrap();
    let bearer = "AAAA%2Fbearer".parse().unwrap();
    let (api, app, owner) = (api(), consumer(), token("owner"));
    shown.exchange("request token", &flow::request_token(&api, &app, &callback, NONCE, now()));
    shown.exchange(
        "request token, PIN",
        &flow::request_token(&api, &app, &Callback::OUT_OF_BAND, NONCE, now()),
    );
    shown.exchange(
        "access token",
        &flow::access_token(&api, &app, &request_token, &verifier, NONCE, now()),
    );
    shown.exchange("bearer token", &app_only::bearer_token(&api, &app));
    shown.exchange("invalidate", &app_only::invalidate(&api, &app, &bearer));
    shown.exchange(
        "invalidate, signed",
        &app_only::invalidate_signed(&api, &app, &owner, &bearer, NONCE, now()),
    );
    insta::assert_snapshot!("requests", shown.0);
}

/// Encoded once in the URL, and twice in what is signed. The verification takes the URL apart
/// again, so a signature over anything else would not hold.
#[test]
fn an_awkward_url_is_signed_as_it_is_sent() {
    let url: WebhookUrl = "https://example.com/hook?x=é&y=%20".parse().unwrap();
    let call = v1_1::create_webhook(&url);
    let request = call.to_http(&api(), &credentials(), NONCE, now()).unwrap();
    let encoded = "https%3A%2F%2Fexample.com%2Fhook%3Fx%3D%C3%A9%26y%3D%2520";
    assert_eq!(request.uri().query(), Some(format!("url={encoded}").as_str()));
    let sent: url::Url = request.uri().to_string().parse().unwrap();
    assert_eq!(sent.query_pairs().next().unwrap().1, url.as_str());

    let authorization = Authorization::parse(&request.headers()[header::AUTHORIZATION]).unwrap();
    let secret = token("owner").secret;
    let verify = |url: &str| {
        let url = url.parse().unwrap();
        authorization.verify(&http::Method::POST, &url, &[], &consumer().secret, Some(&secret))
    };
    verify(sent.as_str()).unwrap();
    // Encoded once more, or once less, is another URL.
    verify(&sent.as_str().replace('%', "%25")).unwrap_err();
    verify(&sent.as_str().replace("%2520", "%20")).unwrap_err();
    verify(sent.as_str().split('?').next().unwrap()).unwrap_err();

    // The same by hand, from what RFC 5849 says of the base string.
    let base = format!(
        "POST&https%3A%2F%2Fapi.x.com%2F1.1%2Faccount_activity%2Fwebhooks.json&{}{}",
        "oauth_consumer_key%3Dapp-key%26oauth_nonce%3Da1b2c3%26oauth_signature_method%3DHMAC-SHA1\
         %26oauth_timestamp%3D1763784000%26oauth_token%3Downer-token%26oauth_version%3D1.0%26",
        format!("url={encoded}").replace('%', "%25").replace('=', "%3D"),
    );
    assert!(base.ends_with("hook%253Fx%253D%25C3%25A9%2526y%253D%252520"), "{base}");
    let header = request.headers()[header::AUTHORIZATION].to_str().unwrap();
    let (_, signature) = header.split_once("oauth_signature=\"").unwrap();
    let signature = signature.trim_end_matches('"');
    let expected = hmac_sha1("app-secret&owner-secret", &base);
    assert_eq!(url::form_urlencoded::parse(signature.as_bytes()).next().unwrap().0, expected);
}

fn hmac_sha1(key: &str, message: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}
