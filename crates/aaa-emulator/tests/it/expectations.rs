//! What a run was expected to be, and what it was.

use aaa_emulator::{
    Emulator, Expectation,
    control::{Action, Fault, Trigger},
};

use crate::support::{Crc, Receiver, call, quiet, register, subscribe, user};

const ALL: [Expectation; 5] = [
    Expectation::EveryFaultFired,
    Expectation::EveryEventAcknowledged,
    Expectation::NothingRefused,
    Expectation::EveryJobComplete,
    Expectation::EveryWebhookValid,
];

async fn expecting_all() -> (Emulator, Receiver) {
    let builder = Emulator::builder().settings(quiet());
    let builder = ALL.into_iter().fold(builder, |builder, expected| builder.expect(expected));
    let (emulator, receiver) = (builder.start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    (emulator, receiver)
}

#[tokio::test]
async fn a_run_as_expected_ends_quietly() {
    let (emulator, _receiver) = expecting_all().await;
    emulator.plan_fault(Fault::new(Action::Duplicate)).unwrap();
    emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    assert!(emulator.unmet().is_empty());
    emulator.shutdown().await;
}

#[tokio::test]
async fn what_was_not_expected_is_told() {
    let (emulator, receiver) = expecting_all().await;
    emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    receiver.answer_deliveries(503);
    let made = emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    emulator.plan_fault(Fault::new(Action::Drop).times(2)).unwrap();
    receiver.answer_challenges(Crc::WrongToken);
    let webhook = emulator.state().webhooks[0].id;
    let path = format!("/2/webhooks/{webhook}");
    call(&emulator, http::Method::PUT, &path, serde_json::Value::Null).await;
    let key = &made.events[0].key;
    let unmet = emulator.unmet().join("\n");
    let unmet = unmet
        .replace(key, "KEY")
        .replace(&webhook.to_string(), "ID")
        .replace(&receiver.url(), "URL");
    insta::assert_snapshot!(unmet, @r#"
    did not fire as planned:
      fault 1, {"type":"drop"}, fired 0 of 2 times
    was never acknowledged:
      KEY (attempts: 1; answered 503)
    was refused:
      KEY with 503
    is invalid:
      webhook ID at URL: URL returned bad response during CRC with error: Invalid `response_token`
    "#);
    let ended = tokio::spawn(emulator.shutdown()).await;
    let told = ended.unwrap_err().into_panic().downcast::<String>().unwrap();
    assert!(told.contains("saw what was not expected: did not fire as planned:"), "{told}");
}

#[tokio::test]
async fn dropping_it_tells_as_well() {
    let builder = Emulator::builder().expect(Expectation::EveryFaultFired);
    let emulator = builder.start().await.unwrap();
    emulator.plan_fault(Fault::new(Action::Drop)).unwrap();
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(emulator)));
    let told = dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains(r#"fault 1, {"type":"drop"}, fired 0 of 1 times"#), "{told}");
}
