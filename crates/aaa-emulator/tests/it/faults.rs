//! What goes wrong on the wire, in both directions.

use aaa_emulator::{
    Emulator,
    control::{Action, ErrorForm, Fault, Match, Operation, Trigger},
};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use crate::support::{PATIENCE, Receiver, call, register, subscribe, user};

fn of(operation: Operation, action: Action) -> Fault {
    let operation = Some(operation);
    Fault::new(action).when(Match { operation, ..Match::default() })
}

/// Calls, and returns the body; nothing if the connection ended before it was there.
async fn try_call(emulator: &Emulator, method: Method, path: &str, body: Value) -> Option<Bytes> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", emulator.url()))
        .header("authorization", "Bearer emulator-bearer")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let work = async {
        let response = client.request(request).await.ok()?;
        Some(response.into_body().collect().await.ok()?.to_bytes())
    };
    tokio::time::timeout(PATIENCE, work).await.expect("it ends")
}

#[tokio::test]
async fn a_call_is_done_and_its_answer_lost_or_it_is_not_done() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let path = format!("/2/account_activity/webhooks/{webhook}/subscriptions/7/all");
    for (action, left) in [(Action::Reset, 1), (Action::LoseAnswer, 0)] {
        emulator.plan_fault(of(Operation::Unsubscribe, action)).unwrap();
        let answer = try_call(&emulator, Method::DELETE, &path, json!({})).await;
        assert_eq!(answer, None, "{action:?}");
        assert_eq!(emulator.state().webhooks[0].subscriptions.len(), left, "{action:?}");
    }
    // A call that waits for a check is done as well.
    emulator.plan_fault(of(Operation::CreateWebhook, Action::LoseAnswer)).unwrap();
    let other = Receiver::start().await;
    let body = json!({"url": other.url()});
    assert_eq!(try_call(&emulator, Method::POST, "/2/webhooks", body).await, None);
    assert_eq!(emulator.state().webhooks.len(), 2);

    emulator.plan_fault(of(Operation::ListWebhooks, Action::SlowBody { millis: 50 })).unwrap();
    let list = try_call(&emulator, Method::GET, "/2/webhooks", Value::Null).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&list).unwrap()["meta"]["result_count"], 2);
    let faults = emulator.faults();
    assert_eq!((faults.never_fired().count(), faults.journal.len()), (0, 4));
    assert_eq!(faults.journal[3].operation, Some(Operation::ListWebhooks));
}

#[tokio::test]
async fn every_form_of_an_error_can_be_had() {
    let emulator = Emulator::start().await.unwrap();
    let mut shown = Vec::new();
    for form in [
        None,
        Some(ErrorForm::Coded),
        Some(ErrorForm::Invalid),
        Some(ErrorForm::Problem),
        Some(ErrorForm::Bare),
        Some(ErrorForm::Html),
        Some(ErrorForm::Empty),
    ] {
        let respond = Action::Respond { status: 503, form };
        emulator.plan_fault(of(Operation::ListWebhooks, respond)).unwrap();
        let got = call(&emulator, Method::GET, "/2/webhooks", Value::Null).await;
        shown.push(got.shown());
    }
    insta::assert_snapshot!(shown.join("\n"), @r#"
    503 application/problem+json {"detail":"Service Unavailable","status":503,"title":"Service Unavailable","type":"about:blank"}
    503 application/json; charset=utf-8 {"errors":[{"code":67,"message":"Twitter server error. Retry using an exponential backoff pattern."}]}
    503 application/json; charset=utf-8 {"detail":"One or more parameters to your request was invalid.","errors":[{"message":"Service Unavailable"}],"title":"Invalid Request","type":"https://api.twitter.com/2/problems/invalid-request"}
    503 application/problem+json {"detail":"Service Unavailable","status":503,"title":"Service Unavailable","type":"about:blank"}
    503 application/json; charset=utf-8 {"code":503,"message":"Service Unavailable"}
    503 text/html; charset=utf-8 <html><head><title>Service Unavailable</title></head><body>Service Unavailable</body></html>
    503 -
    "#);
}

#[tokio::test]
async fn a_delivery_comes_slowly_or_breaks_off() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    emulator.plan_fault(Fault::new(Action::SlowBody { millis: 50 })).unwrap();
    let ask = Trigger::new("tweet_create_events", user(7));
    emulator.trigger_and_wait(&ask).await.unwrap();
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 1);
    assert!(arrived[0].1, "whole, so its signature holds");

    emulator.plan_fault(Fault::new(Action::Reset)).unwrap();
    emulator.trigger_and_wait(&ask).await.unwrap();
    assert_eq!(receiver.arrived().len(), 1, "what breaks off does not arrive");
    let ledger = emulator.ledger();
    let attempt = &ledger.events[1].attempts[0];
    assert_eq!(attempt.status, None);
    assert!(attempt.error.as_ref().unwrap().contains("connection"), "{attempt:?}");
    // The connection is gone, and the next delivery takes another.
    emulator.trigger_and_wait(&ask).await.unwrap();
    assert_eq!(receiver.arrived().len(), 2);
}

#[tokio::test]
async fn the_clock_jumps_when_something_happens() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let before = emulator.now();
    emulator.plan_fault(Fault::new(Action::JumpClock { seconds: 7200 })).unwrap();
    emulator.trigger_and_wait(&Trigger::new("follow_events", user(7))).await.unwrap();
    assert!(emulator.now().duration_since(before).as_hours() >= 2);
    assert_eq!(receiver.arrived().len(), 1);
    emulator.plan_fault(of(Operation::ListWebhooks, Action::JumpClock { seconds: 3600 })).unwrap();
    let got = call(&emulator, Method::GET, "/2/webhooks", Value::Null).await;
    assert_eq!(got.status, 200);
    assert!(emulator.now().duration_since(before).as_hours() >= 3);
}
