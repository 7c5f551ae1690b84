//! Coverage and replay attempts.

use aaa_replay::{
    coverage::{Heartbeat, RunId, Span},
    ledger::{Attempt, Intent, Ledger, Outcome},
};
use aaa_types::ReplayWindow;
use jiff::SignedDuration;

use crate::helper::{Directory, now};

/// A heartbeat of one run.
pub(crate) fn beat(second: i64) -> Heartbeat {
    Heartbeat {
        // Its upper bit is set: SQLite's integers have a sign.
        run: RunId(u64::MAX - 1),
        wall: now() + SignedDuration::from_secs(second),
        uptime: SignedDuration::from_secs(second),
        offset: SignedDuration::from_millis(-1_500),
        offset_read: second % 2 == 0,
        refusals: 0,
    }
}

pub(crate) fn intent() -> Intent {
    let window = |from: &str, to: &str| {
        ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    };
    Intent {
        webhook: "9999999999999999999".parse().unwrap(),
        core: window("202511220413", "202511220420"),
        request: window("202511220412", "202511220421"),
        at: now(),
    }
}

#[tokio::test]
async fn heartbeats_become_spans() {
    let directory = Directory::new();
    let store = directory.open();
    assert_eq!(store.spans().await.unwrap(), []);
    let other_run = Heartbeat { run: RunId(0), ..beat(42) };
    let refused = Heartbeat { refusals: 3, ..other_run };
    for heartbeat in [beat(0), beat(5), beat(10), beat(40), other_run, refused] {
        store.heartbeat(heartbeat).await.unwrap();
    }
    let expected = [
        Span { first: beat(0), last: beat(10) },
        Span { first: beat(40), last: beat(40) },
        Span::new(other_run),
        Span::new(refused),
    ];
    assert_eq!(store.spans().await.unwrap(), expected);
    store.close().await.unwrap();

    // The last span goes on after a restart of the store within one run.
    let store = directory.open();
    let next = Heartbeat { wall: beat(45).wall, uptime: beat(45).uptime, ..refused };
    store.heartbeat(next).await.unwrap();
    let spans = directory.reader().spans().await.unwrap();
    assert_eq!(spans.len(), 4);
    assert_eq!(spans[3], Span { first: refused, last: next });
}

#[tokio::test]
async fn attempts_round_trip() {
    let directory = Directory::new();
    let store = directory.open();
    assert_eq!(store.attempts().await.unwrap(), []);
    let later = now() + SignedDuration::from_secs(90);
    let job = "1095098195724558337".parse().unwrap();
    let outcomes = [
        Outcome::Intended,
        Outcome::Running { job },
        Outcome::Recovered { job },
        Outcome::Failed { job: None, reason: "said 'no'\n".to_owned() },
    ];
    let mut expected = Vec::new();
    for (outcome, number) in outcomes.into_iter().zip(1..) {
        assert_eq!(store.intend(intent()).await.unwrap(), number);
        let mut settled_at = now();
        if outcome != Outcome::Intended {
            settled_at = later;
            store.settle(number, outcome.clone(), later).await.unwrap();
        }
        expected.push(Attempt { number, intent: intent(), outcome, settled_at });
    }
    assert_eq!(store.attempts().await.unwrap(), expected);
    store.close().await.unwrap();
    assert_eq!(directory.reader().attempts().await.unwrap(), expected);

    let store = directory.open();
    assert_eq!(store.intend(intent()).await.unwrap(), 5);
    let error = store.settle(77, Outcome::Running { job }, later).await.unwrap_err();
    assert!(error.to_string().contains("no attempt 77"), "{error}");
}
