//! What the ledger in SQLite does beyond the suite: it survives, and is shared.

use aaa_replay::{
    coverage::Span,
    ledger::{Ledger, LedgerError, Outcome},
};
use aaa_store::SqliteBeside;

pub(crate) use aaa_store::conformance::ledger::{beat, hold, intent};

use crate::helper::{Directory, now};

#[tokio::test]
async fn the_last_span_goes_on_after_the_store_was_opened_again() {
    let directory = Directory::new();
    let store = directory.open();
    store.heartbeat(beat(0)).await.unwrap();
    store.heartbeat(beat(40)).await.unwrap();
    store.close().await.unwrap();

    let store = directory.open();
    store.heartbeat(beat(45)).await.unwrap();
    let spans = directory.reader().spans().await.unwrap();
    assert_eq!(spans, [Span::new(beat(0)), Span { last: beat(45), ..Span::new(beat(40)) }]);
}

#[tokio::test]
async fn attempts_and_the_lease_survive() {
    let directory = Directory::new();
    let store = directory.open();
    let lease = hold(&store, 1).await;
    assert_eq!(store.intend(lease, intent()).await, Ok(1));
    store.close().await.unwrap();

    let reader = directory.reader();
    assert_eq!(reader.attempts().await.unwrap()[0].intent, intent());
    assert_eq!(reader.lease().await.unwrap().unwrap().id, lease);
    let store = directory.open();
    assert_eq!(store.intend(lease, intent()).await, Ok(2));
}

/// A command beside the receiver sees the same ledger, and the same rules.
#[tokio::test]
async fn a_command_beside_shares_the_ledger() {
    let directory = Directory::new();
    let store = directory.open();
    let ledger = SqliteBeside::open(&directory.path).unwrap().into_ledger();
    let lease = hold(&store, 1).await;
    assert_eq!(ledger.lease().await.unwrap().unwrap().id, lease);
    assert_eq!(ledger.intend(lease, intent()).await, Ok(1));
    let running = Outcome::Running { job: "5".parse().unwrap() };
    assert_eq!(store.settle(lease, 1, running, now()).await, Ok(0));
    assert_eq!(ledger.attempts().await.unwrap(), store.attempts().await.unwrap());
    // It cannot say that it receives.
    let refused = ledger.heartbeat(beat(0)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Unavailable(_)), "{refused}");
    // Whoever comes next writes; the former does not.
    let next = hold(&ledger, 2).await;
    assert_eq!(store.intend(lease, intent()).await, Err(LedgerError::NotHeld));
    assert_eq!(store.intend(next, intent()).await, Ok(2));
    store.close().await.unwrap();
}
