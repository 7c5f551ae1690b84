//! How often each call may be made.

use aaa_emulator::settings::Settings;
use http::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, Who};

#[test]
fn limit_v2_webhooks() {
    let mut stage = Stage::new();
    let id = stage.register("http://127.0.0.1:1/hook");
    let path = format!("/2/webhooks/{id}");
    for (method, path) in [
        (Method::GET, "/2/webhooks"),
        (Method::POST, "/2/webhooks"),
        (Method::PUT, &path),
        (Method::DELETE, &path),
    ] {
        assert_eq!(stage.call(Who::App, method, path, Value::Null).limit(), 450, "{path}");
    }
}

#[test]
fn limit_v2_replay() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    assert_eq!(stage.replay(&id, -60, -50).limit(), 100);
}

#[test]
fn limit_v2_unpublished() {
    let base = "/2/account_activity";
    let hook = format!("{base}/webhooks/5/subscriptions");
    let replay = format!("{base}/replay/webhooks/5/subscriptions/all?from_date=1&to_date=2");
    let mut stage = Stage::new();
    for (who, method, path) in [
        (Who::App, Method::GET, format!("{base}/subscriptions/count")),
        (Who::User(7), Method::POST, format!("{hook}/all")),
        (Who::User(7), Method::GET, format!("{hook}/all")),
        (Who::App, Method::GET, format!("{hook}/all/list")),
        (Who::App, Method::DELETE, format!("{hook}/7/all")),
        (Who::App, Method::POST, replay),
    ] {
        for left in [99_999, 99_998] {
            let got = stage.call(who, method.clone(), &path, Value::Null);
            assert_eq!(got.limit(), 100_000, "{method} {path}");
            assert_eq!(got.headers["x-rate-limit-remaining"], left.to_string(), "{path}");
        }
    }
    // Nor do they take anything from the limit that the route of today has.
    assert_eq!(stage.replay("5", -60, -50).headers["x-rate-limit-remaining"], "99");
}

#[test]
fn limit_messages() {
    let mut stage = Stage::new();
    let path = "/2/dm_conversations/with/8/messages";
    let mut send = || stage.call(Who::User(7), Method::POST, path, json!({"text": "hi"}));
    assert!((0..15).all(|_| send().status == 201));
    assert_eq!(send().status, 429);
}

#[test]
fn limit_headers() {
    let got = Stage::new().call(Who::App, Method::GET, "/2/webhooks", Value::Null);
    assert_eq!(got.headers["x-rate-limit-remaining"], "449");
    // The end of the quarter of an hour, in seconds.
    assert_eq!(got.headers["x-rate-limit-reset"], "1763784900");
}

#[test]
fn limit_v1_webhooks() {
    let path = "/1.1/account_activity/webhooks.json";
    assert_eq!(Stage::new().call(Who::App, Method::GET, path, Value::Null).limit(), 15);
}

#[test]
fn limit_v1_list() {
    let path = "/1.1/account_activity/webhooks/5/subscriptions/all/list.json";
    assert_eq!(Stage::new().call(Who::App, Method::GET, path, Value::Null).limit(), 50);
}

#[test]
fn limit_v1_subscriptions() {
    let path = "/1.1/account_activity/webhooks/5/subscriptions/all.json";
    assert_eq!(Stage::new().call(Who::User(7), Method::GET, path, Value::Null).limit(), 500);
}

#[test]
fn limit_v1_replay() {
    let path = "/1.1/account_activity/replay/webhooks/5/subscriptions/all.json";
    assert_eq!(Stage::new().call(Who::App, Method::POST, path, Value::Null).limit(), 5);
}

#[test]
fn limit_exceeded() {
    let mut stage = Stage::new();
    let path = "/2/dm_conversations/with/8/messages";
    let last = (0..16)
        .map(|_| stage.call(Who::User(7), Method::POST, path, json!({"text": "hi"})))
        .last()
        .unwrap();
    assert_eq!(last.coded(), (429, 88, "Rate limit exceeded"));
}
