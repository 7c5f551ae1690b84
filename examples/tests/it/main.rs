//! Every example runs without an account and does what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

/// Where cargo puts the examples: beside the directory of this test's binary.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

#[tokio::test]
async fn simple_webhook_server_prints_what_happens() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Command::new(example("simple_webhook_server"))
        .current_dir(directory.path())
        .env_remove("X_CONSUMER_SECRET")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut starts = Vec::new();
    while starts.len() < 5 {
        let line = timeout(Duration::from_secs(30), lines.next_line()).await;
        let line = line.expect("the example says nothing more").unwrap().unwrap();
        starts.push(line.split([' ', ':']).next().unwrap().to_owned());
    }
    assert_eq!(starts[0], "listening");
    starts[1..].sort();
    assert_eq!(starts[1..], ["7/follow_events", "like", "message", "post"]);
    server.kill().await.unwrap();
    // Events of a play do not mix with a receiver's.
    assert!(!directory.path().join("aaa-data").exists());
}

#[tokio::test]
async fn forwarding_hands_everything_to_both_consumers() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Command::new(example("forwarding"))
        .current_dir(directory.path())
        .env_remove("X_CONSUMER_SECRET")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut words = Vec::new();
    while words.len() < 9 {
        let line = timeout(Duration::from_secs(30), lines.next_line()).await;
        let line = line.expect("the example says nothing more").unwrap().unwrap();
        words.push(line.split(' ').next().unwrap().to_owned());
    }
    words.sort();
    let expected = [["archived"; 4].as_slice(), &["handled"; 4], &["listening"]].concat();
    assert_eq!(words, expected);
    server.kill().await.unwrap();
    let archive = std::fs::read_to_string(directory.path().join("deliveries.jsonl")).unwrap();
    assert_eq!(archive.matches("for_user_id").count(), 4, "{archive}");
}

/// A published secret must never guard an address that was asked for.
#[tokio::test]
async fn simple_webhook_server_needs_a_secret_for_an_address() {
    let directory = tempfile::tempdir().unwrap();
    let server = Command::new(example("simple_webhook_server"))
        .arg("127.0.0.1:0")
        .current_dir(directory.path())
        .env_remove("X_CONSUMER_SECRET")
        .kill_on_drop(true)
        .output();
    let ended = timeout(Duration::from_secs(30), server).await.expect("it listens").unwrap();
    assert!(!ended.status.success());
    assert!(ended.stdout.is_empty());
    assert!(String::from_utf8(ended.stderr).unwrap().contains("X_CONSUMER_SECRET is not set"));
}

/// With an address nobody but X calls, and what X signs with the secret is taken.
#[tokio::test]
async fn simple_webhook_server_listens_where_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Command::new(example("simple_webhook_server"))
        .arg("127.0.0.1:0")
        .current_dir(directory.path())
        .env("X_CONSUMER_SECRET", "secret")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = timeout(Duration::from_secs(30), lines.next_line()).await;
    let line = line.expect("the example says nothing").unwrap().unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    assert!(directory.path().join("aaa-data").exists());
    server.kill().await.unwrap();
}

/// Starts an example that an emulated X calls, and returns its first lines, without their ends.
async fn first_lines(name: &str, count: usize) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Command::new(example(name))
        .current_dir(directory.path())
        .env_remove("X_CONSUMER_SECRET")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while said.len() < count {
        let line = timeout(Duration::from_secs(30), lines.next_line()).await;
        said.push(line.expect("the example says nothing more").unwrap().expect("it ended"));
    }
    server.kill().await.unwrap();
    assert!(directory.path().join("aaa-example-data").exists());
    said
}

#[tokio::test]
async fn axum_receiver_stores_what_happens() {
    let mut said = first_lines("axum_receiver", 5).await;
    assert!(said.remove(0).starts_with("listening on http://127.0.0.1:"));
    said.sort();
    assert_eq!(
        said,
        [
            "stored: direct_message_events",
            "stored: favorite_events",
            "stored: follow_events",
            "stored: tweet_create_events",
        ]
    );
}

#[tokio::test]
async fn tower_receiver_answers_what_happens() {
    let mut said = first_lines("tower_receiver", 6).await;
    assert!(said.remove(0).starts_with("listening on http://127.0.0.1:"));
    // The check, and four deliveries.
    assert_eq!(said, ["answered: 200 OK"; 5]);
}

/// A published secret must never guard an address that was asked for.
#[tokio::test]
async fn no_example_listens_at_an_address_without_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["axum_receiver", "tower_receiver"] {
        let server = Command::new(example(name))
            .arg("127.0.0.1:0")
            .current_dir(directory.path())
            .env_remove("X_CONSUMER_SECRET")
            .kill_on_drop(true)
            .output();
        let ended = timeout(Duration::from_secs(30), server).await.expect("it listens").unwrap();
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{name}");
        assert!(String::from_utf8(ended.stderr).unwrap().contains("X_CONSUMER_SECRET is not set"));
    }
}
