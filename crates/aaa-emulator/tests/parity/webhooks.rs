//! Webhooks and subscriptions of v2.

use aaa_emulator::settings::Settings;
use http::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, Who, answered};

fn subscriptions(id: &str) -> String {
    format!("/2/account_activity/webhooks/{id}/subscriptions/all")
}

#[test]
fn register_envelope() {
    let mut stage = Stage::new();
    let body = json!({"url": "http://127.0.0.1:1/hook"});
    let got = stage.call(Who::App, Method::POST, "/2/webhooks", body);
    assert_eq!(got.status, 200);
    assert_eq!(got.body["data"]["url"], "http://127.0.0.1:1/hook");
    assert_eq!(got.body["data"]["created_at"], "2025-11-22T04:00:00.000Z");
}

#[test]
fn validate_answer() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let got = stage.call(Who::App, Method::PUT, &format!("/2/webhooks/{id}"), Value::Null);
    assert_eq!(got.body, json!({"data": {"valid": true}}));
}

#[test]
fn validate_failed() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    stage.crc = answered(200, "{}");
    let got = stage.call(Who::App, Method::PUT, &format!("/2/webhooks/{id}"), Value::Null);
    assert_eq!(got.status, 400);
    assert!(got.error().starts_with("CrcValidationFailed: "), "{got:?}");
    assert!(!stage.is_valid());
}

#[test]
fn list_empty() {
    let got = Stage::new().call(Who::App, Method::GET, "/2/webhooks", Value::Null);
    assert_eq!(got.body, json!({"data": [], "meta": {"result_count": 0}}));
}

#[test]
fn list_fields() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let path = "/2/webhooks?webhook_config.fields=id,valid";
    let got = stage.call(Who::App, Method::GET, path, Value::Null);
    assert_eq!(got.body["data"], json!([{"id": id, "valid": true}]));
}

#[test]
fn url_rule() {
    assert!(!Stage::new().register("http://127.0.0.1:1/hook").is_empty());
}

#[test]
fn url_public() {
    let mut stage = Stage::new();
    let body = json!({"url": "http://example.com/hook"});
    let got = stage.call(Who::App, Method::POST, "/2/webhooks", body);
    assert_eq!(got.status, 400);
    assert!(got.error().starts_with("UrlValidationFailed: "), "{got:?}");
}

#[test]
fn url_duplicate() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    let body = json!({"url": "http://127.0.0.1:1/hook"});
    let got = stage.call(Who::App, Method::POST, "/2/webhooks", body);
    assert_eq!((got.status, got.error()), (400, "DuplicateUrlFailed: "));
}

#[test]
fn webhook_quota() {
    let mut stage = Stage::new();
    let mut post = |n| {
        let body = json!({"url": format!("http://127.0.0.1:{n}/hook")});
        stage.call(Who::App, Method::POST, "/2/webhooks", body)
    };
    assert!((1..=5).all(|n| post(n).status == 200));
    assert_eq!(post(6).error(), "WebhookLimitExceeded: ");
}

#[test]
fn subscription_quota() {
    let settings = Settings {
        quota: aaa_emulator::settings::Quota { webhooks: 1, subscriptions: 1 },
        ..Settings::default()
    };
    let (mut stage, id) = Stage::subscribed(settings);
    let got = stage.call(Who::User(8), Method::POST, &subscriptions(&id), json!({}));
    assert_eq!((got.status, got.error()), (400, "SubscriptionLimitExceeded: "));
}

#[test]
fn failure_form() {
    let got = Stage::new().call(Who::App, Method::DELETE, "/2/webhooks/5", Value::Null);
    assert_eq!((got.status, got.error()), (400, "WebhookIdInvalid: "));
    assert_eq!(got.body["title"], "Invalid Request");
    assert_eq!(got.body["type"], "https://api.twitter.com/2/problems/invalid-request");
}

#[test]
fn subscribe_empty_body() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    for (user, body) in [(8, json!({})), (9, Value::Null)] {
        let got = stage.call(Who::User(user), Method::POST, &subscriptions(&id), body);
        assert_eq!((got.status, got.body), (200, json!({"data": {"subscribed": true}})));
    }
}

#[test]
fn subscribe_duplicate() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let got = stage.call(Who::User(7), Method::POST, &subscriptions(&id), json!({}));
    assert_eq!(got.status, 400);
    assert_eq!(got.error(), "DuplicateSubscriptionFailed: Subscription already exists");
}

#[test]
fn not_subscribed() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let got = stage.call(Who::User(8), Method::GET, &subscriptions(&id), Value::Null);
    assert_eq!((got.status, got.body), (200, json!({"data": {"subscribed": false}})));
}

#[test]
fn unsubscribe_unknown() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let path = format!("/2/account_activity/webhooks/{id}/subscriptions/8/all");
    let got = stage.call(Who::App, Method::DELETE, &path, Value::Null);
    assert_eq!((got.status, got.error()), (400, "SubscriptionNotFound: "));
}

#[test]
fn count_strings() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    let path = "/2/account_activity/subscriptions/count";
    let got = stage.call(Who::App, Method::GET, path, Value::Null);
    assert_eq!(got.body["data"]["subscriptions_count_all"], "1");
    assert_eq!(got.body["data"]["subscriptions_count_direct_messages"], "0");
}

#[test]
fn message_back() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    stage.subscribe(&id, 8);
    let path = "/2/dm_conversations/with/8/messages";
    let got = stage.call(Who::User(7), Method::POST, path, json!({"text": "hi"}));
    assert_eq!(got.status, 201);
    let bodies = stage.all_posts(200);
    let users: Vec<_> = bodies.iter().map(|body| &body["for_user_id"]).collect();
    assert_eq!(users, ["7", "8"]);
    for body in &bodies {
        assert_eq!(body["direct_message_events"][0]["id"], got.body["data"]["dm_event_id"]);
    }
}

#[test]
fn message_form() {
    let path = "/2/dm_conversations/with/8/messages";
    for body in [json!({}), json!({"text": "hi", "more": 1})] {
        let got = Stage::new().call(Who::User(7), Method::POST, path, body);
        assert_eq!(got.status, 400);
    }
}

#[test]
fn message_length() {
    let path = "/2/dm_conversations/with/8/messages";
    for (length, status) in [(0, 400), (1, 201), (10_000, 201), (10_001, 400)] {
        let body = json!({"text": "ä".repeat(length)});
        let got = Stage::new().call(Who::User(7), Method::POST, path, body);
        assert_eq!(got.status, status, "{length}");
    }
}

#[test]
fn message_attachments() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    let path = "/2/dm_conversations/with/8/messages";
    let body = json!({"attachments": [{"media_id": "12"}, {"media_id": "13"}]});
    assert_eq!(stage.call(Who::User(7), Method::POST, path, body).status, 201);
    let bodies = stage.all_posts(200);
    let data = &bodies[0]["direct_message_events"][0]["message_create"]["message_data"];
    assert_eq!(data["attachment"]["media"]["id_str"], "12");
}
