use std::time::Duration;

use aaa_emulator::{
    Emulator,
    control::{Cause, JobState, Trigger},
    settings::{Settings, TimeMode},
};
use aaa_types::{UtcMinute, WebhookId};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Got, Receiver, call, register, subscribe, user};

async fn virtual_emulator() -> Emulator {
    let settings = Settings { time: TimeMode::Virtual, ..Settings::default() };
    Emulator::builder().settings(settings).start().await.unwrap()
}

async fn replay(emulator: &Emulator, webhook: WebhookId, from: UtcMinute, to: UtcMinute) -> Got {
    let body = json!({
        "webhook_id": webhook.to_string(),
        "from_date": from.to_string(),
        "to_date": to.to_string(),
    });
    call(emulator, Method::POST, "/2/webhooks/replay", body).await
}

#[tokio::test]
async fn what_was_missed_comes_back_with_a_completion() {
    let (emulator, receiver) = (virtual_emulator().await, Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let from = UtcMinute::floor(emulator.now());

    let addr = receiver.kill().await;
    let ask = Trigger::new("tweet_create_events", user(7)).with_count(20);
    emulator.trigger_and_wait(&ask).await.unwrap();
    let to = UtcMinute::floor(emulator.now()).plus(1);
    let receiver = Receiver::start_at(addr).await;
    emulator.advance(Duration::from_secs(32 * 60)).await.unwrap();

    let got = replay(&emulator, webhook, from, to).await;
    assert_eq!(got.status, 200, "{got:?}");
    let job = got.body["data"]["job_id"].as_str().unwrap().to_owned();
    let arrived = receiver.wait_for(21).await;
    assert_eq!(
        arrived[20].0,
        json!({"replay_job_status": {
            "webhook_id": webhook.to_string(),
            "job_state": "Complete",
            "job_state_description": "Job completed successfully",
            "job_id": job,
        }})
    );
    let ledger = emulator.ledger();
    assert_eq!(ledger.jobs.len(), 1);
    assert_eq!(ledger.jobs[0].state, JobState::Complete);
    assert_eq!((ledger.jobs[0].from_date, ledger.jobs[0].to_date), (from, to));
    for event in &ledger.events {
        let causes: Vec<_> = event.attempts.iter().map(|a| (a.cause, a.status)).collect();
        assert_eq!(causes, [(Cause::Live, None), (Cause::Replay, Some(200))]);
        assert_eq!(event.attempts[1].job_id, Some(ledger.jobs[0].id));
        assert!(event.acknowledged_at.is_some());
    }
}

#[tokio::test]
async fn a_refusing_receiver_makes_a_job_incomplete() {
    let (emulator, receiver) = (virtual_emulator().await, Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let from = UtcMinute::floor(emulator.now());
    receiver.answer_deliveries(503);
    emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    emulator.advance(Duration::from_secs(40 * 60)).await.unwrap();
    let got = replay(&emulator, webhook, from, from.plus(2)).await;
    assert_eq!(got.status, 200, "{got:?}");
    let arrived = receiver.wait_for(3).await;
    assert_eq!(arrived[2].0["replay_job_status"]["job_state"], "Incomplete");
}

#[tokio::test]
async fn both_routes_and_their_refusals() {
    let (emulator, receiver) = (virtual_emulator().await, Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    let now = UtcMinute::floor(emulator.now());
    let old = format!(
        "/2/account_activity/replay/webhooks/{webhook}/subscriptions/all?from_date={}&to_date={}",
        now.plus(-60),
        now.plus(-30)
    );
    let got = call(&emulator, Method::POST, &old, Value::Null).await;
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(got.body["for_user_id"], "1");
    assert!(got.body["replay_event"]["job_id"].is_string());

    let young = replay(&emulator, webhook, now.plus(-30), now.plus(-20)).await;
    assert!(young.error().starts_with("QueryParamInvalid: from_date"), "{young:?}");
    let unknown = replay(&emulator, "12".parse().unwrap(), now.plus(-60), now.plus(-20)).await;
    assert_eq!((unknown.status, unknown.error()), (400, "WebhookIdInvalid: "));
}
