use aaa_auth::{Consumer, UserToken, oauth1::Authorization};
use bytes::Bytes;
use http::{Request, header};
use proptest::prelude::*;

use super::*;
use crate::{ApiUrl, ClientError, Credentials};

fn webhook() -> WebhookId {
    "1234577122340233217".parse().unwrap()
}

fn window() -> ReplayWindow {
    ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap()).unwrap()
}

fn consumer() -> Consumer {
    Consumer::new("app".parse().unwrap(), "app-secret".parse().unwrap())
}

fn token(user: &str) -> UserToken {
    UserToken::new(
        format!("{user}-token").parse().unwrap(),
        format!("{user}-secret").parse().unwrap(),
    )
}

fn everything() -> Credentials {
    Credentials::default()
        .with_consumer(consumer())
        .with_owner(token("owner"))
        .with_bearer("AAAA%2Fbbbb".parse().unwrap())
}

fn http<T>(
    call: &ApiRequest<'_, T>,
    credentials: &Credentials,
) -> Result<Request<Bytes>, ClientError> {
    let api = ApiUrl::X.parse().unwrap();
    let now = "2025-11-22T04:00:00Z".parse().unwrap();
    call.to_http(&api, credentials, "a1b2c3", now)
}

/// Shows a request, and who vouches for it: an OAuth 1.0a signature is verified first.
fn show<T>(call: &ApiRequest<'_, T>, credentials: &Credentials) -> String {
    let request = match http(call, credentials) {
        Ok(request) => request,
        Err(missing) => return missing.to_string(),
    };
    let headers = request.headers();
    let vouches = match headers.get(header::AUTHORIZATION) {
        None => "nobody".to_owned(),
        Some(value) => {
            assert!(value.is_sensitive());
            match Authorization::parse(value) {
                Ok(authorization) => verified(&request, &authorization),
                Err(_) => value.to_str().unwrap().to_owned(),
            }
        }
    };
    let mut shown = format!("{} {}\nby: {vouches}", request.method(), request.uri());
    if let Some(value) = headers.get(header::CONTENT_TYPE) {
        assert_eq!(value, "application/json");
        shown += &format!("\n{}", std::str::from_utf8(request.body()).unwrap());
    } else {
        assert!(request.body().is_empty());
    }
    shown
}

fn verified(request: &Request<Bytes>, authorization: &Authorization) -> String {
    let url = url::Url::parse(&request.uri().to_string()).unwrap();
    let token = authorization.token().unwrap();
    let secret = token.replace("token", "secret").parse().unwrap();
    authorization.verify(request.method(), &url, &[], &consumer().secret, Some(&secret)).unwrap();
    assert_eq!(authorization.nonce(), "a1b2c3");
    format!("signature of {token}")
}

#[test]
fn who_vouches_when_something_is_missing() {
    let none = Credentials::default();
    let consumer_only = Credentials::default().with_consumer(consumer());
    let owner = consumer_only.clone().with_owner(token("owner"));
    let user = UserCredential::OAuth1(token("7"));

    // The owner's token stands in for a bearer token where X takes it.
    insta::assert_snapshot!(show(&validate_webhook(webhook()), &owner), @r"
    PUT https://api.x.com/2/webhooks/1234577122340233217
    by: signature of owner-token
    ");
    insta::assert_snapshot!(show(&validate_webhook(webhook()), &consumer_only), @"could not validate the webhook: it needs the app's bearer token or its owner's access token: set X_BEARER_TOKEN, or X_CONSUMER_KEY, X_CONSUMER_SECRET, X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET");
    insta::assert_snapshot!(show(&list_webhooks(), &owner), @"could not list the webhooks: it needs the app's bearer token: set X_BEARER_TOKEN");
    insta::assert_snapshot!(show(&create_replay(webhook(), window(), ReplayRoute::Webhooks), &none), @"could not create the replay job: it needs the app's bearer token: set X_BEARER_TOKEN");
    insta::assert_snapshot!(show(&create_subscription(webhook(), &user), &none), @"could not subscribe the user: it needs the app's consumer key and secret to sign with: set X_CONSUMER_KEY and X_CONSUMER_SECRET");
    let user = UserCredential::OAuth2("user-oauth2".parse().unwrap());
    assert!(http(&create_subscription(webhook(), &user), &none).is_ok());

    // The clock is told to anybody.
    insta::assert_snapshot!(show(&server_time(), &none), @r"
    GET https://api.x.com/2/webhooks
    by: nobody
    ");
    assert!(show(&server_time(), &everything()).contains("Bearer"));
}

#[test]
fn debug_shows_no_secret() {
    let user = UserCredential::OAuth1(token("7"));
    let call = create_subscription(webhook(), &user);
    let request = http(&call, &everything()).unwrap();
    for shown in [format!("{call:?}"), format!("{request:?}"), format!("{:?}", everything())] {
        for secret in ["7-token", "7-secret", "app-secret", "owner-", "AAAA", "oauth_signature"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn only_a_missing_route_falls_back() {
    let fallback = |status, body: &str| {
        let refusal = ApiError::parse(status, body.as_bytes());
        let other = ReplayRoute::Webhooks.fallback(&refusal);
        let back = ReplayRoute::AccountActivity.fallback(&refusal);
        assert_eq!(back, other.map(|_| ReplayRoute::Webhooks), "each is the other's");
        other
    };
    for body in [
        "",
        "<html>Not Found</html>",
        r#"{"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}"#,
        r#"{"title":"Not Found","type":"about:blank","status":404,"detail":"Not Found"}"#,
    ] {
        assert_eq!(fallback(404, body), Some(ReplayRoute::AccountActivity), "{body}");
        assert_eq!(fallback(400, body), None);
    }
    for body in [
        r#"{"errors":[{"message":"WebhookIdInvalid: "}],"title":"Invalid Request"}"#,
        r#"{"errors":[{"code":34,"message":"Webhook does not exist or is associated with a different X application."}]}"#,
        r#"{"errors":[{"detail":"Could not find it.","type":"https://api.twitter.com/2/problems/resource-not-found"}]}"#,
    ] {
        assert_eq!(fallback(404, body), None, "{body}");
    }
}

proptest! {
    #[test]
    fn every_request_is_absolute(id in 0..=9_999_999_999_999_999_999_u64, user in 0..9_u64) {
        let (webhook, user) = (id.try_into().unwrap(), user.try_into().unwrap());
        for request in [
            http(&validate_webhook(webhook), &everything()),
            http(&remove_subscription(webhook, user), &everything()),
            http(&create_replay(webhook, window(), ReplayRoute::AccountActivity), &everything()),
        ] {
            let uri = request.unwrap().uri().to_string();
            prop_assert!(uri.starts_with("https://api.x.com/2/"), "{}", uri);
            prop_assert!(uri.contains(&id.to_string()));
        }
    }
}
