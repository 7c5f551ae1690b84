//! Two receivers that share a stream, and an emulated X that calls both.

use std::{collections::BTreeMap, time::Duration};

use aaa_emulator::control::Trigger;
use aaa_replay::ledger::{Ledger, Outcome};
use aaa_store::jetstream::{JetStreamInbox, Replicas, Settings};
use aaa_webhook::inbox::{EventLog, EventQuery};
use nats_servers::{PAYLOAD, Servers};
use tokio::time::{sleep, timeout};

use crate::{
    lab::Lab,
    support::{PATIENCE, Server, skipped},
};

/// A server, and the inbox on it.
struct Nats(Servers);

impl Nats {
    /// Starts it, unless the program is missing: then the test counts as skipped.
    fn start(test: &str) -> Option<Self> {
        if let Some(missing) = nats_servers::missing() {
            skipped(&format!("cluster::{test}"), missing);
            return None;
        }
        Some(Self(Servers::start(1, PAYLOAD).unwrap()))
    }

    /// Looks into the stream from outside, as soon as the server answers.
    async fn inbox(&self) -> JetStreamInbox {
        let settings = || Settings {
            replicas: Replicas::One,
            node: "looks".to_owned(),
            ..Settings::default()
        };
        let opened = async {
            loop {
                match JetStreamInbox::open(&self.0.urls(0), settings()).await {
                    Ok(inbox) => return inbox,
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(PATIENCE, opened).await.expect("no server answers")
    }
}

async fn listen(lab: &Lab, nats: &Nats, node: &str, bind: &str, more: &[&str]) -> Server {
    let servers = nats.0.urls(0);
    let shared = ["--inbox", "jetstream", "--nats", &servers, "--nats-replicas", "1"];
    let own = ["listen", "--format", "none", "--bind", bind, "--node", node];
    let command = lab.command(&[&own[..], &shared, more].concat());
    let mut server = Server::start(command).await;
    server.url = server.url.strip_prefix("http://").unwrap().to_owned();
    server
}

/// How often each event of a kind is in the inbox.
async fn stored(inbox: &JetStreamInbox) -> BTreeMap<String, usize> {
    let kind = Some("follow_events".to_owned());
    let query = EventQuery { kind, ..EventQuery::after(0, usize::MAX) };
    let mut stored = BTreeMap::new();
    for event in inbox.events(query).await.unwrap() {
        *stored.entry(event.key).or_default() += 1;
    }
    stored
}

/// One receiver is killed while the other one goes on: what was sent to it is missing, and the one
/// that holds the lease has it replayed, by the receiver that is back. What both are sent is there
/// once. When the holder ends, the other one takes the lease.
#[tokio::test]
async fn what_one_of_two_receivers_missed_is_recovered_by_the_other() {
    let Some(nats) = Nats::start("what_one_of_two_receivers_missed_is_recovered_by_the_other")
    else {
        return;
    };
    let inbox = nats.inbox().await;
    let lab = Lab::new().await;
    // The URL is known before the webhook is, and the webhook before it is recovered.
    let mut one = listen(&lab, &nats, "one", "127.0.0.1:0", &["--recover", "off"]).await;
    let bind = one.url.clone();
    let url = format!("http://{bind}/webhooks/twitter");
    let webhook = lab.json(&["webhooks", "create", &url]).await;
    let webhook = webhook["id"].as_str().unwrap().to_owned();
    let recovers = ["--recover", "auto", "--webhook", &webhook];
    let two = listen(&lab, &nats, "two", "127.0.0.1:0", &recovers).await;
    let url = format!("http://{}/webhooks/twitter", two.url);
    let other = lab.json(&["webhooks", "create", &url]).await;
    lab.store(7, &aaa_emulator::credentials::user_token(7).token);
    lab.store(8, &aaa_emulator::credentials::user_token(8).token);
    // User 7 is told of by both, user 8 by the first alone.
    for (webhook, user) in
        [(webhook.as_str(), "7"), (other["id"].as_str().unwrap(), "7"), (&webhook, "8")]
    {
        lab.json(&["subscriptions", "add", webhook, "--user", user]).await;
    }
    let happen = async |user: &str, count| {
        let trigger = Trigger::new("follow_events", user.parse().unwrap()).with_count(count);
        lab.emulator.trigger_and_wait(&trigger).await.unwrap();
    };
    happen("7", 20).await;
    happen("8", 20).await;
    assert_eq!(stored(&inbox).await.len(), 40);
    let held = async {
        while inbox.lease().await.unwrap().is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, held).await.expect("nobody takes the lease");

    one.child.kill().await.unwrap();
    happen("8", 5).await;
    assert_eq!(stored(&inbox).await.len(), 40);
    let one = listen(&lab, &nats, "one", &bind, &recovers).await;
    happen("8", 5).await;
    let declared = inbox.declared().await.unwrap();
    assert_eq!(declared.len(), 1, "{declared:?}");
    lab.emulator.advance(Duration::from_secs(15 * 60)).await.unwrap();
    let recovered = async {
        let is_recovered = |outcome: &Outcome| matches!(outcome, Outcome::Recovered { .. });
        while !inbox.attempts().await.unwrap().iter().any(|a| is_recovered(&a.outcome)) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, recovered).await.expect("nothing is recovered");
    let attempts = inbox.attempts().await.unwrap();
    let found: u64 = attempts.iter().map(|attempt| attempt.found).sum();
    assert_eq!(found, 5, "{attempts:?}");
    let stored = stored(&inbox).await;
    let mut sent: Vec<_> =
        lab.emulator.ledger().events.into_iter().map(|event| event.key).collect();
    sent.sort();
    sent.dedup();
    assert!(stored.keys().eq(sent.iter()), "{stored:?} is not {sent:?}");
    assert!(stored.values().all(|count| *count == 1), "{stored:?}");

    // The holder ends, and nobody misses it.
    let before = inbox.lease().await.unwrap().unwrap();
    assert_eq!(two.end().await, 0);
    let taken = async {
        while inbox.lease().await.unwrap().unwrap().id == before.id {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, taken).await.expect("nobody takes the lease over");
    let nodes = inbox.nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["one"]);
    assert_eq!(inbox.declared().await.unwrap().len(), 1);
    assert_eq!(one.end().await, 0);
}
