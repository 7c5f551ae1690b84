//! What is logged: enough to see what happens, and nothing that is secret.

use std::{
    io,
    sync::{Arc, Mutex},
};

use aaa_client::ApiVersion;
use aaa_types::ReplayWindow;
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

use crate::fake::{FakeX, answer, token, with_headers};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs all that is said while a future runs, to its end.
fn logged(future: impl Future<Output = ()>) -> String {
    // With a single subscriber, tracing asks the thread that comes by first whether anybody listens,
    // which may be another test's.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace"))
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(future));
    let log = log.0.lock().unwrap().clone();
    String::from_utf8(log).unwrap()
}

/// Takes out what differs from run to run.
fn steady(log: &str) -> String {
    let measured = ["elapsed_ms=", "time.busy=", "time.idle=", "wait_ms="];
    let word = |word: &str| match measured.iter().find(|name| word.starts_with(**name)) {
        Some(name) => format!("{name}[measured]"),
        None => word.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    log.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a test in a process of its own. Whether anybody listens to a place in the code is noted for
/// the whole process, and a test beside this one that comes by such a place for the first time may
/// note that nobody does.
fn alone(test: &str, body: fn()) {
    const ALONE: &str = "AAA_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("spans::{test}"), "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

#[test]
fn attempts_are_told_without_secrets_and_queries() {
    alone("attempts_are_told_without_secrets_and_queries", attempts);
}

fn attempts() {
    let log = logged(async {
        let echoed = r#"{"errors":[{"message":"AAAA%2Fbearer 7-secret app-secret"}]}"#;
        let limited = with_headers(429, &[("x-rate-limit-reset", "1")], "");
        let x = FakeX::script([
            limited,
            answer(400, echoed),
            answer(204, ""),
            answer(
                200,
                "oauth_token=granted-token&oauth_token_secret=granted-secret&oauth_callback_confirmed=true",
            ),
        ]);
        let client = x.client(ApiVersion::V1_1);
        let id = "12".parse().unwrap();
        let window =
            ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap());
        client.app().create_replay(id, window.unwrap()).await.unwrap_err();
        client.user(token("7")).subscribe(id).await.unwrap();
        let callback = aaa_auth::flow::Callback::OUT_OF_BAND;
        client.oauth().request_token(&callback).await.unwrap();
    });
    for secret in [
        "AAAA",
        "bearer",
        "app-secret",
        "-token",
        "-secret",
        "oauth_",
        "from_date",
        "2025",
        "Bearer",
        "OAuth ",
        "authorization",
    ] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
    insta::assert_snapshot!("attempts_are_told_without_secrets_and_queries", steady(&log));
}

#[test]
fn a_failed_connection_is_told_without_a_status() {
    alone("a_failed_connection_is_told_without_a_status", failed_connection);
}

fn failed_connection() {
    let log = logged(async {
        let x = FakeX::script([]);
        x.client(ApiVersion::V2).app().list_webhooks().await.unwrap_err();
    });
    assert!(log.contains("path=\"/2/webhooks\"") && !log.contains("status="), "{log}");
}
