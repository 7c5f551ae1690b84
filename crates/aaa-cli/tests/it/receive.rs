//! Emulator and receiver as processes, joined by nothing but HTTP, as an outside script joins
//! them.

use std::path::Path;

use aaa_auth::{Consumer, UserCredential, UserToken};
use aaa_client::Client;
use aaa_emulator::credentials;
use aaa_store::SqliteStore;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

use crate::support::{PATIENCE, Server, aaa, run};

const BODY: &str = r#"{"for_user_id":"7","favorite_events":[{"id":"a"},{"id":"b"}],"users":{}}"#;

fn client(emulator: &Server) -> Client {
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    Client::builder(emulator.url.parse().unwrap())
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse().unwrap())
        .build()
        .unwrap()
}

fn user(id: u64) -> UserCredential {
    let tokens = credentials::user_token(id);
    let token = tokens.token.parse().unwrap();
    UserCredential::OAuth1(UserToken::new(token, tokens.secret.parse().unwrap()))
}

fn listen(directory: &Path, api: &str, args: &[&str]) -> Command {
    let mut all = vec!["listen", "--bind", "127.0.0.1:0"];
    all.extend(args);
    let mut command = aaa(directory, &all);
    command.env("X_CONSUMER_SECRET", credentials::CONSUMER_SECRET).env("X_API_URL", api);
    command
}

/// Sends a request over a socket, as any program could, and returns status and body.
async fn http(method: &str, url: &str, body: &str) -> (u16, Value) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn register_subscribe_deliver_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let emulator =
        Server::start(aaa(directory.path(), &["emulate", "--bind", "127.0.0.1:0", "--json"])).await;
    let mut receiver =
        Server::start(listen(directory.path(), &emulator.url, &["--format", "json"])).await;
    let client = client(&emulator);
    let url = format!("{}/webhooks/twitter", receiver.url).parse().unwrap();
    let webhook = client.app().create_webhook(&url).await.unwrap();
    assert!(webhook.valid);
    assert!(client.user(user(7)).subscribe(webhook.id).await.unwrap().subscribed);

    let events = format!("{}/_emulator/events?wait=true", emulator.url);
    let trigger = r#"{"kind":"favorite_events","user_id":"7","count":3}"#;
    let (status, made) = http("POST", &events, trigger).await;
    assert_eq!(status, 200, "{made}");
    let made: Vec<_> =
        made["events"].as_array().unwrap().iter().map(|e| e["key"].clone()).collect();
    assert_eq!(made.len(), 3);

    // The same events are printed as they arrive, and listed from the inbox.
    let mut printed = Vec::new();
    for _ in 0..3 {
        let line = timeout(PATIENCE, receiver.lines.next_line()).await.unwrap().unwrap().unwrap();
        printed.push(line);
    }
    let listed = run(aaa(directory.path(), &["events", "list", "--json"])).await;
    assert_eq!(listed.code, 0);
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), printed);
    let mut keys: Vec<Value> = Vec::new();
    for line in &printed {
        keys.push(serde_json::from_str::<Value>(line).unwrap()["key"].clone());
    }
    keys.sort_by_key(Value::to_string);
    let mut made = made;
    made.sort_by_key(Value::to_string);
    assert_eq!(keys, made);

    // A raw body, signed by the emulator, twice: stored once.
    let deliver = format!("{}/_emulator/deliver", emulator.url);
    let raw = serde_json::json!({ "webhook_id": webhook.id, "body": BODY }).to_string();
    for _ in 0..2 {
        let (status, answer) = http("POST", &deliver, &raw).await;
        assert_eq!((status, &answer["status"]), (200, &Value::from(200)));
    }
    let forged = serde_json::json!({
        "webhook_id": webhook.id, "body": BODY,
        "signature": "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    });
    let (_, answer) = http("POST", &deliver, &forged.to_string()).await;
    assert_eq!(answer["status"], 403);
    let args = ["events", "list", "--json", "--after", "3", "--limit", "1", "--user", "7"];
    let listed = run(aaa(directory.path(), &args)).await;
    let mut event: Value = serde_json::from_str(&listed.stdout).unwrap();
    event["received_at"] = Value::from("[time]");
    insta::assert_snapshot!(event, @r#"{"context":{"users":{}},"for_user_id":"7","key":"7/favorite_events:a","kind":"favorite_events","payload":{"id":"a"},"received_at":"[time]","seq":4,"stale":false}"#);
    let all = run(aaa(directory.path(), &["events", "list"])).await;
    assert_eq!(all.stdout.lines().count(), 5);
    let none = run(aaa(directory.path(), &["events", "list", "--kind", "follow_events"])).await;
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));

    assert_eq!(receiver.end().await, 0);
    assert_eq!(emulator.end().await, 0);
}

#[tokio::test]
async fn a_second_listener_on_the_same_directory_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let first = Server::start(listen(directory.path(), "http://127.0.0.1:9", &[])).await;
    let second = run(listen(directory.path(), "http://127.0.0.1:9", &[])).await;
    assert_eq!((second.code, second.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(second.stderr, @"error: could not open the store: the data directory `aaa-data` is in use by another process: stop that one, or choose another directory");
    assert_eq!(first.end().await, 0);
}

#[tokio::test]
async fn with_several_webhooks_one_has_to_be_named() {
    let directory = tempfile::tempdir().unwrap();
    let emulator =
        Server::start(aaa(directory.path(), &["emulate", "--bind", "127.0.0.1:0"])).await;
    let receiver = Server::start(listen(directory.path(), &emulator.url, &[])).await;
    let mut ids = Vec::new();
    for query in ["", "?second"] {
        let url = format!("{}/webhooks/twitter{query}", receiver.url).parse().unwrap();
        ids.push(client(&emulator).app().create_webhook(&url).await.unwrap().id.to_string());
    }
    assert_eq!(receiver.end().await, 0);
    let with_bearer = |args: &[&str]| {
        let mut command = listen(directory.path(), &emulator.url, args);
        command.env("X_BEARER_TOKEN", credentials::BEARER_TOKEN);
        command
    };
    let unclear = run(with_bearer(&[])).await;
    assert_eq!((unclear.code, unclear.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(unclear.stderr, @"error: the app has 2 webhooks: name the one to recover by its id or its public URL: --webhook ID or --public-url URL");
    let named = Server::start(with_bearer(&["--webhook", &ids[0]])).await;
    assert_eq!(named.end().await, 0);
    assert_eq!(emulator.end().await, 0);
}

/// Row 1 and 2 of what must be survived, in small: what was answered 200 is there after a
/// `kill -9`, and what is sent again is not stored again.
#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let emulator =
        Server::start(aaa(directory.path(), &["emulate", "--bind", "127.0.0.1:0"])).await;
    let mut bind = "127.0.0.1:0".to_owned();
    let mut webhook = None;
    for round in 1..=3 {
        let args = ["--format", "none", "--bind", bind.as_str()];
        let mut command = aaa(directory.path(), &["listen"]);
        command
            .args(args)
            .env("X_CONSUMER_SECRET", credentials::CONSUMER_SECRET)
            .env("X_API_URL", &emulator.url);
        let mut receiver = Server::start(command).await;
        bind = receiver.url.trim_start_matches("http://").to_owned();
        let id = match webhook {
            Some(id) => id,
            None => {
                let url = format!("{}/webhooks/twitter", receiver.url).parse().unwrap();
                client(&emulator).app().create_webhook(&url).await.unwrap().id
            }
        };
        webhook = Some(id);
        let deliver = format!("{}/_emulator/deliver", emulator.url);
        // One new event and all the old ones.
        let ids: Vec<_> = (1..=round).map(|n| format!(r#"{{"id":"{n}"}}"#)).collect();
        let body = format!(r#"{{"for_user_id":"7","favorite_events":[{}]}}"#, ids.join(","));
        let raw = serde_json::json!({ "webhook_id": id, "body": body }).to_string();
        assert_eq!(http("POST", &deliver, &raw).await.1["status"], 200);
        receiver.child.kill().await.unwrap();
        let listed = run(aaa(directory.path(), &["events", "list"])).await;
        assert_eq!(listed.stdout.lines().count(), round);
    }
    assert_eq!(emulator.end().await, 0);
}

/// An outage counts from the first ready line on, however soon the receiver dies.
#[tokio::test]
async fn coverage_begins_before_the_receiver_says_that_it_listens() {
    let directory = tempfile::tempdir().unwrap();
    let mut receiver = Server::start(listen(directory.path(), "http://127.0.0.1:9", &[])).await;
    receiver.child.kill().await.unwrap();
    let reader = SqliteStore::open_reader(directory.path().join("aaa-data")).unwrap();
    assert_eq!(reader.spans().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_outage_longer_than_the_look_back_is_named_as_lost() {
    let directory = tempfile::tempdir().unwrap();
    let emulator =
        Server::start(aaa(directory.path(), &["emulate", "--bind", "127.0.0.1:0"])).await;
    let with_bearer = || {
        let mut command = listen(directory.path(), &emulator.url, &["--format", "none"]);
        command.env("X_BEARER_TOKEN", credentials::BEARER_TOKEN);
        command
    };
    let mut receiver = Server::start(with_bearer()).await;
    let url = format!("{}/webhooks/twitter", receiver.url).parse().unwrap();
    client(&emulator).app().create_webhook(&url).await.unwrap();
    receiver.child.kill().await.unwrap();
    let clock = format!("{}/_emulator/clock", emulator.url);
    let thirty_hours = r#"{"advance_seconds":108000}"#;
    assert_eq!(http("POST", &clock, thirty_hours).await.0, 200);

    let mut receiver = Server::start(with_bearer()).await;
    let mut log = BufReader::new(receiver.child.stderr.take().unwrap()).lines();
    let lost = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the receiver ended");
            if line.contains("LOST") && line.contains("look-back of 24 hours") {
                return;
            }
        }
    };
    timeout(PATIENCE, lost).await.expect("nothing was named as lost");
    assert_eq!(receiver.end().await, 0);
    assert_eq!(emulator.end().await, 0);
}
