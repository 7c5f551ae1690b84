//! What `aaa listen` forgets, and what it takes out of what it keeps.

use std::path::Path;

use aaa_store::{Settings, SqliteStore};
use aaa_webhook::{
    app::App,
    delivery::Received,
    inbox::Inbox,
    signature::{HEADER, Signature},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{PATIENCE, Server, aaa, deliver, run};

const PATH: &str = "/webhooks/twitter";
const SECRET: &str = "main-secret";

async fn listen(directory: &Path, args: &[&str]) -> Server {
    let all = [&["listen", "--bind", "127.0.0.1:0", "--recover", "off"], args].concat();
    let mut command = aaa(directory, &all);
    command.env("X_CONSUMER_SECRET", SECRET);
    Server::start(command).await
}

async fn listed(directory: &Path) -> Vec<Value> {
    let done = run(aaa(directory, &["events", "list", "--json"])).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn show(directory: &Path, seq: u64) -> Value {
    let done = run(aaa(directory, &["events", "show", &seq.to_string(), "--json"])).await;
    serde_json::from_str(&done.stdout).unwrap()
}

/// A follow that happened so many hours ago.
fn follow(user: u64, hours: i64) -> String {
    let at = now() - SignedDuration::from_hours(hours);
    format!(
        r#"{{"for_user_id":"{user}","follow_events":[{{"type":"follow","created_timestamp":"{}",
        "source":{{"id":"9"}},"target":{{"id":"{user}"}}}}]}}"#,
        at.as_millisecond()
    )
}

#[expect(clippy::disallowed_methods, reason = "the receiver's clock is the real one")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Stores a delivery that arrived so many hours ago, as a receiver did then.
async fn arrived(directory: &Path, hours: &[i64]) {
    let store = SqliteStore::open(directory.join("aaa-data"), Settings::default()).unwrap();
    for hours in hours {
        let body = follow(7, *hours);
        let app = App::new("default", SECRET.parse().unwrap());
        let signature = Signature::of(app.active(), body.as_bytes()).to_string();
        let headers = http::HeaderMap::from_iter([(HEADER, signature.parse().unwrap())]);
        let at = now() - SignedDuration::from_hours(*hours);
        let received = Received::new(body.into(), at).verify(&headers, &[app]).unwrap();
        assert_eq!(store.commit(received).await.unwrap().stored, 1);
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_deleted_post_and_a_revoked_access_leave_no_content() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let post = r#"{"for_user_id":"7","tweet_create_events":[{"id_str":"20","text":"hush"}]}"#;
    let deletion =
        r#"{"for_user_id":"7","tweet_delete_events":[{"status":{"id":"20","user_id":"7"}}]}"#;
    let like = r#"{"for_user_id":"8","favorite_events":[{"id":"a","text":"hush"}]}"#;
    // An old one would be an old capture, and takes nothing away.
    let time = now().strftime("%Y-%m-%dT%H:%M:%S+00:00");
    let revocation = &format!(
        r#"{{"user_event":{{"revoke":{{"date_time":"{time}","target":{{"app_id":"1"}},"source":{{"user_id":"8"}}}}}}}}"#
    );

    // Whoever does not ask for it keeps everything.
    let server = listen(directory, &[]).await;
    for body in [post, like] {
        assert_eq!(deliver(&server.url, PATH, SECRET, body).await, 200);
    }
    assert_eq!(server.end().await, 0);
    let server = listen(directory, &["--redact-deleted"]).await;
    for body in [deletion, revocation] {
        assert_eq!(deliver(&server.url, PATH, SECRET, body).await, 200);
    }
    let shown = show(directory, 1).await;
    insta::assert_snapshot!(shown["payload"], @r#"{"id_str":"20","redacted":"post deleted"}"#);
    assert_eq!(shown["key"], "7/tweet_create_events:20");
    assert_eq!(server.end().await, 0);
    // What a user revoked goes a little later, at the latest when the next one starts.
    let server = listen(directory, &["--redact-deleted"]).await;
    let redacted = async {
        while listed(directory).await[1]["payload"]["text"] == "hush" {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, redacted).await.expect("it keeps what was revoked");
    insta::assert_snapshot!(show(directory, 2).await["payload"], @r#"{"identity":"a","redacted":"access revoked"}"#);
    assert_eq!(server.end().await, 0);
    for file in std::fs::read_dir(directory.join("aaa-data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(4).any(|word| word == b"hush"), "it is still in the file");
    }
}

#[tokio::test]
async fn old_events_go_and_what_is_waited_for_stays() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    arrived(directory, &[50, 49, 1]).await;
    // Nobody listens there, so all of them wait.
    let waits = ["--keep-events", "2d", "--forward-to", "http://127.0.0.1:1/"];
    let mut command = aaa(directory, &[&["listen", "--bind", "127.0.0.1:0"], &waits[..]].concat());
    command.env("X_CONSUMER_SECRET", SECRET);
    let mut server = Server::start(command).await;
    let mut log = {
        use tokio::io::{AsyncBufReadExt, BufReader};
        BufReader::new(server.child.stderr.take().unwrap()).lines()
    };
    let held = async {
        while !log.next_line().await.unwrap().unwrap().contains("old enough to go are kept") {}
    };
    timeout(PATIENCE, held).await.expect("nothing is said of what waits");
    assert_eq!(listed(directory).await.len(), 3);
    assert_eq!(server.end().await, 0);
    let dropped = run(aaa(directory, &["events", "drop-consumer", "forward"])).await;
    assert_eq!(dropped.code, 0, "{}", dropped.stderr);

    let server = listen(directory, &["--keep-events", "2d"]).await;
    let gone = async {
        while listed(directory).await.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("old events stay");
    assert_eq!(listed(directory).await[0]["seq"], 3);
    assert_eq!(server.end().await, 0);
}

#[tokio::test]
async fn what_is_older_than_its_key_is_stale() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for (user, args, stale) in [(7, &[][..], false), (8, &["--keep-keys", "2d"], true)] {
        let server = listen(directory, args).await;
        assert_eq!(deliver(&server.url, PATH, SECRET, &follow(user, 60)).await, 200);
        assert_eq!(listed(directory).await.pop().unwrap()["stale"], stale);
        assert_eq!(server.end().await, 0);
    }
    for args in [
        &["--keep-keys", "47h"][..],
        &["--keep-events", "59m"],
        &["--keep-keys", "soon"],
        // What a replay brings after four days would be stored, and never handled.
        &["--keep-keys", "48h", "--api", "v1.1"],
    ] {
        let mut command = aaa(directory, &[&["listen", "--bind", "127.0.0.1:0"], args].concat());
        command.env("X_CONSUMER_SECRET", SECRET);
        let done = run(command).await;
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{args:?}");
        assert!(done.stderr.contains(args[0]), "{}", done.stderr);
    }
}
