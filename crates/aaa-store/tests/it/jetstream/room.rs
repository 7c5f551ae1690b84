//! Two receivers of one name.

use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    ledger::{Ledger, LedgerError},
};
use aaa_store::jetstream::JetStreamError;
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

#[tokio::test]
async fn two_receivers_of_one_name_are_noticed() {
    let Some(nats) = Nats::one() else { return };
    let (one, other) = (nats.open().await, nats.open().await);
    one.heartbeat(beat(1, 0, 0)).await.unwrap();
    other.heartbeat(beat(2, 1, 1)).await.unwrap();
    let refused = one.heartbeat(beat(1, 0, 5)).await.unwrap_err();
    assert_eq!(refused, LedgerError::Twin("one".to_owned()));
    // Neither does it say for the other one that it ends.
    assert_eq!(one.leave().await, Err(JetStreamError::Twin { node: "one".to_owned() }));
    assert_eq!(other.nodes().await.unwrap().len(), 1);
    other.heartbeat(beat(2, 1, 6)).await.unwrap();
    other.leave().await.unwrap();
    assert_eq!(other.nodes().await.unwrap().len(), 0);
}
