//! Reading a log with holes in it, and over a connection that is lost.

use std::time::Duration;

use aaa_replay::ledger::{Ledger, Outcome};
use aaa_store::{
    conformance::ledger::{beat, hold, intent},
    jetstream::JetStreamInbox,
};
use aaa_webhook::inbox::{EventLog, EventQuery, Inbox};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::{
    nats::{Nats, PATIENCE},
    way::Way,
};
use crate::helper::{delivery, favorites, now};

/// Whoever waits at the end of a log in which nothing happens asks for the same few things, however
/// many heartbeats there were.
#[tokio::test]
async fn an_idle_log_costs_no_more_than_a_look() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    for second in 0..200 {
        inbox.heartbeat(beat(second)).await.unwrap();
    }
    let client = nats.client().await;
    let requests = async || {
        let account = client.request::<_, _, serde_json::Value>("INFO", &()).await.unwrap();
        account["api"]["total"].as_u64().unwrap()
    };
    let read = async |after| {
        let before = requests().await;
        let page = inbox.events(EventQuery::after(after, 100)).await.unwrap();
        let seqs: Vec<u64> = page.iter().map(|event| event.seq).collect();
        (seqs, requests().await - before)
    };
    let (seqs, cost) = read(1).await;
    assert_eq!(seqs, [0_u64; 0]);
    assert!(cost < 8, "{cost} requests for nothing");
    inbox.commit(delivery(&favorites("7", &["2"]))).await.unwrap();
    let (seqs, cost) = read(1).await;
    assert_eq!(seqs, [202]);
    assert!(cost < 8, "{cost} requests for an event");
    assert_eq!(read(0).await.0, [1, 202]);
}

/// Every event comes, once and in its order, whatever is missing between them.
#[tokio::test]
async fn holes_are_passed_over() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    for user in 0..4 {
        let ids: Vec<_> = (0..100).map(|id| id.to_string()).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        inbox.commit(delivery(&favorites(&user.to_string(), &ids))).await.unwrap();
    }
    // One alone, many together, every other, few, and none at the end.
    let is_kept = |seq: u64| match seq {
        0..=60 => seq == 20,
        61..=180 => true,
        181..=250 => seq.is_multiple_of(2),
        251..=390 => seq.is_multiple_of(9),
        _ => false,
    };
    let stream = nats.client().await.get_stream("aaa").await.unwrap();
    for seq in (1..=400).filter(|seq| !is_kept(*seq)) {
        stream.delete_message(seq).await.unwrap();
    }
    let kept: Vec<u64> = (1..=400).filter(|seq| is_kept(*seq)).collect();
    for limit in [1, 7, 64, 1000] {
        let (mut seqs, mut after) = (Vec::new(), 0);
        loop {
            let page = inbox.events(EventQuery::after(after, limit)).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = last.seq;
            seqs.extend(page.iter().map(|event| event.seq));
        }
        assert_eq!(seqs, kept, "{limit}");
    }
}

/// With its connection a request is lost, and nobody answers it: it is counted anew.
#[tokio::test]
async fn a_count_ends_though_its_connection_is_lost() {
    let Some(nats) = Nats::one() else { return };
    let way = Way::to(&nats, "CONSUMER.MSG.NEXT");
    let inbox = JetStreamInbox::open(&way.url(), nats.settings()).await.unwrap();
    let lease = hold(&inbox, 1).await;
    let number = inbox.intend(lease, intent()).await.unwrap();
    inbox.commit(delivery(&of_the_job("1"))).await.unwrap();
    let outcome = Outcome::Recovered { job: "5".parse().unwrap() };
    let settled = inbox.settle(lease, number, outcome.clone(), now());
    let settled = timeout(Duration::from_secs(20), settled).await.expect("it waits for ever");
    assert_eq!(settled, Ok(1));
    assert!(way.was_cut());
    let attempts = inbox.attempts().await.unwrap();
    assert_eq!((&attempts[0].outcome, attempts[0].found), (&outcome, 1));
}

/// What arrives while it is counted what a job brought is none of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_job_brought_is_counted_under_load() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let lease = hold(&inbox, 1).await;
    let number = inbox.intend(lease, intent()).await.unwrap();
    for id in ["1", "2", "3"] {
        inbox.commit(delivery(&of_the_job(id))).await.unwrap();
    }
    let send = async |sender: usize| {
        for n in 0_u64.. {
            let id = format!("{sender}-{n}");
            inbox.commit(delivery(&favorites("8", &[&id]))).await.unwrap();
        }
    };
    let outcome = Outcome::Recovered { job: "5".parse().unwrap() };
    let settled = timeout(PATIENCE, inbox.settle(lease, number, outcome, now()));
    let settled = tokio::select! {
        settled = settled => settled.expect("it counts for ever"),
        _ = join_all((0..8).map(send)) => unreachable!("the load ends"),
    };
    assert_eq!(settled, Ok(3));
}

/// An event of the minutes that [`intent`] asks for.
fn of_the_job(id: &str) -> String {
    format!(
        r#"{{"for_user_id":"7","favorite_events":[{{"id":"{id}","timestamp_ms":1763783100000}}]}}"#
    )
}
