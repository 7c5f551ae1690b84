//! Time is moved on, from one thing that is due to the next.

use std::{sync::Arc, time::Duration};

use aaa_emulator::{
    Emulator,
    control::{Action, CheckCause, Fault, Match, Traffic, Trigger},
    settings::{Settings, TimeMode},
};
use aaa_types::UtcMinute;
use jiff::{SignedDuration, Timestamp};

use crate::support::{Crc, Receiver, register, subscribe, user};

const HOUR: Duration = Duration::from_secs(3600);

fn virtual_from(start: &str) -> Settings {
    let start = Some(start.parse().unwrap());
    Settings { time: TimeMode::Virtual, start, ..Settings::default() }
}

/// Every check on the way is made, so one call is enough for the end of 28 hours.
#[tokio::test]
async fn a_webhook_that_fails_for_28_hours_is_invalid_after_one_call() {
    let settings = virtual_from("2025-11-22T04:00:00Z");
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let receiver = Receiver::start().await;
    register(&emulator, &receiver).await;
    receiver.answer_challenges(Crc::Error);
    // So that the number of checks is known too.
    let when = Match { check: Some(CheckCause::Schedule), ..Match::default() };
    let silent = Fault::new(Action::SilentCheck).when(when).times(1000);
    emulator.plan_fault(silent).unwrap();

    emulator.advance(HOUR * 28 - Duration::from_millis(1)).await.unwrap();
    assert!(emulator.state().webhooks[0].valid);
    emulator.advance(Duration::from_secs(1)).await.unwrap();
    // The last check has been started; the next step waits for its end.
    emulator.advance(Duration::ZERO).await.unwrap();
    assert!(!emulator.state().webhooks[0].valid);
    assert_eq!(emulator.faults().journal.len(), 28);
    let at: Vec<_> = emulator.faults().journal.iter().map(|firing| firing.at).collect();
    let hour = |n: i64| at[0].saturating_add(SignedDuration::from_hours(n)).unwrap();
    assert!((0..28).all(|n| at[usize::try_from(n).unwrap()] == hour(n)), "{at:?}");
}

/// Retries and replays happen at their own times, in one call.
#[tokio::test]
async fn retries_and_jobs_fall_due_on_the_way() {
    let mut settings = virtual_from("2025-11-22T04:00:00Z");
    settings.retries = Some([3, 27, 242].map(SignedDuration::from_secs).to_vec());
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    receiver.answer_deliveries(500);
    emulator.trigger(&Trigger::new("favorite_events", user(7))).await.unwrap();
    emulator.advance(HOUR).await.unwrap();
    let ledger = emulator.ledger();
    let start: Timestamp = "2025-11-22T04:00:00Z".parse().unwrap();
    let after = |at: &Timestamp| at.duration_since(start).as_secs();
    let attempts: Vec<_> = ledger.events[0].attempts.iter().map(|a| after(&a.at)).collect();
    assert_eq!(attempts, [0, 3, 30, 272]);
    assert_eq!(emulator.now().duration_since(start).as_hours(), 1);

    receiver.answer_deliveries(200);
    let from = UtcMinute::floor(start);
    let path = format!(
        "/2/account_activity/replay/webhooks/{webhook}/subscriptions/all?from_date={from}&to_date={}",
        from.plus(1)
    );
    let got = crate::support::call(&emulator, http::Method::POST, &path, serde_json::Value::Null);
    assert_eq!(got.await.status, 200);
    receiver.wait_for(6).await;
    let ledger = emulator.ledger();
    assert_eq!(ledger.events[0].acknowledged_at, Some(emulator.now()));
}

/// The same seed and the same commands, twice, over real sockets.
#[tokio::test]
async fn a_run_can_be_repeated() {
    let receiver = Receiver::start().await;
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let mut settings = virtual_from("2025-11-22T04:00:00Z");
        settings.seed = seed;
        let emulator = Emulator::builder().settings(settings).start().await.unwrap();
        let webhook = register(&emulator, &receiver).await;
        subscribe(&emulator, webhook, 7).await;
        for kind in ["tweet_create_events", "favorite_events", "follow_events"] {
            let ask = Trigger::new(kind, user(7)).with_count(3);
            emulator.trigger_and_wait(&ask).await.unwrap();
        }
        emulator.advance(HOUR * 2).await.unwrap();
        emulator.advance(Duration::ZERO).await.unwrap();
        let mut state = emulator.export();
        // How far ahead of real time it was is of the run, not of the history.
        state.ahead_millis = 0;
        runs.push((webhook, emulator.ledger(), state));
        emulator.shutdown().await;
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0].0, runs[2].0);
    assert_ne!(runs[0].1.events[0].id, runs[2].1.events[0].id);
}

/// Who never answers holds up the clock for a while, not for ever.
#[tokio::test]
async fn a_silent_webhook_does_not_stop_the_clock() {
    let emulator = Arc::new(Emulator::start().await.unwrap());
    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    receiver.answer_deliveries(0);
    emulator.trigger(&Trigger::new("favorite_events", user(7))).await.unwrap();
    receiver.wait_for(1).await;
    receiver.answer_challenges(Crc::Never);
    let before = emulator.now();
    let moved = tokio::time::timeout(crate::support::PATIENCE, emulator.advance(HOUR * 28)).await;
    assert!(moved.expect("in time").unwrap().duration_since(before).as_hours() >= 28);
}

/// A jump is no time in which users do something, so it takes no longer than without them.
#[tokio::test]
async fn a_jump_leaves_out_traffic() {
    for time in [TimeMode::Virtual, TimeMode::Running] {
        let settings = Settings { time, ..virtual_from("2025-11-22T04:00:00Z") };
        let emulator = Emulator::builder().settings(settings).start().await.unwrap();
        let receiver = Receiver::start().await;
        let webhook = register(&emulator, &receiver).await;
        subscribe(&emulator, webhook, 7).await;
        emulator.set_traffic(Traffic::new(100.0)).unwrap();
        let fault = Fault::new(Action::JumpClock { seconds: 3600 });
        // Traffic makes none of these.
        let when = Match { kind: Some("jump_events".to_owned()), ..Match::default() };
        emulator.plan_fault(fault.when(when)).unwrap();
        let before = emulator.now();
        let jump = Trigger::new("jump_events", user(7)).with_payload(serde_json::json!({}));
        emulator.trigger(&jump).await.unwrap();
        assert!(emulator.now().duration_since(before).as_hours() >= 1);
        let traffic = emulator.traffic();
        assert!(traffic.left_out >= 359_000 && traffic.acts < 1000, "{time:?}: {traffic:?}");
    }
}

/// Ids carry their time, and have no room for all of it.
#[tokio::test]
async fn the_clock_stays_within_what_ids_can_hold() {
    for start in ["2010-06-01T00:00:00Z", "2080-06-01T00:00:00Z", "9999-12-30T00:00:00Z"] {
        let started = Emulator::builder().settings(virtual_from(start)).start().await;
        let error = started.unwrap_err().to_string();
        assert!(error.contains("`start`") && error.contains("between 2011 and 2080"), "{error}");
    }
    let settings = virtual_from("2079-12-31T00:00:00Z");
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let made = emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    assert!(made.events[0].id.len() <= 19);
    let beyond = emulator.advance(HOUR * 25).await.unwrap_err().to_string();
    assert!(beyond.contains("2080"), "{beyond}");
    // Nor is it taken there by a jump.
    emulator.plan_fault(Fault::new(Action::JumpClock { seconds: 30 * 3600 })).unwrap();
    emulator.trigger(&Trigger::new("favorite_events", user(7))).await.unwrap();
    assert_eq!(emulator.faults().faults[0].fired, 1);
    assert_eq!(emulator.now(), "2079-12-31T00:00:00Z".parse().unwrap());
    assert_eq!(emulator.advance(HOUR * 24).await.unwrap(), Settings::LATEST);
}
