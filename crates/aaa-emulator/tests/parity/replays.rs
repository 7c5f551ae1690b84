//! Replay jobs.

use aaa_emulator::settings::{Settings, TimeMode};
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::stage::{Stage, Who, answered};

/// With an event in the first minute that was refused, forty minutes later.
fn missed(settings: Settings) -> (Stage, String) {
    let (mut stage, id) = Stage::subscribed(settings);
    stage.make("favorite_events", 1);
    stage.answer_posts(500);
    stage.pass(SignedDuration::from_mins(40));
    (stage, id)
}

fn keys(bodies: &[Value]) -> Vec<&str> {
    let key = |body: &Value| {
        ["favorite_events", "replay_job_status"].into_iter().find(|key| body.get(key).is_some())
    };
    // What is looked for is static, so the bodies need not live on.
    bodies.iter().filter_map(key).collect()
}

#[test]
fn replay_answer() {
    let (mut stage, id) = missed(Settings::default());
    let got = stage.replay(&id, 0, 1);
    assert!(got.body["data"]["job_id"].is_string(), "{got:?}");
}

#[test]
fn replay_routes() {
    let (mut stage, id) = missed(Settings::default());
    let path = format!(
        "/2/account_activity/replay/webhooks/{id}/subscriptions/all\
         ?from_date=202511220400&to_date=202511220401"
    );
    let got = stage.call(Who::App, Method::POST, &path, Value::Null);
    assert_eq!((got.status, &got.body["for_user_id"]), (200, &json!("1")));
    assert!(got.body["replay_event"]["job_id"].is_string());
    stage.all_posts(200);
    assert_eq!(stage.replay(&id, 0, 1).status, 200);
}

#[test]
fn replay_brings_back() {
    let (mut stage, id) = missed(Settings::default());
    stage.replay(&id, 0, 1);
    assert_eq!(keys(&stage.all_posts(200)), ["favorite_events", "replay_job_status"]);
}

/// Something of each product was refused, and is asked for by both routes of v2.
fn by_both_routes() -> [Vec<Value>; 2] {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    for kind in ["favorite_events", "post.create", "filtered_stream"] {
        stage.make(kind, 1);
    }
    stage.all_posts(500);
    stage.pass(SignedDuration::from_mins(40));
    stage.replay(&id, 0, 1);
    let everything = stage.all_posts(200);
    let path = format!(
        "/2/account_activity/replay/webhooks/{id}/subscriptions/all\
         ?from_date=202511220400&to_date=202511220401"
    );
    stage.call(Who::App, Method::POST, &path, Value::Null);
    [everything, stage.all_posts(200)]
}

#[test]
fn replay_scope() {
    let [_, activity] = by_both_routes();
    assert_eq!(keys(&activity), ["favorite_events", "replay_job_status"]);
    assert_eq!(activity.len(), 2);
}

#[test]
fn replay_everything() {
    let [everything, _] = by_both_routes();
    assert_eq!(everything.len(), 4, "three events and the end of the job");
}

#[test]
fn replay_scope_v1() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    for kind in ["favorite_events", "post.create"] {
        stage.make(kind, 1);
    }
    stage.all_posts(200);
    stage.pass(SignedDuration::from_mins(40));
    let path = format!(
        "/1.1/account_activity/replay/webhooks/{id}/subscriptions/all.json\
         ?from_date=202511220400&to_date=202511220401"
    );
    assert_eq!(stage.call(Who::App, Method::POST, &path, Value::Null).status, 202);
    let bodies = stage.all_posts(200);
    assert_eq!((bodies.len(), keys(&bodies).len()), (2, 2));
}

#[test]
fn replay_check_first() {
    let (mut stage, id) = missed(Settings::default());
    stage.crc = answered(503, "");
    let got = stage.replay(&id, 0, 1);
    assert!(got.error().starts_with("CrcValidationFailed: "), "{got:?}");
}

#[test]
fn replay_conflict() {
    let (mut stage, id) = missed(Settings::default());
    assert_eq!(stage.replay(&id, 0, 1).status, 200);
    let got = stage.replay(&id, 0, 1);
    assert_eq!(got.status, 400);
    assert!(got.error().starts_with("ReplayConflictError: "), "{got:?}");
}

#[test]
fn replay_end() {
    let (mut stage, id) = missed(Settings::default());
    stage.replay(&id, -1, 0);
    assert_eq!(keys(&stage.all_posts(200)), ["replay_job_status"]);
}

#[test]
fn replay_begin() {
    let (mut stage, id) = missed(Settings::default());
    stage.replay(&id, 0, 1);
    assert_eq!(stage.all_posts(200).len(), 2);
}

#[test]
fn look_back() {
    let (mut stage, id) = missed(Settings::default());
    let day = 24 * 60;
    assert_eq!(stage.replay(&id, 40 - day, 0).status, 200);
    stage.all_posts(200);
    let got = stage.replay(&id, 40 - day - 1, 0);
    assert!(got.error().starts_with("QueryParamInvalid: "), "{got:?}");
}

#[test]
fn look_back_v1() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    let mut ask = |from: &str| {
        let path = format!(
            "/1.1/account_activity/replay/webhooks/{id}/subscriptions/all.json\
             ?from_date={from}&to_date=202511220300"
        );
        stage.call(Who::App, Method::POST, &path, Value::Null)
    };
    assert_eq!(ask("202511170359").error(), "from_date must be within the past 5 days.");
    assert_eq!(ask("202511170400").status, 202);
}

#[test]
fn replay_from_age() {
    let (mut stage, id) = missed(Settings::default());
    assert_eq!(stage.replay(&id, 10, 11).status, 400);
    assert_eq!(stage.replay(&id, 9, 11).status, 200);
}

#[test]
fn replay_to_age() {
    let (mut stage, id) = missed(Settings::default());
    assert_eq!(stage.replay(&id, 0, 31).status, 400);
    assert_eq!(stage.replay(&id, 0, 30).status, 200);
}

#[test]
fn replay_too_young_name() {
    let (mut stage, id) = missed(Settings::default());
    let got = stage.replay(&id, 0, 31);
    assert!(got.error().starts_with("QueryParamInvalid: to_date"), "{got:?}");
}

#[test]
fn replay_rate() {
    let settings = Settings {
        time: TimeMode::Running,
        concurrency: 1000,
        retries: Some(Vec::new()),
        ..Settings::default()
    };
    let mut stage = Stage::exactly(settings);
    let id = stage.register("http://127.0.0.1:1/hook");
    stage.subscribe(&id, 7);
    stage.make("favorite_events", 600);
    stage.answer_posts(500);
    stage.pass(SignedDuration::from_mins(40));
    stage.replay(&id, 0, 1);
    // A tenth of a second's worth at once, and as much with every further tenth.
    for expected in [250, 250, 100] {
        assert_eq!(stage.answer_posts(200).len(), expected);
        stage.pass(SignedDuration::from_millis(100));
    }
}

#[test]
fn replay_no_retry() {
    // Later than the job, so that the live delivery has its retry to come.
    let retries = Some(vec![SignedDuration::from_hours(1)]);
    let (mut stage, id) = missed(Settings { retries, ..Settings::default() });
    stage.replay(&id, 0, 1);
    assert_eq!(keys(&stage.all_posts(500)), ["favorite_events", "replay_job_status"]);
    stage.pass(SignedDuration::from_mins(30));
    assert_eq!(stage.all_posts(200).len(), 1, "the live delivery is tried again");
    stage.pass(SignedDuration::from_hours(1));
    assert_eq!(stage.all_posts(200).len(), 0, "what the job sent is not");
}

#[test]
fn replay_complete() {
    let (mut stage, id) = missed(Settings::default());
    stage.replay(&id, 0, 1);
    let bodies = stage.all_posts(200);
    let status = &bodies[1]["replay_job_status"];
    assert_eq!(status["job_state"], "Complete");
    assert_eq!(status["job_state_description"], "Job completed successfully");
    assert_eq!(status["webhook_id"], id);
    assert!(bodies[1].get("for_user_id").is_none());
}

#[test]
fn replay_incomplete() {
    let (mut stage, id) = missed(Settings::default());
    stage.replay(&id, 0, 1);
    stage.answer_posts(500);
    let bodies = stage.all_posts(200);
    let status = &bodies[0]["replay_job_status"];
    assert_eq!(status["job_state"], "Incomplete");
    let words = "Job failed to deliver all events, please retry your replay job";
    assert_eq!(status["job_state_description"], words);
}
