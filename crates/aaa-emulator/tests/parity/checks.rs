//! Challenges, and what their outcome does.

use aaa_emulator::{
    settings::Settings,
    world::{Answer, Heard, Silence},
};
use http::Method;
use jiff::SignedDuration;
use serde_json::Value;

use crate::stage::{Stage, Who, answered, right};

/// How many hourly checks it takes until a webhook is invalid that answers so.
fn hours(heard: Heard) -> usize {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.crc = Some(heard);
    for hour in 1..=40 {
        stage.pass(SignedDuration::from_hours(1));
        stage.answer_checks();
        if !stage.is_valid() {
            return hour;
        }
    }
    usize::MAX
}

#[test]
fn crc_deadline() {
    for (subscribed, seconds) in
        [(Stage::subscribed as fn(Settings) -> (Stage, String), 10), (Stage::enterprise, 3)]
    {
        let (mut stage, _) = subscribed(Settings::default());
        stage.make("favorite_events", 1);
        stage.collect();
        assert_eq!(stage.posts[0].deadline.as_secs(), seconds);
        stage.pass(SignedDuration::from_hours(1));
        assert_eq!(stage.checks[0].deadline.as_secs(), seconds);
    }
}

#[test]
fn crc_plain_in_v2() {
    let mut stage = Stage::new();
    let generation = aaa_emulator::settings::Generation::V2;
    stage.world.register("http://127.0.0.1:1/hook", generation, stage.now).unwrap();
    stage.collect();
    assert!(!stage.checks[0].uri.contains("nonce="));
    assert!(stage.checks[0].signature.is_none());
}

#[test]
fn crc_signed_in_v1() {
    let mut stage = Stage::new();
    let generation = aaa_emulator::settings::Generation::V1_1;
    stage.world.register("http://127.0.0.1:1/hook", generation, stage.now).unwrap();
    stage.collect();
    let check = &stage.checks[0];
    let query = check.uri.split_once('?').unwrap().1;
    assert!(query.contains("&nonce="));
    let signature = check.signature.as_deref().unwrap();
    let signature = aaa_webhook::signature::Signature::parse(signature).unwrap();
    let secret = aaa_emulator::credentials::CONSUMER_SECRET.parse().unwrap();
    assert!(signature.verifies(&secret, query.as_bytes()));
}

#[test]
fn crc_token_form() {
    let mut stage = Stage::new();
    let generation = aaa_emulator::settings::Generation::V2;
    stage.world.register("http://127.0.0.1:1/hook", generation, stage.now).unwrap();
    stage.collect();
    let token = stage.checks[0].uri.split_once("crc_token=").unwrap().1;
    assert!(token.len() == 48 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
}

#[test]
fn crc_content_type() {
    // The stage's answers name none.
    assert!(!Stage::new().register("http://127.0.0.1:1/hook").is_empty());
}

#[test]
fn crc_wrong_token() {
    assert_eq!(hours(answered(200, r#"{"response_token":"sha256=AAAA"}"#).unwrap()), 1);
}

#[test]
fn crc_redirect() {
    assert_eq!(hours(answered(302, "").unwrap()), 1);
}

#[test]
fn crc_tls() {
    assert_eq!(hours(Err(Silence::Tls("no certificate".into()))), 1);
}

#[test]
fn crc_compressed() {
    for (encoding, is_packed) in [(Some("gzip"), false), (None, true)] {
        let (mut stage, _) = Stage::subscribed(Settings::default());
        stage.pass(SignedDuration::from_hours(1));
        let check = stage.checks.pop().unwrap();
        let body = right(&check).body;
        let body = if is_packed { bytes::Bytes::from_static(&[0x1f, 0x8b, 8]) } else { body };
        let mut answer = Answer::new(200, body);
        answer.content_encoding = encoding.map(str::to_owned);
        stage.world.check_ended(check.id, Ok(answer), stage.now);
        assert!(!stage.is_valid(), "{encoding:?}");
        let state = stage.world.state(stage.now);
        let why = state.webhooks[0].last_check_error.clone().unwrap();
        assert!(why.contains("compressed"), "{why}");
    }
}

#[test]
fn crc_transient() {
    for heard in [
        answered(404, "").unwrap(),
        answered(503, "").unwrap(),
        Err(Silence::TimedOut),
        Err(Silence::Closed("reset".into())),
    ] {
        assert!(hours(heard.clone()) > 1, "{heard:?}");
    }
}

#[test]
fn crc_timeout() {
    assert!(hours(Err(Silence::TimedOut)) > 1);
}

#[test]
fn crc_grace() {
    assert_eq!(hours(answered(503, "").unwrap()), 28);
}

#[test]
fn crc_schedule() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    for _ in 0..3 {
        stage.pass(SignedDuration::from_hours(1));
        assert_eq!(stage.checks.len(), 1);
        stage.answer_checks();
    }
}

#[test]
fn crc_revival() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.crc = answered(302, "");
    stage.pass(SignedDuration::from_hours(1));
    stage.answer_checks();
    assert!(!stage.is_valid());
    stage.crc = None;
    stage.pass(SignedDuration::from_hours(1));
    stage.answer_checks();
    assert!(!stage.is_valid());
}

#[test]
fn crc_put_enables() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let path = format!("/2/webhooks/{id}");
    stage.crc = answered(302, "");
    let got = stage.call(Who::App, Method::PUT, &path, Value::Null);
    assert!(got.error().starts_with("CrcValidationFailed: "), "{got:?}");
    assert!(!stage.is_valid());
    stage.crc = None;
    stage.call(Who::App, Method::PUT, &path, Value::Null);
    assert!(stage.is_valid());
}

#[test]
fn invalid_is_silent() {
    let retries = Some(vec![SignedDuration::from_secs(3)]);
    let (mut stage, id) = Stage::subscribed(Settings { retries, ..Settings::default() });
    stage.make("favorite_events", 1);
    assert_eq!(stage.answer_posts(500).len(), 1);
    stage.crc = answered(302, "");
    stage.call(Who::App, Method::PUT, &format!("/2/webhooks/{id}"), Value::Null);
    stage.pass(SignedDuration::from_secs(3));
    stage.make("favorite_events", 1);
    assert!(stage.answer_posts(200).is_empty());
}

#[test]
fn while_invalid() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    let path = format!("/2/webhooks/{id}");
    stage.crc = answered(302, "");
    stage.call(Who::App, Method::PUT, &path, Value::Null);
    stage.make("favorite_events", 1);
    stage.crc = None;
    stage.call(Who::App, Method::PUT, &path, Value::Null);
    stage.pass(SignedDuration::from_mins(40));
    assert_eq!(stage.replay(&id, 0, 1).status, 200);
    let bodies = stage.all_posts(200);
    assert_eq!(bodies.len(), 1, "only the end of the job");
}
