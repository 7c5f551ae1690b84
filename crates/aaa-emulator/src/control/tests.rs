use serde_json::json;

use super::*;

fn time() -> Timestamp {
    "2025-11-22T04:13:20.123Z".parse().unwrap()
}

fn user(id: u64) -> UserId {
    UserId::try_from(id).unwrap()
}

fn webhook() -> WebhookId {
    "1234577122340233217".parse().unwrap()
}

fn job() -> LedgerJob {
    LedgerJob {
        id: "1095098195724558337".parse().unwrap(),
        webhook_id: webhook(),
        from_date: "202511220400".parse().unwrap(),
        to_date: "202511220430".parse().unwrap(),
        state: JobState::Complete,
    }
}

/// Writes a value and reads it back.
fn json<T>(value: &T) -> String
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
    text
}

#[test]
fn events() {
    let ask = Trigger::new("follow_events", user(7));
    insta::assert_snapshot!(json(&ask), @r#"{"kind":"follow_events","user_id":"7"}"#);
    let ask = ask.with_count(3).with_payload(json!({"target": {"id": "8"}}));
    insta::assert_snapshot!(
        json(&ask),
        @r#"{"kind":"follow_events","user_id":"7","count":3,"payload":{"target":{"id":"8"}}}"#
    );
    let ask = Trigger::new("post.create", user(7)).with_webhook(webhook());
    insta::assert_snapshot!(
        json(&ask), @r#"{"kind":"post.create","user_id":"7","webhook_id":"1234577122340233217"}"#
    );
    let event = TriggeredEvent {
        id: "1992085043712345677".into(),
        key: "7/follow_events:follow:7:8:1763784800123".into(),
        kind: "follow_events".into(),
        for_user_id: Some(user(7)),
    };
    insta::assert_snapshot!(
        json(&Triggered::new(vec![event])),
        @r#"{"events":[{"id":"1992085043712345677","key":"7/follow_events:follow:7:8:1763784800123","kind":"follow_events","for_user_id":"7"}]}"#
    );
}

#[test]
fn ledger() {
    let attempt = |cause, job_id, status, error: Option<&str>| {
        let error = error.map(str::to_owned);
        Attempt { at: time(), cause, job_id, status, error }
    };
    let event = LedgerEvent {
        id: "1992085043712345677".into(),
        key: "7/favorite_events:a1".into(),
        kind: "favorite_events".into(),
        for_user_id: Some(user(7)),
        webhook_id: webhook(),
        created_at: time(),
        attempts: vec![
            attempt(Cause::Live, None, None, Some("no answer within the deadline")),
            attempt(Cause::Retry, None, Some(503), None),
            attempt(Cause::Replay, Some(job().id), Some(200), None),
        ],
        acknowledged_at: Some(time()),
        abandoned: None,
    };
    let ledger = Ledger { now: time(), events: vec![event], jobs: vec![job()] };
    json(&ledger);
    insta::assert_json_snapshot!(ledger, @r#"
    {
      "now": "2025-11-22T04:13:20.123Z",
      "events": [
        {
          "id": "1992085043712345677",
          "key": "7/favorite_events:a1",
          "kind": "favorite_events",
          "for_user_id": "7",
          "webhook_id": "1234577122340233217",
          "created_at": "2025-11-22T04:13:20.123Z",
          "attempts": [
            {
              "at": "2025-11-22T04:13:20.123Z",
              "cause": "live",
              "job_id": null,
              "status": null,
              "error": "no answer within the deadline"
            },
            {
              "at": "2025-11-22T04:13:20.123Z",
              "cause": "retry",
              "job_id": null,
              "status": 503,
              "error": null
            },
            {
              "at": "2025-11-22T04:13:20.123Z",
              "cause": "replay",
              "job_id": "1095098195724558337",
              "status": 200,
              "error": null
            }
          ],
          "acknowledged_at": "2025-11-22T04:13:20.123Z"
        }
      ],
      "jobs": [
        {
          "id": "1095098195724558337",
          "webhook_id": "1234577122340233217",
          "from_date": "202511220400",
          "to_date": "202511220430",
          "state": "Complete"
        }
      ]
    }
    "#);
}

#[test]
fn operations() {
    use Operation::{
        AccessToken, Authorize, BearerToken, CheckSubscription, CountSubscriptions, CreateReplay,
        CreateWebhook, DeleteWebhook, InvalidateBearerToken, ListSubscriptions, ListWebhooks,
        RequestToken, SendMessage, Subscribe, Unsubscribe, UnsubscribeSelf, ValidateWebhook,
    };
    let all = [
        CreateWebhook,
        ListWebhooks,
        ValidateWebhook,
        DeleteWebhook,
        Subscribe,
        CheckSubscription,
        ListSubscriptions,
        Unsubscribe,
        UnsubscribeSelf,
        CountSubscriptions,
        CreateReplay,
        SendMessage,
        RequestToken,
        Authorize,
        AccessToken,
        BearerToken,
        InvalidateBearerToken,
    ];
    let names: Vec<_> = all.iter().map(json).collect();
    insta::assert_snapshot!(names.join(" "), @r#""create_webhook" "list_webhooks" "validate_webhook" "delete_webhook" "subscribe" "check_subscription" "list_subscriptions" "unsubscribe" "unsubscribe_self" "count_subscriptions" "create_replay" "send_message" "request_token" "authorize" "access_token" "bearer_token" "invalidate_bearer_token""#);
}

#[test]
fn raw_deliveries() {
    let ask = Deliver { webhook_id: webhook(), body: "{}".into(), signature: None };
    insta::assert_snapshot!(
        json(&ask), @r#"{"webhook_id":"1234577122340233217","body":"{}"}"#
    );
    let delivered = Delivered { status: Some(401), body: "no".into(), error: None };
    insta::assert_snapshot!(json(&delivered), @r#"{"status":401,"body":"no"}"#);
    let error = Some("no answer within the deadline".to_owned());
    let silent = Delivered { status: None, body: String::new(), error };
    insta::assert_snapshot!(
        json(&silent),
        @r#"{"status":null,"body":"","error":"no answer within the deadline"}"#
    );
}

#[test]
fn clock_and_errors() {
    insta::assert_snapshot!(json(&Advance { advance_seconds: 60 }), @r#"{"advance_seconds":60}"#);
    insta::assert_snapshot!(json(&Clock { now: time() }), @r#"{"now":"2025-11-22T04:13:20.123Z"}"#);
    insta::assert_snapshot!(
        json(&ErrorAnswer { error: "the body is empty".into() }),
        @r#"{"error":"the body is empty"}"#
    );
}

#[test]
fn faults() {
    let when = Match {
        kind: Some("favorite_events".into()),
        user_id: Some(user(7)),
        cause: Some(Cause::Live),
        nth: Some(2),
        ..Match::default()
    };
    let fault = Fault { when: when.clone(), action: Action::Delay { seconds: 90 }, times: 3 };
    insta::assert_snapshot!(
        json(&fault),
        @r#"{"match":{"kind":"favorite_events","user_id":"7","cause":"live","nth":2},"action":{"type":"delay","seconds":90},"times":3}"#
    );
    let short: Fault = serde_json::from_str(r#"{"action":{"type":"drop"}}"#).unwrap();
    assert_eq!(short, Fault::new(Action::Drop));
    for typo in [
        r#"{"action":{"type":"drop"},"tiems":2}"#,
        r#"{"action":{"type":"drop"},"match":{"knid":"x"}}"#,
        r#"{"action":{"type":"delay"}}"#,
    ] {
        assert!(serde_json::from_str::<Fault>(typo).is_err(), "{typo}");
    }
    let actions = [
        Action::Drop,
        Action::LoseAnswer,
        Action::Duplicate,
        Action::BadSignature,
        Action::Corrupt,
        Action::Truncate,
        Action::Reorder,
        Action::SlowBody { millis: 200 },
        Action::Reset,
        Action::GiveUp,
        Action::JumpClock { seconds: 3600 },
        Action::Respond { status: 503, form: Some(ErrorForm::Html) },
        Action::Respond { status: 503, form: None },
        Action::WrongCheck,
        Action::SilentCheck,
        Action::IncompleteJob,
        Action::CompleteJob,
        Action::MissingCompletion,
        Action::DoubleCompletion,
    ];
    let names: Vec<_> = actions.iter().map(json).collect();
    insta::assert_snapshot!(names.join("\n"), @r#"
    {"type":"drop"}
    {"type":"lose_answer"}
    {"type":"duplicate"}
    {"type":"bad_signature"}
    {"type":"corrupt"}
    {"type":"truncate"}
    {"type":"reorder"}
    {"type":"slow_body","millis":200}
    {"type":"reset"}
    {"type":"give_up"}
    {"type":"jump_clock","seconds":3600}
    {"type":"respond","status":503,"form":"html"}
    {"type":"respond","status":503}
    {"type":"wrong_check"}
    {"type":"silent_check"}
    {"type":"incomplete_job"}
    {"type":"complete_job"}
    {"type":"missing_completion"}
    {"type":"double_completion"}
    "#);
    let operation = Match { operation: Some(Operation::CreateReplay), ..Match::default() };
    insta::assert_snapshot!(json(&operation), @r#"{"operation":"create_replay"}"#);
    let check = Match {
        webhook_id: Some(webhook()),
        check: Some(CheckCause::Schedule),
        probability: Probability::new(0.25),
        ..Match::default()
    };
    insta::assert_snapshot!(
        json(&check),
        @r#"{"webhook_id":"1234577122340233217","check":"schedule","probability":0.25}"#
    );
    let planned = PlannedFault { id: "1".into(), when, action: Action::Drop, planned: 3, fired: 1 };
    insta::assert_snapshot!(
        planned,
        @r#"fault 1, {"type":"drop"} on {"kind":"favorite_events","user_id":"7","cause":"live","nth":2}, fired 1 of 3 times"#
    );
    let firing = Firing {
        at: time(),
        fault_id: "1".into(),
        event_id: Some("1992085043712345677".into()),
        kind: Some("favorite_events".into()),
        user_id: Some(user(7)),
        webhook_id: Some(webhook()),
        cause: Some(Cause::Live),
        operation: None,
        check: None,
    };
    insta::assert_snapshot!(
        json(&Faults { faults: vec![planned], journal: vec![firing] }),
        @r#"{"faults":[{"id":"1","match":{"kind":"favorite_events","user_id":"7","cause":"live","nth":2},"action":{"type":"drop"},"planned":3,"fired":1}],"journal":[{"at":"2025-11-22T04:13:20.123Z","fault_id":"1","event_id":"1992085043712345677","kind":"favorite_events","user_id":"7","webhook_id":"1234577122340233217","cause":"live"}]}"#
    );
    let names: Vec<_> = [
        ErrorForm::Coded,
        ErrorForm::Invalid,
        ErrorForm::Problem,
        ErrorForm::Bare,
        ErrorForm::Html,
        ErrorForm::Empty,
    ]
    .iter()
    .map(json)
    .chain(
        [CheckCause::Registration, CheckCause::Request, CheckCause::Replay, CheckCause::Schedule]
            .iter()
            .map(json),
    )
    .collect();
    insta::assert_snapshot!(names.join(" "), @r#""coded" "invalid" "problem" "bare" "html" "empty" "registration" "request" "replay" "schedule""#);
}

#[test]
fn state() {
    let detail = JobDetail {
        job: job(),
        created_at: time(),
        events: 4,
        failed: 0,
        completion: Completion::Acknowledged,
    };
    let hook = WebhookState {
        id: webhook(),
        url: "http://127.0.0.1:8080/hook".parse().unwrap(),
        valid: true,
        created_at: time(),
        last_check_passed_at: time(),
        last_check_error: None,
        subscriptions: vec![user(7), user(8)],
    };
    let counts = Counts { events: 4, attempts: 8, acknowledged: 4, in_flight: 0, queued: 0 };
    let state = State {
        now: time(),
        settings: Settings::default(),
        webhooks: vec![hook],
        jobs: vec![detail],
        counts,
    };
    json(&state);
    insta::assert_json_snapshot!(state, @r#"
    {
      "now": "2025-11-22T04:13:20.123Z",
      "settings": {
        "seed": 0,
        "urls": "loopback_too",
        "time": "running",
        "start": null,
        "oauth_time": "either_clock",
        "quota": {
          "webhooks": 5,
          "subscriptions": 5000
        },
        "access": "full",
        "deadline": null,
        "look_back": null,
        "retries": null,
        "concurrency": 64,
        "replay_rate": 2500,
        "checks": {
          "period": "PT1H",
          "after": "PT0S"
        },
        "check_grace": "PT28H",
        "challenge": "plain",
        "challenge_type": "any",
        "revival": "on_request",
        "while_invalid": "lost",
        "window_end": "exclusive",
        "relations": null,
        "blocked_flag": "bool",
        "delivery_headers": "plain",
        "registration_answer": "data",
        "validation_answer": "valid",
        "replay_answer": "of_route",
        "replay_scope": "of_route",
        "refusal_form": "message",
        "url_refusal": "forbidden",
        "invalidation": "either"
      },
      "webhooks": [
        {
          "id": "1234577122340233217",
          "url": "http://127.0.0.1:8080/hook",
          "valid": true,
          "created_at": "2025-11-22T04:13:20.123Z",
          "last_check_passed_at": "2025-11-22T04:13:20.123Z",
          "last_check_error": null,
          "subscriptions": [
            "7",
            "8"
          ]
        }
      ],
      "jobs": [
        {
          "id": "1095098195724558337",
          "webhook_id": "1234577122340233217",
          "from_date": "202511220400",
          "to_date": "202511220430",
          "state": "Complete",
          "created_at": "2025-11-22T04:13:20.123Z",
          "events": 4,
          "failed": 0,
          "completion": "acknowledged"
        }
      ],
      "counts": {
        "events": 4,
        "attempts": 8,
        "acknowledged": 4,
        "in_flight": 0,
        "queued": 0
      }
    }
    "#);
}

#[test]
fn traffic() {
    insta::assert_snapshot!(json(&Traffic::new(2.5)), @r#"{"rate":2.5,"users":20}"#);
    let state = TrafficState { rate: 0.5, users: 3, acts: 7, left_out: 1 };
    insta::assert_snapshot!(json(&state), @r#"{"rate":0.5,"users":3,"acts":7,"left_out":1}"#);
    assert!(serde_json::from_str::<Traffic>(r#"{"rate":1,"user":3}"#).is_err());
}
