//! What `aaa listen --forward-to` sends to a downstream, and the commands around it.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use aaa_client::{ReqwestTransport, Timeouts, Transport};
use aaa_store::SqliteStore;
use aaa_webhook::{
    consumer::Progress,
    signature::{self, Signature},
};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use serde_json::Value;
use tokio::{net::TcpListener, process::Command, sync::watch, time::timeout};

use crate::support::{Done, PATIENCE, Server, aaa, run};

const SECRET: &str = "emulator-secret";

/// What arrived, in its order.
#[derive(Clone)]
struct Arrival {
    headers: HeaderMap,
    body: Bytes,
    taken: bool,
}

impl Arrival {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A server that notes what it is sent. While it is away it answers 503; what it dislikes, 422. One
/// in so many events it takes only when it comes again.
struct Downstream {
    url: String,
    away: Arc<AtomicBool>,
    hesitates: Arc<AtomicU64>,
    dislikes: Arc<Mutex<Option<&'static str>>>,
    arrivals: watch::Receiver<Vec<Arrival>>,
}

#[derive(Clone)]
struct Shared {
    away: Arc<AtomicBool>,
    hesitates: Arc<AtomicU64>,
    dislikes: Arc<Mutex<Option<&'static str>>>,
    arrivals: Arc<watch::Sender<Vec<Arrival>>>,
}

impl Downstream {
    async fn start() -> Self {
        let (sender, arrivals) = watch::channel(Vec::new());
        let (away, hesitates, dislikes) = (Arc::default(), Arc::default(), Arc::default());
        let shared = Shared {
            away: Arc::clone(&away),
            hesitates: Arc::clone(&hesitates),
            dislikes: Arc::clone(&dislikes),
            arrivals: Arc::new(sender),
        };
        let router = Router::new().route("/hook", post(arrive)).with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, away, hesitates, dislikes, arrivals }
    }

    async fn until(&self, enough: impl FnMut(&Vec<Arrival>) -> bool) -> Vec<Arrival> {
        let mut arrivals = self.arrivals.clone();
        let arrived = timeout(PATIENCE, arrivals.wait_for(enough)).await;
        arrived.expect("the downstream waits in vain").unwrap().clone()
    }

    fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.borrow().clone()
    }
}

async fn arrive(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let disliked = *shared.dislikes.lock().unwrap();
    let disliked = disliked.is_some_and(|word| String::from_utf8_lossy(&body).contains(word));
    let hesitates = shared.hesitates.load(Ordering::SeqCst);
    let seq = headers["aaa-seq"].clone();
    let hesitates = hesitates > 0
        && seq.to_str().unwrap().parse::<u64>().unwrap().is_multiple_of(hesitates)
        && !shared.arrivals.borrow().iter().any(|arrival| arrival.headers["aaa-seq"] == seq);
    let status = if hesitates || shared.away.load(Ordering::SeqCst) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if disliked {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let arrival = Arrival { headers, body, taken: status.is_success() };
    shared.arrivals.send_modify(|arrivals| arrivals.push(arrival));
    status
}

fn taken(arrivals: &[Arrival]) -> impl Iterator<Item = &Arrival> {
    arrivals.iter().filter(|arrival| arrival.taken)
}

fn listen(directory: &Path, to: &str) -> Command {
    let args = ["listen", "--bind", "127.0.0.1:0", "--format", "none", "--forward-to", to];
    let mut command = aaa(directory, &args);
    command.env("X_CONSUMER_SECRET", SECRET);
    command
}

/// Delivers a body as X would; returns the status.
async fn deliver(receiver: &str, body: &str) -> Option<u16> {
    let transport =
        ReqwestTransport::for_scheme(&http::uri::Scheme::HTTP, Timeouts::default()).unwrap();
    let secret = SECRET.parse().unwrap();
    let request = http::Request::post(format!("{receiver}/webhooks/twitter"))
        .header(signature::HEADER, Signature::of(&secret, body.as_bytes()).to_string())
        .body(body.to_owned().into())
        .unwrap();
    transport.send(request).await.ok().map(|answer| answer.status().as_u16())
}

fn favorite(user: usize, id: &str) -> String {
    format!(r#"{{"for_user_id":"{user}","favorite_events":[{{"id":"{id}"}}]}}"#)
}

async fn command(directory: &Path, args: &[&str]) -> Done {
    let done = run(aaa(directory, args)).await;
    assert_eq!(done.code, 0, "{args:?}: {}", done.stderr);
    done
}

async fn stats(directory: &Path) -> Value {
    serde_json::from_str(&command(directory, &["events", "stats", "--json"]).await.stdout).unwrap()
}

/// Waits until the consumer has finished all events.
async fn all_finished(directory: &Path) {
    let finished = async {
        while stats(directory).await["consumers"][0]["behind"] != 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, finished).await.expect("the consumer does not get to the end");
}

/// What the store knows to be finished.
async fn progress(directory: &Path) -> Progress {
    let store = SqliteStore::open_reader(directory.join("aaa-data")).unwrap();
    let cursor = store.cursors().await.unwrap().pop();
    cursor.map(|(_, cursor)| cursor.progress).unwrap_or_default()
}

/// Killed again and again under load: each event arrives, in order for each user, and more than
/// once only if it was in flight when the receiver was killed.
#[tokio::test]
async fn every_event_arrives_although_the_forwarder_is_killed() {
    const ROUNDS: usize = 4;
    const USERS: usize = 8;
    let directory = tempfile::tempdir().unwrap();
    let downstream = Downstream::start().await;
    // Users get far ahead of each other, and some events wait for their next attempt all the time.
    downstream.hesitates.store(25, Ordering::SeqCst);
    let mut acknowledged = 0;
    let mut allowed: HashMap<u64, usize> = HashMap::new();
    for round in 0..ROUNDS {
        let mut receiver = Server::start(listen(directory.path(), &downstream.url)).await;
        let before = downstream.arrivals().len();
        let users: Vec<_> = (0..USERS)
            .map(|user| {
                let url = receiver.url.clone();
                tokio::spawn(async move {
                    let mut acknowledged = 0;
                    for n in 0.. {
                        match deliver(&url, &favorite(user, &format!("{round}-{n}"))).await {
                            Some(200) => acknowledged += 1,
                            Some(status) => panic!("{status}"),
                            // It was killed.
                            None => break,
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        downstream.until(|arrivals| arrivals.len() > before + 60 + 37 * round).await;
        receiver.child.kill().await.unwrap();
        for user in users {
            acknowledged += timeout(PATIENCE, user).await.unwrap().unwrap();
        }
        // What was taken but is not noted was in flight, and comes again.
        let noted = progress(directory.path()).await;
        let mut in_flight = 0;
        let mut seen = std::collections::HashSet::new();
        for arrival in taken(&downstream.arrivals()) {
            let seq: u64 = arrival.header("aaa-seq").parse().unwrap();
            if !noted.contains(seq) && seen.insert(seq) {
                *allowed.entry(seq).or_default() += 1;
                in_flight += 1;
            }
        }
        assert!(in_flight <= 32, "{in_flight} in flight");
    }
    let receiver = Server::start(listen(directory.path(), &downstream.url)).await;
    all_finished(directory.path()).await;
    assert_eq!(receiver.end().await, 0);

    let stats = stats(directory.path()).await;
    let events = stats["events"].as_u64().unwrap();
    assert!(events >= acknowledged && acknowledged > 60, "{events} {acknowledged}");
    assert_eq!(stats["consumers"][0]["dead_letters"], 0);
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    let mut keys: HashMap<u64, String> = HashMap::new();
    let mut last_of_user: HashMap<String, u64> = HashMap::new();
    for arrival in taken(&downstream.arrivals()) {
        let seq: u64 = arrival.header("aaa-seq").parse().unwrap();
        let key = arrival.header("aaa-event-keys").to_owned();
        assert_eq!(keys.entry(seq).or_insert_with(|| key.clone()), &key, "the key is stable");
        let count = counts.entry(seq).or_default();
        *count += 1;
        if *count == 1 {
            let user = key.split('/').next().unwrap().to_owned();
            let last = last_of_user.insert(user, seq).unwrap_or(0);
            assert!(last < seq, "{seq} came after {last}");
        }
    }
    assert_eq!(counts.len() as u64, events, "not every event was taken");
    for (seq, count) in counts {
        let allowed = allowed.get(&seq).copied().unwrap_or(0);
        assert!(count <= 1 + allowed, "event {seq} came {count} times, in flight {allowed} times");
    }
}

/// A downstream that is away loses nothing; what it refuses becomes a dead letter, and the others
/// go on.
#[tokio::test]
async fn a_downstream_goes_away_refuses_and_takes_after_all() {
    let directory = tempfile::tempdir().unwrap();
    let downstream = Downstream::start().await;
    downstream.away.store(true, Ordering::SeqCst);
    let receiver = Server::start(listen(directory.path(), &downstream.url)).await;
    for n in 0..20 {
        let id = if n == 7 { "poison".to_owned() } else { n.to_string() };
        assert_eq!(deliver(&receiver.url, &favorite(n % 3, &id)).await, Some(200));
    }
    // Each of the three users is tried, and nobody else of them before.
    let arrivals = downstream.until(|arrivals| arrivals.len() > 6).await;
    let mut tried: Vec<_> = arrivals.iter().map(|arrival| arrival.header("aaa-seq")).collect();
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried, ["1", "2", "3"]);
    // Being stopped changes nothing.
    assert_eq!(receiver.end().await, 0);
    assert_eq!(stats(directory.path()).await["consumers"][0]["behind"], 20);
    let receiver = Server::start(listen(directory.path(), &downstream.url)).await;

    *downstream.dislikes.lock().unwrap() = Some("poison");
    downstream.away.store(false, Ordering::SeqCst);
    all_finished(directory.path()).await;
    let arrivals = downstream.arrivals();
    let mut seqs: Vec<u64> =
        taken(&arrivals).map(|arrival| arrival.header("aaa-seq").parse().unwrap()).collect();
    for user in 0..3 {
        let of_user = seqs.iter().filter(|seq| (*seq - 1) % 3 == user);
        assert!(of_user.is_sorted());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=20).filter(|seq| *seq != 8).collect::<Vec<_>>());

    let dead = command(directory.path(), &["events", "dead", "list", "--json"]).await;
    let mut dead: Value = serde_json::from_str(&dead.stdout).unwrap();
    for time in ["first_failed_at", "last_failed_at"] {
        dead[time] = Value::from("[time]");
    }
    insta::assert_snapshot!(dead, @r#"{"attempts":5,"consumer":"forward","first_failed_at":"[time]","key":"1/favorite_events:poison","last_failed_at":"[time]","reason":"answered 422 Unprocessable Entity","redrive":false,"seq":8}"#);
    // The downstream is repaired, and the running receiver asked to try again.
    *downstream.dislikes.lock().unwrap() = None;
    let redriven = command(directory.path(), &["events", "dead", "redrive", "8"]).await;
    insta::assert_snapshot!(redriven.stdout, @"1 dead letter is to be handled once more");
    downstream.until(|arrivals| taken(arrivals).any(|a| a.header("aaa-seq") == "8")).await;
    let settled = async {
        while !command(directory.path(), &["events", "dead", "list"]).await.stdout.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, settled).await.expect("it stays dead");
    let none = run(aaa(directory.path(), &["events", "dead", "redrive", "8"])).await;
    assert_eq!(none.code, 1);
    insta::assert_snapshot!(none.stderr, @"
    error: the consumer `forward` has no such dead letter
    what to do: `aaa events dead list` shows which there are
    ");

    let dropped = ["events", "drop-consumer", "crm"];
    assert_eq!(run(aaa(directory.path(), &dropped)).await.code, 1);
    assert_eq!(receiver.end().await, 0);
    let dropped = command(directory.path(), &["events", "drop-consumer", "forward"]).await;
    insta::assert_snapshot!(dropped.stderr, @"the consumer `forward` is forgotten; a receiver that runs it has done with it, and begins anew when it is started again");
    assert_eq!(stats(directory.path()).await["consumers"], Value::Array(Vec::new()));
}

/// The downstream gets every byte, and can verify it with X's signature or with its own secret.
#[tokio::test]
async fn bodies_are_forwarded_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    let downstream = Downstream::start().await;
    let body = " {\"for_user_id\":\"7\", \"favorite_events\" : [ {\"id\":\"\\u00e4\", \"n\": 1.0},\
                {\"id\":\"b\"} ] }\r\n";
    for (secret, expected) in [(None, SECRET), (Some("downstream-secret"), "downstream-secret")] {
        let seen = downstream.arrivals().len();
        let mut command = listen(directory.path(), &downstream.url);
        if let Some(secret) = secret {
            command.env("X_FORWARD_SECRET", secret);
        }
        let receiver = Server::start(command).await;
        // Not the same events again.
        let body = body.replace("\"b\"", &format!("\"{expected}\""));
        assert_eq!(deliver(&receiver.url, &body).await, Some(200));
        let arrival = downstream.until(|arrivals| arrivals.len() > seen).await.pop().unwrap();
        assert_eq!(arrival.body, body.as_bytes());
        assert_eq!(arrival.header("content-type"), "application/json");
        let signature = Signature::from_headers(&arrival.headers).unwrap();
        assert!(signature.verifies(&expected.parse().unwrap(), &arrival.body));
        assert_eq!(receiver.end().await, 0);
    }
    let arrivals = downstream.arrivals();
    let told = |arrival: &Arrival| {
        ["aaa-app", "aaa-seq", "aaa-event-count", "aaa-event-keys"]
            .map(|name| arrival.header(name).to_owned())
    };
    assert_eq!(
        told(&arrivals[0]),
        ["default", "1-2", "2", "7/favorite_events:%C3%A4,7/favorite_events:emulator-secret"]
    );
    // The first event was known already, so it is not named again.
    assert_eq!(told(&arrivals[1])[1..3], ["3", "1"]);
}

/// The commands that read a store, beside a running receiver.
#[tokio::test]
async fn events_are_shown_followed_counted_and_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let downstream = Downstream::start().await;
    let mut receiver =
        aaa(directory.path(), &["listen", "--bind", "127.0.0.1:0", "--format", "none"]);
    receiver.env("X_CONSUMER_SECRET", SECRET);
    let receiver = Server::start(receiver).await;
    let both = r#"{"for_user_id":"7","favorite_events":[{"id":"a"},{"id":"b"}],"users":{}}"#;
    assert_eq!(deliver(&receiver.url, both).await, Some(200));
    assert_eq!(deliver(&receiver.url, both).await, Some(200));
    assert_eq!(deliver(&receiver.url, &favorite(8, "c")).await, Some(200));

    // It waits for the last one, which comes when the others were printed.
    let args = ["events", "tail", "--json", "--after", "1", "--limit", "3"];
    let mut tail = aaa(directory.path(), &args).spawn().unwrap();
    let mut lines = {
        use tokio::io::{AsyncBufReadExt, BufReader};
        BufReader::new(tail.stdout.take().unwrap()).lines()
    };
    let mut seen = Vec::new();
    for n in 0..3 {
        if n == 2 {
            assert_eq!(deliver(&receiver.url, &favorite(9, "d")).await, Some(200));
        }
        let line = timeout(PATIENCE, lines.next_line()).await.expect("no line").unwrap().unwrap();
        seen.push(line);
    }
    let ended = timeout(PATIENCE, tail.wait()).await.expect("it does not end").unwrap();
    assert!(ended.success());
    let listed = command(directory.path(), &["events", "list", "--json", "--after", "1"]).await;
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), seen);

    let shown = command(directory.path(), &["events", "show", "2", "--json"]).await;
    assert_eq!(shown.stdout.lines().collect::<Vec<_>>(), [seen[0].as_str()]);
    let shown = command(directory.path(), &["events", "show", "2"]).await;
    let known = shown.stdout.lines().filter(|line| !line.starts_with("received_at"));
    insta::assert_snapshot!(known.collect::<Vec<_>>().join("\n"), @r#"
    seq          2
    kind         favorite_events
    for_user_id  7
    key          7/favorite_events:b
    app          default
    stale        no
    payload      {"id":"b"}
    context      {"users":{}}
    "#);
    let missing = run(aaa(directory.path(), &["events", "show", "9"])).await;
    assert_eq!((missing.code, missing.stdout.as_str()), (1, ""));

    let sent = ["events", "resend", "1-3", "--to", &downstream.url];
    let sent = command(directory.path(), &sent).await;
    assert_eq!(sent.stdout, "1-2  200 OK\n3  200 OK\n");
    let bodies: Vec<_> = downstream.arrivals().into_iter().map(|arrival| arrival.body).collect();
    assert_eq!(bodies, [both.to_owned(), favorite(8, "c")]);
    let of_user = ["events", "resend", "1-", "--user", "9", "--json", "--to", &downstream.url];
    let of_user = command(directory.path(), &of_user).await;
    insta::assert_snapshot!(of_user.stdout, @r#"{"first":4,"last":4,"events":1,"status":200}"#);
    downstream.away.store(true, Ordering::SeqCst);
    let refused = ["events", "resend", "2-", "--to", &downstream.url];
    let refused = run(aaa(directory.path(), &refused)).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(refused.stderr, @"
    error: event 2 was answered 503 Service Unavailable
    what to do: what was printed is there; go on with `aaa events resend 2-`
    ");
    let nobody = ["events", "resend", "1", "--to", "http://127.0.0.1:1/"];
    assert_eq!(run(aaa(directory.path(), &nobody)).await.code, 4);

    let mut stats = stats(directory.path()).await;
    for time in ["last_received_at", "commits"] {
        stats[time] = Value::from("[any]");
    }
    insta::assert_snapshot!(stats, @r#"{"commits":"[any]","consumers":[],"deliveries":3,"duplicates":2,"events":4,"first_seq":1,"last_received_at":"[any]","last_seq":4}"#);
    let words = command(directory.path(), &["events", "stats"]).await.stdout;
    assert!(words.starts_with("events        4\n"), "{words}");
    assert_eq!(receiver.end().await, 0);
}
