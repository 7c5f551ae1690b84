//! Two receivers that share a stream, and an emulated X that calls both.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aaa_emulator::control::Trigger;
use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    ledger::{Holder, Intent, Ledger, Outcome, Purpose, Role},
};
use aaa_store::jetstream::{JetStreamInbox, Replicas, Settings};
use aaa_types::{ReplayWindow, UtcMinute};
use aaa_webhook::{
    app::App,
    delivery::{Received, VerifiedDelivery},
    inbox::{EventLog, EventQuery, Inbox},
    signature::{self, Signature},
};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use nats_servers::{PAYLOAD, Servers};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

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

    /// Says something to the server in its own words, and waits until it has heard that.
    async fn say(&self, words: &str) {
        let address = self.0.urls(0);
        let mut server = TcpStream::connect(address.trim_start_matches("nats://")).await.unwrap();
        let all = format!("CONNECT {{\"verbose\":false}}\r\n{words}PING\r\n");
        server.write_all(all.as_bytes()).await.unwrap();
        let mut said = BufReader::new(server).lines();
        let heard = async { while said.next_line().await.unwrap().unwrap() != "PONG" {} };
        timeout(PATIENCE, heard).await.expect("no server answers");
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

/// The holder died while a job ran, and is back before anybody missed it: that time is covered, by
/// the other receiver, says nothing of what the job sent to the one that was gone.
#[tokio::test]
async fn a_job_in_whose_middle_one_of_several_died_is_asked_for_again() {
    let Some(nats) = Nats::start("a_job_in_whose_middle_one_of_several_died_is_asked_for_again")
    else {
        return;
    };
    let inbox = nats.inbox().await;
    let lab = Lab::new().await;
    let first = listen(&lab, &nats, "one", "127.0.0.1:0", &["--recover", "off"]).await;
    let bind = first.url.clone();
    let url = format!("http://{bind}/webhooks/twitter");
    let webhook = lab.json(&["webhooks", "create", &url]).await;
    let webhook = webhook["id"].as_str().unwrap().to_owned();
    assert_eq!(first.end().await, 0);

    // Both have been there for some minutes, one of them still is.
    let (holder, other) =
        (Beating::open(&nats, "one", 1).await, Beating::open(&nats, "two", 2).await);
    for second in (0..=180).step_by(5) {
        holder.beat(second).await;
        other.beat(second).await;
    }
    let (holder, other) = (holder.inbox, Arc::new(other));
    let beats = Arc::clone(&other);
    let beats = tokio::spawn(async move {
        for second in 181.. {
            sleep(Duration::from_secs(1)).await;
            beats.beat(second).await;
        }
    });
    let now = now();
    let who = Holder { name: "it".to_owned(), run: RunId(1), role: Role::Listener };
    let until = now + SignedDuration::from_secs(30);
    let lease = holder.take_lease(who, now, until).await.unwrap().id;
    let minute = |ago: i64| UtcMinute::floor(now - SignedDuration::from_mins(ago));
    let core = ReplayWindow::new(minute(60), minute(50)).unwrap();
    let webhook_id = webhook.parse().unwrap();
    let intent =
        Intent { webhook: webhook_id, core, request: core, at: now, purpose: Purpose::Gap };
    let number = holder.intend(lease, intent).await.unwrap();
    let job = "1234567890123456789".parse().unwrap();
    holder.settle(lease, number, Outcome::Running { job }, now).await.unwrap();
    let body = format!(
        r#"{{"replay_job_status":{{"webhook_id":"{webhook}","job_id":"{job}","job_state":"Complete","job_state_description":"Job completed successfully"}}}}"#
    );
    other.inbox.commit(signed(body.as_bytes())).await.unwrap();
    // A single receiver that was there so long after it would be believed.
    let seen = now + SignedDuration::from_secs(4);
    let goes_on = async {
        while inbox.spans().await.unwrap().last().unwrap().last.wall < seen {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, goes_on).await.expect("no heartbeats");

    let recovers = ["--recover", "auto", "--webhook", &webhook];
    let back = listen(&lab, &nats, "one", &bind, &recovers).await;
    let settled = async {
        loop {
            let attempts = inbox.attempts().await.unwrap();
            let attempt = attempts.iter().find(|attempt| attempt.number == number).unwrap();
            if !attempt.outcome.is_open() {
                return attempt.outcome.clone();
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let outcome = timeout(PATIENCE, settled).await.expect("it stays open");
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert_eq!(back.end().await, 0);
    beats.abort();
}

/// The stream takes no last heartbeat, while the ledger beside it is written: nobody knows what was
/// refused since the one before, so that the end is no clean one.
#[tokio::test]
async fn who_cannot_write_the_last_heartbeat_does_not_leave() {
    let Some(nats) = Nats::start("who_cannot_write_the_last_heartbeat_does_not_leave") else {
        return;
    };
    let inbox = nats.inbox().await;
    let lab = Lab::new().await;
    let one = listen(&lab, &nats, "one", "127.0.0.1:0", &["--recover", "off"]).await;
    let names = async || {
        let nodes = inbox.nodes().await.unwrap();
        nodes.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["one"]);
    nats.say("PUB $JS.API.STREAM.DELETE.aaa 0\r\n\r\n").await;
    let gone = async {
        while inbox.stats().await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the stream is still there");
    assert_eq!(one.end().await, 0);
    assert_eq!(names().await, ["one"]);
}

/// A receiver of which nothing is there but its heartbeats.
struct Beating {
    inbox: JetStreamInbox,
    run: RunId,
    began: Timestamp,
}

impl Beating {
    /// Begins three minutes ago.
    async fn open(nats: &Nats, node: &str, run: u64) -> Self {
        let settings =
            Settings { replicas: Replicas::One, node: node.to_owned(), ..Settings::default() };
        let inbox = JetStreamInbox::open(&nats.0.urls(0), settings).await.unwrap();
        Self { inbox, run: RunId(run), began: now() - SignedDuration::from_mins(3) }
    }

    /// Writes the heartbeat of a second.
    async fn beat(&self, second: i64) {
        let uptime = SignedDuration::from_secs(second);
        let heartbeat = Heartbeat {
            run: self.run,
            wall: self.began + uptime,
            uptime,
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally: Tally::default(),
        };
        self.inbox.heartbeat(heartbeat).await.unwrap();
    }
}

/// A delivery that X has signed.
fn signed(body: &[u8]) -> VerifiedDelivery {
    let app = App::new("default", aaa_emulator::credentials::CONSUMER_SECRET.parse().unwrap());
    let mut headers = HeaderMap::new();
    let signature = Signature::of(app.active(), body).to_string();
    headers.insert(signature::HEADER, signature.parse().unwrap());
    Received::new(body.to_vec().into(), now()).verify(&headers, &[app]).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the programs that it plays live now")]
fn now() -> Timestamp {
    Timestamp::now()
}
