//! No public type and no error shows a secret, whoever puts it where.

use std::{
    fmt::{Debug, Display},
    sync::{Arc, Mutex},
};

use aaa_auth::{
    Consumer, Credentials, UserCredential, UserToken,
    flow::{Callback, RequestToken, Verifier},
};
use aaa_client::{
    ApiUrl, ApiVersion, Client, ClientBuilder, ClientError, RetryPolicy, v1_1,
    v2::{self, ReplayRoute},
};
use aaa_types::{ReplayWindow, UserId, WebhookId, api::NewDirectMessage};
use http::Request;
use proptest::prelude::*;

use crate::fake::{FakeX, with_headers};

fn debug(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn both(value: &(impl Debug + Display)) -> String {
    format!("{value} {}", debug(value))
}

/// Everything that an error can be asked for.
fn error(error: &ClientError) -> String {
    let mut shown = both(error);
    if let Some(api) = error.api() {
        shown += &both(api);
        shown += api.message();
        shown += &api.body_text();
        shown += &debug(&api.errors());
        shown += &debug(&api.problem());
        for problem in api.errors() {
            shown += problem.json();
        }
    }
    shown + &debug(&error.rate_limit()) + &debug(&error.advice())
}

#[derive(Debug, Clone)]
struct Secrets {
    app: String,
    owner: UserToken,
    user: UserToken,
    oauth2: String,
    bearer: String,
    verifier: String,
}

impl Secrets {
    fn credentials(&self) -> Credentials {
        Credentials::default()
            .with_consumer(Consumer::new("app".parse().unwrap(), self.app.parse().unwrap()))
            .with_owner(self.owner.clone())
            .with_bearer(self.bearer.parse().unwrap())
    }

    fn all(&self) -> Vec<&str> {
        let tokens = [&self.owner, &self.user];
        let tokens = tokens.into_iter().flat_map(|t| [t.token.expose(), t.secret.expose()]);
        let others = [&self.app, &self.oauth2, &self.bearer, &self.verifier];
        tokens.chain(others.into_iter().map(String::as_str)).collect()
    }

    /// What X knows of whoever makes this call.
    fn known(&self, header: &str, path: &str) -> Vec<&str> {
        let mut known = vec![self.app.as_str()];
        if !path.starts_with("/oauth") {
            let UserToken { token, secret } = &self.owner;
            known.extend([token.expose(), secret.expose(), &self.bearer]);
        }
        let token = self.user.token.expose();
        let header: String =
            percent_encoding::percent_decode_str(header).decode_utf8_lossy().into();
        if header.contains(token) {
            known.extend([token, self.user.secret.expose()]);
        }
        known
    }

    fn users(&self) -> [UserCredential; 2] {
        [self.user.clone().into(), UserCredential::OAuth2(self.oauth2.parse().unwrap())]
    }
}

fn secrets() -> impl Strategy<Value = Secrets> {
    // Letters that no word of ours is made of, so that a find is a leak.
    prop::array::uniform8("[QXZ0-9%/+~*]{14,24}").prop_map(
        |[app, a, b, c, d, oauth2, bearer, verifier]| {
            let token = |token: String, secret: String| {
                UserToken::new(token.parse().unwrap(), secret.parse().unwrap())
            };
            Secrets { app, owner: token(a, b), user: token(c, d), oauth2, bearer, verifier }
        },
    )
}

/// Repeats everything that was sent, and what X knows of who sent it, in one way.
fn echo(way: usize, secrets: &Secrets, request: &Request<bytes::Bytes>) -> (u16, String) {
    let header = request.headers().get("authorization");
    let header = header.map_or("", |header| header.to_str().unwrap());
    let body = String::from_utf8_lossy(request.body());
    let known = secrets.known(header, request.uri().path()).join(" ");
    let words = format!("it was {known} with {header} and {body} that I got");
    match way {
        0 => (200, words),
        1 => (401, words),
        2 => (200, serde_json::json!({ "data": { "id": words } }).to_string()),
        3 => (200, serde_json::json!({ "errors": [{ "message": words }] }).to_string()),
        4 => (400, serde_json::json!({ "errors": [{ "code": 89, "message": words }] }).to_string()),
        5 => (403, serde_json::json!({ "title": words, "detail": words }).to_string()),
        6 => (400, format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, escaped(&words))),
        7 => (429, "{}".to_owned()),
        _ => (500, format!("<html>{words}</html>")),
    }
}

/// Writes every character as one of JSON's escapes.
fn escaped(words: &str) -> String {
    words.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect()
}

fn signature(request: &Request<bytes::Bytes>) -> Option<String> {
    let header = request.headers().get("authorization")?.to_str().ok()?;
    let (_, signature) = header.split_once("oauth_signature=\"")?;
    Some(signature.trim_end_matches('"').to_owned())
}

const WAYS: usize = 9;

fn ids() -> (WebhookId, UserId, ReplayWindow) {
    let window =
        ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap());
    ("12".parse().unwrap(), "7".parse().unwrap(), window.unwrap())
}

/// Makes every call there is, and returns what its failure shows.
async fn failures(client: &Client<FakeX>, secrets: &Secrets) -> Vec<String> {
    let (webhook, id, window) = ids();
    let url = "https://example.com/hook".parse().unwrap();
    let message = NewDirectMessage::text("hello").unwrap();
    let (app, oauth) = (client.app(), client.oauth());
    let request_token = RequestToken::new(secrets.user.clone(), &Callback::OUT_OF_BAND);
    let verifier: Verifier = secrets.verifier.parse().unwrap();
    let bearer = secrets.bearer.parse().unwrap();
    let mut failures = vec![
        app.create_webhook(&url).await.err(),
        app.ensure_webhook(&url).await.err(),
        app.list_webhooks().await.err(),
        app.validate_webhook(webhook).await.err(),
        app.delete_webhook(webhook).await.err(),
        app.list_subscriptions(webhook).await.err(),
        app.remove_subscription(webhook, id).await.err(),
        app.count_subscriptions().await.err(),
        app.create_replay(webhook, window).await.err(),
        client.server_time().await.err(),
        oauth.request_token(&Callback::OUT_OF_BAND).await.err(),
        oauth.access_token(&request_token, &verifier).await.err(),
        oauth.bearer_token().await.err(),
        oauth.invalidate_bearer_token(&bearer).await.err(),
    ];
    let mut shown = vec![debug(client), debug(&app), debug(&oauth), debug(&client.bulk(webhook))];
    for credential in secrets.users() {
        let user = client.user(credential.clone());
        failures.extend([
            user.subscribe(webhook).await.err(),
            user.ensure_subscription(webhook).await.err(),
            user.check_subscription(webhook).await.err(),
            user.unsubscribe(webhook).await.err(),
            user.send_direct_message(id, &message).await.err(),
        ]);
        let report = client.bulk(webhook).subscribe([(id, credential)], |_| ()).await;
        shown.extend([debug(&user), debug(&report)]);
    }
    shown.extend(failures.iter().flatten().map(error));
    shown
}

fn requests(secrets: &Secrets) -> Vec<String> {
    let (webhook, id, window) = ids();
    let users = secrets.users();
    let url = "https://example.com/hook".parse().unwrap();
    let (api, now): (ApiUrl, _) =
        (ApiUrl::X.parse().unwrap(), "2025-11-22T04:00:00Z".parse().unwrap());
    let mut shown = Vec::new();
    macro_rules! show {
        ($($call:expr),* $(,)?) => {$(
            let call = $call;
            shown.push(debug(&call));
            shown.push(debug(&call.auth()));
            shown.push(debug(&call.to_http(&api, &secrets.credentials(), "n", now).unwrap()));
        )*};
    }
    show!(
        v2::create_webhook(&url),
        v2::list_webhooks(),
        v2::create_subscription(webhook, &users[0]),
        v2::create_subscription(webhook, &users[1]),
        v2::create_replay(webhook, window, ReplayRoute::default()),
        v2::remove_subscription(webhook, id),
        v1_1::create_webhook(&url),
        v1_1::check_subscription(webhook, &secrets.user),
    );
    shown
}

fn check(shown: &[String], secrets: &Secrets) -> Result<(), TestCaseError> {
    for text in shown {
        for secret in secrets.all() {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let escaped = secret.replace('/', "\\/");
            for form in [secret, &encoded, &escaped] {
                prop_assert!(!text.contains(form), "{form} in {text}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn no_secret_is_shown(secrets in secrets()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        check(&requests(&secrets), &secrets)?;
        for version in [ApiVersion::V2, ApiVersion::V1_1] {
            for way in 0..WAYS {
                let known = secrets.clone();
                let signatures = Arc::new(Mutex::new(Vec::new()));
                let log = Arc::clone(&signatures);
                let x = FakeX::new(move |_, request| {
                    log.lock().unwrap().extend(signature(request));
                    let (status, body) = echo(way, &known, request);
                    let header = request.headers().get("authorization");
                    let header = header.map_or("", |header| header.to_str().unwrap());
                    let id = known.known(header, request.uri().path()).join(" ");
                    with_headers(status, &[("x-transaction-id", &id)], &body)
                });
                let builder = ClientBuilder::new(ApiUrl::X.parse().unwrap())
                    .version(version)
                    .retry(RetryPolicy::none())
                    .credentials(secrets.credentials());
                let mut shown = vec![debug(&builder)];
                let client = builder.build_with(x);
                shown.extend(runtime.block_on(failures(&client, &secrets)));
                check(&shown, &secrets)?;
                for signature in signatures.lock().unwrap().iter() {
                    prop_assert!(shown.iter().all(|text| !text.contains(signature)));
                }
            }
        }
    }
}
