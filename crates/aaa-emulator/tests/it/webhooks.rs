use std::time::Duration;

use aaa_emulator::{
    Emulator,
    settings::{Quota, Settings, UrlRule},
};
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Crc, PATIENCE, Receiver, call, register};

#[tokio::test]
async fn a_registration_runs_a_real_check() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let id = register(&emulator, &receiver).await;

    let list = call(&emulator, Method::GET, "/2/webhooks", Value::Null).await;
    assert_eq!(list.body["meta"]["result_count"], 1);
    assert_eq!(list.body["data"][0]["id"], id.to_string());
    assert_eq!(list.body["data"][0]["url"], receiver.url());
    assert_eq!(list.body["data"][0]["valid"], true);
    let created_at = list.body["data"][0]["created_at"].as_str().unwrap();
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");

    let again = call(&emulator, Method::POST, "/2/webhooks", json!({"url": receiver.url()})).await;
    assert_eq!((again.status, again.error()), (400, "DuplicateUrlFailed: "));

    let path = format!("/2/webhooks/{id}");
    let checked = call(&emulator, Method::PUT, &path, Value::Null).await;
    assert_eq!(checked.body, json!({"data": {"valid": true}}));
    let gone = call(&emulator, Method::DELETE, &path, Value::Null).await;
    assert_eq!(gone.body, json!({"data": {"deleted": true}}));
    let unknown = call(&emulator, Method::DELETE, &path, Value::Null).await;
    assert_eq!((unknown.status, unknown.error()), (400, "WebhookIdInvalid: "));
    let empty = call(&emulator, Method::GET, "/2/webhooks", Value::Null).await;
    assert_eq!(empty.body, json!({"data": [], "meta": {"result_count": 0}}));
}

#[tokio::test]
async fn a_registration_is_refused_when_the_check_fails() {
    let settings =
        Settings { deadline: Some(SignedDuration::from_millis(200)), ..Settings::default() };
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let receiver = Receiver::start().await;
    for (crc, words) in [
        (Crc::WrongToken, "Invalid `response_token`"),
        (Crc::Redirect, "302"),
        (Crc::Error, "502"),
        (Crc::Never, "High latency"),
    ] {
        receiver.answer_challenges(crc);
        let body = json!({"url": receiver.url()});
        let got = call(&emulator, Method::POST, "/2/webhooks", body).await;
        assert_eq!(got.status, 400);
        assert!(got.error().starts_with("CrcValidationFailed: "), "{crc:?}: {got:?}");
        assert!(got.error().contains(words), "{crc:?}: {got:?}");
        assert_eq!(got.body["title"], "Invalid Request");
    }
    let dead = receiver.kill().await;
    for (url, name) in [
        (format!("http://{dead}/hook"), "CrcValidationFailed: "),
        ("https://example.com/hook".to_owned(), "CrcValidationFailed: TLS"),
        ("http://example.com/hook".to_owned(), "UrlValidationFailed: "),
        ("https://example.com:8443/hook".to_owned(), "UrlValidationFailed: "),
        ("nonsense".to_owned(), "UrlValidationFailed: "),
    ] {
        let got = call(&emulator, Method::POST, "/2/webhooks", json!({"url": url})).await;
        assert!(got.error().starts_with(name), "{url}: {got:?}");
    }
    let malformed = call(&emulator, Method::POST, "/2/webhooks", json!(["url"])).await;
    assert_eq!((malformed.status, &malformed.body["title"]), (400, &json!("Invalid Request")));
}

#[tokio::test]
async fn quota_and_strict_urls() {
    let quota = Settings { quota: Quota::PAY_PER_USE, ..Settings::default() };
    let emulator = Emulator::builder().settings(quota).start().await.unwrap();
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    register(&emulator, &first).await;
    let got = call(&emulator, Method::POST, "/2/webhooks", json!({"url": second.url()})).await;
    assert_eq!((got.status, got.error()), (400, "WebhookLimitExceeded: "));

    let strict = Settings { urls: UrlRule::Strict, ..Settings::default() };
    let emulator = Emulator::builder().settings(strict).start().await.unwrap();
    let got = call(&emulator, Method::POST, "/2/webhooks", json!({"url": first.url()})).await;
    assert!(got.error().starts_with("UrlValidationFailed: "), "{got:?}");
}

#[tokio::test]
async fn a_scheduled_check_invalidates_and_put_revives() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let id = register(&emulator, &receiver).await;
    receiver.answer_challenges(Crc::WrongToken);
    emulator.advance(Duration::from_secs(3600)).await.unwrap();
    // The check was started; its outcome comes a little later.
    let invalid = async {
        while emulator.state().webhooks[0].valid {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, invalid).await.expect("the check ends");
    let got = call(&emulator, Method::GET, "/2/webhooks", Value::Null).await;
    assert_eq!(got.body["data"][0]["valid"], false);

    let path = format!("/2/webhooks/{id}");
    let refused = call(&emulator, Method::PUT, &path, Value::Null).await;
    assert!(refused.error().starts_with("CrcValidationFailed: "));
    receiver.answer_challenges(Crc::Right);
    let revived = call(&emulator, Method::PUT, &path, Value::Null).await;
    assert_eq!(revived.body, json!({"data": {"valid": true}}));
    assert!(emulator.state().webhooks[0].valid);
}
