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
}
