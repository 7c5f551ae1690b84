//! What an operator sees of a listener, and that seeing it holds up nothing.

use std::path::Path;

use axum::{Json, Router};
use http::header;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
    time::timeout,
};

use crate::support::{PATIENCE, Server, aaa, deliver, get, run, send};

const PATH: &str = "/webhooks/twitter";

fn listen(directory: &Path, args: &[&str]) -> Command {
    let mut command = aaa(directory, &["listen", "--bind", "127.0.0.1:0"]);
    command
        .args(args)
        .env("X_CONSUMER_SECRET", "main-secret")
        .env("X_CONSUMER_SECRET_PREVIOUS", "before")
        .env("X_API_URL", "http://127.0.0.1:9");
    command
}

fn body(n: usize) -> String {
    format!(r#"{{"for_user_id":"7","favorite_events":[{{"id":"{n}"}}]}}"#)
}

/// Returns a metric.
fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{name} is missing\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn metrics_health_and_readiness() {
    let directory = tempfile::tempdir().unwrap();
    // Nobody takes what is forwarded, so it all waits.
    let dead = ["--forward-to", "http://127.0.0.1:9/"];
    let args = [&["--metrics", "127.0.0.1:0", "--format", "json"][..], &dead].concat();
    let mut server = Server::start(listen(directory.path(), &args)).await;
    let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let address = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the listener ended");
            if let Some(rest) = line.strip_prefix("metrics on ") {
                return rest.trim_end_matches("/metrics").to_owned();
            }
        }
    };
    let metrics = timeout(PATIENCE, address).await.expect("no address of the metrics");

    assert_eq!(deliver(&server.url, PATH, "main-secret", &body(1)).await, 200);
    assert_eq!(deliver(&server.url, PATH, "before", &body(2)).await, 200);
    assert_eq!(deliver(&server.url, PATH, "before", &body(2)).await, 200);
    assert_eq!(deliver(&server.url, PATH, "other", &body(3)).await, 403);
    let token = "OWY4ODQ2ZjgtNDljMC00NDY2LWJhMGQtYTE4NzQ0MTM2OGFi";
    assert_eq!(get(&server.url, &format!("{PATH}?crc_token={token}")).await.0, 200);
    for _ in 0..2 {
        timeout(PATIENCE, server.lines.next_line()).await.unwrap().unwrap().unwrap();
    }

    // How far the terminal is, is told a moment after it has the line.
    let mut text = get(&metrics, "/metrics").await.1;
    while value(&text, r#"aaa_consumer_lag{consumer="terminal"}"#) > 0.0 {
        text = get(&metrics, "/metrics").await.1;
    }
    for (name, expected) in [
        (r#"aaa_deliveries_verified_total{secret="active"}"#, 1.0),
        (r#"aaa_deliveries_verified_total{secret="previous"}"#, 2.0),
        ("aaa_deliveries_committed_total", 3.0),
        ("aaa_events_stored_total", 2.0),
        ("aaa_events_duplicate_total", 1.0),
        (r#"aaa_requests_refused_total{reason="wrong_signature",status="403"}"#, 1.0),
        (r#"aaa_checks_total{result="answered"}"#, 1.0),
        (r#"aaa_consumer_lag{consumer="forward"}"#, 2.0),
        ("aaa_commit_duration_seconds_count", 3.0),
        ("aaa_store_events", 2.0),
        ("aaa_store_queued", 0.0),
        ("aaa_store_transaction_deliveries_sum", 3.0),
        ("aaa_store_transaction_deliveries_count", 3.0),
        ("aaa_store_transaction_duration_seconds_count", 3.0),
        ("aaa_store_queue_duration_seconds_count", 3.0),
        ("aaa_ready", 1.0),
    ] {
        assert_eq!(value(&text, name), expected, "{name}");
    }
    assert!(value(&text, "aaa_disk_free_bytes") > 0.0);
    assert!(value(&text, "aaa_last_delivery_timestamp_seconds") > 1.7e9);
    assert!(!text.contains("secret=\"main") && !text.contains("main-secret"), "{text}");
    assert_eq!(get(&metrics, "/healthz").await.0, 200);
    assert_eq!(get(&metrics, "/readyz").await, (200, "ready\n".to_owned()));
    // Neither listener answers for the other.
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(get(&server.url, path).await.0, 404, "{path}");
    }
    assert_eq!(get(&metrics, PATH).await.0, 404);
    assert_eq!(server.end().await, 0);
}

/// Asked to end, it says so while it still takes what the balancer sends; then it ends by itself.
#[tokio::test]
async fn who_drains_is_not_ready_and_takes_deliveries() {
    let directory = tempfile::tempdir().unwrap();
    let args = ["--metrics", "127.0.0.1:0", "--drain", "1h", "--format", "none"];
    let mut server = Server::start(listen(directory.path(), &args)).await;
    let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let mut line = async move |begin: &str| loop {
        let line = timeout(PATIENCE, log.next_line()).await.unwrap().unwrap();
        let line = line.expect("the listener ended");
        if let Some(rest) = line.strip_prefix(begin) {
            return rest.to_owned();
        }
    };
    let metrics = line("metrics on ").await;
    let metrics = metrics.trim_end_matches("/metrics");
    assert_eq!(get(metrics, "/readyz").await.0, 200);
    server.signal(rustix::process::Signal::TERM);
    line("not ready any more").await;
    assert_eq!(get(metrics, "/readyz").await.0, 503);
    assert_eq!(deliver(&server.url, PATH, "main-secret", &body(1)).await, 200);
    // Being asked once more ends the wait, which would be an hour.
    assert_eq!(server.end().await, 0);
}

/// The clock of this machine runs nine days ahead of X's: what is new by X's clock is new, and the
/// clock is told of.
#[tokio::test]
async fn a_clock_that_runs_ahead_is_told_and_makes_nothing_old() {
    let days = SignedDuration::from_hours(9 * 24);
    #[expect(clippy::disallowed_methods, reason = "it is compared with the receiver's clock")]
    let x_now = Timestamp::now() - days;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&x_now).unwrap();
    let nothing = json!({ "data": [], "meta": { "result_count": 0 } });
    let answer = async move || ([(header::DATE, date)], Json(nothing));
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", api.local_addr().unwrap());
    tokio::spawn(axum::serve(api, Router::new().fallback(answer)).into_future());

    let directory = tempfile::tempdir().unwrap();
    let args = ["--metrics", "127.0.0.1:0", "--recover", "off", "--format", "none"];
    let mut command = listen(directory.path(), &args);
    command.env("X_API_URL", url).env("X_BEARER_TOKEN", "bearer");
    let mut server = Server::start(command).await;
    let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let told = async {
        let (mut metrics, mut warned) = (None, false);
        while metrics.is_none() || !warned {
            let line = log.next_line().await.unwrap().expect("the listener ended");
            warned |= line.starts_with("warning: the clock of this machine is 2")
                && line.contains("ahead of X's");
            let address = line.strip_prefix("metrics on ");
            metrics = metrics.or(address.map(|rest| rest.trim_end_matches("/metrics").to_owned()));
        }
        metrics.unwrap()
    };
    let metrics = timeout(PATIENCE, told).await.expect("nothing was told");

    for (id, at) in [("new", x_now), ("old", x_now - days)] {
        let millis = at.as_millisecond();
        let item = format!(r#"{{"id":"{id}","timestamp_ms":{millis}}}"#);
        let body = format!(r#"{{"for_user_id":"7","favorite_events":[{item}]}}"#);
        assert_eq!(deliver(&server.url, PATH, "main-secret", &body).await, 200);
    }
    let listed = run(aaa(directory.path(), &["events", "list", "--json"])).await.stdout;
    let stale = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let stale: Vec<_> = stale.map(|event| event["stale"].clone()).collect();
    assert_eq!(stale, [false, true], "{listed}");
    let text = get(&metrics, "/metrics").await.1;
    assert_eq!(value(&text, "aaa_store_stale_total"), 1.0);
    let offset = value(&text, "aaa_clock_offset_seconds") + days.as_secs_f64();
    assert!(offset.abs() < 120.0, "{offset}");
    assert_eq!(server.end().await, 0);
}

#[tokio::test]
async fn metrics_need_an_address_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = aaa(directory.path(), &["listen", "--bind", "127.0.0.1:1"]);
    command.args(["--metrics", "127.0.0.1:1"]).env("X_CONSUMER_SECRET", "main-secret");
    let done = run(command).await;
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("--metrics needs an address of its own"), "{}", done.stderr);
}

/// Nobody reads stderr, and the log says far more than a pipe holds.
#[tokio::test]
async fn a_stalled_terminal_stalls_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = listen(directory.path(), &["--format", "none"]);
    command.env("AAA_LOG", "trace");
    let server = Server::start(command).await;
    // Far more than 64 KiB of lines, a hundred requests to a connection.
    let request = format!("GET {PATH}?crc_token=x HTTP/1.1\r\nhost: x\r\n\r\n");
    let last = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    for n in 0..30 {
        let (status, _) = send(&server.url, &(request.repeat(100) + &last)).await;
        assert_eq!(status, 400);
        assert_eq!(deliver(&server.url, PATH, "main-secret", &body(n)).await, 200);
    }
    // The pipe is still full, and still nobody reads it.
    assert_eq!(server.end().await, 0);
}
