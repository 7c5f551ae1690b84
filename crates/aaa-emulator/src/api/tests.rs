use aaa_auth::{Consumer, UserToken, oauth1::Signer};
use aaa_types::api::{Answer, ApiError, Failure, ReplayJob, Validation, Webhook};
use http::{Method, Request, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::{
    settings::{Envelope, ReplayAnswer, Settings, ValidationAnswer},
    world::Outcome,
};

fn now() -> Timestamp {
    "2025-11-22T04:13:20.120Z".parse().unwrap()
}

fn parts(method: Method, path: &str, authorization: &str) -> Parts {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:7878")
        .header("authorization", authorization);
    request.body(()).unwrap().into_parts().0
}

fn signed(user: u64, at: Timestamp, nonce: &str) -> Parts {
    let path = "/2/account_activity/webhooks/12/subscriptions/all";
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    let token = credentials::user_token(user);
    let token = UserToken::new(token.token.parse().unwrap(), token.secret.parse().unwrap());
    let url = Url::parse(&format!("http://127.0.0.1:7878{path}")).unwrap();
    let header = Signer::new(&consumer).with_token(&token).sign(&Method::GET, &url, &[], nonce, at);
    parts(Method::GET, path, header.to_str().unwrap())
}

fn ask(parts: &Parts, clocks: &[Timestamp]) -> (RateLimit, Reply) {
    let mut world = World::new(Settings::default(), now());
    let mut gate = Gate::new();
    let (limit, step) = handle(&mut world, &mut gate, parts, &Bytes::new(), now(), clocks);
    match step {
        Step::Done(reply) => (limit, reply),
        Step::Wait(..) => panic!("nothing to wait for"),
    }
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

fn v2(call: Call) -> Route {
    Route { generation: Generation::V2, call }
}

#[test]
fn a_timestamp_must_agree_with_one_of_the_clocks() {
    let real = now() + SignedDuration::from_hours(-30);
    let minutes = SignedDuration::from_mins;
    let code = |at, clocks: &[Timestamp]| {
        let (_, reply) = ask(&signed(7, at, "n"), clocks);
        (reply.status.as_u16(), json_of(&reply)["errors"][0]["code"].as_u64())
    };
    // Let in: the webhook is unknown, but the caller is not.
    let admitted = (400, None);
    let refused = (401, Some(135));
    assert_eq!(code(now(), &[now()]), admitted);
    assert_eq!(code(now() + minutes(4), &[now()]), admitted);
    assert_eq!(code(now() + minutes(6), &[now()]), refused);
    assert_eq!(code(real, &[now()]), refused);
    assert_eq!(code(real, &[now(), real]), admitted);
    assert_eq!(code(real + minutes(6), &[now(), real]), refused);
}

#[test]
fn users_without_tokens_are_unknown() {
    let (_, reply) = ask(&signed(10_000_000, now(), "n"), &[now()]);
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        json_of(&reply),
        json!({"errors": [{"code": 89, "message": "Invalid or expired token."}]})
    );
}

#[test]
fn refusals_are_understood_by_the_types_of_clients() {
    let bearer = "Bearer emulator-bearer";
    let failure = |method, path: &str| {
        let (_, reply) = ask(&parts(method, path, bearer), &[now()]);
        let error = ApiError::parse(reply.status.as_u16(), reply.body.as_bytes());
        (reply.status.as_u16(), error.failure().cloned())
    };
    let unknown = (400, Some(Failure::WebhookIdInvalid));
    assert_eq!(failure(Method::DELETE, "/2/webhooks/12"), unknown);
    assert_eq!(failure(Method::PUT, "/2/webhooks/twelve"), unknown);
    let base = "/2/account_activity/webhooks/12/subscriptions";
    assert_eq!(failure(Method::GET, &format!("{base}/all/list")), unknown);
    assert_eq!(failure(Method::DELETE, &format!("{base}/7/all")), unknown);
    assert_eq!(failure(Method::POST, "/2/webhooks/replay").1, Some(Failure::QueryParamInvalid));
    assert_eq!(failure(Method::GET, "/2/webhooks/replay"), (405, None));
    assert_eq!(failure(Method::GET, "/2/webhook"), (404, None));
    assert_eq!(failure(Method::GET, &format!("{base}/all")), (403, None));
}

/// The documents disagree; clients must read every form, and the emulator can play each.
#[test]
fn answers_in_every_form() {
    let webhook = Webhook {
        id: "1234577122340233217".parse().unwrap(),
        url: "http://127.0.0.1:1/".parse().unwrap(),
        valid: true,
        created_at: Some(now()),
    };
    let job = ReplayJob { job_id: "1095098195724558337".parse().unwrap(), created_at: Some(now()) };
    let body = |route: &Route, result: Outcome, settings: Settings| {
        let reply = outcome(route, result, &settings);
        assert_eq!(reply.status, StatusCode::OK);
        json_of(&reply)
    };
    for (registration_answer, is_flat) in [(Envelope::Data, false), (Envelope::Flat, true)] {
        let settings = Settings { registration_answer, ..Settings::default() };
        let result = Outcome::Registered(Ok(webhook.clone()));
        let body = body(&v2(Call::CreateWebhook), result, settings);
        assert_eq!(body.get("id").is_some(), is_flat);
        let read = Answer::<Webhook>::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(read, webhook);
        assert!(body.to_string().contains("04:13:20.120Z"), "three digits, always");
    }
    for (validation_answer, expected) in [
        (ValidationAnswer::Valid, json!({"data": {"valid": true}})),
        (ValidationAnswer::Attempted, json!({"data": {"attempted": true}})),
        (ValidationAnswer::Triggered, json!({"data": {"valid": true}})),
        (ValidationAnswer::State, json!({"data": {"valid": true}})),
    ] {
        let settings = Settings { validation_answer, ..Settings::default() };
        let route = v2(Call::ValidateWebhook("1".into()));
        let body = body(&route, Outcome::Validated(Ok(true)), settings);
        assert_eq!(body, expected);
        assert!(Answer::<Validation>::parse(body.to_string().as_bytes()).unwrap().valid);
    }
    let settings = Settings { validation_answer: ValidationAnswer::State, ..Settings::default() };
    let route = v2(Call::ValidateWebhook("1".into()));
    let told = body(&route, Outcome::Validated(Ok(false)), settings);
    assert_eq!(told, json!({"data": {"valid": false}}));
    assert!(!Answer::<Validation>::parse(told.to_string().as_bytes()).unwrap().valid);
    let new = v2(Call::Replay);
    let old = v2(Call::ReplaySubscriptions("1".into()));
    for (route, replay_answer, member) in [
        (&new, ReplayAnswer::OfRoute, "data"),
        (&old, ReplayAnswer::OfRoute, "replay_event"),
        (&new, ReplayAnswer::ReplayEvent, "replay_event"),
        (&old, ReplayAnswer::Data, "data"),
        (&new, ReplayAnswer::Flat, "job_id"),
    ] {
        let settings = Settings { replay_answer, ..Settings::default() };
        let body = body(route, Outcome::Replaying(Ok(job)), settings);
        assert!(body.get(member).is_some(), "{replay_answer:?}: {body}");
        assert_eq!(Answer::<ReplayJob>::parse(body.to_string().as_bytes()).unwrap(), job);
    }
}

#[test]
fn chosen_fields_of_webhooks() {
    let webhook = Webhook {
        id: "12".parse().unwrap(),
        url: "http://127.0.0.1:1/".parse().unwrap(),
        valid: true,
        created_at: None,
    };
    let route = v2(Call::ListWebhooks);
    let webhooks = Success::Webhooks(vec![webhook]);
    let list = |query| json_of(&answer::success(&route, &webhooks, query, &Settings::default()));
    let all = list(None);
    assert_eq!(all["data"][0].as_object().unwrap().len(), 4);
    let query = Some("webhook_config.fields=valid%2Curl");
    assert_eq!(
        list(query)["data"],
        json!([{"id": "12", "url": "http://127.0.0.1:1/", "valid": true}])
    );
}
