//! Who calls, and how they got their token.

use aaa_emulator::{
    credentials,
    settings::{AppAccess, Settings},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;

use crate::stage::{Got, Stage, Who, sign, start};

const COUNT: &str = "/2/account_activity/webhooks/5/subscriptions/all";

/// Calls with a given authorization.
fn with(stage: &mut Stage, method: Method, path: &str, authorization: &str, form: &str) -> Got {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:7878{path}"))
        .header("authorization", authorization);
    if !form.is_empty() {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    stage.send(request.body(Bytes::from(form.to_owned())).unwrap())
}

fn basic() -> String {
    let pair = format!("{}:{}", credentials::CONSUMER_KEY, credentials::CONSUMER_SECRET);
    format!("Basic {}", STANDARD.encode(pair))
}

fn signature(path: &str, nonce: &str, seconds: i64) -> String {
    let url = Url::parse(&format!("http://127.0.0.1:7878{path}")).unwrap();
    sign(7, &Method::GET, &url, nonce, start() + SignedDuration::from_secs(seconds))
}

#[test]
fn oauth_signature() {
    let mut stage = Stage::new();
    let right = signature(COUNT, "1", 0);
    let other = signature("/2/webhooks", "2", 0);
    let got = with(&mut stage, Method::GET, COUNT, &other, "");
    assert_eq!(got.coded(), (401, 32, "Could not authenticate you."));
    assert_eq!(with(&mut stage, Method::GET, COUNT, &right, "").status, 400);
}

#[test]
fn oauth_nonce() {
    let mut stage = Stage::new();
    let signed = signature(COUNT, "1", 0);
    assert_eq!(with(&mut stage, Method::GET, COUNT, &signed, "").status, 400);
    assert_eq!(with(&mut stage, Method::GET, COUNT, &signed, "").status, 401);
}

#[test]
fn oauth_duplicates() {
    let path = format!("{COUNT}?a=1&a=2");
    let signed = signature(&path, "1", 0);
    assert_eq!(with(&mut Stage::new(), Method::GET, &path, &signed, "").status, 401);
}

#[test]
fn oauth_timestamp() {
    for (seconds, status) in [(-299, 400), (299, 400), (-301, 401), (301, 401)] {
        let signed = signature(COUNT, "1", seconds);
        let got = with(&mut Stage::new(), Method::GET, COUNT, &signed, "");
        assert_eq!(got.status, status, "{seconds}");
        if status == 401 {
            assert_eq!(got.coded(), (401, 135, "Timestamp out of bounds."));
        }
    }
}

#[test]
fn oauth2_user() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let path = format!("/2/account_activity/webhooks/{id}/subscriptions/all");
    let got = stage.call(Who::OAuth2(8), Method::POST, &path, json!({}));
    assert_eq!((got.status, got.body), (200, json!({"data": {"subscribed": true}})));
}

#[test]
fn access_level() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let path = format!("/2/account_activity/webhooks/{id}/subscriptions/all");
    assert_eq!(stage.call(Who::User(8), Method::POST, &path, json!({})).status, 200);
}

#[test]
fn access_overrides_scopes() {
    let settings = Settings { access: AppAccess::ReadOnly, ..Settings::default() };
    let (mut stage, id) = Stage::subscribed(settings);
    let path = format!("/2/account_activity/webhooks/{id}/subscriptions/all");
    assert_eq!(stage.call(Who::OAuth2(8), Method::POST, &path, json!({})).status, 403);
}

/// Goes through the three-legged flow up to its last step, and returns its token and verifier.
fn agreed(stage: &mut Stage) -> (aaa_emulator::world::RequestGrant, String) {
    use aaa_emulator::world::Decision;
    let request = stage.world.request_token("oob", stage.now).unwrap();
    let form = stage.world.consent(&request.token, stage.now).unwrap().form_token;
    let approve = Decision::Approve("7".parse().unwrap());
    let decided = stage.world.decide(&request.token, &form, approve, stage.now).unwrap();
    (request, decided.verifier.unwrap())
}

/// Signs the last step, where the verifier is in the body.
fn exchange(
    stage: &mut Stage,
    request: &aaa_emulator::world::RequestGrant,
    verifier: &str,
    nonce: &str,
) -> Got {
    use aaa_auth::{Consumer, UserToken, oauth1::Signer};
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    let token = UserToken::new(request.token.parse().unwrap(), request.secret.parse().unwrap());
    let url = Url::parse("http://127.0.0.1:7878/oauth/access_token").unwrap();
    let form = [("oauth_verifier", verifier)];
    let signer = Signer::new(&consumer).with_token(&token);
    let header = signer.sign(&Method::POST, &url, &form, nonce, stage.now);
    let form = format!("oauth_verifier={verifier}");
    with(stage, Method::POST, "/oauth/access_token", header.to_str().unwrap(), &form)
}

#[test]
fn verifier_place() {
    let mut stage = Stage::new();
    let (request, verifier) = agreed(&mut stage);
    let got = exchange(&mut stage, &request, &verifier, "1");
    assert_eq!(got.status, 200, "{got:?}");
    assert!(got.text.contains("user_id=7") && got.text.contains("screen_name="), "{got:?}");
}

#[test]
fn verifier_once() {
    let mut stage = Stage::new();
    let (request, verifier) = agreed(&mut stage);
    let pin = &verifier;
    assert!(pin.len() == 7 && pin.bytes().all(|b| b.is_ascii_digit()), "{pin}");
    assert_eq!(exchange(&mut stage, &request, pin, "1").status, 200);
    assert_eq!(exchange(&mut stage, &request, pin, "2").status, 401);
}

#[test]
fn callback_confirmed() {
    use aaa_auth::{Consumer, oauth1::Signer};
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    let mut stage = Stage::new();
    let url = Url::parse("http://127.0.0.1:7878/oauth/request_token").unwrap();
    let signer = Signer::new(&consumer).with_callback("oob");
    let header = signer.sign(&Method::POST, &url, &[], "1", stage.now);
    let header = header.to_str().unwrap().to_owned();
    let got = with(&mut stage, Method::POST, "/oauth/request_token", &header, "");
    assert_eq!(got.headers["content-type"], "text/html; charset=utf-8");
    assert!(got.text.contains("oauth_callback_confirmed=true"), "{got:?}");
}

fn bearer(stage: &mut Stage) -> String {
    let form = "grant_type=client_credentials";
    let got = with(stage, Method::POST, "/oauth2/token", &basic(), form);
    assert_eq!(got.body["token_type"], "bearer");
    got.body["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn bearer_same() {
    let mut stage = Stage::new();
    let first = bearer(&mut stage);
    assert_eq!(bearer(&mut stage), first);
    assert!(stage.world.invalidate_bearer_token(&first));
    assert_ne!(bearer(&mut stage), first);
}

#[test]
fn bearer_refused() {
    let form = "grant_type=client_credentials";
    let got = with(&mut Stage::new(), Method::POST, "/oauth2/token", "Basic eDp5", form);
    assert_eq!(got.coded(), (403, 99, "Unable to verify your credentials"));
    assert_eq!(got.body["errors"][0]["label"], "authenticity_token_error");
}

#[test]
fn invalidation() {
    let mut stage = Stage::new();
    for by_owner in [false, true] {
        let token = bearer(&mut stage);
        let form = format!("access_token={token}");
        let path = "/oauth2/invalidate_token";
        let authorization = if by_owner {
            use aaa_auth::{Consumer, UserToken, oauth1::Signer};
            let consumer = Consumer::new(
                credentials::CONSUMER_KEY.parse().unwrap(),
                credentials::CONSUMER_SECRET.parse().unwrap(),
            );
            let owner = credentials::user_token(1);
            let owner = UserToken::new(owner.token.parse().unwrap(), owner.secret.parse().unwrap());
            let url = Url::parse(&format!("http://127.0.0.1:7878{path}")).unwrap();
            let signer = Signer::new(&consumer).with_token(&owner);
            let fields = [("access_token", token.as_str())];
            let header = signer.sign(&Method::POST, &url, &fields, "1", stage.now);
            header.to_str().unwrap().to_owned()
        } else {
            basic()
        };
        let got = with(&mut stage, Method::POST, path, &authorization, &form);
        assert_eq!((got.status, &got.body), (200, &json!({"access_token": token})), "{by_owner}");
    }
}

#[test]
fn bearer_for_webhooks() {
    let mut stage = Stage::new();
    for who in [Who::App, Who::User(1)] {
        let body = json!({"url": format!("http://127.0.0.1:{}/hook", 1 + u8::from(matches!(who, Who::App)))});
        assert_eq!(stage.call(who, Method::POST, "/2/webhooks", body).status, 200);
    }
    // A list is for the app alone.
    assert_eq!(stage.call(Who::User(1), Method::GET, "/2/webhooks", Value::Null).status, 403);
}
