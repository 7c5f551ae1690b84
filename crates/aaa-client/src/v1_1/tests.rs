use aaa_auth::{Consumer, UserToken};
use bytes::Bytes;
use http::Response;

use super::*;
use crate::{ApiUrl, ClientError, Credentials};

fn webhook() -> WebhookId {
    "12".parse().unwrap()
}

fn user() -> UserToken {
    UserToken::new("7-token".parse().unwrap(), "7-secret".parse().unwrap())
}

fn answer(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap()
}

const WEBHOOK: &str = r#"{"id":"12","url":"https://example.com/hook","valid":true,"created_at":"2016-06-02T23:54:02Z"}"#;

#[test]
fn a_success_mostly_has_no_body() {
    let empty = answer(204, "");
    let user = user();
    assert!(validate_webhook(webhook()).answer(&empty).unwrap().valid);
    assert_eq!(delete_webhook(webhook()).answer(&empty), Ok(()));
    assert!(create_subscription(webhook(), &user).answer(&empty).unwrap().subscribed);
    assert!(check_subscription(webhook(), &user).answer(&empty).unwrap().subscribed);
    assert!(!end_subscription(webhook(), &user).answer(&empty).unwrap().subscribed);
    let removed = remove_subscription(webhook(), 7.try_into().unwrap()).answer(&empty);
    assert!(!removed.unwrap().subscribed);
    // A list is never empty in that sense.
    assert!(matches!(list_webhooks().answer(&empty), Err(ClientError::Decode { .. })));
}

#[test]
fn other_successes_are_flat() {
    let url = "https://example.com/hook".parse().unwrap();
    let made = create_webhook(&url).answer(&answer(200, WEBHOOK)).unwrap();
    assert_eq!((made.id, made.url), (webhook(), url.into()));
    let listed = list_webhooks().answer(&answer(200, &format!("[{WEBHOOK}]"))).unwrap();
    assert_eq!((listed.content.len(), listed.next), (1, None));
    assert!(list_webhooks().answer(&answer(200, "[]")).unwrap().content.is_empty());
    let body = r#"{"webhook_id":"12","webhook_url":"https://example.com/hook","application_id":"100","subscriptions":[{"user_id":"7"}]}"#;
    let listed = list_subscriptions(webhook()).answer(&answer(200, body)).unwrap();
    assert_eq!(listed.content.subscriptions.len(), 1);
    let body = r#"{"account_name":"a","provisioned_count":"50","subscriptions_count_all":"2","subscriptions_count_direct_messages":"0"}"#;
    assert_eq!(count_subscriptions().answer(&answer(200, body)).unwrap().used(), Some(2));
    let window =
        ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap());
    let body = r#"{"job_id":"1095098195724558337","created_at":"2019-02-11T23:19:11Z"}"#;
    let job = create_replay(webhook(), window.unwrap()).answer(&answer(202, body)).unwrap();
    assert_eq!(job.job_id.as_u64(), 1_095_098_195_724_558_337);
}

#[test]
fn only_one_refusal_says_not_subscribed() {
    let user = user();
    let check = check_subscription(webhook(), &user);
    let no = |status, body: &str| check.answer(&answer(status, body)).map(|s| s.subscribed);
    for body in [
        r#"{"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}"#,
        r#"{"errors":[{"code":34,"message":"Sorry, that page does not exist"}]}"#,
        r#"{"errors":[{"message":"SubscriptionNotFound: "}]}"#,
    ] {
        assert_eq!(no(404, body), Ok(false), "{body}");
    }
    for (status, body) in [
        // Nobody's answer.
        (404, ""),
        (404, "<html>Not Found</html>"),
        (
            404,
            r#"{"errors":[{"code":34,"message":"Webhook does not exist or is associated with a different X application."}]}"#,
        ),
        (400, r#"{"errors":[{"message":"WebhookIdInvalid: "}]}"#),
        (401, r#"{"errors":[{"code":32,"message":"Could not authenticate you."}]}"#),
        (
            401,
            r#"{"errors":[{"code":348,"message":"Client application is not permitted to access this user's webhook subscriptions."}]}"#,
        ),
        (403, r#"{"errors":[{"code":200,"message":"Forbidden."}]}"#),
        (429, r#"{"errors":[{"code":88,"message":"Rate limit exceeded."}]}"#),
        (503, r#"{"errors":[{"code":67,"message":"Backend service is unavailable."}]}"#),
        (500, ""),
        (302, ""),
    ] {
        assert!(matches!(no(status, body), Err(ClientError::Api { .. })), "{status} {body}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let api = ApiUrl::X.parse().unwrap();
    let now = "2025-11-22T04:00:00Z".parse().unwrap();
    let consumer = Consumer::new("app".parse().unwrap(), "app-secret".parse().unwrap());
    // v1.1 does not take the bearer token for these.
    let credentials =
        Credentials::default().with_consumer(consumer).with_bearer("AAAA".parse().unwrap());
    let missing = delete_webhook(webhook()).to_http(&api, &credentials, "n", now).unwrap_err();
    insta::assert_snapshot!(missing, @"could not delete the webhook: it needs the app's consumer key and secret and its owner's access token to sign with: set X_CONSUMER_KEY, X_CONSUMER_SECRET, X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET");
    assert!(!missing.maybe_sent() && missing.operation() == Operation::DeleteWebhook);
    let credentials = credentials.with_owner(user());
    assert!(delete_webhook(webhook()).to_http(&api, &credentials, "n", now).is_ok());
    let request = server_time().to_http(&api, &credentials, "n", now).unwrap();
    assert!(!request.headers().contains_key("authorization"));
}
