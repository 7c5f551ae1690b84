//! `aaa store`, beside a running listener and without one.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::support::{Server, aaa, deliver, run};

const PATH: &str = "/webhooks/twitter";

fn listen(directory: &Path) -> Command {
    let mut command = aaa(directory, &["listen", "--bind", "127.0.0.1:0"]);
    command.env("X_CONSUMER_SECRET", "main-secret").env("X_API_URL", "http://127.0.0.1:9");
    command
}

async fn json(directory: &Path, args: &[&str]) -> Value {
    let done = run(aaa(directory, &[&["store"], args, &["--json"]].concat())).await;
    assert_eq!(done.code, 0, "{args:?}: {}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[tokio::test]
async fn a_store_is_looked_after_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let server = Server::start(listen(directory)).await;
    for (user, id) in [("7", "a"), ("7", "b"), ("8", "a")] {
        let body = format!(r#"{{"for_user_id":"{user}","favorite_events":[{{"id":"{id}"}}]}}"#);
        assert_eq!(deliver(&server.url, PATH, "main-secret", &body).await, 200);
    }
    let sound = json(directory, &["check"]).await;
    assert_eq!((&sound["sound"], &sound["events"]), (&true.into(), &3.into()));
    assert_eq!(json(directory, &["check", "--quick"]).await["findings"], Value::Array(vec![]));
    let copy = json(directory, &["backup", "copy.db"]).await;
    assert_eq!((&copy["events"], &copy["last_seq"]), (&3.into(), &3.into()));
    let again = run(aaa(directory, &["store", "backup", "copy.db"])).await;
    assert_eq!((again.code, again.stdout.as_str()), (1, ""));
    assert!(again.stderr.contains("copy.db"), "{}", again.stderr);

    let forgotten = json(directory, &["forget", "--user", "7"]).await;
    assert_eq!((&forgotten["events"], &forgotten["deliveries"]), (&2.into(), &2.into()));
    // The key is still known, so a replay brings nothing back.
    let body = r#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#;
    assert_eq!(deliver(&server.url, PATH, "main-secret", body).await, 200);
    assert_eq!(json(directory, &["check"]).await["events"], 1);
    assert_eq!(json(directory, &["vacuum"]).await["rebuilt"], false);
    assert_eq!(server.end().await, 0);
    assert_eq!(json(directory, &["vacuum"]).await["rebuilt"], true);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let missing = run(aaa(directory.path(), &["store", "check"])).await;
    assert_eq!((missing.code, missing.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(missing.stderr, @"error: could not check the store: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts");
    let usage = run(aaa(directory.path(), &["store", "forget", "--user", "seven"])).await;
    assert_eq!(usage.code, 2);

    let server = Server::start(listen(directory.path())).await;
    let body = r#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#;
    assert_eq!(deliver(&server.url, PATH, "main-secret", body).await, 200);
    assert_eq!(server.end().await, 0);
    let file = directory.path().join("aaa-data").join(aaa_store::sqlite::DATABASE);
    let mut bytes = std::fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end - 8192..].fill(0xee);
    std::fs::write(&file, bytes).unwrap();
    let damaged = run(aaa(directory.path(), &["store", "check"])).await;
    assert_eq!(damaged.code, 1);
    assert!(damaged.stderr.contains("error: the store is not sound"), "{}", damaged.stderr);
}
