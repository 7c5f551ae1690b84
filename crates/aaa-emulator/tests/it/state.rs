//! What is exported is taken up by the next emulator.

use std::time::Duration;

use aaa_emulator::{
    Emulator, StartError,
    control::{Snapshot, Traffic, Trigger},
};
use http::{Method, Request};
use serde_json::Value;

use crate::support::{Receiver, call, quiet, register, send, subscribe, user};

#[tokio::test]
async fn the_next_emulator_knows_all_of_it() {
    let first = Emulator::builder().settings(quiet()).start().await.unwrap();
    let receiver = Receiver::start().await;
    let webhook = register(&first, &receiver).await;
    subscribe(&first, webhook, 7).await;
    let ask = Trigger::new("tweet_create_events", user(7)).with_count(3);
    let made = first.trigger_and_wait(&ask).await.unwrap();
    let before = first.changes();
    first.advance(Duration::from_secs(40 * 60)).await.unwrap();
    assert!(first.changes() > before);
    // Nothing is written anew because somebody looks.
    let before = first.changes();
    assert_eq!(call(&first, Method::GET, "/2/webhooks", Value::Null).await.status, 200);
    let _ = (first.ledger(), first.state(), first.traffic());
    assert_eq!(first.changes(), before);

    // Over HTTP, as a file would have it.
    let uri = format!("{}/_emulator/state?export=true", first.url());
    let text = send(Request::builder().uri(uri), String::new()).await.text;
    let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
    let ledger = first.ledger();
    first.shutdown().await;

    let second =
        Emulator::builder().settings(quiet()).state(snapshot.clone()).start().await.unwrap();
    assert_eq!(second.ledger(), ledger);
    assert_eq!(second.now(), snapshot.now);
    let mut again = second.export();
    again.ahead_millis = snapshot.ahead_millis;
    assert_eq!(again, snapshot);
    // The subscription is still there, and ids go on.
    let more = second.trigger_and_wait(&Trigger::new("follow_events", user(7))).await.unwrap();
    assert!(more.events[0].id.parse::<u64>().unwrap() > made.events[2].id.parse().unwrap());
    // What the first one attempted, a replay of the second sends.
    let from = aaa_types::UtcMinute::floor(ledger.events[0].created_at);
    let path = format!(
        "/2/account_activity/replay/webhooks/{webhook}/subscriptions/all?from_date={from}&to_date={}",
        from.plus(1)
    );
    assert_eq!(call(&second, Method::POST, &path, Value::Null).await.status, 200);
    receiver.wait_for(3 + 1 + 3 + 1).await;
    assert_eq!(second.ledger().events[0].attempts.len(), 2);
}

#[tokio::test]
async fn nonsense_is_refused() {
    let emulator = Emulator::start().await.unwrap();
    let snapshot = Snapshot { version: 7, ..emulator.export() };
    let error = Emulator::builder().state(snapshot).start().await.unwrap_err();
    assert!(matches!(error, StartError::State(_)));
    assert!(error.to_string().contains("its version is 7"), "{error}");
}

#[test]
fn its_form_is_fixed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let snapshot = runtime.block_on(async {
        let start = Some("2025-11-22T04:00:00Z".parse().unwrap());
        let settings = aaa_emulator::settings::Settings { start, ..quiet() };
        let emulator = Emulator::builder().settings(settings).start().await.unwrap();
        let receiver = Receiver::start().await;
        let webhook = register(&emulator, &receiver).await;
        subscribe(&emulator, webhook, 7).await;
        emulator.trigger_and_wait(&Trigger::new("follow_events", user(7))).await.unwrap();
        let mut snapshot = emulator.export();
        snapshot.ahead_millis = 0;
        // The port is another one each time, and the body is that of `payload`.
        snapshot.webhooks[0].url = "http://127.0.0.1:8080/hook".parse().unwrap();
        snapshot.events[0].body = "{}".to_owned();
        snapshot
    });
    insta::assert_json_snapshot!(snapshot, @r#"
    {
      "version": 2,
      "now": "2025-11-22T04:00:00Z",
      "ahead_millis": 0,
      "counters": {
        "random": 17418742259747381416,
        "last_id": 1992080596794897624,
        "last_millis": 1763784000000,
        "generated": 1
      },
      "webhooks": [
        {
          "id": "1992080596792853839",
          "url": "http://127.0.0.1:8080/hook",
          "generation": "v2",
          "valid": true,
          "created_at": "2025-11-22T04:00:00Z",
          "last_check_passed_at": "2025-11-22T04:00:00Z",
          "last_check_error": null,
          "subscriptions": [
            "7"
          ],
          "queue": [],
          "attempted": [
            [
              "2025-11-22T04:00:00Z",
              0
            ]
          ],
          "job": null
        }
      ],
      "events": [
        {
          "event": {
            "id": "1992080596794897624",
            "key": "7/follow_events:follow:7:2244994945:1763784000000",
            "kind": "follow_events",
            "for_user_id": "7",
            "webhook_id": "1992080596792853839",
            "created_at": "2025-11-22T04:00:00Z",
            "attempts": [
              {
                "at": "2025-11-22T04:00:00Z",
                "cause": "live",
                "job_id": null,
                "status": 200,
                "error": null
              }
            ],
            "acknowledged_at": "2025-11-22T04:00:00Z"
          },
          "body": "{}"
        }
      ],
      "jobs": [],
      "timers": [
        {
          "at": "2027-01-12T20:00:00Z",
          "webhook_id": "1992080596792853839",
          "due": "check"
        }
      ],
      "grants": {
        "requests": [],
        "bearer": 1,
        "bearers": 1
      },
      "limits": [
        {
          "generation": "v2",
          "operation": "create_webhook",
          "user_id": null,
          "seconds": 900,
          "ends": "2025-11-22T04:15:00Z",
          "used": 1
        },
        {
          "generation": "v2",
          "operation": "subscribe",
          "user_id": null,
          "seconds": 900,
          "ends": "2025-11-22T04:15:00Z",
          "used": 1
        }
      ],
      "blocks": [],
      "traffic": null
    }
    "#);
}

/// What others did before goes on: the same story as without an end between.
#[tokio::test]
async fn traffic_goes_on() {
    let start = Some("2025-11-22T04:00:00Z".parse().unwrap());
    let settings = aaa_emulator::settings::Settings { start, ..quiet() };
    let receiver = Receiver::start().await;
    let first = Emulator::builder().settings(settings.clone()).start().await.unwrap();
    let webhook = register(&first, &receiver).await;
    subscribe(&first, webhook, 7).await;
    first.set_traffic(Traffic::new(2.5).with_users(5)).unwrap();
    first.advance(Duration::from_secs(200)).await.unwrap();
    let mut saved = first.export();
    let text = serde_json::to_string(&saved).unwrap();
    let second = Emulator::builder().settings(settings.clone());
    let second = second.state(serde_json::from_str(&text).unwrap()).start().await.unwrap();
    let mut again = second.export();
    (again.ahead_millis, saved.ahead_millis) = (0, 0);
    assert_eq!(again, saved);
    for emulator in [&first, &second] {
        emulator.advance(Duration::from_secs(200)).await.unwrap();
        emulator.advance(Duration::ZERO).await.unwrap();
    }
    assert_eq!(second.traffic().acts, 1000);
    assert_eq!(second.traffic(), first.traffic());
    let keys = |emulator: &Emulator| -> Vec<_> {
        emulator.ledger().events.into_iter().map(|event| event.key).collect()
    };
    assert_eq!(keys(&first), keys(&second));

    // A state of before traffic was saved is read too.
    let mut old: Value = serde_json::from_str(&text).unwrap();
    old["version"] = 1.into();
    for later in ["traffic", "blocks"] {
        old.as_object_mut().unwrap().remove(later).unwrap();
    }
    let old = serde_json::from_value(old).unwrap();
    let third = Emulator::builder().settings(settings).state(old).start().await.unwrap();
    assert_eq!(third.traffic().rate, 0.0);
    assert_eq!(third.export().version, 2);
}
