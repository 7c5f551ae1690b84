//! What v1.1 answers.

use aaa_emulator::{
    settings::{AppAccess, Settings},
    world::Silence,
};
use http::Method;
use serde_json::Value;

use crate::stage::{Got, Stage, Who, answered};

const ROOT: &str = "/1.1/account_activity";

fn register(stage: &mut Stage, port: u16) -> Got {
    let path = format!("{ROOT}/webhooks.json?url=http%3A%2F%2F127.0.0.1%3A{port}%2Fhook");
    stage.call(Who::User(1), Method::POST, &path, Value::Null)
}

fn replay(stage: &mut Stage, who: Who, id: &str, query: &str) -> Got {
    let path = format!("{ROOT}/replay/webhooks/{id}/subscriptions/all.json?{query}");
    stage.call(who, Method::POST, &path, Value::Null)
}

const WINDOW: &str = "from_date=202511220300&to_date=202511220310";

#[test]
fn v1_register() {
    let got = register(&mut Stage::new(), 1);
    assert_eq!((got.status, &got.body["valid"]), (200, &Value::Bool(true)));
    assert_eq!(got.body["created_at"], "2025-11-22T04:00:00Z");
}

#[test]
fn v1_list() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    let got = stage.call(Who::App, Method::GET, &format!("{ROOT}/webhooks.json"), Value::Null);
    assert_eq!(got.body[0]["id"], id);
}

#[test]
fn v1_no_content() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    for (who, method, path) in [
        (Who::User(8), Method::POST, format!("webhooks/{id}/subscriptions/all.json")),
        (Who::User(8), Method::GET, format!("webhooks/{id}/subscriptions/all.json")),
        (Who::User(8), Method::DELETE, format!("webhooks/{id}/subscriptions/all.json")),
        (Who::App, Method::DELETE, format!("webhooks/{id}/subscriptions/7/all.json")),
        (Who::User(1), Method::PUT, format!("webhooks/{id}.json")),
        (Who::User(1), Method::DELETE, format!("webhooks/{id}.json")),
    ] {
        let got = stage.call(who, method, &format!("{ROOT}/{path}"), Value::Null);
        assert_eq!((got.status, got.text.as_str()), (204, ""), "{path}");
    }
}

#[test]
fn v1_replay_answer() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    let got = replay(&mut stage, Who::App, &id, WINDOW);
    assert_eq!(got.status, 202, "{got:?}");
    assert!(got.body["job_id"].is_string());
}

#[test]
fn v1_url_status() {
    let mut stage = Stage::new();
    register(&mut stage, 1);
    let got = register(&mut stage, 1);
    assert_eq!(got.coded(), (403, 214, "Webhook URL does not meet the requirements."));
}

#[test]
fn v1_latency() {
    let mut stage = Stage::new();
    stage.crc = Some(Err(Silence::TimedOut));
    let words =
        "High latency on CRC GET request. Your webhook should respond in less than 3 seconds.";
    assert_eq!(register(&mut stage, 1).error(), words);
}

#[test]
fn v1_crc_words() {
    let mut stage = Stage::new();
    stage.crc = answered(200, "{}");
    let words = "Webhook URL does not meet the requirements. Invalid CRC token or json response \
                 format.";
    assert_eq!(register(&mut stage, 1).error(), words);
}

#[test]
fn v1_crc_status_words() {
    let mut stage = Stage::new();
    stage.crc = answered(404, "");
    let words = "Non-200 response code during CRC GET request (i.e. 404, 500, etc).";
    assert_eq!(register(&mut stage, 1).error(), words);
}

#[test]
fn v1_too_many() {
    let mut stage = Stage::new();
    assert!((1..=5).all(|port| register(&mut stage, port).status == 200));
    let got = register(&mut stage, 6);
    assert_eq!(got.error(), "Too many resources already created.");
}

#[test]
fn v1_replay_invalid() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    stage.crc = answered(302, "");
    stage.call(Who::User(1), Method::PUT, &format!("{ROOT}/webhooks/{id}.json"), Value::Null);
    let got = replay(&mut stage, Who::App, &id, WINDOW);
    let words = "Webhook is marked invalid and requires a CRC check.";
    assert_eq!(got.coded(), (400, 214, words));
}

#[test]
fn v1_conflict() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    stage.make("favorite_events", 1);
    stage.answer_posts(200);
    stage.pass(jiff::SignedDuration::from_mins(40));
    let window = "from_date=202511220400&to_date=202511220401";
    assert_eq!(replay(&mut stage, Who::App, &id, window).status, 202);
    let got = replay(&mut stage, Who::App, &id, window);
    let words = "A replay job is already in progress for this webhook.";
    assert_eq!(got.coded(), (409, 355, words));
}

#[test]
fn v1_subscribed_already() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    let path = format!("{ROOT}/webhooks/{id}/subscriptions/all.json");
    let got = stage.call(Who::User(7), Method::POST, &path, Value::Null);
    assert_eq!(got.coded(), (409, 355, "Subscription already exists."));
}

#[test]
fn v1_unknown_webhook() {
    let mut stage = Stage::new();
    let got = replay(&mut stage, Who::App, "5", WINDOW);
    let words = "Webhook does not exist or is associated with a different X application.";
    assert_eq!(got.coded(), (404, 34, words));
}

#[test]
fn v1_not_subscribed() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    let path = format!("{ROOT}/webhooks/{id}/subscriptions/8/all.json");
    let got = stage.call(Who::App, Method::DELETE, &path, Value::Null);
    assert_eq!(got.coded(), (404, 34, "Sorry, that page does not exist."));
}

#[test]
fn v1_window_codes() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    for (query, code) in [
        ("from_date=202511220300", 357),
        ("from_date=now&to_date=202511220310", 358),
        ("from_date=202511220310&to_date=202511220300", 356),
        ("from_date=202511100300&to_date=202511220310", 356),
        ("from_date=202511220300&to_date=202511220500", 368),
    ] {
        let got = replay(&mut stage, Who::App, &id, query);
        assert_eq!((got.coded().0, got.coded().1), (400, code), "{query}: {got:?}");
    }
}

#[test]
fn v1_replay_by_user() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    let got = replay(&mut stage, Who::User(1), &id, WINDOW);
    let words = "Invalid authentication method. Please use application-only authentication.";
    assert_eq!(got.coded(), (401, 32, words));
}

#[test]
fn v1_subscription_by_app() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    let path = format!("{ROOT}/webhooks/{id}/subscriptions/all.json");
    let got = stage.call(Who::App, Method::POST, &path, Value::Null);
    assert_eq!((got.coded().0, got.coded().1), (401, 348));
}

#[test]
fn v1_not_owner() {
    let mut stage = Stage::new();
    let path = format!("{ROOT}/webhooks.json?url=http%3A%2F%2F127.0.0.1%3A1%2Fhook");
    let got = stage.call(Who::User(7), Method::POST, &path, Value::Null);
    assert_eq!((got.coded().0, got.coded().1), (401, 99));
}

#[test]
fn v1_read_only() {
    let settings = Settings { access: AppAccess::ReadOnly, ..Settings::default() };
    let mut stage = Stage::with(settings);
    let got = register(&mut stage, 1);
    assert_eq!(got.coded(), (403, 261, "Application cannot perform write actions."));
}

#[test]
fn v1_without_replay() {
    let settings = Settings { access: AppAccess::WithoutReplay, ..Settings::default() };
    let (mut stage, id) = Stage::enterprise(settings);
    let got = replay(&mut stage, Who::App, &id, WINDOW);
    assert_eq!((got.coded().0, got.coded().1), (403, 200));
}
