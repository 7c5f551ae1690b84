use aaa_emulator::{
    Emulator,
    control::{Action, Cause, Deliver, Fault, Trigger},
    settings::Settings,
};
use aaa_types::event::Body;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Receiver, register, subscribe, user};

#[tokio::test]
async fn a_live_event_arrives_signed_and_is_acknowledged() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    subscribe(&emulator, webhook, 8).await;

    let payload = json!({"message_create": {"target": {"recipient_id": "8"}}});
    let ask = Trigger::new("direct_message_events", user(7)).with_payload(payload);
    let made = emulator.trigger_and_wait(&ask).await.unwrap();
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 2);
    let mut keys: Vec<_> = arrived
        .iter()
        .map(|(body, verified)| {
            assert!(verified);
            let text = body.to_string();
            Body::parse(text.as_bytes()).unwrap().events()[0].identity().to_string()
        })
        .collect();
    keys.sort();
    let mut expected: Vec<_> = made.events.iter().map(|event| event.key.clone()).collect();
    expected.sort();
    assert_eq!(keys, expected);

    for event in emulator.ledger().events {
        assert!(event.acknowledged_at.is_some());
        assert_eq!(event.attempts.len(), 1);
        assert_eq!(event.attempts[0].status, Some(200));
        assert_eq!(event.attempts[0].cause, Cause::Live);
    }
}

#[tokio::test]
async fn a_dead_receiver_leaves_an_error_in_the_ledger() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    receiver.kill().await;
    emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    let ledger = emulator.ledger();
    let attempt = &ledger.events[0].attempts[0];
    assert_eq!(attempt.status, None);
    assert!(attempt.error.as_deref().unwrap().contains("the connection failed"), "{attempt:?}");
    assert_eq!(ledger.events[0].acknowledged_at, None);
}

#[tokio::test]
async fn a_silent_receiver_is_given_up() {
    let settings =
        Settings { deadline: Some(SignedDuration::from_millis(100)), ..Settings::default() };
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let receiver = Receiver::start().await;
    let webhook_id = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook_id, 7).await;
    receiver.answer_deliveries(0);
    emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    let error = emulator.ledger().events[0].attempts[0].error.clone();
    assert_eq!(error.as_deref(), Some("no answer within the deadline"));
    let raw = Deliver { webhook_id, body: "{}".into(), signature: None };
    let delivered = emulator.deliver(raw).await.unwrap();
    assert_eq!((delivered.status, delivered.error), (None, error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    for id in 1..=4 {
        subscribe(&emulator, webhook, id).await;
    }
    let emulator = std::sync::Arc::new(emulator);
    let calls: Vec<_> = (1..=4)
        .map(|id| {
            let emulator = emulator.clone();
            tokio::spawn(async move {
                let ask = Trigger::new("direct_message_events", user(id)).with_count(150);
                emulator.trigger_and_wait(&ask).await.unwrap().events.len()
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 150);
    }
    assert_eq!(emulator.state().counts.acknowledged, 600);
    assert_eq!(receiver.arrived().len(), 600);
}

#[tokio::test]
async fn hundreds_of_events_arrive_once_each() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    for kind in ["tweet_create_events", "follow_events"] {
        let ask = Trigger::new(kind, user(7)).with_count(500);
        emulator.trigger_and_wait(&ask).await.unwrap();
    }
    assert_eq!(receiver.arrived().len(), 1000);
    let ledger = emulator.ledger();
    let keys: std::collections::HashSet<_> = ledger.events.iter().map(|e| &e.key).collect();
    assert_eq!(keys.len(), 1000);
    assert!(ledger.events.iter().all(|event| event.acknowledged_at.is_some()));
}

#[tokio::test]
async fn raw_bodies_and_signatures() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook_id = register(&emulator, &receiver).await;
    let deliver = |signature: Option<&str>| {
        let signature = signature.map(str::to_owned);
        emulator.deliver(Deliver { webhook_id, body: r#"{"a":1}"#.into(), signature })
    };
    assert_eq!(deliver(None).await.unwrap().status, Some(200));
    receiver.answer_deliveries(403);
    assert_eq!(deliver(Some("sha256=forged")).await.unwrap().status, Some(403));
    let verified: Vec<_> = receiver.arrived().into_iter().map(|(_, verified)| verified).collect();
    assert_eq!(verified, [true, false]);
    assert!(emulator.ledger().events.is_empty());
}

#[tokio::test]
async fn faults_fire_and_are_counted() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let actions = [
        Action::Drop,
        Action::LoseAnswer,
        Action::Duplicate,
        Action::BadSignature,
        Action::Corrupt,
        Action::Truncate,
    ];
    for action in actions {
        emulator.plan_fault(Fault::new(action)).unwrap();
        let before = receiver.arrived().len();
        emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
        let copies = match action {
            Action::Drop => 0,
            Action::Duplicate => 2,
            _ => 1,
        };
        let arrived = receiver.wait_for(before + copies).await;
        assert_eq!(arrived.len(), before + copies, "{action:?}");
        let forged = matches!(action, Action::BadSignature | Action::Corrupt | Action::Truncate);
        assert!(arrived[before..].iter().all(|(_, verified)| *verified != forged), "{action:?}");
    }
    let events = emulator.ledger().events;
    let errors: Vec<_> = events.iter().map(|event| event.attempts[0].error.is_some()).collect();
    assert_eq!(errors, [true, true, false, false, false, false]);
    assert_eq!(events[2].attempts.len(), 2);
    assert!(emulator.faults().faults.iter().all(|fault| fault.fired == fault.planned));
}
