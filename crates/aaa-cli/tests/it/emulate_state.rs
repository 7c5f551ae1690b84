//! `aaa emulate`: what it is told, and what it keeps.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, Server, aaa, run, send};

async fn emulate(directory: &Path, more: &[&str]) -> Server {
    let args = ["emulate", "--bind", "127.0.0.1:0", "--virtual-time"];
    let mut command = aaa(directory, &args);
    command.args(more);
    Server::start(command).await
}

async fn post(server: &str, path: &str, body: &Value) -> Value {
    let (body, host) = (body.to_string(), server.strip_prefix("http://").unwrap());
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    serde_json::from_str(&send(server, &request).await.1).unwrap()
}

async fn now(server: &str) -> Value {
    let host = server.strip_prefix("http://").unwrap();
    let request =
        format!("GET /_emulator/state HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let (status, body) = send(server, &request).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["now"].take()
}

#[tokio::test]
async fn the_next_run_goes_on_from_the_last() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--start-at", "202511220400", "--state", "x.json"];
    let first = emulate(directory.path(), &flags).await;
    assert_eq!(now(&first.url).await, "2025-11-22T04:00:00Z");
    post(&first.url, "/_emulator/clock", &json!({"advance_seconds": 3600})).await;
    assert_eq!(first.end().await, 0);

    let mut second = emulate(directory.path(), &flags).await;
    assert_eq!(now(&second.url).await, "2025-11-22T05:00:00Z");
    // It is kept while it runs too: nothing is lost but the last seconds when it is killed.
    post(&second.url, "/_emulator/clock", &json!({"advance_seconds": 3600})).await;
    let kept = async {
        loop {
            let text = std::fs::read_to_string(directory.path().join("x.json")).unwrap();
            let kept: Value = serde_json::from_str(&text).expect("it is always whole");
            // A busy machine lets a second go by meanwhile.
            if kept["now"].as_str().unwrap() >= "2025-11-22T06:00:00Z" {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, kept).await.expect("it is written");
    second.child.kill().await.unwrap();
    let third = emulate(directory.path(), &flags).await;
    assert!(now(&third.url).await.as_str().unwrap() >= "2025-11-22T06:00:00Z");
    assert_eq!(third.end().await, 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.json"), "{}").unwrap();
    std::fs::write(directory.path().join("x.pem"), "hello").unwrap();
    let mut told = String::new();
    for flags in [["--state", "x.json"], ["--trust-ca", "x.pem"], ["--trust-ca", "absent.pem"]] {
        let mut command = aaa(directory.path(), &["emulate", "--bind", "127.0.0.1:0"]);
        command.args(flags);
        let done = run(command).await;
        assert_eq!((done.code, done.stdout.as_str()), (1, ""));
        told.push_str(&done.stderr);
        told.push('\n');
    }
    insta::assert_snapshot!(told.trim_end(), @r#"
    error: the state in x.json is no state of an emulator: missing field `version` at line 1 column 2
    what to do: move it away to begin anew, or name another file

    error: the certificates in x.pem cannot be trusted: no certificates to trust: the text has none; expected PEM with at least one certificate

    error: the certificates in absent.pem cannot be trusted: No such file or directory (os error 2)
    "#);
    assert_eq!(std::fs::read_to_string(directory.path().join("x.json")).unwrap(), "{}");
}

#[tokio::test]
async fn access_is_as_told_and_a_fault_that_never_happened_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut emulator = emulate(directory.path(), &["--access", "not-enrolled"]).await;
    let host = emulator.url.strip_prefix("http://").unwrap();
    let request = format!(
        "GET /2/webhooks HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer emulator-bearer\r\n\
         connection: close\r\n\r\n"
    );
    let (status, body) = send(&emulator.url, &request).await;
    assert_eq!(status, 403, "{body}");
    post(&emulator.url, "/_emulator/faults", &json!({"action": {"type": "drop"}})).await;
    let mut stderr = emulator.child.stderr.take().unwrap();
    assert_eq!(emulator.end().await, 0);
    let mut told = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut told).await.unwrap();
    let words = r#"a planned fault never happened: fault 1, {"type":"drop"}, fired 0 of 1 times"#;
    assert!(told.lines().any(|line| line.ends_with(words)), "{told}");
}

/// A run proves less than it seems to when what should go wrong did not, or only now and then; also
/// when it begins anew in between.
#[tokio::test]
async fn faults_that_happened_too_seldom_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut emulator = emulate(directory.path(), &[]).await;
    let host = emulator.url.strip_prefix("http://").unwrap();
    let request = format!(
        "GET /2/webhooks HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer emulator-bearer\r\n\
         connection: close\r\n\r\n"
    );
    for (times, begins_anew) in [(3, true), (2, false)] {
        let fault = json!({
            "match": {"operation": "list_webhooks"}, "action": {"type": "respond", "status": 503},
            "times": times,
        });
        post(&emulator.url, "/_emulator/faults", &fault).await;
        assert_eq!(send(&emulator.url, &request).await.0, 503);
        if begins_anew {
            post(&emulator.url, "/_emulator/reset", &json!({})).await;
        }
    }
    let mut stderr = emulator.child.stderr.take().unwrap();
    assert_eq!(emulator.end().await, 0);
    let mut told = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut told).await.unwrap();
    for times in [3, 2] {
        let end = format!("fired 1 of {times} times");
        let words = "a planned fault happened less often than planned: fault 1, ";
        let is_told = |line: &str| line.contains(words) && line.ends_with(&end);
        assert!(told.lines().any(is_told), "{times}: {told}");
    }
}
