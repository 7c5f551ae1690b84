//! A cluster whose servers are killed, stopped and led by others while two receivers take
//! deliveries, and receivers that are killed. The truth is the list of what was acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_store::jetstream::{JetStreamInbox, Replicas, Settings};
use aaa_webhook::inbox::{EventLog, EventQuery, Inbox};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::nats::{Nats, PATIENCE};
use crate::helper::{delivery, favorites};

/// Senders of each receiver.
const SENDERS: u64 = 4;

/// X's side: sends deliveries of two events, each until it is acknowledged, as retries and replays
/// do; the next one shares an event with it.
struct Load {
    next: AtomicU64,
    ended: AtomicBool,
    acknowledged: Mutex<BTreeSet<u64>>,
    refused: AtomicU64,
    /// Why something was refused last.
    reason: Mutex<String>,
}

impl Load {
    fn start(inboxes: &[JetStreamInbox]) -> (Arc<Self>, JoinSet<()>) {
        let load = Arc::new(Self {
            next: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            refused: AtomicU64::new(0),
            reason: Mutex::default(),
        });
        let mut senders = JoinSet::new();
        for (n, inbox) in inboxes.iter().enumerate() {
            for sender in 0..SENDERS {
                let (load, inbox) = (Arc::clone(&load), inbox.clone());
                // What one receiver refused may come to the other one.
                let other = inboxes[(n + 1) % inboxes.len()].clone();
                senders.spawn(async move { load.send([inbox, other], sender).await });
            }
        }
        (load, senders)
    }

    async fn send(&self, inboxes: [JetStreamInbox; 2], sender: u64) {
        while !self.ended.load(SeqCst) {
            let n = self.next.fetch_add(1, SeqCst);
            let ids = [n.to_string(), (n + 1).to_string()];
            let body = favorites(&(n % 5).to_string(), &[&ids[0]]);
            let both = favorites("both", &[&ids[0], &ids[1]]);
            for body in [body, both] {
                let mut turn = sender;
                loop {
                    let inbox = &inboxes[usize::try_from(turn % 2).unwrap()];
                    match inbox.commit(delivery(&body)).await {
                        Ok(_) => break,
                        Err(error) => {
                            *self.reason.lock().unwrap() = error.to_string();
                            self.refused.fetch_add(1, SeqCst);
                            turn += 1;
                        }
                    }
                }
            }
            self.acknowledged.lock().unwrap().insert(n);
            // A machine that is busy with this alone elects nobody.
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many more were acknowledged.
    async fn more(&self, more: usize) {
        let wanted = self.count() + more;
        let reached = async {
            while self.count() < wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = timeout(PATIENCE, reached).await;
        assert!(reached.is_ok(), "nothing more: {}", self.reason.lock().unwrap());
    }

    async fn end(self: Arc<Self>, mut senders: JoinSet<()>) -> BTreeSet<u64> {
        self.ended.store(true, SeqCst);
        while let Some(sender) = senders.join_next().await {
            sender.unwrap();
        }
        std::mem::take(&mut *self.acknowledged.lock().unwrap())
    }
}

/// How often each key is in the log, read page by page.
async fn stored(inbox: &JetStreamInbox) -> BTreeMap<String, usize> {
    let (mut stored, mut after) = (BTreeMap::new(), 0);
    let read = async {
        loop {
            let Ok(page) = inbox.events(EventQuery::after(after, 500)).await else {
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Some(last) = page.last() else { break };
            assert!(page.is_sorted_by(|a, b| a.seq < b.seq) && page[0].seq > after);
            after = last.seq;
            for event in page {
                *stored.entry(event.key).or_default() += 1;
            }
        }
    };
    timeout(PATIENCE, read).await.unwrap();
    stored
}

fn check(stored: &BTreeMap<String, usize>, acknowledged: &BTreeSet<u64>) {
    let twice: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "stored twice: {twice:?}");
    for n in acknowledged {
        let own = format!("{}/favorite_events:{n}", n % 5);
        let both = [n, &(n + 1)].map(|n| format!("both/favorite_events:{n}"));
        for key in [own].iter().chain(&both) {
            assert!(stored.contains_key(key), "lost: {key}");
        }
    }
}

/// A cluster, two receivers of it, and what is sent to them.
struct Stage {
    nats: Nats,
    inboxes: [JetStreamInbox; 2],
    load: Arc<Load>,
    senders: JoinSet<()>,
}

impl Stage {
    async fn new() -> Option<Self> {
        let nats = Nats::three()?;
        let two = Settings { node: "two".to_owned(), ..nats.settings() };
        let inboxes = [nats.open().await, nats.open_at(1, two).await];
        nats.in_step().await;
        let (load, senders) = Load::start(&inboxes);
        load.more(50).await;
        Some(Self { nats, inboxes, load, senders })
    }

    /// Ends, and compares what is stored with what was acknowledged.
    async fn end(self) {
        let acknowledged = self.load.end(self.senders).await;
        self.nats.in_step().await;
        check(&stored(&self.inboxes[1]).await, &acknowledged);
    }
}

/// One after another is killed, the leader among them, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_killed_under_load() {
    let Some(mut stage) = Stage::new().await else { return };
    for n in 0..3 {
        stage.nats.0.kill(n).unwrap();
        stage.load.more(30).await;
        stage.nats.0.run(n).unwrap();
        stage.load.more(30).await;
        stage.nats.in_step().await;
    }
    stage.end().await;
}

/// Others become leaders, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_change_under_load() {
    let Some(stage) = Stage::new().await else { return };
    let client = stage.nats.client().await;
    for _ in 0..8 {
        // Without a leader nobody answers; then there is a new one soon, too.
        let _ = client.request::<_, _, serde_json::Value>("STREAM.LEADER.STEPDOWN.aaa", &()).await;
        stage.load.more(30).await;
    }
    stage.end().await;
}

/// The leader is cut off, its connections open: the others go on without it, and what it knows
/// better than they do when it comes back is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_cut_off_under_load() {
    let Some(stage) = Stage::new().await else { return };
    let leader = stage.nats.leader().await;
    stage.nats.0.freeze(leader).unwrap();
    stage.load.more(50).await;
    stage.nats.0.thaw(leader).unwrap();
    stage.load.more(50).await;
    stage.end().await;
}

/// One server of three acknowledges nothing, and says so in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_acknowledged() {
    let Some(mut stage) = Stage::new().await else { return };
    stage.nats.0.kill(0).unwrap();
    stage.nats.0.freeze(1).unwrap();
    // Answers that are on their way still come.
    let refused = stage.load.refused.load(SeqCst);
    let all = async {
        while stage.load.refused.load(SeqCst) < refused + 2 * 2 * SENDERS {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("nobody is refused");
    let before = stage.load.count();
    let result = timeout(
        Duration::from_secs(20),
        stage.inboxes[0].commit(delivery(&favorites("x", &["x"]))),
    );
    let result = result.await.expect("it does not answer").unwrap_err().to_string();
    assert!(result.contains("is a majority of the servers up?"), "{result}");
    assert_eq!(stage.load.count(), before);
    stage.nats.0.thaw(1).unwrap();
    stage.nats.0.run(0).unwrap();
    stage.load.more(30).await;
    stage.end().await;
}

/// Tells the child where the servers are.
const SERVERS: &str = "AAA_TEST_JETSTREAM_SERVERS";

/// The child: a receiver that says what it has acknowledged, after that.
async fn receiver(servers: &str) {
    let node = format!("child-{}", std::process::id());
    let settings = Settings { node, replicas: Replicas::One, ..Settings::default() };
    let inbox = JetStreamInbox::open(servers, settings).await.unwrap();
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let inbox = inbox.clone();
        senders.spawn(async move {
            for n in (sender..).step_by(usize::try_from(SENDERS).unwrap()) {
                for user in [(n % 5).to_string(), "both".to_owned()] {
                    let ids = [n.to_string(), (n + 1).to_string()];
                    let ids = if user == "both" { &ids[..] } else { &ids[..1] };
                    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
                    inbox.commit(delivery(&favorites(&user, &ids))).await.unwrap();
                }
                let mut said = std::io::stdout();
                said.write_all(format!("acknowledged {n}\n").as_bytes()).unwrap();
            }
        });
    }
    senders.join_next().await;
}

/// Receivers are killed while they store the same deliveries, side by side and after each other.
#[tokio::test]
async fn receivers_die() {
    if let Ok(servers) = std::env::var(SERVERS) {
        return receiver(&servers).await;
    }
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let mut acknowledged = BTreeSet::new();
    for lines in [1, 40, 150, 400] {
        let mut children: Vec<_> = (0..2)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["jetstream::faults::receivers_die", "--exact", "--nocapture"])
                    .env(SERVERS, nats.0.urls(0))
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let said = |line: String| line.strip_prefix("acknowledged ").map(|n| n.parse().unwrap());
        for child in &mut children {
            let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
            let first = output.by_ref().map_while(Result::ok).filter_map(said).take(lines);
            acknowledged.extend(first.collect::<Vec<u64>>());
            child.kill().unwrap();
            child.wait().unwrap();
            // What it said with its last breath counts as well.
            acknowledged.extend(output.map_while(Result::ok).filter_map(said));
        }
    }
    assert!(acknowledged.len() >= 400, "{}", acknowledged.len());
    check(&stored(&inbox).await, &acknowledged);
}
