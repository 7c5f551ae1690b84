//! A ledger that has grown as far as the server lets it, and two receivers of one name.

use aaa_replay::{
    coverage::{Cause, Gap, Heartbeat, RunId, Tally},
    ledger::{Declaration, Holder, Ledger, LedgerError, Role},
};
use aaa_store::jetstream::{JetStreamError, Settings};
use jiff::{SignedDuration, Timestamp};

use super::nats::Nats;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_763_784_000 + second).unwrap()
}

fn beat(run: u64, began: i64, second: i64) -> Heartbeat {
    Heartbeat {
        run: RunId(run),
        wall: at(second),
        uptime: SignedDuration::from_secs(second - began),
        offset: SignedDuration::ZERO,
        offset_read: true,
        tally: Tally::default(),
    }
}

/// What must not fail goes on, a restart too, and what is old goes by itself.
#[tokio::test]
async fn a_full_ledger_is_no_dead_end() {
    let Some(nats) = Nats::start(1, "max_payload: 48KB") else { return };
    let settings = || Settings { largest_body: 16 * 1024, ..nats.settings() };
    let inbox = nats.open_with(settings()).await;
    inbox.heartbeat(beat(1, 0, 0)).await.unwrap();
    let mut declared = 0;
    let refused = loop {
        let gap = Gap::new(at(declared * 10), at(declared * 10 + 5), Cause::Requested);
        let declaration = Declaration { gap, webhook: None, at: at(declared * 10) };
        match inbox.declare(declaration).await {
            Ok(_) => declared += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LedgerError::Full(_)), "{refused}");
    assert!(refused.to_string().contains("the server's `max_payload` is 49152"), "{refused}");
    // Killed, and back.
    let inbox = nats.open_with(settings()).await;
    inbox.heartbeat(beat(2, 100, 100)).await.unwrap();
    inbox.heartbeat(beat(2, 100, 105)).await.unwrap();
    let holder = Holder { name: "it".to_owned(), run: RunId(2), role: Role::Listener };
    inbox.take_lease(holder, at(105), at(135)).await.unwrap();
    inbox.trim(at(declared * 5)).await.unwrap();
    let gap = Gap::new(at(0), at(5), Cause::Requested);
    inbox.declare(Declaration { gap, webhook: None, at: at(200) }).await.unwrap();
}

#[tokio::test]
async fn two_receivers_of_one_name_are_noticed() {
    let Some(nats) = Nats::one() else { return };
    let (one, other) = (nats.open().await, nats.open().await);
    one.heartbeat(beat(1, 0, 0)).await.unwrap();
    other.heartbeat(beat(2, 1, 1)).await.unwrap();
    let refused = one.heartbeat(beat(1, 0, 5)).await.unwrap_err();
    assert_eq!(refused, LedgerError::Twin("one".to_owned()));
    // What it refuses is told by nobody, so it is not ready.
    let error = one.stats().await.unwrap_err();
    assert_eq!(error.to_string(), "another receiver is called `one`: give each a name of its own");
    other.stats().await.unwrap();
    // Nor does it take the lease from the other one, again and again.
    let holder = |run| Holder { name: "it".to_owned(), run: RunId(run), role: Role::Listener };
    let lease = other.take_lease(holder(2), at(1), at(31)).await.unwrap();
    let refused = one.take_lease(holder(1), at(5), at(35)).await.unwrap_err();
    assert_eq!(refused, LedgerError::Twin("one".to_owned()));
    assert_eq!(other.lease().await.unwrap(), Some(lease));
    // Neither does it say for the other one that it ends.
    assert_eq!(one.leave().await, Err(JetStreamError::Twin { node: "one".to_owned() }));
    assert_eq!(other.nodes().await.unwrap().len(), 1);
    other.heartbeat(beat(2, 1, 6)).await.unwrap();
    other.leave().await.unwrap();
    assert_eq!(other.nodes().await.unwrap().len(), 0);
    // A heartbeat that cannot be written says nothing of the other one.
    nats.client().await.delete_stream("KV_aaa-ledger").await.unwrap();
    let unwritten = one.heartbeat(beat(1, 0, 10)).await.unwrap_err();
    assert!(matches!(unwritten, LedgerError::Unavailable(_)), "{unwritten}");
    let refused = one.take_lease(holder(1), at(10), at(40)).await.unwrap_err();
    assert_eq!(refused, LedgerError::Twin("one".to_owned()));
}
