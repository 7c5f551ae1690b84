//! v2: every call and its answer, every refusal by its name.

use std::time::Duration;

use aaa_emulator::{
    Emulator,
    settings::{Quota, Settings},
};
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Crc, Got, Receiver, call, call_signed, quiet, register};

async fn start(quota: Quota) -> Emulator {
    let settings = Settings { quota, ..quiet() };
    Emulator::builder().settings(settings).start().await.unwrap()
}

/// A window of a replay, in minutes before now.
fn window(emulator: &Emulator, from: i64, to: i64) -> (String, String) {
    let minute = |ago| {
        let at = emulator.now() - SignedDuration::from_mins(ago);
        at.strftime("%Y%m%d%H%M").to_string()
    };
    (minute(from), minute(to))
}

#[tokio::test]
async fn every_call_and_its_answer() {
    let emulator = start(Quota::ENTERPRISE).await;
    let receiver = Receiver::start().await;
    let url = json!({"url": receiver.url()});
    let mut shown = Vec::new();
    let made = call(&emulator, Method::POST, "/2/webhooks", url).await;
    let webhook = made.body["data"]["id"].as_str().unwrap().to_owned();
    let mut show = |who: &str, method: &Method, path: &str, got: &Got| {
        let mut text = format!("{who} {method} {path}\n  {}", got.shown());
        for pointer in ["/data/created_at", "/data/0/created_at", "/replay_event/created_at"] {
            if let Some(time) = got.body.pointer(pointer).and_then(Value::as_str) {
                assert_eq!(time.len(), 24, "with three digits of a second: {time}");
                text = text.replace(time, "CREATED_AT");
            }
        }
        for pointer in ["/data/job_id", "/replay_event/job_id"] {
            if let Some(job) = got.body.pointer(pointer).and_then(Value::as_str) {
                text = text.replace(job, "JOB_ID");
            }
        }
        shown.push(text.replace(&webhook, "WEBHOOK").replace(&receiver.url(), "URL"));
    };
    show("app", &Method::POST, "/2/webhooks", &made);
    emulator.advance(Duration::from_secs(3600)).await.unwrap();
    let hook = format!("/2/webhooks/{webhook}");
    let base = format!("/2/account_activity/webhooks/{webhook}/subscriptions");
    let all = format!("{base}/all");
    let (from, to) = window(&emulator, 50, 40);
    let old = format!("/2/account_activity/replay/webhooks/{webhook}/subscriptions/all");
    let old = format!("{old}?from_date={from}&to_date={to}");
    let new = json!({"webhook_id": webhook, "from_date": from, "to_date": to});
    for (who, method, path, body) in [
        ("app", Method::GET, "/2/webhooks", Value::Null),
        ("app", Method::GET, "/2/webhooks?webhook_config.fields=id,valid", Value::Null),
        ("app", Method::PUT, &hook, Value::Null),
        ("1", Method::PUT, &hook, Value::Null),
        ("7", Method::GET, &all, Value::Null),
        ("7", Method::POST, &all, Value::Null),
        ("7", Method::GET, &all, Value::Null),
        ("app", Method::GET, &format!("{all}/list"), Value::Null),
        ("app", Method::GET, "/2/account_activity/subscriptions/count", Value::Null),
        ("app", Method::DELETE, &format!("{base}/7/all"), Value::Null),
        ("app", Method::POST, "/2/webhooks/replay", new),
        ("1", Method::DELETE, &hook, Value::Null),
        ("app", Method::GET, "/2/webhooks", Value::Null),
    ] {
        let got = match who {
            "app" => call(&emulator, method.clone(), path, body).await,
            user => call_signed(&emulator, user.parse().unwrap(), method.clone(), path).await,
        };
        show(who, &method, path, &got);
    }
    insta::assert_snapshot!(shown.join("\n"), @r#"
    app POST /2/webhooks
      200 application/json; charset=utf-8 {"data":{"created_at":"CREATED_AT","id":"WEBHOOK","url":"URL","valid":true}}
    app GET /2/webhooks
      200 application/json; charset=utf-8 {"data":[{"created_at":"CREATED_AT","id":"WEBHOOK","url":"URL","valid":true}],"meta":{"result_count":1}}
    app GET /2/webhooks?webhook_config.fields=id,valid
      200 application/json; charset=utf-8 {"data":[{"id":"WEBHOOK","valid":true}],"meta":{"result_count":1}}
    app PUT /2/webhooks/WEBHOOK
      200 application/json; charset=utf-8 {"data":{"valid":true}}
    1 PUT /2/webhooks/WEBHOOK
      200 application/json; charset=utf-8 {"data":{"valid":true}}
    7 GET /2/account_activity/webhooks/WEBHOOK/subscriptions/all
      200 application/json; charset=utf-8 {"data":{"subscribed":false}}
    7 POST /2/account_activity/webhooks/WEBHOOK/subscriptions/all
      200 application/json; charset=utf-8 {"data":{"subscribed":true}}
    7 GET /2/account_activity/webhooks/WEBHOOK/subscriptions/all
      200 application/json; charset=utf-8 {"data":{"subscribed":true}}
    app GET /2/account_activity/webhooks/WEBHOOK/subscriptions/all/list
      200 application/json; charset=utf-8 {"data":{"application_id":"100","subscriptions":[{"user_id":"7"}],"webhook_id":"WEBHOOK","webhook_url":"URL"}}
    app GET /2/account_activity/subscriptions/count
      200 application/json; charset=utf-8 {"data":{"account_name":"emulator","provisioned_count":"5000","subscriptions_count_all":"1","subscriptions_count_direct_messages":"0"}}
    app DELETE /2/account_activity/webhooks/WEBHOOK/subscriptions/7/all
      200 application/json; charset=utf-8 {"data":{"subscribed":false}}
    app POST /2/webhooks/replay
      200 application/json; charset=utf-8 {"data":{"created_at":"CREATED_AT","job_id":"JOB_ID"}}
    1 DELETE /2/webhooks/WEBHOOK
      200 application/json; charset=utf-8 {"data":{"deleted":true}}
    app GET /2/webhooks
      200 application/json; charset=utf-8 {"data":[],"meta":{"result_count":0}}
    "#);

    // The deprecated route, of another webhook.
    let emulator = start(Quota::ENTERPRISE).await;
    let webhook = register(&emulator, &receiver).await;
    emulator.advance(Duration::from_secs(3600)).await.unwrap();
    let old = old.split_once("webhooks/").unwrap().1.split_once('/').unwrap().1;
    let old = format!("/2/account_activity/replay/webhooks/{webhook}/{old}");
    let got = call(&emulator, Method::POST, &old, Value::Null).await;
    assert_eq!((got.status, &got.body["for_user_id"]), (200, &json!("1")));
    assert!(got.body["replay_event"]["job_id"].is_string());
}

#[tokio::test]
async fn every_refusal_by_its_name() {
    let emulator = start(Quota { webhooks: 2, subscriptions: 2 }).await;
    let (receiver, second) = (Receiver::start().await, Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    let create =
        async |url: &str| call(&emulator, Method::POST, "/2/webhooks", json!({"url": url})).await;
    let name = |got: &Got| {
        assert_eq!(got.status, 400, "{got:?}");
        got.error().split(':').next().unwrap().to_owned()
    };
    assert_eq!(name(&create("http://example.com/").await), "UrlValidationFailed");
    assert_eq!(name(&create(&receiver.url()).await), "DuplicateUrlFailed");
    second.answer_challenges(Crc::WrongToken);
    assert_eq!(name(&create(&second.url()).await), "CrcValidationFailed");
    second.answer_challenges(Crc::Right);
    assert_eq!(create(&second.url()).await.status, 200);
    let third = Receiver::start().await;
    assert_eq!(name(&create(&third.url()).await), "WebhookLimitExceeded");

    let base = |webhook: &str| format!("/2/account_activity/webhooks/{webhook}/subscriptions");
    for unknown in ["12", "twelve", "-12"] {
        for (method, path) in [
            (Method::PUT, format!("/2/webhooks/{unknown}")),
            (Method::DELETE, format!("/2/webhooks/{unknown}")),
            (Method::GET, format!("{}/all/list", base(unknown))),
            (Method::DELETE, format!("{}/7/all", base(unknown))),
        ] {
            let got = call(&emulator, method.clone(), &path, Value::Null).await;
            assert_eq!(name(&got), "WebhookIdInvalid", "{method} {path}");
        }
        for method in [Method::GET, Method::POST] {
            let path = format!("{}/all", base(unknown));
            let got = call_signed(&emulator, 7, method, &path).await;
            assert_eq!(name(&got), "WebhookIdInvalid");
        }
        let body = json!({
            "webhook_id": unknown, "from_date": "202511220400", "to_date": "202511220410",
        });
        let got = call(&emulator, Method::POST, "/2/webhooks/replay", body).await;
        assert_eq!(name(&got), "WebhookIdInvalid");
    }

    let base = base(&webhook.to_string());
    let all = format!("{base}/all");
    for user in [7, 8] {
        assert_eq!(call_signed(&emulator, user, Method::POST, &all).await.status, 200);
    }
    let again = call_signed(&emulator, 7, Method::POST, &all).await;
    assert_eq!(name(&again), "DuplicateSubscriptionFailed");
    let more = call_signed(&emulator, 9, Method::POST, &all).await;
    assert_eq!(name(&more), "SubscriptionLimitExceeded");
    for nobody in ["9", "nine", "-9"] {
        let path = format!("{base}/{nobody}/all");
        let got = call(&emulator, Method::DELETE, &path, Value::Null).await;
        assert_eq!(name(&got), "SubscriptionNotFound");
    }

    emulator.advance(Duration::from_secs(2 * 86_400)).await.unwrap();
    let replay = async |(from, to): (String, String)| {
        let body = json!({"webhook_id": webhook.to_string(), "from_date": from, "to_date": to});
        call(&emulator, Method::POST, "/2/webhooks/replay", body).await
    };
    for (from, to) in [(1441, 40), (40, 50), (40, -5), (-5, -10), (30, 20), (40, 9)] {
        let got = replay(window(&emulator, from, to)).await;
        assert_eq!(name(&got), "QueryParamInvalid", "{from} {to}");
    }
    for bad in ["", "2025-11-22T04:00", "20251122040"] {
        let got = replay((bad.to_owned(), "202511220400".to_owned())).await;
        assert_eq!(name(&got), "QueryParamInvalid", "{bad}");
    }
    let got = call(&emulator, Method::POST, "/2/webhooks/replay", json!({})).await;
    assert_eq!(name(&got), "QueryParamInvalid");
    receiver.answer_challenges(Crc::Error);
    assert_eq!(name(&replay(window(&emulator, 50, 40)).await), "CrcValidationFailed");
    let path = format!("/2/webhooks/{webhook}");
    let got = call(&emulator, Method::PUT, &path, Value::Null).await;
    assert_eq!(name(&got), "CrcValidationFailed");
    receiver.answer_challenges(Crc::Right);
    assert_eq!(call(&emulator, Method::PUT, &path, Value::Null).await.status, 200);
    // Its end is never acknowledged, but what is to be replayed is an event that hangs.
    receiver.answer_deliveries(0);
    let made = aaa_emulator::control::Trigger::new("favorite_events", crate::support::user(7));
    emulator.trigger(&made).await.unwrap();
    emulator.advance(Duration::from_secs(45 * 60)).await.unwrap();
    assert_eq!(replay(window(&emulator, 50, 40)).await.status, 200);
    assert_eq!(name(&replay(window(&emulator, 50, 40)).await), "ReplayConflictError");
}
